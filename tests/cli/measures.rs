use std::fmt::Write;

use serde_json::Value;

use crate::room::Room;

const SERIES: [&str; 4] = ["loss", "accuracy", "validation-loss", "validation-accuracy"];

/// A recipe of 300 digits, with these values to compare.
fn recipe(values: &str) -> String {
    format!(
        "title = \"Digits\"\ndocument = \"none\"\n[train]\ndata = \"digits\"\nrows = 300\nhidden = 12\nepochs = 3\n[[run]]\n{values}"
    )
}

fn value(measure: &str, more: &str) -> String {
    format!("[[run.value]]\nwhat = \"{measure}\"\nmeasure = \"{measure}\"\n{more}\n")
}

/// What the recipe measured, value after value.
fn measured(room: &Room) -> Vec<f64> {
    let told = room.json("recipe run own.toml -q --json -o .");
    let lines = told["recipes"][0]["runs"][0]["measured"].as_array();
    let values = lines.expect("lines").iter().flat_map(|line| {
        let values = line["values"].as_array().expect("values").iter();
        values.map(|value| value["ours"].as_f64().expect("a number"))
    });
    values.collect()
}

fn numbers(list: &Value) -> Vec<f64> {
    match list {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

/// Trained by `train`: the test part of 300 digits is the first 60 of the test part of all.
#[test]
fn what_is_measured_is_what_evaluate_says() {
    let room = Room::new();
    room.ok("train digits --rows 300 --hidden 12 --epochs 3 -q -o m.safetensors");
    let told = room.json("evaluate m.safetensors digits --take 60 --json");
    let matrix = &told["confusion_matrix"];
    let each = |key: &str| {
        let classes = told["per_class"].as_array().expect("classes").iter();
        classes.flat_map(|class| numbers(&class[key])).collect()
    };
    let column = |p: usize| {
        let rows = matrix.as_array().expect("rows").iter();
        rows.map(|row| row[p].as_f64().expect("a count"))
            .collect::<Vec<_>>()
    };
    let predictions = room.ok("predict m.safetensors digits --take 60");
    let predictions = predictions.lines().skip(1);
    for (measure, more, expected) in [
        ("final-accuracy", "", numbers(&told["accuracy"])),
        ("final-log-loss", "", numbers(&told["log_loss"])),
        ("precision", "", each("precision")),
        ("recall", "", each("recall")),
        ("f1", "", each("f1")),
        ("support", "", each("support")),
        ("confusion", "", numbers(matrix)),
        (
            "confusion-by-predicted",
            "",
            (0..10).flat_map(column).collect(),
        ),
        (
            "predicted",
            "",
            (0..10).map(|p| column(p).iter().sum()).collect(),
        ),
        (
            "predictions",
            "first = 60",
            predictions
                .map(|class| class.parse().expect("a digit"))
                .collect(),
        ),
        ("rows", "on = \"train\"", vec![270.0]),
        ("rows", "on = \"held-out\"", vec![30.0]),
        ("rows", "on = \"test\"", vec![60.0]),
    ] {
        room.write(
            "own.toml",
            recipe(&value(measure, &format!("{more}\nband = [0, 60000]"))),
        );
        assert_eq!(measured(&room), expected, "{measure} {more}");
    }
}

/// The numbers of each epoch; and, being published, each is a ring on the curve of its own colour.
#[test]
fn published_numbers_of_epochs_are_rings_on_the_curves() {
    let room = Room::new();
    room.ok("train digits --rows 300 --hidden 12 --epochs 3 -q -o m.safetensors");
    let text = room.read("m.jsonl");
    let mut values = String::new();
    let mut expected = Vec::new();
    for (at, series) in SERIES.iter().enumerate() {
        let line: Value =
            serde_json::from_str(text.lines().nth(at % 3).expect("an epoch")).expect("JSON");
        let number = line[series.replace('-', "_")].as_f64().expect("a number");
        let more = format!("epoch = {}\npublished = {number:?}\nwithin = 0", at % 3 + 1);
        write!(values, "{}", value(series, &more)).expect("a string");
        expected.push(number);
    }
    room.write("own.toml", recipe(&values));
    assert_eq!(measured(&room), expected);

    let picture = room.read("own.svg");
    let part = |line: &str, key: &str| {
        let (_, rest) = line.split_once(&format!(" {key}=\"")).expect("a part");
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let paths: Vec<&str> = picture
        .lines()
        .filter(|line| line.starts_with("<path"))
        .collect();
    let rings = picture.lines().filter(|line| line.contains("r=\"3.5\""));
    let on_a_curve = rings.filter(|ring| {
        let place = format!("{} {}", part(ring, "cx"), part(ring, "cy"));
        let colour = part(ring, "stroke");
        paths.iter().any(|path| {
            part(path, "stroke") == colour && part(path, "d").split(['M', 'L']).any(|p| p == place)
        })
    });
    assert_eq!(on_a_curve.count(), SERIES.len());
}
