//! How fast are packed IDX files read, beside nothing but the inflating of the same bytes?
//!
//! The images are written as MNIST's are: IDX, packed by gzip. What is read is compared with what was written before
//! anything is timed.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use mlp_benches::images::PIXELS;
use mlp_benches::{Images, is_measuring};
use mlp_core::dataset::digits::SIDE;
use mlp_core::dataset::{Dataset, Targets, idx};

/// Writes numbers after a header of an IDX file, packed.
fn write(path: &Path, header: &[u32], body: &[u8]) {
    let file = File::create(path).expect("the file is made");
    let mut packed = GzEncoder::new(file, Compression::default());
    for word in header {
        packed
            .write_all(&word.to_be_bytes())
            .expect("it is written");
    }
    packed.write_all(body).expect("it is written");
    packed.finish().expect("it is written");
}

fn inflate(path: &Path, out: &mut Vec<u8>) {
    out.clear();
    let file = BufReader::new(File::open(path).expect("the file is there"));
    GzDecoder::new(file)
        .read_to_end(out)
        .expect("it can be unpacked");
}

fn bench(criterion: &mut Criterion) {
    let rows = if is_measuring() { 60_000 } else { 300 };
    let (name, images) = Images::best(rows);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let of_images = folder.path().join("train-images-idx3-ubyte.gz");
    let of_labels = folder.path().join("train-labels-idx1-ubyte.gz");
    let (count, side) = (rows as u32, SIDE as u32);
    write(&of_images, &[2051, count, side, side], images.bytes(rows));
    let labels: Vec<u8> = images.labels.iter().map(|&label| label as u8).collect();
    write(&of_labels, &[2049, count], &labels);

    let ours = || -> Dataset { idx::read_pair(&of_images, &of_labels).expect("a data set") };
    let read = ours();
    assert_eq!(read.inputs().bytes(), Some(images.bytes(rows)), "pixels");
    let told =
        matches!(read.targets(), Targets::Classes { labels, .. } if *labels == images.labels);
    assert!(told, "labels");

    let mut group = criterion.benchmark_group(format!("idx.gz, {rows} images, {name}"));
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes((rows * (PIXELS + 1)) as u64));
    group.bench_function("mlp-core", |bencher| bencher.iter(|| black_box(ours())));
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    group.bench_function("inflating alone", |bencher| {
        bencher.iter(|| {
            inflate(black_box(&of_images), &mut pixels);
            inflate(black_box(&of_labels), &mut labels);
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}
