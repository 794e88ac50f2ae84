//! The readers of files that somebody else wrote, each as a function of the bytes of a file.
//!
//! To add one: a function that reads the bytes and, where they are taken, checks what was made of them; an entry in
//! [`READERS`]; a folder `corpus/NAME` with some files, good and bad.

#[path = "checkpoint.rs"]
mod checkpoint;

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use mlp_core::Error;
use mlp_core::dataset::options::{Expected, Header, LabelUse, ReadOptions, Task};
use mlp_core::dataset::{Dataset, Inputs, Targets, cache, csv, idx};
use mlp_core::model_file::{self, Model};

/// A reader under test.
pub(crate) struct Reader {
    /// Its name, and that of its folder in the corpus.
    pub(crate) name: &'static str,
    /// Reads the bytes of a file in every way.
    pub(crate) read: fn(&[u8]) -> Reading,
    /// What its format is made of.
    pub(crate) words: &'static [&'static str],
    /// The most bytes of memory that reading so long a file may take.
    pub(crate) memory: fn(usize) -> usize,
}

/// What came of reading a file in every way.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// How often it was taken.
    pub(crate) taken: usize,
    /// The sentences with which it was refused.
    pub(crate) refusals: Vec<String>,
}

impl Reading {
    /// Notes a result; a refusal must name the file.
    fn note<T>(&mut self, result: Result<T, Error>, name: &str) -> Option<T> {
        match result {
            Ok(value) => {
                self.taken += 1;
                Some(value)
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.starts_with(name), "{text:?} does not name {name}");
                self.refusals.push(text);
                None
            }
        }
    }
}

/// All of them.
pub(crate) const READERS: [Reader; 6] = [
    Reader {
        name: "cache",
        read: read_cache,
        words: &[
            "mlp-fast cache1\n",
            "cache1\n",
            "\0\0\0\0\0\0\0\0",
            "\u{1}\0\0\0\0\0\0\0",
            "\u{2}\0\0\0\0\0\0\0",
            "\0\0\0\0\0\0\0\u{10}",
        ],
        memory: |len| (1 << 20) + 16 * len,
    },
    Reader {
        name: "csv",
        read: read_csv,
        words: &[
            "label", "target", "class", ",", "\"", "\"\"", "\r\n", "\n", "\u{FEFF}", "nan", "-inf",
            "1e39", "1e-46", "0.1", "-0", "255", "256", "16777217", "\0", "x.1", "\n,", "0,1,2",
        ],
        memory: |len| (1 << 20) + 400 * len,
    },
    Reader {
        name: "idx",
        read: read_idx,
        words: &["\0\0\u{8}\u{3}", "\0\0\u{8}\u{1}", "\0\0\0\u{1}"],
        memory: |len| (3 << 20) + 8 * len,
    },
    Reader {
        name: "gz",
        read: read_gz,
        words: &["\u{1F}", "\u{8}", "\0\0\u{8}\u{3}", "\0\0\u{8}\u{1}"],
        memory: |len| (3 << 20) + 2 * 1100 * len,
    },
    Reader {
        name: "model",
        read: read_model,
        words: &[
            "layers.0.weight",
            "layers.1.bias",
            "preprocessing.shift",
            "preprocessing.scale",
            "\"F32\"",
            "\"F16\"",
            "\"shape\":[",
            "\"data_offsets\":[0,4]",
            "__metadata__",
            "mlp_fast",
            "\\\"format\\\":1",
            "null",
            "true",
            "1e999",
            "18446744073709551615",
            "softmax",
            "leaky-relu:",
            "standard",
            "[[[[[[[[",
        ],
        memory: |len| (1 << 20) + 1000 * len,
    },
    Reader {
        name: "checkpoint",
        read: checkpoint::read_checkpoint,
        words: &[
            "layers.0.weight",
            "layers.1.bias.m",
            "layers.1.weight.best",
            "history",
            "mlp_fast_checkpoint",
            "\"F64\"",
            "\"data_offsets\":[0,4]",
            "\\\"epoch\\\":",
            "\\\"step\\\":",
            "\\\"best_epoch\\\":",
            "\\\"hits\\\":",
            "null",
            "true",
            "1e999",
            "-1",
            "0",
            "18446744073709551615",
        ],
        memory: |len| (2 << 20) + 1000 * len,
    },
];

/// What the files are called in messages.
const NAME: &str = "some.file";

/// A source that gives a few bytes at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = out.len().min(1 + self.0.len() % 7);
        self.0.read(&mut out[..count])
    }
}

