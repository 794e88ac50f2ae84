//! Data is found by whatever a person calls it: a name, a folder, a pair of IDX files, a CSV.

use std::fs;
use std::path::{Path, PathBuf};

use mlp_core::dataset::options::{Expected, ReadOptions};
use mlp_core::dataset::source::{DATA_VARIABLE, SourceOptions, open, open_inputs, open_test};
use mlp_core::dataset::{Dataset, Targets};
use tempfile::TempDir;

fn images(count: u32, rows: u32, columns: u32, pixels: &[u8]) -> Vec<u8> {
    let header = [2051, count, rows, columns].map(u32::to_be_bytes);
    [header.as_flattened(), pixels].concat()
}

fn labels(count: u32, values: &[u8]) -> Vec<u8> {
    let header = [2049, count].map(u32::to_be_bytes);
    [header.as_flattened(), values].concat()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("a temporary file");
        path
    }

    /// Four images of 2 x 3 in the usual names.
    fn images_and_labels(&self, part: &str) -> (PathBuf, PathBuf) {
        let pixels: Vec<u8> = (0..24).collect();
        let images = images(4, 2, 3, &pixels);
        (
            self.file(&format!("{part}-images-idx3-ubyte"), &images),
            self.file(
                &format!("{part}-labels-idx1-ubyte"),
                &labels(4, &[2, 0, 0, 2]),
            ),
        )
    }
}

