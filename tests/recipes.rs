//! The recipes: their files are well made and built in, and the quick ones give what was published.
//!
//! All of them, MNIST being at hand, by one command: `mlp-fast recipe run --all`.

#[path = "cli/room.rs"]
mod room;

/// A recipe, whatever its file holds, is shown or refused in one sentence that names it; the program never panics.
///
/// As many damaged files as the suite has time for, the same on every machine; `MLP_FAST_FUZZ_SECONDS=600 cargo test
/// --release --package mlp-fast --test recipes damaged` takes ten minutes of new ones.
#[path = "cli/damaged_recipes.rs"]
mod damaged_recipes;

/// What it takes for a recipe to hold: every value in its band, both ends included, and not too many that differ.
#[path = "cli/bands.rs"]
mod bands;

/// What a recipe measures: the numbers that `train` and `evaluate` give.
#[path = "cli/measures.rs"]
mod measures;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::room::Room;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/recipes")
}

fn listed(room: &Room) -> Vec<Value> {
    let list = room.json("recipe list --json");
    list["recipes"].as_array().expect("a list").clone()
}

fn name(recipe: &Value) -> &str {
    recipe["name"].as_str().expect("a name")
}

/// Every file is read when the list is made: its keys are known, and every published value has a band.
#[test]
fn every_recipe_file_is_built_in_and_read() {
    let room = Room::new();
    let built_in: BTreeSet<String> = listed(&room).iter().map(|r| name(r).to_owned()).collect();
    let files: BTreeSet<String> = fs::read_dir(folder())
        .expect("the folder of recipes")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    assert_eq!(built_in, files);
    assert!(files.len() >= 24, "{files:?}");
    for recipe in &files {
        let shown = room.ok(&format!("recipe show {recipe}"));
        for part in ["document", "wanted", "published", "band"] {
            assert!(shown.contains(part), "{recipe}: no {part} in {shown}");
        }
    }
}

#[test]
fn quick_recipes_hold() {
    let room = Room::new();
    let data = std::env::var_os("MLP_FAST_DATA");
    let mut ran = 0;
    for recipe in listed(&room) {
        if recipe["quick"] != true || (!recipe["needs"].is_null() && data.is_none()) {
            continue;
        }
        ran += 1;
        let mut command = room.command(&format!("recipe run {} --json -o .", name(&recipe)));
        if let Some(data) = &data {
            command.env("MLP_FAST_DATA", data);
        }
        let output = command.output().expect("the program runs");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(output.status.code(), Some(0), "{told:#}");
        assert_eq!(told["all_hold"], true);
        let ran = &told["recipes"][0];
        assert_eq!(ran["verdict"], "holds");
        let measured = ran["runs"][0]["measured"].as_array().expect("measures");
        assert!(!measured.is_empty());
    }
    assert!(ran >= 5, "{ran} ran");
}

/// Numbers that stand on the slide, computed.
#[test]
fn the_walk_shows_every_number_of_the_chain_rule() {
    let shown = Room::new().ok("recipe show grad-w1");
    for (name, value) in [
        ("h1 ", "0.04742587"),
        ("o1 ", "0.523695"),
        ("dL/do1 ", "-0.952609"),
        ("do1/dh1 ", "0.249438"),
        ("dh1/dw1 ", "-0.0903533"),
        ("dL/dw1 ", "0.0214695"),
    ] {
        let line = shown
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {shown}"));
        let told = line.rsplit("= ").next().expect("a value");
        assert!(told.starts_with(value), "{line}");
    }
}

const OWN: &str = r#"
title = "Own"
document = "none"

[data]
inputs = [[0, 0], [0, 1], [1, 0], [1, 1]]
answers = [[0], [1], [1], [0]]

[train]
hidden = 8
activation = "tanh"
output-activation = "sigmoid"
loss = "mse"
optimizer = "adam"
lr = 0.05
batch-size = "full"
epochs = 300

[[run]]
[[run.value]]
what = "one of them"
measure = "output"
input = [0, 1]
published = 1
within = 0.1
"#;

#[test]
fn a_recipe_of_ones_own() {
    let room = Room::new();
    room.write("own.toml", OWN);
    let told = room.ok("recipe run own.toml");
    assert!(
        told.contains("one of them") && told.contains("holds: 1 of 1 values"),
        "{told}"
    );
    assert!(room.read("recipe-results/own.svg").contains("<svg"));

    // A band that is missed: told in the table and by the exit code.
    room.write("missed.toml", OWN.replace("within = 0.1", "band = [2, 3]"));
    let outcome = room.run("recipe run missed.toml own.toml");
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stdout.contains("MISSES: 0 of 1 values"),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome
            .stderr
            .contains("of 2 recipes 1 outside their bands"),
        "{}",
        outcome.stderr
    );

    // The same bits whatever the threads.
    let ours = |threads: usize| {
        let told = room.json(&format!("recipe run own.toml --json --threads {threads}"));
        told["recipes"][0]["runs"][0]["measured"][0]["values"][0]["ours"].clone()
    };
    assert_eq!(ours(1), ours(2));
}

#[test]
fn without_its_data_a_recipe_is_not_passed() {
    let room = Room::new();
    let outcome = room.run("recipe run keras-first neuron-4");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("needs mnist"), "{}", outcome.stdout);
    assert!(
        outcome.stderr.contains("1 not run for want of their data"),
        "{}",
        outcome.stderr
    );
    let told = room.run("recipe run keras-first --json");
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(told["all_hold"], false);
    assert_eq!(told["recipes"][0]["verdict"], "needs data");
    assert!(
        told["recipes"][0]["why"]
            .as_str()
            .is_some_and(|why| why.contains("mnist"))
    );
    // The rows that are held out are data as well.
    let own = TEN_THEN_TWO.replace(
        "rows = 200",
        "rows = 200\nvalidation-data = \"fashion-mnist\"",
    );
    room.write("own.toml", own);
    let outcome = room.run("recipe run own.toml");
    assert!(
        outcome.stdout.contains("needs fashion-mnist"),
        "{}",
        outcome.stdout
    );
}

