use std::process::Stdio;

use serde_json::Value;

use crate::room::Room;

/// A quick run on the built-in digits that writes model.safetensors, model.svg and model.jsonl.
const QUICK: &str = "train --rows 600 --epochs 2";

#[test]
fn train_writes_model_curves_and_history() {
    let room = Room::new();
    let outcome = room.run(QUICK);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("held-out accuracy"),
        "{}",
        outcome.stdout
    );
    for name in ["model.safetensors", "model.svg", "model.jsonl"] {
        assert!(outcome.stdout.contains(name), "{}", outcome.stdout);
    }
    assert_eq!(room.files().len(), 3);
    assert!(room.read("model.svg").contains("<svg"));

    // Not a terminal: one plain line per epoch, nothing that moves the cursor.
    let epochs = outcome
        .stderr
        .lines()
        .filter(|line| line.contains("epoch"))
        .count();
    assert!(
        epochs >= 2 && !outcome.stderr.contains(['\r', '\x1b']),
        "{}",
        outcome.stderr
    );

    let history: Vec<Value> = room
        .read("model.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object per line"))
        .collect();
    assert_eq!(history.len(), 2);
    for (i, epoch) in history.iter().enumerate() {
        assert_eq!(epoch["epoch"], i + 1);
        for key in [
            "loss",
            "accuracy",
            "validation_loss",
            "validation_accuracy",
            "seconds",
            "rows_per_second",
        ] {
            assert!(
                epoch[key].as_f64().is_some_and(|number| number >= 0.0),
                "{key} in {epoch}"
            );
        }
        assert!(epoch["best"].is_boolean());
    }
    assert!(history[1]["loss"].as_f64() < history[0]["loss"].as_f64());
}

#[test]
fn quiet_keeps_standard_error_empty() {
    let room = Room::new();
    let outcome = room.run(&format!("{QUICK} --quiet"));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert!(outcome.stdout.contains("held-out accuracy"));
}

#[test]
fn evaluate_agrees_with_predict() {
    let room = Room::new();
    room.ok("generate digits --rows 700 --seed 3 -o digits.csv");
    room.ok("train digits.csv --epochs 3 -o m.safetensors");
    let measured = room.json("evaluate m.safetensors digits.csv --json");
    for key in [
        "accuracy",
        "log_loss",
        "confusion_matrix",
        "per_class",
        "macro_avg",
        "weighted_avg",
    ] {
        assert!(!measured[key].is_null(), "{key}");
    }

    let predicted = room.ok("predict m.safetensors digits.csv");
    let mut predicted = predicted.lines();
    assert_eq!(predicted.next(), Some("prediction"));
    let digits = room.read("digits.csv");
    let mut confusion = vec![vec![0_u64; 10]; 10];
    for (line, said) in digits.lines().skip(1).zip(predicted) {
        let (label, _) = line.split_once(',').expect("a label and pixels");
        let at = |class: &str| class.parse::<usize>().expect("a digit");
        confusion[at(label)][at(said)] += 1;
    }
    let right: u64 = (0..10).map(|class| confusion[class][class]).sum();
    let counted: Vec<Vec<u64>> =
        serde_json::from_value(measured["confusion_matrix"].clone()).expect("a matrix of counts");
    assert_eq!(counted, confusion, "rows true, columns predicted");
    assert_eq!(confusion.iter().flatten().sum::<u64>(), 700);
    let accuracy = measured["accuracy"].as_f64().expect("a number");
    assert!((accuracy - right as f64 / 700.0).abs() < 1e-9);
    assert!(
        accuracy > 0.5,
        "three epochs on 630 rows reach more than half: {accuracy}"
    );

    let told = room.ok("evaluate m.safetensors digits.csv");
    for word in [
        "accuracy",
        "true",
        "predicted",
        "precision",
        "recall",
        "f1",
        "support",
        "macro",
        "weighted",
    ] {
        assert!(told.to_lowercase().contains(word), "no {word} in:\n{told}");
    }
}

