//! Promise: a CSV by its cache is the CSV in memory, bit for bit, and only numbers of rows of it are in memory.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use mlp_core::dataset::csv::{self, Csv};
use mlp_core::dataset::options::{Expected, ReadOptions, Task};
use mlp_core::dataset::{Dataset, Scaling, ScalingKind, cache};
use mlp_core::model_file::write_atomically;
use mlp_core::optim::{Adam, Optimizer, Sgd};
use mlp_core::{Activation, Kind, Network, Trainer};
use oracle::rng::Rng;
use tempfile::{TempDir, tempdir};

/// A CSV by its cache, made in the folder of the CSV.
fn cached(csv: &Path, options: &ReadOptions) -> Csv {
    let path = csv.with_extension("cache");
    write_atomically(&path, |out| {
        cache::write(csv, options, out, &mut |_| {})?.map_err(std::io::Error::other)
    })
    .expect("a cache");
    let cache = cache::open(&path).expect("the cache");
    assert_eq!(
        cache.origin(),
        &cache::Origin::of(csv, options).expect("the CSV")
    );
    let (length, mut done) = (cache.length(), 0);
    let csv = cache.into_csv(&mut |bytes| done = bytes).expect("whole");
    assert_eq!(
        done,
        length - 16,
        "all but the checksum and the end is checked"
    );
    csv
}

fn file(folder: &TempDir, text: &str) -> std::path::PathBuf {
    let path = folder.path().join("data.csv");
    fs::write(&path, text).expect("written");
    path
}

/// Rows of 70 pixels, four in five of them zero, and a class; from row `fractions` on some are fractions.
fn images(rows: usize, fractions: usize) -> String {
    let mut rng = Rng::new(3);
    let mut text = String::from("class");
    for column in 0..70 {
        write!(text, ",p{column}").expect("a string");
    }
    for row in 0..rows {
        write!(text, "\n{}", rng.below(4)).expect("a string");
        for _ in 0..70 {
            let value = if rng.below(5) == 0 { rng.below(256) } else { 0 };
            let end = if row >= fractions && value > 200 {
                ".5"
            } else {
                ""
            };
            write!(text, ",{value}{end}").expect("a string");
        }
    }
    text
}

fn same(a: &Dataset, b: &Dataset, what: &str) {
    assert_eq!(a.targets(), b.targets(), "{what}");
    assert_eq!(a.inputs().columns(), b.inputs().columns(), "{what}");
    assert_eq!(a.inputs().to_matrix(), b.inputs().to_matrix(), "{what}");
    assert_eq!(a.fingerprint(), b.fingerprint(), "{what}");
}

fn sides((train, held_out): (Dataset, Dataset)) -> [Dataset; 2] {
    [train, held_out]
}

#[test]
fn a_cache_is_its_csv() {
    let folder = tempdir().expect("a folder");
    // Bytes alone; f32 alone; bytes for the first rows (some 3700 of 70 values are a piece), then f32.
    for (rows, fractions) in [(300, 300), (300, 0), (9000, 8000)] {
        let path = file(&folder, &images(rows, fractions));
        let options = ReadOptions::default();
        let read = csv::read(&path, &options).expect("a CSV");
        let mapped = cached(&path, &options);
        assert_eq!(mapped.label, read.label);
        let [read, mapped] = [read, mapped].map(|csv| csv.into_dataset().expect("labels"));
        let what = format!("{rows} rows, fractions from row {fractions} on");
        same(&read, &mapped, &what);
        for kind in ["auto", "standard", "min-max"] {
            let kind = ScalingKind::parse(kind).expect("a kind");
            let fit = |data: &Dataset| Scaling::fit(&kind, data.inputs()).expect("a scaling");
            assert_eq!(fit(&read), fit(&mapped), "{what}, {kind:?}");
        }
        // Four bytes a row of labels, and as many for the number of the row in a part.
        assert_eq!(mapped.size_in_memory(), 4 * rows);
        assert!(mapped.size_elsewhere() >= 70 * rows && read.size_elsewhere() == 0);
        let in_parts = |data: &Dataset| {
            let mut parts = Vec::new();
            parts.extend(sides(data.split(0.7, 5).expect("a split")));
            parts.extend(sides(data.split_last(0.9).expect("a split")));
            parts.extend(sides(
                data.clone().into_split_stratified(0.8, 2).expect("a split"),
            ));
            parts.push(data.shuffled(4).skip(10).take(100));
            parts.push(
                data.only_classes(&["3".into(), "1".into()])
                    .expect("classes"),
            );
            parts.push(data.clone().one_vs_rest("2").expect("a class"));
            parts
        };
        for (i, (read, mapped)) in in_parts(&read).iter().zip(in_parts(&mapped)).enumerate() {
            same(read, &mapped, &format!("{what}, part {i}"));
            assert!(mapped.size_in_memory() <= 8 * mapped.len());
        }
    }
}

