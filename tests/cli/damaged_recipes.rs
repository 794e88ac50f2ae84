#[path = "../fuzz/mutator.rs"]
mod mutator;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use mutator::Mutator;

use crate::room::Room;

/// Damaged recipes where no time is given.
const DAMAGED: usize = 150;

/// What recipes are made of.
const WORDS: [&str; 20] = [
    "[[run]]",
    "[[run.measure]]",
    "[settings]",
    "\"\"\"",
    "'''",
    "= [",
    "]]",
    "{ a = 1 }",
    "inf",
    "nan",
    "-1",
    "1e999",
    "0x10",
    "9223372036854775807",
    "9223372036854775808",
    "true",
    "1979-05-27",
    "\\u0000",
    "\u{1b}[31m",
    "[[[[[[[[[[[[[[[[",
];

fn check(room: &Room, bytes: &[u8]) -> bool {
    room.write("own.toml", bytes);
    let outcome = room.run("recipe show own.toml");
    let shown = bytes.escape_ascii();
    if outcome.code == Some(0) {
        assert!(!outcome.stdout.is_empty(), "{shown}");
        return true;
    }
    let sentence = outcome.stderr.trim_end_matches('\n');
    assert_eq!(outcome.code, Some(1), "{sentence}\n{shown}");
    assert!(
        sentence.starts_with("mlp-fast: own.toml") && !sentence.chars().any(char::is_control),
        "not one sentence that names the file: {sentence:?}\n{shown}"
    );
    assert!(sentence.chars().count() < 700, "{sentence}\n{shown}");
    assert_eq!(outcome.stdout, "", "{shown}");
    false
}

#[test]
fn damaged_recipes_are_refused_in_a_sentence() {
    let room = Room::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/recipes");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the recipes")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    paths.sort();
    let corpus: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| fs::read(path).expect("a recipe"))
        .collect();
    assert!(corpus.iter().all(|recipe| check(&room, recipe)));

    let seconds = std::env::var("MLP_FAST_FUZZ_SECONDS");
    let seconds = seconds.ok().and_then(|seconds| seconds.parse().ok());
    let seed = seconds.map_or(1, |_: u64| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.expect("a clock").as_nanos() as u64
    });
    let mut mutator = Mutator::new(seed, &corpus, &WORDS);
    let begin = Instant::now();
    let (mut runs, mut shown) = (0, 0);
    let goes_on = |runs| match seconds {
        Some(seconds) => begin.elapsed() < Duration::from_secs(seconds),
        None => runs < DAMAGED,
    };
    while goes_on(runs) {
        shown += usize::from(check(&room, &mutator.next()));
        runs += 1;
    }
    println!("{runs} damaged recipes of seed {seed}, of which {shown} are recipes still");
    assert!(shown < runs);
}

#[test]
fn what_cannot_be_a_recipe() {
    let room = Room::new();
    let forward = include_str!("../../data/recipes/feedforward-3.toml");
    let wider = forward.replacen("hidden = 2", "hidden = 8", 1);
    assert_ne!(wider, forward);
    room.write("wider.toml", wider);
    let words = ["wider.toml", "weights of layer 1", "8 rows of 2"];
    room.fails("recipe show wider.toml", 1, &words);
    let after = "\n[[run]]\nname = \"after\"\ngoes-on-from = \"before\"\nuntrained = true\n[run.walk]\ninput = [2, 3]\n";
    let after = forward.replacen("[[run]]", "[[run]]\nname = \"before\"", 1) + after;
    room.write("after.toml", after);
    let shown = room.ok("recipe show after.toml");
    let (before, after) = shown.split_once("run \"after\"").expect("two runs");
    assert!(before.contains("h1 ") && !after.contains("h1 "), "{shown}");
    room.write("long.toml", "# a comment\n".repeat(1 << 17));
    let words = ["long.toml", "it is longer than 1 MiB"];
    room.fails("recipe show long.toml", 1, &words);
    room.write("binary.toml", b"name = \"\xFF\xFE\"");
    room.fails("recipe show binary.toml", 1, &["binary.toml", "UTF-8"]);
    let deep = format!("a = {}", "[".repeat(100_000));
    room.write("deep.toml", deep);
    room.fails("recipe show deep.toml", 1, &["deep.toml:1"]);
    fs::create_dir(room.path("folder.toml")).expect("a folder");
    room.fails(
        "recipe show folder.toml",
        1,
        &["folder.toml", "cannot read"],
    );
    #[cfg(unix)]
    {
        // Without an end; and `files` of the room would read it too.
        std::os::unix::fs::symlink("/dev/zero", room.path("zero.toml")).expect("a link");
        let outcome = room.run("recipe show zero.toml");
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(words[1]), "{}", outcome.stderr);
    }
}
