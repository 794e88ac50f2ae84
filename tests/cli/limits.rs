use mlp_core::model_file::{self, Preprocessing, Saved, SavedLayer, TargetMeta, Task};
use mlp_core::tensor::Matrix;
use serde_json::Value;

use crate::room::Room;

/// Exit code of a fault of the command line.
const USAGE: i32 = 2;
/// Exit code of every other fault.
const FAILED: i32 = 1;

#[test]
fn numbers_too_large_are_told_at_once_and_as_typed() {
    let room = Room::new();
    for (setting, words) in [
        ("--rows 1000000000000", ["digits", "1000000000000"]),
        // The fault is in the second layer; the first would be gigabytes.
        (
            "--rows 100 --hidden 2000000,2000000",
            ["layer 2", "2000000"],
        ),
        ("--rows 100 --hidden 999999999", ["layer 1", "999999999"]),
        ("--lr 1e300", ["1e300", "finite f32"]),
        ("--eps 1e-300", ["1e-300", "finite f32"]),
        ("--seed -1", ["--seed -1", "whole number"]),
        (
            "--seed 18446744073709551616",
            ["--seed", "18446744073709551615"],
        ),
    ] {
        room.fails(&format!("train {setting}"), USAGE, &words);
    }
}

#[test]
fn a_team_has_at_most_64_threads() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 30);
    let outcome = room.run("train flowers.csv --epochs 1 --threads 1000000000000 -v");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for told in ["at most 64 threads", "to train at most"] {
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    }
}

#[test]
fn an_instruction_set_that_is_not_here_is_told_and_never_replaced() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 30);
    room.ok("train flowers.csv --label kind --epochs 1 --hidden 4 -o m.safetensors");
    let missing = ["scalar", "v3", "v4", "neon"]
        .into_iter()
        .find(|name| mlp_core::Isa::by_name(name).is_err())
        .expect("no CPU has all of them");
    for name in [missing, "avx512", "V3", "3"] {
        for command in [
            "train flowers.csv --label kind --epochs 1",
            "evaluate m.safetensors flowers.csv",
            "predict m.safetensors flowers.csv",
        ] {
            let words = [name, "not one that this CPU has: scalar"];
            room.fails(&format!("{command} --isa {name}"), USAGE, &words);
            let output = room.command(command).env("MLP_FAST_ISA", name).output();
            let output = output.expect("the program runs");
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(USAGE), "{command}: {told}");
            let sentence = format!("mlp-fast: MLP_FAST_ISA: instruction set `{name}` is not one");
            assert!(told.starts_with(&sentence), "{command}: {told}");
            assert!(output.stdout.is_empty(), "{command}");
        }
    }
    for name in mlp_core::Isa::available() {
        let mut command = room.command("predict m.safetensors flowers.csv");
        let output = command.env("MLP_FAST_ISA", name.name()).output();
        assert!(output.expect("the program runs").status.success(), "{name}");
    }
}

#[test]
fn images_have_no_columns_to_choose() {
    let room = Room::new();
    room.write_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 40);
    let train = "train train-images-idx3-ubyte --epochs 1 --hidden 4";
    room.fails("train --label kind", USAGE, &["--label", "digits"]);
    room.fails(&format!("{train} --label 5"), USAGE, &["--label", "5"]);
    room.fails(&format!("{train} --task values"), USAGE, &["--task"]);
    room.ok(&format!("{train} --task classes -o m.safetensors"));
    for command in ["evaluate", "predict"] {
        let line = format!("{command} m.safetensors train-images-idx3-ubyte --label 5");
        room.fails(&line, USAGE, &["--label"]);
    }
}

#[test]
fn the_rows_that_are_trained_on_need_two_classes() {
    let room = Room::new();
    let rows: Vec<String> = (0..40)
        .map(|i| format!("{i},{},{}\n", i % 7, if i < 30 { "low" } else { "high" }))
        .collect();
    room.write("sorted.csv", format!("a,b,kind\n{}", rows.concat()));
    room.ok("train sorted.csv --label kind --epochs 1 --hidden 4 -o all.safetensors");
    room.fails(
        "train sorted.csv --label kind --take 30",
        FAILED,
        &["sorted.csv", "train", "low"],
    );
}

