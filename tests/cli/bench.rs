use std::fmt::Write;

use serde_json::Value;

use crate::room::Room;

/// Points of two kinds that a line parts: `x,y,kind`.
fn points(room: &Room) {
    let mut text = "x,y,kind\n".to_owned();
    for i in 0..200 {
        let (x, y) = (i % 20, i / 20 * 2);
        let kind = if x > y { "right" } else { "left" };
        writeln!(text, "{x},{y},{kind}").expect("a string takes it");
    }
    std::fs::write(room.path("points.csv"), text).expect("the file is written");
}

#[test]
fn training_time_to_an_accuracy() {
    let room = Room::new();
    points(&room);
    let command = "bench to-accuracy points.csv 0.9 --epochs 300 --hidden 8 --seeds 3";
    let text = room.ok(&format!("{command} --threads 2"));
    assert!(
        text.contains("to 90.00 % of its 20 held-out rows, trained on 180 rows"),
        "{text}"
    );
    assert!(
        text.contains(
            "network 2-8-2 of relu; adam, lr 0.006, linear; batch 64; at most 300 epochs"
        ),
        "{text}"
    );
    assert!(text.contains("3 of 3 seeds got there"), "{text}");
    // Times differ from run to run, all else does not.
    let untimed = |text: &Value| {
        text["runs"]
            .as_array()
            .expect("runs")
            .iter()
            .map(|run| (run["epochs"].clone(), run["accuracy"].clone()))
            .collect::<Vec<_>>()
    };
    let found = room.json(&format!("{command} --json"));
    assert_eq!(
        untimed(&found),
        untimed(&room.json(&format!("{command} --json --threads 1")))
    );
    let [least, median, greatest] =
        ["min", "median", "max"].map(|key| found["seconds"][key].as_f64().expect("reached"));
    assert!(0.0 < least && least <= median && median <= greatest);
    for run in found["runs"].as_array().expect("runs") {
        assert!(
            run["accuracy"].as_f64() >= Some(0.9) && run["epochs"].as_u64() < Some(300),
            "{run}"
        );
    }
    // A batch of more rows than there are is of all, and is not dropped: most of the time goes into training.
    let found = room.json(
        "bench to-accuracy points.csv 0.999 --epochs 10 --lr 1e-9 --hidden 512,512 --batch-size 1000 --drop-last --seeds 1 --json",
    );
    let [training, evaluation] = ["seconds", "evaluation_seconds"]
        .map(|key| found["runs"][0][key].as_f64().expect("seconds"));
    assert!(training > evaluation, "{found}");
    assert_eq!(room.files().len(), 1, "nothing is written");
}

#[test]
fn an_accuracy_that_is_not_reached() {
    let room = Room::new();
    points(&room);
    let command = "bench to-accuracy points.csv 0.999 --epochs 1 --seeds 2 --lr 1e-9";
    let text = room.ok(command);
    assert!(text.contains("not reached, best "), "{text}");
    assert!(
        text.contains("median never, max never; 0 of 2 seeds"),
        "{text}"
    );
    let found = room.json(&format!("{command} --json"));
    assert!(found["seconds"]["median"].is_null() && found["runs"][0]["reached"] == false);
    // The learning rate that was found for Adam is not another optimiser's.
    let text = room.ok("bench to-accuracy points.csv 0.1 --optimizer sgd");
    assert!(text.contains("sgd, lr 0.1,"), "{text}");
    let text = room.ok("bench to-accuracy points.csv 0.1 --optimizer adam");
    assert!(text.contains("adam, lr 0.006,"), "{text}");
}

#[test]
fn an_accuracy_is_reached_where_it_is_equal() {
    let room = Room::new();
    points(&room);
    let first = |accuracy: &str| {
        let command = format!("bench to-accuracy points.csv {accuracy} --epochs 4 --seeds 1");
        room.json(&format!("{command} --lr 1e-9 --json"))["runs"][0].clone()
    };
    let short = first("0.999");
    assert_eq!(
        [&short["epochs"], &short["reached"]],
        [&4.into(), &false.into()] as [&Value; 2]
    );
    let reached = first(&short["accuracy"].to_string());
    assert_eq!(
        [&reached["epochs"], &reached["reached"]],
        [&1.into(), &true.into()] as [&Value; 2]
    );
}

/// A seed is that of the first weights, which is all that tells after steps so small, and that of the order of the rows.
#[test]
fn every_seed_is_a_run_of_its_own() {
    let room = Room::new();
    points(&room);
    for settings in ["--lr 1e-9", "--init constant:0.1 --lr 0.01 --batch-size 1"] {
        let accuracies = |seeds: &str| -> Vec<Value> {
            let command = "bench to-accuracy points.csv 0.999 --split random --validation 0.5";
            let found = room.json(&format!("{command} --epochs 1 --json {settings} {seeds}"));
            let runs = found["runs"].as_array().expect("runs").iter();
            runs.map(|run| run["accuracy"].clone()).collect()
        };
        let all = accuracies("--seed 1 --seeds 4");
        assert!(
            all.iter().any(|accuracy| *accuracy != all[0]),
            "{settings}: {all:?}"
        );
    }
}

#[test]
fn what_cannot_be_measured() {
    let room = Room::new();
    points(&room);
    std::fs::write(
        room.path("numbers.csv"),
        format!("x,y\n{}", "1,2.5\n2,3.5\n".repeat(20)),
    )
    .expect("a file");
    room.fails("bench to-accuracy points.csv 98", 2, &["98", "below 1"]);
    room.fails("bench to-accuracy points.csv", 2, &["ACCURACY"]);
    room.fails("bench to-accuracy nowhere.csv 0.9", 1, &["nowhere.csv"]);
    room.fails(
        "bench to-accuracy points.csv 0.9 --validation 0",
        2,
        &["--validation"],
    );
    room.fails(
        "bench to-accuracy numbers.csv 0.9 --task values",
        2,
        &["values"],
    );
    room.fails(
        "bench --data-dir nowhere --isa scalar --threads 1",
        1,
        &["nowhere"],
    );
    for option in ["--from m.safetensors", "--resume", "--random numpy"] {
        let command = format!("bench to-accuracy points.csv 0.9 {option}");
        room.fails(&command, 2, &[option.split(' ').next().unwrap_or_default()]);
    }
    room.fails("bench to-accurac", 2, &["to-accuracy"]);
}
