use std::fs;
use std::path::Path;

use crate::room::Room;

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
fn answers_without_a_name_are_remembered_by_their_place() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 90);
    let (rows, kinds): (Vec<String>, Vec<String>) = room
        .read("flowers.csv")
        .lines()
        .skip(1)
        .map(|line| {
            let kind = u8::from(line.contains("rose"));
            let measures: Vec<&str> = line.split(',').take(2).collect();
            (
                format!("{kind},{}\n", measures.join(",")),
                format!("{kind}\n"),
            )
        })
        .unzip();
    room.write("rows.csv", rows.concat());
    room.ok("train rows.csv --label 1 --hidden 8 --epochs 60 --batch-size 10 --lr 0.01 -o m.safetensors");
    let said = room.ok("predict m.safetensors rows.csv");
    assert_eq!(said, format!("prediction\n{}", kinds.concat()));
    let measured = room.json("evaluate m.safetensors rows.csv --json");
    assert_eq!(measured["accuracy"], 1.0);
}

#[test]
fn a_header_that_looks_like_data_is_told() {
    let room = Room::new();
    let rows = "1,2,3,a\n5,2,4,b\n".repeat(10);
    room.write("waves.csv", format!("400,410,420,species\n{rows}"));
    let train = "train waves.csv --hidden none --epochs 1 --validation 0 -o m.safetensors";
    let note = "only the first row has the class `species`";
    assert!(room.run(train).stderr.contains(note));
    for more in ["--header yes", "--header no", "--quiet"] {
        let told = room.run(&format!("{train} {more}")).stderr;
        assert!(!told.contains(note), "{more}: {told}");
    }
}

#[test]
fn many_whole_numbers_are_told_to_be_classes() {
    let room = Room::new();
    let rows = |count| {
        let rows: Vec<String> = (0..4 * count)
            .map(|i| format!("{i},{}\n", i % count))
            .collect();
        format!("size,age\n{}", rows.concat())
    };
    room.write("ages.csv", rows(21));
    room.write("digits.csv", rows(20));
    let told = |line: &str| {
        room.run(&format!("train {line} --epochs 1 -o m.safetensors"))
            .stderr
    };
    let note = "answers: 21 classes (whole numbers; --task values takes them as numbers)";
    assert!(told("ages.csv").contains(note));
    for line in [
        "digits.csv",
        "ages.csv --task classes",
        "ages.csv --task values",
    ] {
        assert!(!told(line).contains("answers:"), "{line}");
    }
}

#[test]
fn values_far_from_zero_and_one_are_scaled_for_training() {
    let room = Room::new();
    let rows = |offset: f64, step: f64| {
        let row = |i: u32| {
            let (a, b) = (i % 10, i / 10);
            format!("{a},{b},{}\n", offset + step * f64::from(a + b))
        };
        format!("a,b,price\n{}", (0..100).map(row).collect::<String>())
    };
    room.write("far.csv", rows(200_000.0, 1000.0));
    room.write("near.csv", rows(0.0, 0.5));
    let train = "train far.csv --task values --epochs 60 --batch-size 10 --schedule constant";
    let told = room.run(&format!("{train} -o m.safetensors")).stderr;
    assert!(
        told.contains("targets are far from 0 and 1: losses are of"),
        "{told}"
    );
    let r2 = |model: &str| {
        let measured = room.json(&format!("evaluate {model} far.csv --json"));
        measured["r2"].as_f64().expect("a number")
    };
    assert!(r2("m.safetensors") > 0.99, "{}", r2("m.safetensors"));
    let settings = room.json("inspect m.safetensors --json")["record"]["targets"].clone();
    assert!((settings["mean"][0].as_f64().expect("a mean") - 209_000.0).abs() < 1000.0);

    room.ok(&format!("{train} --raw-targets -o raw.safetensors"));
    assert!(r2("raw.safetensors") < 0.0, "{}", r2("raw.safetensors"));

    // What was learned is gone on from, and so is a run.
    room.ok("train far.csv --from m.safetensors --epochs 1 --lr 1e-9 -o on.safetensors");
    assert!((r2("on.safetensors") - r2("m.safetensors")).abs() < 1e-3);
    let half = train.replace("60", "30");
    room.ok(&format!("{half} --resume -o two.safetensors"));
    room.ok(&format!("{train} --resume -o two.safetensors"));
    let predicted = |model: &str| room.ok(&format!("predict {model} far.csv"));
    assert_eq!(predicted("two.safetensors"), predicted("m.safetensors"));

    for line in [
        "near.csv --task values",
        "far.csv --task values --no-bias",
        "far.csv --task values --output-activation relu",
    ] {
        let told = room.run(&format!("train {line} --epochs 1 -o n.safetensors"));
        assert!(
            !told.stderr.contains("targets are far"),
            "{line}: {}",
            told.stderr
        );
    }
}

