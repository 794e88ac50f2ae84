use serde_json::Value;

use crate::room::Room;

/// The outputs of this network are its inputs: 1 to 4, or to 9.
fn as_it_is(rows: usize, band: &str) -> String {
    let list: Vec<String> = (1..=rows).map(|row| format!("[{row}]")).collect();
    let list = list.join(", ");
    format!(
        r#"
title = "As it is"
document = "none"

[data]
inputs = [{list}]
answers = [{list}]

[train]
hidden = "none"
scale = "none"

[[run]]
untrained = true
weights = [[[1]]]
[[run.value]]
what = "rows"
measure = "probabilities"
first = {rows}
note = "a note"
{band}
"#
    )
}

/// The band, and how many of the four values are told as right.
const BANDS: &[(&str, usize)] = &[
    ("band = [1, 4]", 4),
    ("band = [1, 3.5]", 3),
    ("band = [1.5, 4]", 3),
    ("band = [5, 6]", 0),
    ("band = [-1, 0]", 0),
    ("published = [1, 2, 3, 4]\nwithin = 0", 4),
    ("published = [2, 1, 4, 3]\nwithin = 1", 4),
    ("published = [1, 2, 3, 5.5]\nwithin = 1", 3),
    ("published = [1, 2, 3, 2.5]\nwithin = 1", 3),
    // The band is around what is expected, whatever was published.
    (
        "published = [9, 9, 9, 9]\nexpected = [1, 2, 3, 4]\nwithin = 0",
        4,
    ),
    (
        "published = [1, 2, 3, 4]\nexpected = [1, 9, 9, 4]\nwithin = 0.5",
        2,
    ),
    // Too many that differ: all are missed.
    ("published = [1, 2, 5, 6]\nband = [0, 9]\ndiffer = 2", 4),
    ("published = [1, 2, 5, 6]\nband = [0, 9]\ndiffer = 1", 0),
    ("published = [1, 2, 3, 4]\nwithin = 1\ndiffer = 0", 4),
];

#[test]
fn a_value_holds_within_its_band() {
    let room = Room::new();
    for &(band, right) in BANDS {
        room.write("own.toml", as_it_is(4, band));
        let outcome = room.run("recipe run own.toml -q");
        let told = &outcome.stdout;
        let [summary, verdict] = if right == 4 {
            ["  holds: 4 of 4 values", "holds"]
        } else {
            ["  MISSES: ", "misses"]
        };
        assert!(
            told.contains(summary) && told.contains(&format!(": {right} of 4 values")),
            "{band}: {told}"
        );
        assert_eq!(told.matches("  holds\n").count(), right, "{band}: {told}");
        // The note is told of each value that is missed.
        for words in ["  MISSES\n", "    a note\n"] {
            assert_eq!(told.matches(words).count(), 4 - right, "{band}: {told}");
        }

        let json = room.run("recipe run own.toml -q --json");
        let object: Value = serde_json::from_str(&json.stdout).expect("JSON");
        let recipe = &object["recipes"][0];
        assert_eq!(recipe["verdict"], verdict, "{band}");
        assert_eq!(object["all_hold"], right == 4, "{band}");
        let lines = recipe["runs"][0]["measured"].as_array().expect("lines");
        let holding = lines.iter().filter(|line| line["holds"] == true).count();
        assert_eq!((lines.len(), holding), (4, right), "{band}");
        let code = Some(i32::from(right < 4));
        assert_eq!((outcome.code, json.code), (code, code), "{band}");
    }
}

/// What is told of one value: what was published, ours, the band, and whether ours is in it.
#[test]
fn a_value_is_told_with_its_band() {
    let room = Room::new();
    let band = "published = [1, 3, 3, 4]\nexpected = [1, 2, 3, 8]\nwithin = 0.5";
    room.write("own.toml", as_it_is(4, band));
    let outcome = room.run("recipe run own.toml -q --json");
    let object: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let measured = &object["recipes"][0]["runs"][0]["measured"];
    for (at, (published, band, holds)) in
        [(1, (3.0, [1.5, 2.5], true)), (3, (4.0, [7.5, 8.5], false))]
    {
        let value = &measured[at]["values"][0];
        let told = (&value["published"], &value["ours"], &value["holds"]);
        assert_eq!(
            told,
            (&published.into(), &((at + 1) as f64).into(), &holds.into())
        );
        assert_eq!([&value["band"][0], &value["band"][1]], band);
    }
}

#[test]
fn many_values_share_a_line() {
    let room = Room::new();
    for (band, summary) in [
        ("band = [1, 9]", "holds: 1 of 1 values"),
        ("band = [1, 8]", "MISSES: 0 of 1 values"),
        (
            "published = [1, 2, 3, 4, 5, 6, 7, 8, 0]\nband = [1, 9]\ndiffer = 0",
            "MISSES: 0 of 1 values",
        ),
    ] {
        room.write("own.toml", as_it_is(9, band));
        let told = room.run("recipe run own.toml -q").stdout;
        assert!(
            told.contains("rows (9 values)") && told.contains(summary),
            "{told}"
        );
    }
}

/// Two runs of two epochs, the second going on from the first, are one of four: the weights and the random numbers too.
#[test]
fn a_run_goes_on_where_another_ended() {
    let room = Room::new();
    let run = |name: &str, more: &str, epochs: usize, at: &str| {
        format!(
            r#"
[[run]]
name = "{name}"
{more}
[run.train]
epochs = {epochs}
[[run.value]]
what = "losses"
measure = "loss"
epoch = {at}
band = [0, 9]
"#
        )
    };
    let runs = [
        run("whole", "", 4, "[3, 4]"),
        run("half", "", 2, "[1, 2]"),
        run("rest", "goes-on-from = \"half\"", 2, "[1, 2]"),
    ];
    let head = r#"
title = "On"
document = "none"

[data]
inputs = [[0, 0], [0, 1], [1, 0], [1, 1], [2, 1], [1, 2]]
answers = [[0], [1], [1], [0], [1], [1]]

[train]
hidden = 4
activation = "tanh"
optimizer = "sgd"
lr = 0.1
schedule = "constant"
batch-size = 1
random = "numpy"
"#;
    room.write("on.toml", format!("{head}{}", runs.concat()));
    let told = room.json("recipe run on.toml -q --json");
    let losses = |run: usize| {
        let measured = &told["recipes"][0]["runs"][run]["measured"];
        [0, 1].map(|at| measured[at]["values"][0]["ours"].clone())
    };
    assert_eq!(losses(2), losses(0));
    assert_ne!(losses(1), losses(0));
}
