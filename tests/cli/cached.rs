//! `--cache`: the same model from a file that is mapped as from memory, within bounded memory, and never from a cache that
//! is not what it should be.

use std::fmt::Write;
use std::fs;
use std::time::{Duration, SystemTime};

use oracle::rng::Rng;

use crate::room::Room;

/// No header; eight columns from 0 to 255, but of the last 40 rows one is a fraction; text answers at the end.
fn pixels(rows: usize, fractions: usize) -> String {
    let mut rng = Rng::new(5);
    let mut text = String::new();
    for row in 0..rows {
        let class = rng.below(3);
        for column in 0..8_u64 {
            let value = rng.below(80) + 70 * u64::from(column / 3 == class);
            let end = if row + fractions >= rows && column == 4 {
                ".25"
            } else {
                ""
            };
            write!(text, "{value}{end},").expect("a string");
        }
        writeln!(text, "{}", ["ant", "bee", "wasp"][class as usize]).expect("a string");
    }
    text
}

/// The same of which all columns but two are zero, others in each row.
fn mostly_zeros(rows: usize, fractions: usize) -> String {
    let text = pixels(rows, fractions);
    let mut zeros = String::new();
    for (row, line) in text.lines().enumerate() {
        for (column, cell) in line.split(',').enumerate() {
            let kept = column == 8 || (row + column) % 4 == 0;
            write!(zeros, "{}", if kept { cell } else { "0" }).expect("a string");
            zeros.push(if column < 8 { ',' } else { '\n' });
        }
    }
    zeros
}

/// Trains with the options in memory and by the cache, the second time from the cache as it is there, each on one and on
/// two threads, and compares the models byte by byte.
fn same_model(room: &Room, data: &str, options: &str) {
    let train = |name: &str, more: &str| {
        let told = room.run(&format!(
            "train {data} --hidden 7 --epochs 3 -b 32 {options} {more} -o {name}.safetensors"
        ));
        assert_eq!(told.code, Some(0), "{options} {more}: {}", told.stderr);
        let model = fs::read(room.path(&format!("{name}.safetensors"))).expect("a model");
        (model, told.stderr)
    };
    let (want, _) = train("memory", "-t 1");
    let (made, notes) = train("made", "-t 1 --cache");
    assert!(
        notes.contains(&format!("{data}.cache: made of {data}")),
        "{notes}"
    );
    let (kept, notes) = train("kept", "-t 2 --cache");
    assert!(!notes.contains(".cache"), "{notes}");
    assert!(made == want && kept == want, "{data} {options}");
    for cache in [data, "held.csv"] {
        // The next is made with other options.
        drop(fs::remove_file(room.path(&format!("{cache}.cache"))));
    }
}

#[test]
fn the_same_model_to_the_byte() {
    let room = Room::new();
    room.write("bytes.csv", pixels(500, 0));
    room.write("held.csv", pixels(100, 1));
    // More than a megabyte's values: the first rows are kept as bytes, the last as f32.
    room.write("both.csv", pixels(40_000, 40));
    room.write("zeros.csv", mostly_zeros(40_000, 40));
    room.write("zeros_of_bytes.csv", mostly_zeros(500, 0));
    room.write_flowers("flowers.csv", 300);
    room.write_plane("plane.csv");
    for (data, options) in [
        ("bytes.csv", ""),
        ("bytes.csv", "--scale min-max --split random --shuffle-once"),
        ("bytes.csv", "--validation 0 --skip 3 --take 400"),
        ("bytes.csv", "--only wasp,ant --scale unit"),
        ("bytes.csv", "--validation-data held.csv --patience 2"),
        ("both.csv", ""),
        ("zeros.csv", "--scale none"),
        ("zeros_of_bytes.csv", "--scale unit"),
        ("flowers.csv", "--seed 4"),
        ("flowers.csv", "--one-vs-rest rose --split last"),
        ("plane.csv", ""),
    ] {
        same_model(&room, data, options);
    }
}

#[test]
fn a_run_goes_on_by_the_cache() {
    let room = Room::new();
    room.write("data.csv", pixels(300, 5));
    let train = "train data.csv -q --hidden 5 --schedule constant";
    room.ok(&format!("{train} --epochs 4 -o whole.safetensors"));
    // Half in memory, half by the cache: the data are the same to the checkpoint.
    room.ok(&format!(
        "{train} --epochs 2 --checkpoint-every 1 -o m.safetensors"
    ));
    room.ok(&format!(
        "{train} --epochs 4 --resume --cache -o m.safetensors"
    ));
    let model = |name| fs::read(room.path(name)).expect("a model");
    assert!(model("whole.safetensors") == model("m.safetensors"));
}

