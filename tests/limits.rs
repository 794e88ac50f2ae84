//! Promise: readers stop at their stated limits, say which in one sentence with file and place, and have taken no memory
//! to speak of until then.
//!
//! | what | limit |
//! | --- | --- |
//! | a row of a CSV | 64 MB, 1 000 000 columns |
//! | labels of a CSV | 65 536 classes |
//! | an IDX file, compressed | what its header promises, at most 4 GiB |
//! | a model file | 16 MiB of header with 100 000 objects, 1024 layers, the tensors that are there |

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::Compression;
use flate2::write::GzEncoder;
use mlp_core::dataset::options::{ReadOptions, Task};
use mlp_core::dataset::{csv, idx};
use mlp_core::model_file;
use oracle::meter::{self, Meter};
use oracle::rng::Rng;

#[global_allocator]
static ALLOCATOR: Meter = Meter;

/// One test at a time: the allocator counts for the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const MIB: usize = 1 << 20;

/// What is said of a CSV, and the memory that it took to say it.
fn fault_of_csv(source: impl Read, options: &ReadOptions) -> (String, usize) {
    let (peak, read) = meter::peak_of(|| csv::read_from(source, "t.csv", options));
    (read.expect_err("a hostile CSV").to_string(), peak)
}

#[track_caller]
fn refuses(source: impl Read, sentence: &str, most: usize) {
    let (told, peak) = fault_of_csv(source, &ReadOptions::default());
    assert_eq!(told, sentence);
    assert!(peak < most, "{peak} bytes were taken, more than {most}");
}

#[test]
fn a_line_of_100_mb() {
    let _alone = alone();
    let long = |byte, length: u64| io::repeat(byte).take(length << 20);
    let sentence =
        |line| format!("t.csv:{line}: the line is longer than 64 MB: is this a CSV file?");
    // The buffer doubles as it grows.
    let most = 200 * MIB;
    refuses(long(b'7', 100), &sentence(1), most);
    refuses(b"a,b\n".chain(long(b'7', 100)), &sentence(2), most);
    refuses(b"a,b\n1,".chain(long(b',', 100)), &sentence(2), most);
    // Without an end it is no longer.
    refuses(b"a,b\n1,2\n".chain(io::repeat(b'x')), &sentence(3), most);
    // Behind a quote every line is a part of the row.
    let (told, peak) = fault_of_csv(
        b"a,b\n1,\"".chain(&b"0123456789abcde\n".repeat(7 * MIB)[..]),
        &ReadOptions::default(),
    );
    assert!(told.starts_with("t.csv:"), "{told}");
    assert!(
        told.ends_with("the line is longer than 64 MB: is this a CSV file?"),
        "{told}"
    );
    assert!(peak < 2 * most, "{peak}");
}

#[test]
fn a_million_columns() {
    let _alone = alone();
    let row = |cell: &str, columns: usize| vec![cell; columns].join(",");
    // As many as may be, all of one name.
    let text = [
        row("x", 1_000_000),
        row("3", 1_000_000),
        row("4", 1_000_000),
    ]
    .join("\n");
    let table = csv::read_from(text.as_bytes(), "t.csv", &ReadOptions::default());
    let table = table.expect("a wide table");
    assert_eq!(table.inputs.cols(), 999_999);
    let names = table.inputs.columns().expect("a header");
    assert_eq!((&*names[0], &*names[999_998]), ("x", "x.999998"));
}

#[test]
fn more_than_a_million_columns() {
    let _alone = alone();
    let sentence = |line| format!("t.csv:{line}: more than 1000000 columns: is this a CSV file?");
    let commas = ",".repeat(1_000_000);
    refuses(commas.as_bytes(), &sentence(1), 60 * MIB);
    refuses(
        ["a,b\n", &commas].concat().as_bytes(),
        &sentence(2),
        60 * MIB,
    );
    // One row of two lines.
    let quoted = ["\"a\nb\",c", &commas].concat();
    refuses(quoted.as_bytes(), &sentence(1), 100 * MIB);
    let other = "t.csv:2: expected 2 columns, as in line 1, found 1000001";
    refuses(
        ["a,b\n1,2\n", &commas].concat().as_bytes(),
        &other.replace(":2:", ":3:"),
        60 * MIB,
    );
}

#[test]
fn more_classes_than_there_may_be() {
    let _alone = alone();
    let rows: Vec<String> = (0..70_000).map(|i| format!("{},c{i}\n", i % 7)).collect();
    let options = ReadOptions {
        task: Task::Classes,
        ..ReadOptions::default()
    };
    let (told, _) = fault_of_csv(rows.concat().as_bytes(), &options);
    assert_eq!(
        told,
        "t.csv:65537, column 2: more than 65536 different classes"
    );
}