#[test]
fn numbers_too_close_for_their_size_are_told() {
    let room = Room::new();
    let told = |offset: f64, step: f64, scale: &str| {
        let row = |i: u32| format!("{},{},{}\n", i % 7, offset + step * f64::from(i), i % 2);
        let rows: Vec<String> = (0..60).map(row).collect();
        room.write("t.csv", format!("a,time,kind\n{}", rows.concat()));
        let line = format!("train t.csv --epochs 1 --scale {scale} -o m.safetensors");
        room.run(&line).stderr.contains("input time: too large")
    };
    for scale in ["auto", "min-max"] {
        assert!(told(1.7e12, 1000.0, scale), "milliseconds");
        assert!(told(1.7e9, 60.0, scale), "seconds");
        assert!(!told(1.7e9, 86_400.0, scale), "days");
        assert!(!told(1000.0, 0.0, scale), "a constant");
        assert!(!told(0.0, 1.0, scale), "whole numbers");
    }
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

/// The loss of one probability needs a sigmoid, which tells of the second class.
#[test]
fn a_single_output_tells_of_two_classes() {
    let room = Room::new();
    let leaves = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/leaves.csv");
    fs::copy(leaves, room.path("leaves.csv")).expect("the leaves");
    room.ok("train leaves.csv --one-vs-rest birch --loss binary-cross-entropy --epochs 20 -q -o m.safetensors");
    let model = room.json("inspect m.safetensors --json");
    assert_eq!(model["outputs"], 1);
    assert_eq!(model["layers"][1]["activation"], "sigmoid");
    let told = room.ok("predict m.safetensors leaves.csv --probabilities");
    let mut lines = told.lines();
    assert_eq!(lines.next(), Some("prediction,p_not birch,p_birch"));
    let mut birches = 0;
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let [rest, birch] = [cells[1], cells[2]].map(|p| p.parse::<f64>().expect("a share"));
        assert!((rest + birch - 1.0).abs() < 1e-6, "{line}");
        assert_eq!(cells[0] == "birch", birch >= rest, "{line}");
        birches += usize::from(cells[0] == "birch");
    }
    assert!(birches > 0 && birches < told.lines().count() - 1, "{told}");
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

    // A part may lack the last classes of the other; those to train on have all that there are.
    let labels = |part: &str| room.path(&at(part, "labels-idx1"));
    let lessened = |part: &str, greatest: u8| {
        let mut bytes = fs::read(labels(part)).expect("labels");
        for label in &mut bytes[8..] {
            *label = greatest.min(*label);
        }
        fs::write(labels(part), bytes).expect("labels");
    };
    lessened("t10k", 0);
    let told = room.ok(&format!("train mnist {settings} -o less.safetensors"));
    assert!(told.contains("test accuracy"), "{told}");
    let mut more = fs::read(labels("t10k")).expect("labels");
    more[8 + 4] = 255;
    fs::write(labels("t10k"), more).expect("labels");
    room.fails(
        &format!("train mnist {settings} -o more.safetensors"),
        1,
        &["t10k-labels-idx1-ubyte: row 5 has class `255`"],
    );
    // A model may know them.
    lessened("t10k", 1);
    lessened("train", 1);
    room.ok("train mnist --epochs 1 --from m.safetensors -o on.safetensors");

    // Elsewhere, by the option and by the environment.
    fs::create_dir_all(room.path("else")).expect("a folder");
    fs::rename(room.path("data/mnist"), room.path("else/mnist")).expect("a move");
    room.ok("evaluate m.safetensors mnist --data-dir else");
    let by_environment = |options: &str| {
        let status = room
            .command(&format!("evaluate m.safetensors mnist {options}"))
            .env("MLP_FAST_DATA", "else")
            .output();
        status.expect("the program runs").status.success()
    };
    assert!(by_environment(""));
    // A folder that is named is the one that is meant.
    assert!(!by_environment("--data-dir nowhere"));
}