#[test]
fn columns_in_the_order_of_a_model_and_values() {
    let folder = tempdir().expect("a folder");
    let path = file(&folder, "y,b,a\n0.5,1,2\n-3,4,5.5\n7,255,0\n");
    let for_model = ReadOptions {
        expected: Some(Expected {
            inputs: 2,
            columns: Some(vec!["a".into(), "b".into()]),
            label: Some("y".into()),
            classes: None,
        }),
        ..ReadOptions::default()
    };
    let values = ReadOptions {
        task: Task::Values,
        label: Some("b".into()),
        ..ReadOptions::default()
    };
    for options in [for_model, values] {
        let read = csv::read(&path, &options).expect("a CSV").into_dataset();
        let mapped = cached(&path, &options).into_dataset();
        same(&read.expect("values"), &mapped.expect("values"), "values");
    }
}

/// Sparse rows in memory have a fast way of their own; a run that has rows of both sorts, or only mapped ones, gives the
/// same bits without it.
#[test]
fn a_fit_does_not_know_where_rows_are() {
    let folder = tempdir().expect("a folder");
    let path = file(&folder, &images(200, 200));
    let options = ReadOptions::default();
    let read = csv::read(&path, &options).expect("a CSV").into_dataset();
    let mapped = cached(&path, &options).into_dataset();
    let parts = |data: Dataset| {
        let scaling = Scaling::fit(&ScalingKind::Unit, data.inputs()).expect("a scaling");
        sides(
            data.scaled(scaling)
                .and_then(|data| data.split(0.75, 1))
                .expect("a split"),
        )
    };
    let [train, held_out] = parts(read.expect("labels"));
    let [mapped_train, mapped_held_out] = parts(mapped.expect("labels"));
    let fit = |optimizer: Optimizer, train: &Dataset, held_out: &Dataset| {
        let mut net = Network::builder(70)
            .dense(9, Activation::Relu)
            .dense(4, Activation::Softmax)
            .seed(1)
            .build()
            .expect("a network");
        let mut trainer = Trainer::new(optimizer).batch_size(16).epochs(3);
        let history = trainer.fit(&mut net, train, Some(held_out)).expect("a fit");
        let last = history.epochs.last().expect("three epochs");
        (
            net.predict(held_out.inputs()),
            last.loss.to_bits(),
            last.validation_loss,
        )
    };
    for optimizer in [Optimizer::from(Adam::new(0.01)), Sgd::new(0.1).into()] {
        let want = fit(optimizer, &train, &held_out);
        for (train, held_out) in [
            (&mapped_train, &mapped_held_out),
            (&train, &mapped_held_out),
            (&mapped_train, &held_out),
        ] {
            assert_eq!(
                fit(optimizer, train, held_out),
                want,
                "{}",
                optimizer.name()
            );
        }
    }
}

#[test]
fn what_is_wrong_with_a_csv_is_told_as_ever() {
    let folder = tempdir().expect("a folder");
    for text in ["", "a,b\n", "a,b\n1,\n", "a,b\n1,2\n1\n"] {
        let path = file(&folder, text);
        let options = ReadOptions::default();
        let wanted = csv::read(&path, &options).expect_err("no CSV");
        let told = cache::write(&path, &options, &mut Vec::new(), &mut |_| {});
        let told = told.expect("a Vec takes all").expect_err("no CSV");
        assert_eq!(told.to_string(), wanted.to_string());
    }
    let missing = cache::open(&folder.path().join("none")).expect_err("nothing");
    assert_eq!(missing.kind(), Kind::Io);
}
