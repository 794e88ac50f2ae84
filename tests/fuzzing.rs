//! Promise: whatever bytes a file holds, its reader takes them or refuses them in one sentence; it never panics, and never
//! takes memory that the file does not earn.
//!
//! Each reader gets every file of its corpus (`corpus/NAME`) and a fixed number of damaged ones, the same on every
//! machine. `MLP_FAST_FUZZ_SECONDS=600 cargo test --release --test fuzzing` runs each for ten minutes instead, on new
//! damages every time (the seed is printed); what fails is printed as a Rust byte string.

#[path = "fuzz/mutator.rs"]
mod mutator;
#[path = "fuzz/reader.rs"]
mod reader;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use mutator::Mutator;
use oracle::meter::{self, Meter};
use reader::{READERS, Reader};

#[global_allocator]
static ALLOCATOR: Meter = Meter;

/// Damaged files for each reader where no time is given.
const DAMAGED: usize = 6000;

/// The longest sentence of a refusal, in characters, the path of the file aside.
const LONGEST_SENTENCE: usize = 700;

/// One reader at a time: the allocator counts for the whole process.
static ONE: Mutex<()> = Mutex::new(());

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("a folder of the corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 5, "{} is too thin", folder.display());
    paths
        .iter()
        .map(|path| fs::read(path).expect("a file of the corpus"))
        .collect()
}

/// What is wrong with how the reader took these bytes.
fn verdict(reader: &Reader, bytes: &[u8]) -> Result<bool, String> {
    let read = || catch_unwind(AssertUnwindSafe(|| (reader.read)(bytes)));
    let (peak, read) = meter::peak_of(read);
    let reading = read.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("it panicked: {}", text.unwrap_or("without words"))
    })?;
    let most = (reader.memory)(bytes.len());
    if peak > most {
        return Err(format!("it took {peak} bytes of memory, more than {most}"));
    }
    for sentence in &reading.refusals {
        if sentence.is_empty() || sentence.chars().count() > LONGEST_SENTENCE {
            return Err(format!("not a sentence of a bearable length: {sentence:?}"));
        }
        if sentence.chars().any(char::is_control) {
            return Err(format!("not in one line of text: {sentence:?}"));
        }
    }
    Ok(reading.taken > 0)
}

fn check(reader: &Reader, bytes: &[u8]) -> bool {
    verdict(reader, bytes).unwrap_or_else(|fault| {
        panic!(
            "{}: {fault}\nwith b\"{}\"",
            reader.name,
            bytes.escape_ascii()
        )
    })
}

fn fuzz(name: &str) {
    let _one = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let reader = READERS.iter().find(|reader| reader.name == name);
    let reader = reader.expect("a reader of that name");
    let corpus = corpus(name);
    let taken = corpus.iter().filter(|bytes| check(reader, bytes)).count();
    assert!(taken > 0, "{name}: no file of the corpus is good");
    assert!(taken < corpus.len(), "{name}: no file of the corpus is bad");

    let seconds = std::env::var("MLP_FAST_FUZZ_SECONDS");
    let seconds = seconds.ok().and_then(|seconds| seconds.parse().ok());
    let seed = seconds.map_or(1, |_: u64| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.expect("a clock").as_nanos() as u64
    });
    let mut mutator = Mutator::new(seed, &corpus, reader.words);
    let begin = Instant::now();
    let mut runs = 0;
    let goes_on = |runs| match seconds {
        Some(seconds) => begin.elapsed() < Duration::from_secs(seconds),
        None => runs < DAMAGED,
    };
    while goes_on(runs) {
        check(reader, &mutator.next());
        runs += 1;
    }
    println!("{name}: {runs} damaged files of seed {seed}, {taken} good ones in the corpus");
}

#[test]
fn cache() {
    fuzz("cache");
}

#[test]
fn csv() {
    fuzz("csv");
}

#[test]
fn idx() {
    fuzz("idx");
}

#[test]
fn gz() {
    fuzz("gz");
}

#[test]
fn model() {
    fuzz("model");
}

#[test]
fn checkpoint() {
    fuzz("checkpoint");
}

#[test]
fn every_reader_has_a_test() {
    let own = include_str!("fuzzing.rs");
    for reader in &READERS {
        assert!(own.contains(&format!("fuzz(\"{}\");", reader.name)));
    }
}