#[test]
fn names_do_not_break_a_sentence() {
    let _alone = alone();
    let most = 4 * MIB;
    refuses(
        &b"\"a\r\nb\x1B[2J\",y\noops,1\n2,3\n"[..],
        "t.csv:3, column 1 (a\\nb\\u{1b}[2J): expected a number, found `oops`",
        most,
    );
    let long = "n".repeat(1000);
    refuses(
        format!("{long},y\noops,1\n2,3\n").as_bytes(),
        &format!(
            "t.csv:2, column 1 ({}..): expected a number, found `oops`",
            &long[..40]
        ),
        most,
    );
    let classes = format!("a,y\n1,\"{long}\"\n2,\"{long}\"\n");
    let told = format!(
        "t.csv, column 2 (y): all rows have the same class, `{}..`; at least two are needed",
        &long[..40]
    );
    refuses(classes.as_bytes(), &told, most);
}

fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a temporary file");
    (folder, path)
}

/// 5 MB that could be 5 GiB of zeros, and are said to be.
#[test]
fn more_than_is_unpacked() {
    let _alone = alone();
    let header = [2051, 5 << 10, 1 << 10, 1 << 10].map(u32::to_be_bytes);
    let mut rng = Rng::new(3);
    let noise: Vec<u8> = (0..5 * MIB / 8)
        .flat_map(|_| rng.next_u64().to_le_bytes())
        .collect();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(header.as_flattened())
        .expect("a Vec takes all");
    encoder.write_all(&noise).expect("a Vec takes all");
    let packed = encoder.finish().expect("a Vec takes all");
    let (_folder, path) = file("images.gz", &packed);
    let (peak, read) = meter::peak_of(|| idx::read_images(&path));
    assert_eq!(
        read.expect_err("a bomb").to_string(),
        format!(
            "{}: the header promises 5120 images of 1024 x 1024 pixels (5368709120 bytes), more than the 4 GiB that are \
             unpacked from a compressed file: unpack it with gunzip first",
            path.display()
        )
    );
    assert!(peak < MIB, "{peak}");
}

/// A safetensors file of one f32, whose header is that text.
fn tensors(header: &str) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), &1_f32.to_le_bytes()].concat()
}

#[test]
fn a_model_of_2_to_the_60_rows() {
    let _alone = alone();
    let entry = |inputs: u64, outputs: u64| {
        let layer =
            format!("{{'outputs':{outputs},'activation':'identity','bias':false,'dropout':0}}");
        let entry = format!(
            "{{'format':1,'architecture':{{'inputs':{inputs},'layers':[{layer}]}},'record':null,\
             'preprocessing':{{'columns':null,'scaling':'none'}},'target':{{'task':'values','names':['y'],'column':null}}}}"
        );
        entry.replace('\'', "\\\"")
    };
    let header = |shape: &str, inputs, outputs| {
        format!(
            "{{\"__metadata__\":{{\"mlp_fast\":\"{}\"}},\
             \"layers.0.weight\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,4]}}}}",
            entry(inputs, outputs)
        )
    };
    let rows = 1 << 60;
    let length = (1_u64 << 60).to_le_bytes();
    for (bytes, sentence) in [
        (
            tensors(&header("[1152921504606846976,1]", 1, rows)),
            "expected a safetensors file, found a damaged one: overflow computing buffer size from shape and/or element type",
        ),
        (
            tensors(&header("[1,1]", 1, rows)),
            "expected layers.0.weight of shape [1152921504606846976, 1], found [1, 1]",
        ),
        (
            tensors(&header("[1,1]", rows, 1)),
            "expected layers.0.weight of shape [1, 1152921504606846976], found [1, 1]",
        ),
        (
            [&length[..], b"{}"].concat(),
            "expected a safetensors file, found a file that does not begin like one",
        ),
    ] {
        let (peak, read) = meter::peak_of(|| model_file::from_bytes(&bytes));
        assert_eq!(read.expect_err("a hostile model").to_string(), sentence);
        assert!(peak < MIB, "{peak}: {sentence}");
    }
    assert!(model_file::from_bytes(&tensors(&header("[1,1]", 1, 1))).is_ok());
}

/// 16 MiB of brackets, of lists, of objects and of names.
#[test]
fn a_model_that_is_all_header() {
    let _alone = alone();
    for piece in ["[", "[],", "{\"\":0},", "\"\","] {
        let body = piece.repeat((16 * MIB - 64) / piece.len());
        let bytes = tensors(&format!("{{\"a\":[{body}0]}}"));
        let (peak, read) = meter::peak_of(|| model_file::from_bytes(&bytes));
        let told = read.expect_err("a hostile model").to_string();
        assert!(told.len() < 300 && !told.contains('\n'), "{told}");
        assert!(peak < 300 * MIB, "{piece}: {} MiB", peak / MIB);
    }
}
