//! Which rows are trained on, watched and measured. A network of zeros that learns nothing tells them: its loss is the mean
//! square of their answers, which are their numbers.

use std::fmt::Write;
use std::ops::Range;

use serde_json::Value;

use crate::room::Room;

const ZEROS: &str = "train numbers.csv --label y --task values --hidden none --init zeros --scale none --raw-targets --lr 0 --epochs 1 -o m.safetensors";

/// A hundred rows, each with its number as the answer.
fn numbered() -> Room {
    let room = Room::new();
    let rows = (0..100).map(|row| format!("{},{row}\n", row % 7));
    room.write("numbers.csv", format!("x,y\n{}", rows.collect::<String>()));
    room
}

fn mean_square(rows: Range<u32>) -> f64 {
    let count = f64::from(rows.end - rows.start);
    rows.map(|row| f64::from(row).powi(2)).sum::<f64>() / count
}

#[track_caller]
fn is_near(told: &Value, expected: f64) {
    let told = told.as_f64().expect("a number");
    assert!(
        (told - expected).abs() <= 1e-5 * expected,
        "{told} {expected}"
    );
}

#[test]
fn rows_are_passed_over_then_taken_then_held_out() {
    let room = numbered();
    let outcome = room.run(&format!(
        "{ZEROS} --skip 20 --take 50 --split last --validation 0.2"
    ));
    assert!(
        outcome
            .stderr
            .starts_with("numbers.csv: 40 rows to train on, 10 held out\n"),
        "{}",
        outcome.stderr
    );
    let epoch = &room.history("m.jsonl")[0];
    is_near(&epoch["loss"], mean_square(20..60));
    is_near(&epoch["validation_loss"], mean_square(60..70));
    let record = room.record("m.safetensors");
    assert_eq!(
        (&record["rows"], &record["rows_held_out"]),
        (&40.into(), &10.into())
    );

    let measured = room.json("evaluate m.safetensors numbers.csv --skip 30 --take 60 --json");
    is_near(&measured["mse"], mean_square(30..90));
}

#[test]
fn each_way_of_holding_out() {
    let room = numbered();
    let held_out = |options: &str| {
        room.ok(&format!("{ZEROS} -q --validation 0.2 {options}"));
        room.history("m.jsonl")[0]["validation_loss"].clone()
    };
    is_near(&held_out("--split last"), mean_square(80..100));
    let random = held_out("--split random");
    assert_eq!(random, held_out(""), "values are held out at random");
    assert_ne!(random, held_out("--split last"));
    assert_ne!(random, held_out("--seed 2"));

    // Three quarters of the rows are of the first class, which is all that zeros tell; the others are the last.
    let rows = |class: &str, count| format!("1,{class}\n").repeat(count);
    room.write(
        "sorted.csv",
        format!("x,kind\n{}{}", rows("a", 90), rows("b", 30)),
    );
    let right = |options: &str| {
        room.ok(&format!("train sorted.csv --label kind --hidden none --init zeros --lr 0 --epochs 1 -q -o m.safetensors {options}"));
        room.history("m.jsonl")[0]["validation_accuracy"].clone()
    };
    for options in ["", "--seed 2", "--seed 3", "--split stratified"] {
        assert_eq!(right(options), 0.75, "{options}");
    }
    assert_eq!(right("--split last"), 0.0);
}

#[test]
fn the_seed_is_that_of_the_one_shuffle_too() {
    let room = numbered();
    let weights = |options: &str| {
        let zeros = ZEROS.replace("--lr 0", "--lr 0.001 --batch-size 1 --no-shuffle");
        room.ok(&format!("{zeros} -q --split last {options}"));
        room.weights("m.safetensors")
    };
    let kept = weights("--seed 1");
    assert!(kept == weights("--seed 2"), "nothing is random");
    let [first, second] = ["1", "2"].map(|seed| weights(&format!("--shuffle-once --seed {seed}")));
    assert!(first != kept && second != kept && first != second);
}

#[test]
fn scaling_is_fitted_to_the_rows_to_train_on() {
    let room = Room::new();
    let mut text = "x,y\n".to_owned();
    for row in 0..20 {
        let x = if row < 10 { row } else { 100 * row };
        writeln!(text, "{x},{row}").expect("a string");
    }
    room.write("steps.csv", text);
    room.ok("train steps.csv --label y --task values --split last --validation 0.5 --scale standard --epochs 1 -q -o m.safetensors");
    let preprocessing = &room.json("inspect m.safetensors --json")["preprocessing"];
    is_near(&preprocessing["shift"][0], 4.5);
    // One over the standard deviation of 0 to 9.
    is_near(&preprocessing["scale"][0], 8.25_f64.sqrt().recip());
}

#[test]
fn classes_are_chosen_in_the_validation_data_too() {
    let room = Room::new();
    for (name, rows) in [("t.csv", 60), ("v.csv", 30)] {
        let rows = (0..rows).map(|i| format!("{i},{}\n", ["a", "b", "c"][i % 3]));
        room.write(name, format!("x,kind\n{}", rows.collect::<String>()));
    }
    for (choice, counts) in [("--only a,b", [40, 20]), ("--one-vs-rest c", [60, 30])] {
        room.ok(&format!("train t.csv --label kind --validation-data v.csv {choice} --epochs 1 -q -o m.safetensors"));
        let record = room.record("m.safetensors");
        assert_eq!([&record["rows"], &record["rows_held_out"]], counts);
    }
}

/// On the rows held out and on those to test, both are what `evaluate` would say.
#[test]
fn train_ends_with_what_the_model_is_worth() {
    let room = Room::new();
    let told = room.ok("train --rows 300 --epochs 2 -q");
    let percent = |share: &Value| format!("{:.2} %", 100.0 * share.as_f64().expect("a share"));
    let held_out = percent(&room.history("model.jsonl")[1]["validation_accuracy"]);
    let test =
        percent(&room.json("evaluate model.safetensors digits --take 60 --json")["accuracy"]);
    assert_ne!(held_out, test);
    let lines = format!("held-out accuracy {held_out}\ntest accuracy {test}\n");
    assert!(told.starts_with(&lines), "{lines}{told}");

    room.write_plane("plane.csv");
    let told = room.ok(
        "train plane.csv --label y --validation-data plane.csv --epochs 3 -q -o plane.safetensors",
    );
    let measured = room.json("evaluate plane.safetensors plane.csv --json");
    let [rmse, r2] = ["rmse", "r2"].map(|key| measured[key].as_f64().expect("a number"));
    let line = format!("held-out rmse {rmse:.6}, r2 {r2:.4}\n");
    assert!(told.starts_with(&line), "{line}{told}");
}
