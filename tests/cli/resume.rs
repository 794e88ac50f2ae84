//! `--checkpoint-every` and `--resume`: what goes on, and what is told when it cannot.

use std::fs;

use crate::room::Room;

/// Exit code of a fault of the command line, and of every other fault.
const USAGE: i32 = 2;
const FAILED: i32 = 1;

const TRAIN: &str = "train flowers.csv --label kind --hidden 4 --batch-size 8 --schedule constant -q -o m.safetensors";

fn room() -> Room {
    let room = Room::new();
    room.write_flowers("flowers.csv", 60);
    room
}

fn model(room: &Room) -> Vec<u8> {
    fs::read(room.path("m.safetensors")).expect("a model")
}

#[test]
fn more_epochs_go_on_where_the_last_ended() {
    let (room, whole) = (room(), room());
    room.ok(&format!("{TRAIN} --epochs 3 --checkpoint-every 2"));
    whole.ok(&format!("{TRAIN} --epochs 7"));
    assert!(model(&room) != model(&whole));
    // Finished: going on does nothing, and says so.
    let before = model(&room);
    let outcome = room.run(&format!("{} --epochs 3 --resume", TRAIN.replace(" -q", "")));
    assert!(
        outcome
            .stderr
            .contains("m.checkpoint: the run was finished after epoch 3 of 3"),
        "{}",
        outcome.stderr
    );
    assert!(model(&room) == before && outcome.code == Some(0));
    room.ok(&format!("{TRAIN} --epochs 7 --resume"));
    assert!(model(&room) == model(&whole));
    // A finished run is no reason not to begin another.
    room.ok(&format!("{TRAIN} --epochs 2 --checkpoint-every 1 --seed 5"));
}

#[test]
fn resume_without_a_checkpoint_begins_anew_and_says_so() {
    let (room, whole) = (room(), room());
    let outcome = room.run(&format!("{} --epochs 2 --resume", TRAIN.replace(" -q", "")));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome
            .stderr
            .contains("m.checkpoint: not there yet, so the run begins anew"),
        "{}",
        outcome.stderr
    );
    whole.ok(&format!("{TRAIN} --epochs 2"));
    assert!(model(&room) == model(&whole));
}

#[test]
fn a_checkpoint_of_another_run_is_told_by_what_differs() {
    let room = room();
    let train = format!("{TRAIN} --epochs 3");
    room.ok(&format!("{train} --checkpoint-every 2"));
    for (setting, words) in [
        ("--seed 2", ["seed 1", "this one 2"]),
        ("--lr 0.5", ["lr 0.003", "this one 0.5"]),
        ("--optimizer sgd", ["optimizer adam", "this one sgd"]),
        ("--init zeros", ["init auto", "this one zeros"]),
        ("--scale none", ["scale auto", "this one none"]),
        ("--split last", ["split auto", "this one last"]),
        ("--hidden 5", ["-> 4 relu", "-> 5 relu"]),
        ("--dropout 0.5", ["network", "inputs dropped: 0.5"]),
        ("--validation 0.2", ["rows 54", "this one 48"]),
        ("--epochs 2", ["epoch 3", "2 epochs"]),
        (
            "--schedule linear",
            ["schedule constant", "this one linear"],
        ),
    ] {
        let given: Vec<&str> = setting.split(' ').collect();
        let command = match train.find(&format!("{} ", given[0])) {
            // In the place of the one that is there.
            Some(at) => {
                let rest = &train[at..];
                let old: Vec<&str> = rest.splitn(3, ' ').take(2).collect();
                train.replace(&old.join(" "), setting)
            }
            None => format!("{train} {setting}"),
        };
        let words = [&["m.checkpoint"][..], &words].concat();
        room.fails(&format!("{command} --resume"), FAILED, &words);
    }
    let text = room.read("flowers.csv");
    room.write("flowers.csv", text.replacen("7,1", "7.5,1", 1));
    room.fails(
        &format!("{train} --resume"),
        FAILED,
        &["m.checkpoint", "fingerprint"],
    );
    room.write("flowers.csv", text);
    // Threads and instruction set are no settings of the result.
    room.ok(&format!("{train} --resume --threads 1 --isa scalar"));
}

#[test]
fn checkpoints_that_cannot_be_right() {
    let room = room();
    let train = format!("{TRAIN} --epochs 3 --resume");
    for wrong in ["0", "1.5", "5days", "0minutes"] {
        room.fails(
            &format!("train --checkpoint-every {wrong}"),
            USAGE,
            &["--checkpoint-every"],
        );
    }
    #[cfg(unix)]
    room.fails(
        "train --checkpoint-every 1 -o /dev/null",
        USAGE,
        &["/dev/null", "device"],
    );
    room.fails("train -o m.checkpoint", USAGE, &["m.checkpoint"]);
    room.fails(
        "train --rows 100 --min-delta 0.1",
        USAGE,
        &["--min-delta", "--patience"],
    );
    room.ok(&format!("{TRAIN} --epochs 3 --checkpoint-every 1"));
    room.fails(
        "predict m.checkpoint flowers.csv",
        FAILED,
        &["m.checkpoint: this is the checkpoint of a run"],
    );
    let good = fs::read(room.path("m.checkpoint")).expect("a checkpoint");
    let mut bad = good.clone();
    let middle = bad.len() - 40;
    bad[middle] ^= 1;
    room.write("m.checkpoint", &bad);
    room.fails(&train, FAILED, &["m.checkpoint", "damaged"]);
    room.write("m.checkpoint", &good[..good.len() / 2]);
    room.fails(&train, FAILED, &["m.checkpoint", "truncated"]);
    room.write("m.checkpoint", model(&room));
    room.fails(&train, FAILED, &["m.checkpoint", "no checkpoint"]);
    // Nor is what is no checkpoint overwritten by one.
    room.fails(
        &format!("{TRAIN} --checkpoint-every 1"),
        FAILED,
        &["m.checkpoint"],
    );
    fs::remove_file(room.path("m.checkpoint")).expect("removed");
    fs::create_dir(room.path("m.checkpoint")).expect("a folder");
    room.fails(&train, FAILED, &["m.checkpoint", "directory"]);
}

#[test]
fn settings_name_their_owner_once_and_splits_their_file() {
    let room = room();
    room.fails(
        "train --lr 1e300",
        USAGE,
        &["--lr: expected a finite f32 of 0 or more, found 1e300"],
    );
    room.fails(
        "train --optimizer momentum --momentum 1",
        USAGE,
        &["--momentum: expected a number from 0 to below 1, found 1.0"],
    );
    room.write("three.csv", "a,label\n1,x\n2,y\n3,x\n");
    room.fails(
        "train three.csv",
        FAILED,
        &["three.csv: --validation 0.1: ", "hold out"],
    );
    room.fails(
        "train three.csv --validation 0.999",
        FAILED,
        &["a training share of 0.001 of 3 rows leaves no row to train on"],
    );
}
