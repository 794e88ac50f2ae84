//! `--cache`: a CSV that is larger than memory, converted once to a file beside it that is mapped into memory.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use mlp_core::dataset::cache::{self, Origin};
use mlp_core::dataset::csv::Csv;
use mlp_core::dataset::options::ReadOptions;
use mlp_core::model_file::{Lock, check_writable, remove_leftovers, stage};
use mlp_core::{Error, Kind};

use crate::{print, progress};

/// `big.csv.cache`, the cache of `big.csv`.
pub(crate) fn beside(csv: &Path) -> PathBuf {
    let mut path = OsString::from(csv);
    path.push(".cache");
    path.into()
}

/// Reads a CSV by its cache, which is made first where there is none that is whole and of this very file, read in this
/// very way.
pub(crate) fn read<const QUIET: bool>(csv: &Path, options: &ReadOptions) -> Result<Csv, Error> {
    let path = beside(csv);
    let origin = Origin::of(csv, options)?;
    match found(&path, &origin, QUIET) {
        Ok(Some(found)) => return Ok(found),
        Ok(None) => {}
        // What is there is a cache, or was one, and can be had again.
        Err(fault) if fault.kind() == Kind::Data => {
            note(QUIET, &format!("{fault}; it is made anew"));
        }
        Err(fault) => return Err(fault),
    }
    make(csv, options, &path, &origin, QUIET)?;
    // It was flushed and renamed this moment; that the disk gave back what it took is checked here.
    found(&path, &origin, QUIET)?.ok_or_else(|| {
        let text = "the file was changed while it was read";
        Error::new(Kind::Data, text).at(csv.display().to_string())
    })
}

/// What a cache holds; nothing if there is none, or one of another file or other options.
fn found(path: &Path, origin: &Origin, quiet: bool) -> Result<Option<Csv>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    if !path.is_file() || !cache::is_cache(path)? {
        let text = "--cache needs this name, and what is there is no cache: move it away";
        return Err(Error::new(Kind::Io, text).at(path.display().to_string()));
    }
    let cache = cache::open(path)?;
    if cache.origin() != origin {
        let text = "the CSV or the options are no longer those it was made with; it is made anew";
        note(quiet, &format!("{}: {text}", path.display()));
        return Ok(None);
    }
    let passage = Passage::new(
        &format!("checking {}", path.display()),
        cache.length(),
        quiet,
    );
    cache.into_csv(&mut |done| passage.tell(done)).map(Some)
}

fn make(
    csv: &Path,
    options: &ReadOptions,
    path: &Path,
    origin: &Origin,
    quiet: bool,
) -> Result<(), Error> {
    check_writable(path)?;
    let lock = Lock::take(path)?;
    if lock.is_held() {
        remove_leftovers(path);
    }
    let start = Instant::now();
    let passage = Passage::new(&format!("reading {}", csv.display()), origin.size(), quiet);
    let mut read = Ok(());
    let staged = stage(path, |out| {
        read = cache::write(csv, options, out, &mut |done| passage.tell(done))?;
        match read {
            Ok(()) => Ok(()),
            Err(_) => Err(io::Error::other("the CSV cannot be read")),
        }
    });
    drop(passage);
    read?;
    staged?.publish()?;
    let bytes = std::fs::metadata(path).map_or(0, |found| found.len());
    note(
        quiet,
        &format!(
            "{}: made of {} in {}, {}",
            path.display(),
            csv.display(),
            print::duration(start.elapsed().as_secs_f64()),
            print::bytes(bytes as usize)
        ),
    );
    Ok(())
}

fn note(quiet: bool, sentence: &str) {
    if !quiet {
        // Notes are a courtesy: whether anyone reads them is no matter.
        drop(writeln!(io::stderr(), "{sentence}"));
    }
}

/// How far a file is read, on standard error: a bar on a terminal, a line every ten seconds elsewhere.
struct Passage {
    what: String,
    bytes: u64,
    bar: Option<ProgressBar>,
    lines: bool,
    began: Instant,
    told: Cell<Instant>,
}

/// What is read faster than that is not worth a bar, and what comes faster not a line.
const BETWEEN_DRAWS: Duration = Duration::from_millis(200);
const BETWEEN_LINES: Duration = Duration::from_secs(10);

impl Passage {
    fn new(what: &str, bytes: u64, quiet: bool) -> Self {
        let bar = progress::bar(bytes, quiet).map(|bar| bar.with_message(what.to_owned()));
        Self {
            what: what.to_owned(),
            bytes,
            lines: bar.is_none() && !quiet,
            bar,
            began: Instant::now(),
            told: Cell::new(Instant::now()),
        }
    }

    fn tell(&self, done: u64) {
        let since = self.told.get().elapsed();
        if let Some(bar) = &self.bar
            && since > BETWEEN_DRAWS
        {
            bar.set_position(done);
        } else if self.lines && since > BETWEEN_LINES {
            let share = done as f64 / self.bytes.max(1) as f64;
            let left = self.began.elapsed().as_secs_f64() * (1.0 / share.max(1e-9) - 1.0);
            let (what, share) = (&self.what, print::percent(share));
            let left = print::duration(left.max(0.0));
            note(false, &format!("{what}: {share}, about {left} left"));
        } else {
            return;
        }
        self.told.set(Instant::now());
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