#[test]
fn a_cache_that_is_not_as_it_should_be_is_made_anew() {
    let room = Room::new();
    room.write("data.csv", pixels(300, 5));
    let train = "train data.csv --cache --epochs 1";
    room.ok(&format!("{train} -o want.safetensors"));
    let want = fs::read(room.path("want.safetensors")).expect("a model");
    let good = fs::read(room.path("data.csv.cache")).expect("a cache");
    let again = |what: &str, cache: &[u8], words: &str| {
        room.write("data.csv.cache", cache);
        let told = room.run(&format!("{train} -o m.safetensors"));
        assert_eq!(told.code, Some(0), "{what}: {}", told.stderr);
        assert!(told.stderr.contains(words), "{what}: {}", told.stderr);
        assert!(told.stderr.contains("made anew"), "{what}: {}", told.stderr);
        let model = fs::read(room.path("m.safetensors")).expect("a model");
        assert!(model == want, "{what}");
        let made = fs::read(room.path("data.csv.cache")).expect("a cache");
        assert!(made == good, "{what}");
    };
    for at in [16, 500, good.len() / 2, good.len() - 60, good.len() - 10] {
        let mut flipped = good.clone();
        flipped[at] ^= 4;
        again(&format!("bit in byte {at}"), &flipped, "damaged");
    }
    again(
        "a header of 2^60 rows",
        &with_number(&good, 0, 1 << 60),
        "damaged",
    );
    again("2^60 columns", &with_number(&good, 2, 1 << 60), "damaged");
    again("cut short", &good[..good.len() - 100], "damaged");
    again("cut to its name", &good[..16], "damaged");
    let mut other_version = good.clone();
    other_version[14] = b'9';
    again("another version", &other_version, "version");

    // Other options, and another file of the same name and size.
    let told = room.run(&format!(
        "{train} --header no --task classes -o m.safetensors"
    ));
    assert!(told.stderr.contains("no longer"), "{}", told.stderr);
    let other = pixels(300, 5).replace("wasp", "moth");
    room.write("data.csv", other);
    let file = fs::File::options().write(true).open(room.path("data.csv"));
    let later = SystemTime::now() + Duration::from_secs(5);
    file.and_then(|file| file.set_modified(later))
        .expect("a time");
    let told = room.run(&format!("{train} -o m.safetensors"));
    assert!(told.stderr.contains("no longer"), "{}", told.stderr);
    let inspected = room.ok("inspect m.safetensors");
    assert!(inspected.contains("moth"), "{inspected}");
    // Nothing is left beside them.
    let names: Vec<_> = room.files().into_keys().collect();
    assert!(
        names
            .iter()
            .all(|name| !name.to_string_lossy().ends_with(".tmp")),
        "{names:?}"
    );
}

/// One of the numbers in the tail replaced.
fn with_number(cache: &[u8], which: usize, number: u64) -> Vec<u8> {
    let mut cache = cache.to_vec();
    let at = cache.len() - 56 + 8 * which;
    cache[at..at + 8].copy_from_slice(&number.to_le_bytes());
    cache
}

#[test]
fn what_cannot_be_cached_is_told() {
    let room = Room::new();
    room.write_idx("i-images", "i-labels", 20);
    room.fails(
        "train i-images,i-labels --cache",
        2,
        &["--cache", "CSV", "i-images"],
    );
    room.fails("train digits --cache", 2, &["--cache", "CSV", "digits"]);
    room.write("data.csv", pixels(50, 0));
    room.fails(
        "train data.csv --cache -o data.csv.cache",
        2,
        &["-o data.csv.cache", "--cache"],
    );
    room.write("data.csv.cache", "my own notes");
    room.fails(
        "train data.csv --cache",
        1,
        &["data.csv.cache", "no cache", "move"],
    );
    room.write(
        "wrong.csv",
        format!("{}1,2,3,oops,5,6,7,8,ant\n", pixels(50, 0)),
    );
    room.fails(
        "train wrong.csv --cache",
        1,
        &["wrong.csv:51, column 4", "`oops`"],
    );
    #[cfg(unix)]
    room.fails("train /dev/null --cache", 2, &["--cache", "device"]);
}

/// 200 000 rows of 50 numbers are 40 MB as f32, 51 MB as a matrix of whole lines; by the cache the run has 24 MB of
/// memory of its own, threads' stacks included, and without it that does not do.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded() {
    const KILOBYTES: usize = 24 << 10;
    let room = Room::new();
    let mut rng = Rng::new(9);
    let row: String = "3.5,17.5,86.5,0.25,9.5,".repeat(10);
    let mut text = String::with_capacity(200_000 * (row.len() + 8));
    for _ in 0..200_000 {
        let class = rng.below(2);
        writeln!(text, "{class}{row}{class}").expect("a string");
    }
    room.write("big.csv", text);
    let run = |more: &str| {
        let mut shell = std::process::Command::new("sh");
        let program = room.command("");
        shell.arg("-c").arg(format!(
            "ulimit -d {KILOBYTES}; exec {} train big.csv --hidden 8 --epochs 1 -t 2 {more}",
            program.get_program().to_string_lossy()
        ));
        let folder = program.get_current_dir().expect("a room");
        shell.current_dir(folder).output().expect("a shell")
    };
    // Once while it is made, once when it is there.
    for _ in 0..2 {
        let done = run("--cache");
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{told}");
    }
    assert!(!run("").status.success(), "the bound bounds nothing");
}
