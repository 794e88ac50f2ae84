use std::fs;

use crate::room::Room;

/// Exit code of a fault of the command line.
const USAGE: i32 = 2;
/// Exit code of every other fault.
const FAILED: i32 = 1;

#[test]
fn settings_that_can_never_be_right() {
    let room = Room::new();
    for (setting, words) in [
        ("--hidden 0", ["--hidden", "0"]),
        ("--hidden 16,0", ["--hidden", "0"]),
        ("--hidden many", ["--hidden", "many"]),
        ("--hidden -8,4", ["--hidden -8,4", "whole number"]),
        ("--dropout -1,0.5", ["--dropout -1", "from 0 to below 1"]),
        ("--layer-rates -1,1", ["--layer-rates -1", "0 or more"]),
        ("--batch-size 0", ["--batch-size", "0"]),
        ("--epochs 0", ["--epochs", "0"]),
        ("--threads 0", ["--threads", "0"]),
        ("--lr -0.1", ["--lr", "-0.1"]),
        ("--lr nan", ["--lr", "nan"]),
        ("--lr fast", ["--lr", "fast"]),
        ("--dropout 1.0", ["--dropout", "1.0"]),
        ("--dropout -0.1", ["--dropout", "-0.1"]),
        ("--input-dropout 1", ["--input-dropout", "1"]),
        ("--l2 -1", ["--l2", "-1"]),
        ("--validation 1", ["--validation", "1"]),
        ("--momentum 1 --optimizer momentum", ["--momentum", "1"]),
        ("--seed x", ["--seed", "x"]),
        ("--activation rleu", ["--activation", "relu"]),
        (
            "--output-activation rleu",
            ["--output-activation", "softmax"],
        ),
        ("--loss corss", ["--loss", "cross"]),
        ("--optimizer adma", ["--optimizer", "adamw"]),
        ("--init he", ["--init", "he-normal"]),
        ("--scale mimax", ["--scale", "min-max"]),
        ("--isa mmx", ["--isa", "scalar"]),
        // Options that do not go together.
        (
            "--hidden 8,8 --activation relu,relu,relu",
            ["--activation", "2"],
        ),
        ("--hidden 8,8 --dropout 0.1,0.1,0.1", ["--dropout", "2"]),
        ("--hidden none --dropout 0.5", ["--dropout", "--hidden"]),
        ("--beta1 0.8 --optimizer sgd", ["--beta1", "sgd"]),
        ("--weight-decay 0.1", ["--weight-decay", "adam"]),
        ("--momentum 0.9", ["--momentum", "adam"]),
        (
            "--momentum 0.9 --optimizer sgd",
            [
                "--momentum is a setting of ema-momentum, momentum, nesterov",
                "is sgd",
            ],
        ),
        (
            "--patience 3 --validation 0",
            ["--patience", "--validation"],
        ),
        (
            "--loss cross-entropy --output-activation relu",
            ["cross-entropy", "softmax"],
        ),
        ("-o model.svg", ["-o", "model.svg"]),
    ] {
        room.fails(&format!("train --rows 100 {setting}"), USAGE, &words);
    }
    room.fails("generate digits --rows 0", USAGE, &["--rows", "0"]);
}

#[test]
fn what_no_model_has_room_for_is_told_before_the_work() {
    let room = Room::new();
    let layers = vec!["4"; 1024].join(",");
    room.fails(
        &format!("train digits --rows 40 --epochs 1000000 --hidden {layers} -o m.safetensors"),
        FAILED,
        &["m.safetensors: expected 1 to 1024 layers, found 1025"],
    );
}

#[test]
fn unknown_options_name_the_nearest() {
    let room = Room::new();
    for (arguments, nearest) in [
        ("train --epoch 3", "--epochs"),
        ("train --batchsize 3", "--batch-size"),
        ("evaluate m.safetensors d.csv --jsn", "--json"),
        ("trian", "train"),
    ] {
        room.fails(arguments, USAGE, &[nearest]);
    }
    room.fails("predict m.safetensors", USAGE, &["DATA"]);
    room.fails("train --seed 1 --seed 2", USAGE, &["--seed"]);
    room.fails(
        "",
        USAGE,
        &["train", "evaluate", "predict", "inspect", "generate"],
    );
    room.fails(
        "recipe",
        USAGE,
        &["requires a subcommand", "list, show, run"],
    );
}

#[test]
fn csv_files_that_cannot_be_right() {
    let room = Room::new();
    room.fails("train absent.csv", FAILED, &["absent.csv"]);
    for (name, content, words) in [
        ("empty.csv", "", &["empty.csv"][..]),
        ("header.csv", "a,b,label\n", &["header.csv"]),
        (
            "short.csv",
            "a,b,label\n1,2,x\n3,y\n4,5,x\n",
            &["short.csv:3", "3", "2"],
        ),
        (
            "text.csv",
            "a,b,label\n1,2,x\n3,four,y\n4,5,x\n",
            &["text.csv:3", "b", "four"],
        ),
        (
            "nan.csv",
            "a,b,label\n1,2,x\n3,NaN,y\n4,5,x\n",
            &["nan.csv:3", "b"],
        ),
        (
            "inf.csv",
            "a,b,label\n1,2,x\n3,-inf,y\n4,5,x\n",
            &["inf.csv:3", "b"],
        ),
        (
            "one.csv",
            "a,b,label\n1,2,x\n3,4,x\n4,5,x\n",
            &["one.csv", "class"],
        ),
    ] {
        room.write(name, content);
        room.fails(&format!("train {name} --epochs 1"), FAILED, words);
    }
    room.write_flowers("flowers.csv", 30);
    room.fails(
        "train flowers.csv --label colour",
        FAILED,
        &["flowers.csv", "colour"],
    );
    room.fails("train flowers.csv --label 7", FAILED, &["flowers.csv", "7"]);
    room.fails("train .", FAILED, &["."]);
}

