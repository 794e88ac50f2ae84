use std::fs;

use serde_json::Value;

use crate::room::Room;

/// The last line of the history.
fn last_epoch(room: &Room, history: &str) -> Value {
    let text = room.read(history);
    serde_json::from_str(text.lines().last().expect("an epoch")).expect("JSON")
}

#[test]
fn names_of_classes_come_back_from_a_csv() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 90);
    room.ok("train flowers.csv --label kind --hidden 8 --epochs 60 --batch-size 10 --lr 0.01 -o m.safetensors");
    let said = room.ok("predict m.safetensors flowers.csv --label kind");
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(&said[..3], ["prediction", "rose", "\"lily, white\""]);
    let measured = room.json("evaluate m.safetensors flowers.csv --label kind --json");
    assert_eq!(measured["accuracy"], 1.0);

    // The answers' column is left out, and nothing else is needed.
    let bare: String = room
        .read("flowers.csv")
        .lines()
        .map(|line| line.splitn(3, ',').take(2).collect::<Vec<_>>().join(",") + "\n")
        .collect();
    room.write("bare.csv", bare);
    fs::remove_file(room.path("flowers.csv")).expect("a file");
    assert_eq!(
        room.ok("predict m.safetensors bare.csv")
            .lines()
            .collect::<Vec<_>>(),
        said
    );
}

#[test]
fn values_are_learned_and_measured() {
    let room = Room::new();
    room.write_plane("plane.csv");
    room.ok("train plane.csv --label y --hidden none --epochs 200 --lr 0.05 --batch-size 20 -o m.safetensors");
    let measured = room.json("evaluate m.safetensors plane.csv --label y --json");
    for key in ["mse", "rmse", "mae", "r2"] {
        assert!(measured[key].is_number(), "{key} in {measured}");
    }
    assert!(
        measured["r2"].as_f64() > Some(0.999),
        "a plane is a linear model: {measured}"
    );
    assert!(
        room.ok("evaluate m.safetensors plane.csv --label y")
            .to_lowercase()
            .contains("rmse")
    );
    let said = room.ok("predict m.safetensors plane.csv");
    assert_eq!(said.lines().next(), Some("prediction"));
    let first: f64 = said
        .lines()
        .nth(1)
        .expect("a row")
        .parse()
        .expect("a number");
    assert!((first - 1.0).abs() < 0.1, "{first}");
}

#[test]
fn every_optimizer_lowers_the_loss() {
    let room = Room::new();
    room.ok("generate digits --rows 500 -o d.csv");
    let choices = [
        "sgd --lr 0.1",
        "ema-momentum --lr 0.5 --momentum 0.8",
        "momentum --lr 0.02 --momentum 0.8",
        "nesterov --lr 0.02 --momentum 0.8",
        "rmsprop --rho 0.95 --eps 1e-7",
        "adam --beta1 0.8 --beta2 0.99 --eps 1e-7",
        "adamw --weight-decay 0.1",
    ];
    for choice in choices {
        room.ok(&format!("train d.csv --hidden 16 --epochs 4 --batch-size 32 --optimizer {choice} -o m.safetensors"));
        let text = room.read("m.jsonl");
        let losses: Vec<f64> = text
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).expect("JSON")["loss"]
                    .as_f64()
                    .expect("a loss")
            })
            .collect();
        assert!(losses[3] < losses[0], "{choice}: {losses:?}");
    }
}

#[test]
fn every_setting_is_taken_and_changes_the_model() {
    let room = Room::new();
    room.ok("generate digits --rows 300 -o d.csv");
    let train = "train d.csv --hidden 12,8 --epochs 1 --batch-size 32 --quiet -o";
    room.ok(&format!("{train} plain.safetensors"));
    let plain = fs::read(room.path("plain.safetensors")).expect("a model");
    for setting in [
        "--activation tanh",
        "--activation relu,gelu",
        "--output-activation sigmoid",
        "--output-activation identity --loss mse",
        "--init glorot-uniform",
        "--init normal:0.01",
        "--no-bias",
        "--dropout 0.3",
        "--dropout 0,0.3",
        "--input-dropout 0.2",
        "--l1 0.01",
        "--l2 0.01",
        "--lr 0.01",
        "--batch-size full",
        "--batch-size 1",
        "--reduction sum",
        "--no-shuffle",
        "--scale standard",
        "--scale min-max",
        "--scale unit-shift:0.5",
        "--scale none",
        "--validation 0",
        "--split random",
        "--seed 2",
        "--take 200",
        "--epochs 2",
    ] {
        // A setting that is given twice would be a fault of usage.
        let name = setting.split(' ').next().expect("a name");
        let kept: Vec<&str> = train.split(' ').collect();
        let kept = match kept.iter().position(|&word| word == name) {
            Some(at) => [&kept[..at], &kept[at + 2..]].concat().join(" "),
            None => train.to_owned(),
        };
        room.ok(&format!("{kept} other.safetensors {setting}"));
        assert!(
            fs::read(room.path("other.safetensors")).expect("a model") != plain,
            "{setting} changed nothing"
        );
    }
}

