//! From a CSV to its cache, a megabyte at a time.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::Crc;

use super::words::{put_number, put_optional, put_text, put_texts};
use super::{MAGIC, MOST_WORDS, Origin};
use crate::dataset::Targets;
use crate::dataset::csv::{Reading, Values};
use crate::dataset::options::ReadOptions;
use crate::error::{Error, Kind};

/// Values that are held at a time.
const HELD: usize = 1 << 18;

/// Reads the CSV and writes its cache to `out`, telling how many bytes of the CSV are done. In memory are a piece of the
/// inputs and 4 bytes a row of targets.
///
/// # Errors
/// The outer one when `out` cannot be written; the inner one, as those of [`csv::read`](crate::dataset::csv::read), when
/// the CSV cannot be read or changes meanwhile: then `out` holds a part and is to be thrown away.
pub fn write(
    csv: &Path,
    options: &ReadOptions,
    out: &mut dyn Write,
    tell: &mut dyn FnMut(u64),
) -> io::Result<Result<(), Error>> {
    let mut out = Summed {
        out,
        crc: Crc::new(),
    };
    match content(csv, options, &mut out, tell) {
        Ok(()) => Ok(Ok(())),
        Err(Fault::Csv(error)) => Ok(Err(error)),
        Err(Fault::Out(cause)) => Err(cause),
    }
}

enum Fault {
    Csv(Error),
    Out(io::Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Csv(error)
    }
}

impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        Self::Out(cause)
    }
}

fn content(
    csv: &Path,
    options: &ReadOptions,
    out: &mut Summed<'_>,
    tell: &mut dyn FnMut(u64),
) -> Result<(), Fault> {
    let name = csv.display().to_string();
    let wrong = |what: &str| Error::new(Kind::Data, what).at(name.as_str());
    let origin = Origin::of(csv, options)?;
    let file = File::open(csv).map_err(|cause| Error::io("cannot read", csv, &cause))?;
    let source = Told {
        file,
        done: 0,
        tell,
    };
    out.write_all(MAGIC)?;
    let mut reading = Reading::begin(source, &name, options)?;
    let (mut bytes_written, mut goes_on) = (0, true);
    while goes_on {
        goes_on = reading.more(HELD)?;
        bytes_written += reading.table.hand_over(|values| match values {
            Values::Bytes(bytes) => out.write_all(bytes).map(|()| bytes.len()),
            Values::Floats(floats) => {
                let bytes: Vec<_> = floats.iter().map(|x| x.to_le_bytes()).collect();
                out.write_all(bytes.as_flattened()).map(|()| 0)
            }
        })?;
    }
    let table = &mut reading.table;
    let (rows, cols) = table.shape();
    let targets = table
        .targets()?
        .ok_or_else(|| wrong("there is no label column"))?;
    match &targets {
        Targets::Classes { labels, .. } => {
            for label in labels {
                out.write_all(&label.to_le_bytes())?;
            }
        }
        Targets::Values { values, .. } => {
            for row in 0..values.rows() {
                out.write_all(&values.row(row)[0].to_le_bytes())?;
            }
        }
    }
    let mut words = Vec::new();
    origin.put(&mut words);
    put_optional(&mut words, table.input_names().as_deref(), put_texts);
    put_optional(&mut words, table.label_column().as_deref(), put_text);
    put_texts(&mut words, targets.names());
    let length = words.len() as u64;
    if length > MOST_WORDS {
        return Err(wrong("the names of its columns and classes are too long for a cache").into());
    }
    let are_values = matches!(targets, Targets::Values { .. });
    for number in [rows, bytes_written / cols, cols, usize::from(are_values)] {
        put_number(&mut words, number as u64);
    }
    put_number(&mut words, length);
    if Origin::of(csv, options)? != origin {
        return Err(wrong("the file was changed while it was read").into());
    }
    out.write_all(&words)?;
    let sum = u64::from(out.crc.sum());
    out.write_all(&sum.to_le_bytes())?;
    out.write_all(&MAGIC[8..])?;
    Ok(())
}

/// A writer that sums up what it is given.
struct Summed<'a> {
    out: &'a mut dyn Write,
    crc: Crc,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.crc.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file that tells how much of it is read.
struct Told<'a> {
    file: File,
    done: u64,
    tell: &'a mut dyn FnMut(u64),
}

impl Read for Told<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(out)?;
        self.done += count as u64;
        (self.tell)(self.done);
        Ok(count)
    }
}
