//! How fast is a CSV file read into a data set: the Kaggle form of MNIST, a label and 784 pixels a line, 42 000 lines?
//!
//! The file is in the system's cache. Beside it stands what anybody would write: split every line at its commas and parse
//! every cell. What is read is compared with what was written before anything is timed.

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use mlp_benches::images::PIXELS;
use mlp_benches::{Images, is_measuring};
use mlp_core::dataset::csv;
use mlp_core::dataset::options::ReadOptions;
use mlp_core::dataset::{Dataset, Targets};

/// The images as a text in Kaggle's form.
fn kaggle(images: &Images, rows: usize) -> String {
    let mut text = "label".to_owned();
    for pixel in 0..PIXELS {
        write!(text, ",pixel{pixel}").expect("a string takes it");
    }
    for (label, row) in images.labels.iter().zip(images.bytes(rows).chunks(PIXELS)) {
        write!(text, "\n{label}").expect("a string takes it");
        for byte in row {
            write!(text, ",{byte}").expect("a string takes it");
        }
    }
    text.push('\n');
    text
}

fn ours(path: &Path) -> Dataset {
    let csv = csv::read(path, &ReadOptions::default()).expect("the file can be read");
    csv.into_dataset().expect("a data set")
}

/// Labels, and pixels as numbers.
fn naive(path: &Path) -> (Vec<u32>, Vec<f32>) {
    let text = std::fs::read_to_string(path).expect("the file can be read");
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let mut cells = line.split(',');
        labels.push(
            cells
                .next()
                .and_then(|cell| cell.parse().ok())
                .expect("a label"),
        );
        pixels.extend(cells.map(|cell| cell.parse::<f32>().expect("a number")));
    }
    (labels, pixels)
}

fn bench(criterion: &mut Criterion) {
    let rows = if is_measuring() { 42_000 } else { 300 };
    let (name, images) = Images::best(rows);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("train.csv");
    let text = kaggle(&images, rows);
    std::fs::write(&path, &text).expect("the file is written");

    let read = ours(&path);
    assert_eq!(read.inputs().bytes(), Some(images.bytes(rows)), "pixels");
    let Targets::Classes { labels, names } = read.targets() else {
        panic!("the labels are classes");
    };
    let told: Vec<u32> = labels
        .iter()
        .map(|&label| names[label as usize].parse().expect("a digit"))
        .collect();
    assert_eq!(told, images.labels, "labels");
    let (labels, pixels) = naive(&path);
    assert!(labels == images.labels && pixels.len() == rows * PIXELS);
    let same = |(x, byte): (&f32, &u8)| *x == f32::from(*byte);
    assert!(pixels.iter().zip(images.bytes(rows)).all(same));

    let mut group = criterion.benchmark_group(format!("csv, {rows} x 785, {name}"));
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("mlp-core", |bencher| {
        bencher.iter(|| ours(black_box(&path)));
    });
    group.bench_function("naive", |bencher| bencher.iter(|| naive(black_box(&path))));
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}