#[test]
fn predict_writes_classes_probabilities_and_kaggle_form() {
    let room = Room::new();
    room.ok("generate digits --rows 300 --seed 3 -o digits.csv");
    room.ok("train digits.csv --epochs 1 -o m.safetensors");

    let csv = room.ok("predict m.safetensors digits.csv --probabilities");
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("prediction,p_0,p_1,p_2,p_3,p_4,p_5,p_6,p_7,p_8,p_9")
    );
    let mut rows = 0;
    for line in lines {
        let cells: Vec<f64> = line
            .split(',')
            .map(|cell| cell.parse().expect("a number"))
            .collect();
        let sum: f64 = cells[1..].iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "{line}");
        let largest = cells[1..].iter().copied().fold(0.0, f64::max);
        assert_eq!(cells[1 + cells[0] as usize], largest, "{line}");
        rows += 1;
    }
    assert_eq!(rows, 300);

    // To a file: the same text, nothing on standard output.
    assert_eq!(
        room.ok("predict m.safetensors digits.csv --probabilities -o p.csv"),
        ""
    );
    assert_eq!(room.read("p.csv"), csv);

    // Without the answers, as in Kaggle's test.csv.
    let bare: String = room
        .read("digits.csv")
        .lines()
        .map(|line| line.split_once(',').expect("a label").1.to_owned() + "\n")
        .collect();
    room.write("test.csv", bare);
    let kaggle = room.ok("predict m.safetensors test.csv --format kaggle");
    let plain = room.ok("predict m.safetensors digits.csv");
    let expected: Vec<String> = plain
        .lines()
        .skip(1)
        .enumerate()
        .map(|(i, class)| format!("{},{class}", i + 1))
        .collect();
    assert_eq!(kaggle.lines().next(), Some("ImageId,Label"));
    assert_eq!(kaggle.lines().skip(1).collect::<Vec<_>>(), expected);
}

#[test]
fn inspect_shows_what_was_trained() {
    let room = Room::new();
    room.ok(&format!("{QUICK} --dropout 0.25 --seed 9"));
    let told = room.ok("inspect model.safetensors");
    for word in [
        "784", "128", "10", "relu", "softmax", "101 770", "0.25", "FLOP", "seed",
    ] {
        assert!(told.contains(word), "no {word} in:\n{told}");
    }
    let object = room.json("inspect model.safetensors --json");
    assert_eq!(object["parameters"], 101_770);
    assert_eq!(object["layers"].as_array().map(Vec::len), Some(2));
    assert_eq!(object["layers"][0]["outputs"], 128);
}

#[test]
fn the_model_is_the_same_to_the_byte_for_every_thread_count_and_instruction_set() {
    let room = Room::new();
    for threads in [1, 2, 8] {
        room.ok(&format!(
            "{QUICK} --hidden 40,24 --dropout 0.2 --batch-size 100 --threads {threads} -o t{threads}.safetensors"
        ));
    }
    let bytes =
        |threads| std::fs::read(room.path(&format!("t{threads}.safetensors"))).expect("a model");
    assert!(bytes(1) == bytes(2) && bytes(1) == bytes(8));
    room.ok(&format!(
        "{QUICK} --hidden 40,24 --dropout 0.2 --batch-size 100 --isa scalar -o scalar.safetensors"
    ));
    assert!(std::fs::read(room.path("scalar.safetensors")).expect("a model") == bytes(1));
    room.ok(&format!(
        "{QUICK} --hidden 40,24 --dropout 0.2 --batch-size 100 --seed 2 -o other.safetensors"
    ));
    assert!(
        std::fs::read(room.path("other.safetensors")).expect("a model") != bytes(1),
        "another seed"
    );
}

#[test]
fn generate_is_the_same_for_the_same_seed() {
    let room = Room::new();
    room.ok("generate digits --rows 40 --seed 5 -o a.csv");
    let a = room.read("a.csv");
    assert_eq!(room.ok("generate digits --rows 40 --seed 5 -o -"), a);
    assert_ne!(room.ok("generate digits --rows 40 --seed 6 -o -"), a);
    assert_eq!(a.lines().count(), 41);
    assert!(
        a.starts_with("label,pixel0,pixel1,")
            && a.lines().next().is_some_and(|l| l.ends_with(",pixel783"))
    );
    for line in a.lines().skip(1) {
        let cells: Vec<u8> = line
            .split(',')
            .map(|cell| cell.parse().expect("a byte"))
            .collect();
        assert!(cells.len() == 785 && cells[0] < 10);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let room = Room::new();
    room.ok("generate digits --rows 200 -o d.csv");
    room.ok("train d.csv --epochs 1 -o m.safetensors");
    for arguments in [
        "generate digits --rows 200 -o -",
        "predict m.safetensors d.csv --probabilities",
        "predict m.safetensors d.csv --format kaggle",
        "evaluate m.safetensors d.csv",
        "inspect m.safetensors --json",
        "train --help",
    ] {
        let mut child = room
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("the program ends");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*told), (Some(0), ""), "{arguments}");
    }
}

#[test]
fn help_of_every_command_has_an_example_and_fits_a_screen() {
    let room = Room::new();
    assert!(room.ok("--help").contains("Exit codes"));
    assert!(room.ok("--version").contains(env!("CARGO_PKG_VERSION")));
    for command in ["train", "evaluate", "predict", "inspect", "generate"] {
        let help = room.ok(&format!("{command} --help"));
        assert!(
            help.contains("Example: mlp-fast") && help.lines().count() <= 64,
            "{help}"
        );
    }
}