#[test]
fn the_curves_and_the_history_appear_with_the_model_or_not_at_all() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 30);
    let train = "train flowers.csv --label kind --epochs 1 --hidden 4";
    room.fails(&format!("{train} -o -"), USAGE, &["-o -"]);
    #[cfg(target_os = "linux")]
    {
        for (name, device) in [("full", "/dev/full"), ("null", "/dev/null")] {
            std::os::unix::fs::symlink(device, room.path(name)).expect("a link");
        }
        let before = std::fs::read_dir(room.path(".")).expect("a folder").count();
        let outcome = room.run(&format!("{train} -o full"));
        assert_eq!(outcome.code, Some(FAILED), "{}", outcome.stderr);
        // Nothing belongs beside a device.
        let told = room.ok(&format!("{train} -o null"));
        assert!(told.contains("wrote null\n"), "{told}");
        let after = std::fs::read_dir(room.path(".")).expect("a folder").count();
        assert_eq!(before, after);
    }
}

#[test]
fn scores_are_not_told_as_probabilities() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 30);
    for output in ["relu", "tanh", "sigmoid", "softmax"] {
        let model = format!("{output}.safetensors");
        room.ok(&format!(
            "train flowers.csv --label kind --epochs 1 --hidden 4 --loss mse --output-activation {output} -o {model}"
        ));
        room.ok(&format!("predict {model} flowers.csv"));
        let line = format!("predict {model} flowers.csv --probabilities");
        if ["relu", "tanh"].contains(&output) {
            room.fails(&line, USAGE, &["--probabilities", output]);
        } else {
            room.ok(&line);
        }
    }
}

/// A model of two values cannot be measured on the one label of a CSV; it can predict.
#[test]
fn a_model_of_two_values_is_told_from_data_with_one() {
    let room = Room::new();
    let saved = Saved {
        layers: vec![SavedLayer {
            weight: Matrix::from_vec(2, 2, &[1.0, 0.0, 0.0, 2.0]),
            bias: Some(vec![0.0; 2]),
            activation: "identity".to_owned(),
            dropout: 0.0,
        }],
        preprocessing: Preprocessing {
            columns: None,
            scaling: "none".to_owned(),
            shift: Vec::new(),
            scale: Vec::new(),
        },
        target: TargetMeta {
            task: Task::Values,
            names: vec!["north".to_owned(), "east".to_owned()],
            column: None,
        },
        record: Value::Null,
    };
    model_file::write(&room.path("two.safetensors"), &saved).expect("a model");
    room.write("rows.csv", "1,2,0.5\n3,4,0.25\n");
    room.fails(
        "evaluate two.safetensors rows.csv --label 3",
        FAILED,
        &["rows.csv", "2 values", "1"],
    );
    room.write("far.csv", "1,2,500\n3,4,250\n5,6,125\n");
    room.fails(
        "train far.csv --from two.safetensors --label 3 --validation 0 -o on.safetensors",
        FAILED,
        &["1 target values need 1 outputs, not 2"],
    );
    room.write("inputs.csv", "1,2\n3,4\n");
    let told = room.ok("predict two.safetensors inputs.csv");
    assert_eq!(told, "north,east\n1,4\n3,8\n");
}

#[test]
fn texts_end_their_last_line_and_keep_names_on_one() {
    let room = Room::new();
    room.write(
        "lines.csv",
        "a,\"the\nkind\"\n1,\"x\ny\"\n2,\"x\ny\"\n3,z\n4,z\n",
    );
    room.ok("train lines.csv --validation 0 --epochs 1 --hidden 4 -o m.safetensors");
    let report = room.ok("evaluate m.safetensors lines.csv");
    assert!(
        report.ends_with('\n') && !report.ends_with("\n\n"),
        "{report}"
    );
    let told = room.ok("inspect m.safetensors");
    assert!(told.contains("2 classes: x y, z\n"), "{told}");
    assert!(told.contains("label column   the kind\n"), "{told}");
    room.write_plane("plane.csv");
    room.ok("train plane.csv --epochs 1 --hidden 4 -o v.safetensors");
    assert!(room.ok("evaluate v.safetensors plane.csv").ends_with('\n'));
}