fn read_csv(bytes: &[u8]) -> Reading {
    let plain = ReadOptions::default();
    let values = ReadOptions {
        header: Header::Yes,
        label: Some("1".to_owned()),
        task: Task::Values,
        ..plain.clone()
    };
    let expected = Expected {
        inputs: 2,
        columns: Some(vec!["b".to_owned(), "a".to_owned()]),
        label: Some("y".to_owned()),
        classes: Some(vec!["x".to_owned(), "z".to_owned()]),
    };
    let for_model = ReadOptions {
        expected: Some(expected.clone()),
        ..plain.clone()
    };
    let to_predict = ReadOptions {
        header: Header::No,
        labels: LabelUse::Ignored,
        expected: Some(Expected {
            columns: None,
            classes: None,
            ..expected
        }),
        ..plain.clone()
    };
    let mut reading = Reading::default();
    for options in [plain, values, for_model, to_predict] {
        let read = csv::read_from(bytes, NAME, &options);
        let slowly = csv::read_from(Trickle(bytes), NAME, &options);
        match (&read, &slowly) {
            (Ok(table), Ok(again)) => {
                assert_eq!(table.inputs.to_matrix(), again.inputs.to_matrix());
                assert_eq!(table.targets, again.targets);
            }
            (Err(error), Err(again)) => assert_eq!(error.to_string(), again.to_string()),
            _ => panic!("{read:?} at once, {slowly:?} by and by"),
        }
        if let Some(table) = reading.note(read, NAME) {
            assert!(table.inputs.rows() > 0 && table.inputs.cols() > 0);
            are_finite(&table.inputs);
            if options.labels == LabelUse::Required {
                is_sound(&table.into_dataset().expect("labels were required"));
            }
        }
    }
    reading
}

fn are_finite(inputs: &Inputs) {
    assert!(inputs.to_matrix().to_vec().iter().all(|x| x.is_finite()));
}

fn is_sound(data: &Dataset) {
    assert_eq!(data.targets().len(), data.inputs().rows());
    match data.targets() {
        Targets::Classes { labels, names } => {
            assert!(labels.iter().all(|&label| (label as usize) < names.len()));
        }
        Targets::Values { values, .. } => {
            assert!(values.to_vec().iter().all(|x| x.is_finite()));
        }
    }
}

/// A file of this process in memory where there is such a place, else among the temporary files.
fn written(bytes: &[u8]) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    let thread = std::thread::current().id();
    let path = folder.join(format!("mlp-fast-fuzz-{}-{thread:?}", std::process::id()));
    fs::write(&path, bytes).expect("a temporary file");
    path
}

fn read_idx(bytes: &[u8]) -> Reading {
    let path = written(bytes);
    let name = path.display().to_string();
    let mut reading = Reading::default();
    if let Some(images) = reading.note(idx::read_images(&path), &name) {
        assert!(images.rows() > 0 && images.cols() > 0);
    }
    if let Some(labels) = reading.note(idx::read_labels(&path), &name) {
        assert!(!labels.is_empty());
    }
    fs::remove_file(&path).expect("the temporary file");
    reading
}

/// As they are, and with the checksum that is right for them: damage by itself never gets past it.
fn read_cache(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut mended = bytes.to_vec();
    if let Some(at) = bytes.len().checked_sub(16) {
        let mut crc = Crc::new();
        crc.update(&bytes[..at]);
        mended[at..at + 8].copy_from_slice(&u64::from(crc.sum()).to_le_bytes());
    }
    for bytes in [bytes, &mended] {
        let path = written(bytes);
        let read = cache::open(&path).and_then(|cache| cache.into_csv(&mut |_| {}));
        if let Some(csv) = reading.note(read, &path.display().to_string()) {
            let (rows, cols) = (csv.inputs.rows(), csv.inputs.cols());
            assert!(rows > 0 && cols > 0);
            csv.inputs.raw_row(rows - 1, &mut vec![0.0; cols]);
            // A label without a name is found here.
            if let Ok(data) = csv.into_dataset() {
                assert_eq!(data.len(), rows);
            }
        }
        fs::remove_file(&path).expect("the temporary file");
    }
    reading
}

/// As they are, and as what a sound gzip file holds: damage by itself rarely gets past the checksum.
fn read_gz(bytes: &[u8]) -> Reading {
    let mut reading = read_idx(bytes);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a Vec takes all");
    let packed = read_idx(&encoder.finish().expect("a Vec takes all"));
    reading.taken += packed.taken;
    reading.refusals.extend(packed.refusals);
    reading
}

fn read_model(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    if let Some(saved) = reading.note(model_file::from_bytes(bytes), "") {
        let written = model_file::to_bytes(&saved).expect("what was read can be written");
        let again = model_file::from_bytes(&written).expect("what was written can be read");
        assert_eq!(again, saved);
    }
    let path = written(bytes);
    let loaded = Model::load(&path);
    if let Some(model) = reading.note(loaded, &path.display().to_string()) {
        let inputs = model.network.inputs();
        let row = Inputs::from_bytes(vec![1; inputs], 1, inputs).expect("a row");
        let outputs = model.predict_on(row, 1).expect("a prediction");
        assert_eq!(outputs.cols(), model.network.outputs());
    }
    fs::remove_file(&path).expect("the temporary file");
    reading
}
