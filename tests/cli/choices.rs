use serde_json::Value;

use crate::room::Room;

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
        let history = room.history("m.jsonl");
        let [first, last] = [0, 3].map(|at| history[at]["loss"].as_f64().expect("a loss"));
        assert!(last < first, "{choice}: {first} {last}");
    }
}

#[test]
fn every_setting_is_taken_and_changes_the_model() {
    let room = Room::new();
    room.ok("generate digits --rows 300 -o d.csv");
    let train = "train d.csv --hidden 12,8 --epochs 1 --batch-size 32 --quiet -o";
    room.ok(&format!("{train} plain.safetensors"));
    let plain = room.weights("plain.safetensors");
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
        "--shuffle-once",
        "--drop-last",
        "--schedule constant",
        "--layer-rates 1,1,0.5",
        "--bias-init constant:0.1",
        "--draw-order in-out",
        "--random numpy",
        "--optimizer rmsprop",
        "--beta1 0.8",
        "--beta2 0.9",
        "--eps 0.1",
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
            room.weights("other.safetensors") != plain,
            "{setting} changed nothing"
        );
    }
}

#[test]
fn settings_of_other_optimizers_change_the_model() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 60);
    for (optimizer, setting) in [
        ("ema-momentum", "--momentum 0.5"),
        ("momentum", "--momentum 0.5"),
        ("nesterov", "--momentum 0.5"),
        ("rmsprop", "--rho 0.5"),
        ("adamw", "--weight-decay 0.5"),
    ] {
        let weights = |setting: &str| {
            room.ok(&format!(
                "train flowers.csv --label kind --epochs 2 --batch-size 8 -q -o m.safetensors --optimizer {optimizer} {setting}"
            ));
            room.weights("m.safetensors")
        };
        assert!(weights("") != weights(setting), "{optimizer} {setting}");
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
    let history = room.history("m.jsonl");
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
    let number = |value: &Value| value.as_f64().expect("a number");
    for (measure, seen) in [
        ("accuracy", "validation_accuracy"),
        ("log_loss", "validation_loss"),
    ] {
        let (kept, seen) = (number(&measured[measure]), number(&best[seen]));
        assert!((kept - seen).abs() < 1e-6, "{measure}: {kept} {seen}");
    }

    // All that tells of the model tells of that epoch.
    let (kept, run) = (&best["epoch"], history.len());
    let line = format!("kept the weights of epoch {kept} of {run}\n");
    assert!(told.contains(&line), "{line}{told}");
    let record = room.record("m.safetensors");
    assert_eq!(
        [&record["epoch_kept"], &record["epochs_run"]],
        [kept, &run.into()]
    );
    for key in ["loss", "accuracy", "validation_loss", "validation_accuracy"] {
        assert_eq!(record[format!("final_{key}")], best[key], "{key}");
    }
    let curves = room.read("m.svg");
    for label in [
        format!(
            ">kept: epoch {kept}, {:.4}<",
            number(&best["validation_loss"])
        ),
        format!(
            ">kept: epoch {kept}, {:.2} %<",
            100.0 * number(&best["validation_accuracy"])
        ),
    ] {
        assert!(curves.contains(&label), "no {label}");
    }
    let mut least = f64::INFINITY;
    for epoch in &history {
        let loss = number(&epoch["validation_loss"]);
        assert_eq!(epoch["best"], loss < least, "{epoch}");
        least = least.min(loss);
    }
}

/// Rows held out that contradict those trained on, so that the first epoch is the best.
#[test]
fn without_patience_the_last_epoch_is_kept() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 60);
    let text = room.read("flowers.csv").replace("rose", "other");
    let text = text.replace("lily, white", "rose");
    let text = text.replace("other", "lily, white");
    room.write("contrary.csv", text);
    room.ok("train flowers.csv --label kind --validation-data contrary.csv --lr 0.01 --epochs 5 -q -o m.safetensors");
    let history = room.history("m.jsonl");
    assert_eq!([&history[0]["best"], &history[4]["best"]], [true, false]);
    let record = room.record("m.safetensors");
    assert_eq!([&record["epoch_kept"], &record["epochs_run"]], [5, 5]);
    assert_eq!(
        record["final_validation_loss"],
        history[4]["validation_loss"]
    );
    let measured = room.json("evaluate m.safetensors contrary.csv --label kind --json");
    let [kept, last] = [&measured["log_loss"], &history[4]["validation_loss"]]
        .map(|loss| loss.as_f64().expect("a loss"));
    assert!((kept - last).abs() < 1e-6, "{kept} {last}");
}

/// In steps so small the loss falls a little in every epoch, and no row is told otherwise than before.
#[test]
fn what_makes_an_epoch_better_can_be_chosen() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 60);
    for (options, epochs, kept) in [
        ("", 8, 8),
        ("--monitor loss --min-delta 0", 8, 8),
        ("--min-delta 0.1", 3, 1),
        ("--monitor accuracy", 3, 1),
    ] {
        room.ok(&format!(
            "train flowers.csv --label kind --optimizer sgd --lr 1e-4 --schedule constant --epochs 8 --patience 2 -q -o m.safetensors {options}"
        ));
        let record = room.record("m.safetensors");
        assert_eq!(
            [&record["epochs_run"], &record["epoch_kept"]],
            [epochs, kept],
            "{options}"
        );
    }
}

#[test]
fn settings_are_recorded_each_in_its_place() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 60);
    room.ok("train flowers.csv --label kind --l1 0.1 --l2 0.2 --patience 3 --min-delta 0.5 --monitor accuracy --seed 7 --batch-size 9 --epochs 4 --report squared-error --no-shuffle -q -o m.safetensors");
    let record = room.record("m.safetensors");
    for (key, value) in [
        ("data", Value::from("flowers.csv")),
        ("rows", 54.into()),
        ("rows_held_out", 6.into()),
        ("loss", "cross-entropy".into()),
        ("report", "squared-error".into()),
        ("l1", 0.1.into()),
        ("l2", 0.2.into()),
        ("patience", 3.into()),
        ("min_delta", 0.5.into()),
        ("monitor", "accuracy".into()),
        ("seed", 7.into()),
        ("batch_size", 9.into()),
        ("epochs", 4.into()),
        ("shuffle", false.into()),
        ("shuffle_once", false.into()),
        ("drop_last", false.into()),
    ] {
        assert_eq!(record[key], value, "{key}");
    }
}

#[test]
fn without_bias_no_layer_has_one() {
    let room = Room::new();
    room.ok("train --rows 100 --hidden 6,5 --no-bias --epochs 1 -q");
    let model = room.json("inspect model.safetensors --json");
    let layers = model["layers"].as_array().expect("layers");
    assert!(layers.len() == 3 && layers.iter().all(|layer| layer["bias"] == false));
    assert_eq!(model["parameters"], 784 * 6 + 6 * 5 + 5 * 10);
    let told = room.ok("inspect model.safetensors");
    assert_eq!(told.matches("  no  ").count(), 3, "{told}");
}

#[test]
fn no_rows_held_out_leaves_no_validation_in_the_history() {
    let room = Room::new();
    let told = room.ok("train --rows 300 --epochs 1 --validation 0");
    assert!(!told.contains("held-out"), "{told}");
    assert!(room.history("model.jsonl")[0]["validation_loss"].is_null());
}