fn labels_of(dataset: &Dataset) -> &[u32] {
    match dataset.targets() {
        Targets::Classes { labels, .. } => labels,
        Targets::Values { .. } => panic!("classes expected"),
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a plain path").to_owned()
}

#[test]
fn folders_pairs_and_single_files_are_found() {
    let folder = Folder::new();
    let (images, labels) = folder.images_and_labels("train");
    let options = SourceOptions::default();
    let loaded = open(&text(folder.path()), &options).expect("a folder of IDX files");
    assert_eq!((loaded.train.len(), loaded.test.is_none()), (4, true));
    let pair = format!("{},{}", images.display(), labels.display());
    for data in [pair, text(&images)] {
        let loaded = open(&data, &options).expect("an IDX pair");
        assert_eq!((loaded.train.len(), loaded.name), (4, data.clone()));
        assert_eq!(open_test(&data, &options).expect("an IDX pair").len(), 4);
        assert_eq!(open_inputs(&data, &options).expect("images").rows(), 4);
    }
    let alone = folder.file("pictures", &fs::read(&images).expect("written above"));
    assert_eq!(
        open_inputs(&text(&alone), &options)
            .expect("images alone")
            .rows(),
        4
    );
    assert_eq!(
        open(&text(&alone), &options)
            .expect_err("no labels")
            .to_string(),
        format!(
            "{}: the labels of these images are not beside them: name both files as IMAGES,LABELS",
            alone.display()
        )
    );
    assert_eq!(
        open(&text(&labels), &options)
            .expect_err("no images")
            .to_string(),
        format!(
            "{}: this file holds labels: name the file of the images",
            labels.display()
        )
    );
    assert!(
        open_test(&text(folder.path()), &options).is_err(),
        "no test files yet"
    );
    folder.images_and_labels("t10k");
    assert_eq!(
        open(&text(folder.path()), &options)
            .expect("both parts")
            .test
            .map(|test| test.len()),
        Some(4)
    );
    assert_eq!(
        open_test(&text(folder.path()), &options)
            .expect("the test part")
            .len(),
        4
    );
    let empty = Folder::new();
    assert_eq!(
        open(&text(empty.path()), &options)
            .expect_err("an empty folder")
            .to_string(),
        format!(
            "{}: the folder has no IDX files train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz (packed or not)",
            empty.path().display()
        )
    );
}

#[test]
fn one_class_is_refused_for_training_only() {
    let folder = Folder::new();
    let images = folder.file("images-idx3", &images(2, 2, 3, &[7; 12]));
    folder.file("labels-idx1", &labels(2, &[3, 3]));
    let data = text(&images);
    assert_eq!(
        open(&data, &SourceOptions::default())
            .expect_err("one class")
            .to_string(),
        format!("{data}: all rows have the same class, `3`; at least two are needed")
    );
    assert_eq!(
        open_test(&data, &SourceOptions::default())
            .expect("a test")
            .len(),
        2
    );
}

#[test]
fn data_is_fitted_to_the_model() {
    let folder = Folder::new();
    let (images, _) = folder.images_and_labels("train");
    let options = |inputs, classes: &[&str]| SourceOptions {
        read: ReadOptions {
            expected: Some(Expected {
                inputs,
                classes: Some(classes.iter().map(|&class| class.to_owned()).collect()),
                ..Expected::default()
            }),
            ..ReadOptions::default()
        },
        ..SourceOptions::default()
    };
    let data = text(&images);
    let dataset = open_test(&data, &options(6, &["2", "1", "0"])).expect("it fits");
    assert_eq!(labels_of(&dataset), [0, 2, 2, 0]);
    assert_eq!(
        open_test(&data, &options(784, &["0", "1", "2"]))
            .expect_err("too wide")
            .to_string(),
        format!("{data}: the model has 784 inputs, the data 6 columns")
    );
    assert_eq!(
        open_inputs(&data, &options(784, &[]))
            .expect_err("too wide")
            .to_string(),
        format!("{data}: the model has 784 inputs, the data 6 columns")
    );
    assert_eq!(
        open_test(&data, &options(6, &["0", "1"]))
            .expect_err("class 2")
            .to_string(),
        format!(
            "{data}: row 1 has class `2`, which is not among the 2 classes that are expected: 0, 1"
        )
    );
}

#[test]
fn names_are_looked_up_and_unknown_ones_told() {
    let folder = Folder::new();
    let options = SourceOptions {
        data_dir: Some(folder.path().to_owned()),
        ..SourceOptions::default()
    };
    let error = |data: &str| open(data, &options).expect_err("no data").to_string();
    assert_eq!(
        error("mnits"),
        "`mnits` is no file, no folder and none of the names digits, mnist, fashion-mnist; did you mean `mnist`?"
    );
    assert_eq!(
        error("none.csv"),
        "`none.csv` is no file, no folder and none of the names digits, mnist, fashion-mnist"
    );
    // Told where, it is looked for nowhere else.
    let told = error("mnist");
    let place = folder.path().join("mnist");
    assert!(
        told.ends_with(&format!(" into the folder {}", place.display())),
        "{told}"
    );
    fs::create_dir(folder.path().join("fashion-mnist")).expect("a temporary folder");
    let place = folder.path().join("fashion-mnist");
    assert!(
        error("fashion-mnist")
            .starts_with(&format!("{}: the folder has no IDX files", place.display()))
    );
    for part in ["train", "t10k"] {
        let (images, labels) = folder.images_and_labels(part);
        for path in [images, labels] {
            let name = path.file_name().expect("a file");
            fs::rename(&path, place.join(name)).expect("the same disk");
        }
    }
    let loaded = open("fashion-mnist", &options).expect("the four files are there");
    assert_eq!(
        (loaded.train.len(), loaded.name.as_str()),
        (4, "fashion-mnist")
    );
    assert_eq!(loaded.test.map(|test| test.len()), Some(4));
}

#[test]
fn a_csv_is_opened_by_its_path() {
    let folder = Folder::new();
    let path = folder.file("a.csv", b"x,y,tree\n1,2,oak\n3,4,elm\n");
    let data = text(&path);
    let loaded = open(&data, &SourceOptions::default()).expect("a good CSV");
    assert_eq!(
        (loaded.train.len(), loaded.label.as_deref()),
        (2, Some("tree"))
    );
    assert_eq!(
        open_inputs(&data, &SourceOptions::default())
            .expect("a good CSV")
            .cols(),
        2
    );
    let empty = folder.file("empty.csv", b"");
    assert_eq!(
        open(&text(&empty), &SourceOptions::default())
            .expect_err("empty")
            .to_string(),
        format!("{}: the file is empty", empty.display())
    );
}

/// The real files, where the machine has them.
#[test]
fn mnist_is_as_published() {
    let here = std::env::var_os(DATA_VARIABLE).map(|folder| Path::new(&folder).join("mnist"));
    if !here.is_some_and(|folder| folder.is_dir()) {
        eprintln!("skipped: ${DATA_VARIABLE} has no folder mnist");
        return;
    }
    let loaded = open("mnist", &SourceOptions::default()).expect("the real files");
    let test = loaded.test.expect("it has a test part");
    assert_eq!((loaded.train.len(), test.len()), (60_000, 10_000));
    assert_eq!(labels_of(&loaded.train)[..5], [5, 0, 4, 1, 9]);
    assert_eq!(labels_of(&test)[..5], [7, 2, 1, 0, 4]);
    assert_eq!(
        loaded.train.class_counts(),
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    );
    let bytes = loaded.train.inputs().bytes().expect("pixels are bytes");
    // The mean pixel of the training images is 0.1307 of full ink, as every tutorial normalises it.
    let sum: u64 = bytes.iter().map(|&byte| u64::from(byte)).sum();
    assert!(
        (sum as f64 / bytes.len() as f64 / 255.0 - 0.1307).abs() < 5e-5,
        "{sum}"
    );
}