#[test]
fn patience_stops_and_keeps_the_best_epoch() {
    let room = Room::new();
    room.ok("generate digits --rows 200 -o d.csv");
    room.ok("generate digits --rows 200 --seed 2 -o v.csv");
    let told = room.ok(
        "train d.csv --validation-data v.csv --hidden 64 --lr 0.02 --batch-size 16 --epochs 200 --patience 3 -o m.safetensors",
    );
    let history: Vec<Value> = room
        .read("m.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(
        history.len() < 200,
        "200 rows are learned by heart long before: {told}"
    );
    let best = history
        .iter()
        .min_by(|a, b| {
            a["validation_loss"]
                .as_f64()
                .partial_cmp(&b["validation_loss"].as_f64())
                .expect("numbers")
        })
        .expect("an epoch");
    assert_eq!(
        history.len(),
        best["epoch"].as_u64().expect("a number") as usize + 3
    );
    let measured = room.json("evaluate m.safetensors v.csv --json");
    let (kept, seen) = (&measured["accuracy"], &best["validation_accuracy"]);
    assert!(
        (kept.as_f64().expect("kept") - seen.as_f64().expect("seen")).abs() < 1e-9,
        "{kept} {seen}"
    );
}

#[test]
fn no_rows_held_out_leaves_no_validation_in_the_history() {
    let room = Room::new();
    let told = room.ok("train --rows 300 --epochs 1 --validation 0");
    assert!(!told.contains("held-out"), "{told}");
    assert!(last_epoch(&room, "model.jsonl")["validation_loss"].is_null());
}

#[test]
fn idx_files_are_found_as_a_pair_a_folder_and_by_name() {
    let room = Room::new();
    let folder = "data/mnist";
    fs::create_dir_all(room.path(folder)).expect("a folder");
    let at = |part: &str, kind: &str| format!("{folder}/{part}-{kind}-ubyte");
    room.write_idx(
        &at("train", "images-idx3"),
        &at("train", "labels-idx1"),
        400,
    );
    room.write_idx(&at("t10k", "images-idx3"), &at("t10k", "labels-idx1"), 100);
    let settings = "--hidden 8 --epochs 10 --batch-size 20 --lr 0.01";

    for data in ["mnist", "data/mnist"] {
        let told = room.ok(&format!("train {data} {settings} -o m.safetensors"));
        assert!(told.contains("test accuracy 100.00 %"), "{told}");
        let measured = room.json(&format!("evaluate m.safetensors {data} --json"));
        assert_eq!(measured["accuracy"], 1.0);
        let count: u64 = measured["confusion_matrix"]
            .as_array()
            .expect("rows")
            .iter()
            .flat_map(|row| row.as_array().expect("counts"))
            .map(|count| count.as_u64().expect("a count"))
            .sum();
        assert_eq!(count, 100, "{data}: the test part");
    }
    let images = at("train", "images-idx3");
    let told = room.ok(&format!("train {images} {settings} -o pair.safetensors"));
    assert!(told.contains("held-out accuracy"), "{told}");

    // Elsewhere, by the option and by the environment.
    fs::create_dir_all(room.path("else")).expect("a folder");
    fs::rename(room.path("data/mnist"), room.path("else/mnist")).expect("a move");
    room.ok("evaluate m.safetensors mnist --data-dir else");
    let status = room
        .command("evaluate m.safetensors mnist")
        .env("MLP_FAST_DATA", "else")
        .output();
    assert!(status.expect("the program runs").status.success());
}
