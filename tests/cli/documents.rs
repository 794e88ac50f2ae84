//! What a document's experiment asks of `train`: NumPy's numbers, a part of the classes, a model to go on from.

use std::fs;

use crate::room::Room;

#[test]
fn a_model_goes_on_from_another() {
    let room = Room::new();
    room.ok("generate digits --rows 300 --seed 3 -o d.csv");
    room.ok("train d.csv --only 3,8,1 --hidden 9,7 --activation tanh --scale unit --epochs 2 -o first.safetensors -q");
    // At a learning rate of 0 it is the same model, but for its record; with classes and scaling as they were.
    room.ok("train d.csv --only 8,1,3 --from first.safetensors --lr 0 --epochs 1 -o same.safetensors -q");
    let [first, same] =
        ["first", "same"].map(|name| room.json(&format!("inspect {name}.safetensors --json")));
    assert_eq!(first["target"], same["target"]);
    assert_eq!(same["record"]["from"], "first.safetensors");
    for name in ["first", "same"] {
        room.ok(&format!(
            "predict {name}.safetensors d.csv --probabilities -o {name}.csv"
        ));
    }
    let read = |name: &str| fs::read_to_string(room.path(name)).expect("predictions");
    assert_eq!(read("first.csv"), read("same.csv"));

    room.ok("train d.csv --only 3,8,1 --from first.safetensors --dropout 0.5,0.25 --layer-rates 0.5,1,1 --epochs 1 -o on.safetensors -q");
    room.ok("predict on.safetensors d.csv --probabilities -o on.csv");
    assert_ne!(read("first.csv"), read("on.csv"));

    for (options, code, words) in [
        ("--hidden 3", 2, &["--from", "--hidden"][..]),
        ("--scale none", 2, &["--from", "--scale"]),
        (
            "--dropout 0.5,0.5,0.5",
            2,
            &["--dropout has 3 values for 2 hidden layers"],
        ),
        ("--layer-rates 1,1", 2, &["2 rates of layers", "3 layers"]),
        ("--only 3,8,2", 1, &["class `2`", "not among the 3 classes"]),
    ] {
        let only = if options.contains("--only") {
            ""
        } else {
            "--only 3,8,1"
        };
        room.fails(
            &format!("train d.csv {only} --from first.safetensors {options} -q"),
            code,
            words,
        );
    }
    room.fails(
        "train d.csv --from first.safetensors -o first.safetensors",
        2,
        &["cannot write what this command reads"],
    );
    room.fails(
        "train d.csv --from missing.safetensors",
        1,
        &["missing.safetensors"],
    );
}

#[test]
fn some_classes_some_rows() {
    let room = Room::new();
    room.ok("generate digits --rows 400 --seed 3 -o d.csv");
    room.ok("train d.csv --one-vs-rest 0 --take 300 --hidden none --output-activation sigmoid --report mse -o zero.safetensors -q");
    let measured = room.json("evaluate zero.safetensors d.csv --one-vs-rest 0 --skip 300 --json");
    let counts: u64 = measured["confusion_matrix"]
        .as_array()
        .expect("rows")
        .iter()
        .flat_map(|row| row.as_array().expect("columns"))
        .filter_map(serde_json::Value::as_u64)
        .sum();
    assert_eq!(
        (counts, &measured["per_class"][0]["name"]),
        (100, &"not 0".into())
    );
    let rows = room.ok("predict zero.safetensors d.csv --skip 390 --take 5");
    assert_eq!(rows.lines().count(), 1 + 5);
    let all = room.ok("predict zero.safetensors d.csv");
    assert!(all.lines().skip(1 + 390).take(5).eq(rows.lines().skip(1)));

    room.fails(
        "evaluate zero.safetensors d.csv",
        1,
        &["expected one of the model's 2 classes (not 0, 0)"],
    );
    room.fails(
        "evaluate zero.safetensors digits",
        1,
        &["not among the 2 classes that are expected: not 0, 0"],
    );
    room.fails(
        "evaluate zero.safetensors d.csv --one-vs-rest x",
        2,
        &["no class `x`"],
    );
    room.fails("train d.csv --only 4", 1, &["at least two classes"]);
    room.fails(
        "train d.csv --only 4,5 --one-vs-rest 4",
        2,
        &["--only", "--one-vs-rest"],
    );
    for command in ["train", "predict zero.safetensors"] {
        let command = format!("{command} d.csv --skip 400");
        room.fails(&command, 1, &["--skip 400", "400 rows"]);
    }
}

/// The first weights of `np.random.seed(1)`; `0.2 * np.random.random((784, 2)) - 0.1` for [in, out].
#[test]
fn numbers_of_numpy() {
    let room = Room::new();
    room.ok("generate digits --rows 60 --seed 3 -o d.csv");
    let run = "train d.csv --only 0,1 --hidden 5 --init uniform:0.1,normal:0.5 --bias-init constant:0.25 --dropout 0.5 --lr 0 --epochs 1 -q";
    let weights = |options: &str| {
        room.ok(&format!("{run} {options} -o m.safetensors"));
        let bytes = fs::read(room.path("m.safetensors")).expect("a model");
        let length = u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize;
        let header: serde_json::Value =
            serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
        let at = header["layers.0.weight"]["data_offsets"][0]
            .as_u64()
            .expect("an offset") as usize;
        let tensor = &bytes[8 + length + at..];
        let at = |i: usize| f32::from_le_bytes(*tensor[4 * i..].first_chunk().expect("a weight"));
        // Of the first unit by the first two inputs, and of the second unit by the first.
        [at(0), at(1), at(784)]
    };
    let drawn =
        [0.417_022_004_702_574, 0.720_324_493_442_158_1].map(|u: f64| (-0.1 + 0.2 * u) as f32);
    let [a, b, _] = weights("--random numpy");
    assert_eq!([a, b], drawn);
    let [a, _, b] = weights("--random numpy --draw-order in-out");
    assert_eq!([a, b], drawn);
    assert_ne!(weights("")[0], drawn[0]);
    assert_ne!(
        weights("--random numpy --shuffle-once")[0],
        drawn[0],
        "the order of the rows is drawn first"
    );
    room.fails(
        "train d.csv --random numpy --seed 4294967296",
        2,
        &["--seed 4294967296", "4294967295"],
    );
    room.fails("train d.csv --random numbers", 2, &["numbers"]);
}

#[test]
fn rarer_options_are_in_the_longer_help() {
    let room = Room::new();
    let (short, long) = (room.ok("train --help"), room.ok("train --help-all"));
    assert!(short.contains("--help-all"));
    let widest = short.lines().map(|line| line.chars().count()).max();
    assert!(
        short.lines().count() <= 60 && widest <= Some(100),
        "no screen: {} rows, {widest:?} columns",
        short.lines().count()
    );
    for numbered in [
        "leaky-relu[:X]",
        "elu[:X]",
        "normal[:X]",
        "constant[:X]",
        "huber[:X]",
    ] {
        assert!(long.contains(&format!("{numbered},")), "{numbered}");
    }
    assert!(!long.contains(" relu[:X]") && !long.contains("zeros[:X]"));
    for option in [
        "--random",
        "--draw-order",
        "--bias-init",
        "--report",
        "--layer-rates",
        "--drop-last",
        "--shuffle-once",
        "--rho",
        "--reduction",
    ] {
        assert!(long.contains(option) && !short.contains(option), "{option}");
    }
    assert!(
        short
            .lines()
            .filter(|line| line.contains("--"))
            .all(|line| long.contains(line.split_whitespace().next().unwrap_or_default()))
    );
}