const TEN_THEN_TWO: &str = r#"
title = "Ten outputs, of which two have names"
document = "none"

[train]
data = "digits"
rows = 200

[[run]]
name = "ten"
untrained = true

[[run]]
goes-on-from = "ten"
untrained = true
train = { only = [0, 1] }
[[run.value]]
what = "what it says"
measure = "predictions"
first = 5
band = [0, 9]
"#;

#[test]
fn a_class_without_a_name_is_told_by_its_place() {
    let room = Room::new();
    room.write("two.toml", TEN_THEN_TWO);
    let told = room.ok("recipe run two.toml");
    assert!(told.contains("holds: 5 of 5 values"), "{told}");
}

/// What is changed in the recipe above, and what is then said.
const FAULTS: &[(&str, &str, [&str; 3])] = &[
    (
        "hidden = 8",
        "hiden = 8",
        ["own.toml:10:", "`hiden`", "did you mean `hidden`?"],
    ),
    (
        "epochs = 300",
        "epochs = \"ten\"",
        ["own.toml:17:", "--epochs ten", "whole number"],
    ),
    (
        "hidden = 8",
        "no-bias = 8",
        [
            "own.toml:10:",
            "`no-bias` must be true or false",
            "8 was found",
        ],
    ),
    (
        "hidden = 8",
        "threads = 8",
        ["own.toml:10:", "`threads`", "not a recipe's"],
    ),
    (
        "title = \"Own\"",
        "title = 1",
        ["own.toml:2:", "`title` must be a text", "1 was found"],
    ),
    (
        "title = \"Own\"",
        "titel = \"Own\"",
        ["own.toml:1:", "needs a `title`", ""],
    ),
    (
        "document = \"none\"",
        "document = \"none\"\nseed = 1",
        ["own.toml:4:", "unknown key `seed`", "title, document"],
    ),
    (
        "within = 0.1",
        "",
        ["own.toml:20:", "needs either a `band` or a `within`", ""],
    ),
    (
        "within = 0.1",
        "within = 0.1\nbnad = 1",
        ["own.toml:26:", "unknown key `bnad`", "band"],
    ),
    (
        "measure = \"output\"",
        "measure = \"outptu\"",
        ["own.toml:20:", "unknown measure `outptu`", "output"],
    ),
    (
        "measure = \"output\"",
        "measure = \"loss\"\nepoch = 301",
        ["own.toml:20:", "epoch 301", "1 to 300"],
    ),
    (
        "measure = \"output\"",
        "measure = \"loss\"\nepoch = []",
        ["own.toml:23:", "`epoch` must be", "an empty list was found"],
    ),
    (
        "[[0], [1], [1], [0]]",
        "[[0], [1]]",
        ["own.toml:5:", "4 rows", "2 answers"],
    ),
    (
        "[[0], [1], [1], [0]]",
        "[[0], [1, 2]]",
        ["own.toml:7:", "`answers` must be", "a list was found"],
    ),
    ("[[run]]\n", "[[run]\n", ["own.toml:19:", "", ""]),
    (
        "loss = \"mse\"",
        "loss = \"msee\"",
        ["", "msee", "there are"],
    ),
];

#[test]
fn faults_of_a_recipe_name_file_and_line() {
    let room = Room::new();
    for (from, to, words) in FAULTS {
        assert!(OWN.contains(from), "{from}");
        room.write("own.toml", OWN.replacen(from, to, 1));
        // What core finds wrong is told when the recipe runs; all else when it is read.
        if to.contains("msee") {
            let outcome = room.run("recipe run own.toml");
            assert_eq!(outcome.code, Some(1));
            assert!(
                words.iter().all(|word| outcome.stdout.contains(word)),
                "{}",
                outcome.stdout
            );
            continue;
        }
        room.fails("recipe run own.toml", 1, words);
        room.fails("recipe show own.toml", 1, words);
    }
    // A network that goes on keeps its layers, whatever `hidden` the later run is under.
    let later = |weights: &str| {
        let first = OWN.replacen("[[run]]", "[[run]]\nname = \"first\"", 1);
        let later =
            "[[run]]\ngoes-on-from = \"first\"\nuntrained = true\ntrain = { hidden = [8, 8] }";
        room.write("own.toml", format!("{first}{later}\nbiases = {weights}\n"));
    };
    later("[[1], [1], [1]]");
    let words = ["own.toml:27:", "3 layers of biases for 2 layers"];
    room.fails("recipe run own.toml", 1, &words);
    later("[[1, 1, 1, 1, 1, 1, 1, 1], [1]]");
    room.ok("recipe run own.toml");
    room.fails("recipe run absent.toml", 1, &["absent.toml", "cannot read"]);
    room.fails(
        "recipe run keras-frist",
        2,
        &["`keras-frist`", "did you mean `keras-first`?"],
    );
    let words = ["`KERAS-FRIST`", "did you mean `keras-first`?"];
    room.fails("recipe show KERAS-FRIST", 2, &words);
    room.fails("recipe run", 2, &["NAME"]);
    room.fails("recipe run --all neuron-4", 2, &["--all"]);
    room.fails("recipe show", 2, &["NAME"]);
}