#[test]
fn idx_files_that_cannot_be_right() {
    let room = Room::new();
    room.write_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 40);
    let images = fs::read(room.path("train-images-idx3-ubyte")).expect("images");
    let train = "train train-images-idx3-ubyte --epochs 1";

    room.write("train-images-idx3-ubyte", &images[..images.len() - 5]);
    room.fails(train, FAILED, &["train-images-idx3-ubyte"]);

    let mut magic = images.clone();
    magic[2] = 0x99;
    room.write("train-images-idx3-ubyte", magic);
    room.fails(train, FAILED, &["train-images-idx3-ubyte"]);

    room.write("train-images-idx3-ubyte", &images[..7]);
    room.fails(train, FAILED, &["train-images-idx3-ubyte"]);

    // 39 images for 40 labels.
    let mut fewer = images[..images.len() - 16].to_vec();
    fewer[7] = 39;
    room.write("train-images-idx3-ubyte", fewer);
    room.fails(train, FAILED, &["39", "40"]);

    fs::remove_file(room.path("train-labels-idx1-ubyte")).expect("labels");
    room.fails(train, FAILED, &["train-images-idx3-ubyte", "labels"]);
    room.fails("train mnist", FAILED, &["mnist"]);
}

#[test]
fn model_files_that_cannot_be_right() {
    let room = Room::new();
    room.write_flowers("flowers.csv", 60);
    room.ok("train flowers.csv --epochs 1 --hidden 4 --label kind -o good.safetensors");
    let good = fs::read(room.path("good.safetensors")).expect("a model");
    let commands = [
        "evaluate MODEL flowers.csv --label kind",
        "predict MODEL flowers.csv --label kind",
        "inspect MODEL",
    ];

    room.write("cut.safetensors", &good[..good.len() - 8]);
    room.write("stub.safetensors", &good[..5]);
    room.write("empty.safetensors", "");
    room.write("text.safetensors", "length,width,kind\n1,2,rose\n");
    // Another version of the format: one digit in the JSON header, whose length stays.
    let key = br#"\"format\":"#;
    let found = good.windows(key.len()).position(|bytes| bytes == key);
    let digit = found.expect("the version is in the header") + key.len();
    let mut other = good.clone();
    other[digit] = b'9';
    room.write("version.safetensors", other);

    for command in commands {
        for name in ["absent", "cut", "stub", "empty", "text"] {
            let file = format!("{name}.safetensors");
            room.fails(&command.replace("MODEL", &file), FAILED, &[&file]);
        }
        room.fails(
            &command.replace("MODEL", "version.safetensors"),
            FAILED,
            &["version", "9"],
        );
    }

    // Other columns than the data's, and another width where columns have no names.
    room.ok("generate digits --rows 20 -o digits.csv");
    room.fails(
        "evaluate good.safetensors digits.csv",
        FAILED,
        &["digits.csv", "length"],
    );
    room.fails(
        "predict good.safetensors digits.csv",
        FAILED,
        &["digits.csv", "length"],
    );
    room.write("bare.csv", "1,2,rose\n3,4,lily\n5,6,rose\n7,8,lily\n");
    room.ok("train bare.csv --validation 0 --epochs 1 --hidden 4 -o bare.safetensors");
    room.fails(
        "evaluate bare.safetensors digits.csv",
        FAILED,
        &["digits.csv", "2", "785"],
    );
    room.fails(
        "predict bare.safetensors digits",
        FAILED,
        &["digits", "2", "784"],
    );
    // Answers that the model has never seen.
    room.write("tulips.csv", "length,width,kind\n1,2,tulip\n3,4,rose\n");
    room.fails(
        "evaluate good.safetensors tulips.csv --label kind",
        FAILED,
        &["tulip"],
    );
}

#[test]
fn outputs_that_cannot_be_written_are_told_before_the_work() {
    let room = Room::new();
    fs::create_dir(room.path("folder.safetensors")).expect("a folder");
    fs::create_dir(room.path("curves.svg")).expect("a folder");
    // A run that would take hours, were it started.
    let train = "train --rows 20000 --hidden 4096,4096 --epochs 1000";
    room.fails(
        &format!("{train} -o absent/m.safetensors"),
        FAILED,
        &["absent/m.safetensors"],
    );
    room.fails(
        &format!("{train} -o folder.safetensors"),
        FAILED,
        &["folder.safetensors"],
    );
    room.fails(
        &format!("{train} -o curves.safetensors"),
        FAILED,
        &["curves.svg"],
    );
    room.fails("generate digits -o absent/d.csv", FAILED, &["absent/d.csv"]);

    room.write_flowers("flowers.csv", 30);
    room.ok("train flowers.csv --label kind --epochs 1 -o m.safetensors");
    room.fails(
        "predict m.safetensors flowers.csv -o absent/p.csv",
        FAILED,
        &["absent/p.csv"],
    );
    // The command's own input is not an output.
    room.fails(
        "train flowers.csv --label kind -o flowers.csv",
        USAGE,
        &["flowers.csv"],
    );
    room.fails(
        "predict m.safetensors flowers.csv -o m.safetensors",
        USAGE,
        &["m.safetensors"],
    );
    room.fails(
        "predict m.safetensors flowers.csv -o ./flowers.csv",
        USAGE,
        &["flowers.csv"],
    );
}

#[test]
fn a_run_that_diverges_writes_nothing() {
    let room = Room::new();
    room.write_plane("plane.csv");
    room.fails(
        "train plane.csv --label y --optimizer sgd --lr 1e20 --hidden 8 --epochs 50",
        FAILED,
        &["epoch", "learning rate"],
    );
}
