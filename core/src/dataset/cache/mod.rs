//! A CSV as a file that is mapped into memory: for data that is larger than memory.
//!
//! [`write()`] reads the CSV once, from one end to the other, and holds a megabyte of it at a time; [`open`] and
//! [`Cache::into_csv`] give what [`csv::read`](super::csv::read) gives, bit for bit, except that the inputs stay in the file
//! (`Inputs::from_block`) and the system brings in the rows that are looked at.
//!
//! ```text
//! MAGIC          16 bytes: "mlp-fast cache", the version of the format, a line feed
//! rows of bytes  1 byte a value
//! rows of f32    4 bytes a value: the rows from the first on that did not fit into bytes (to a megabyte)
//! targets        4 bytes a row: the number of the class, or an f32
//! words          what it was made from, the names of columns, label and classes
//! tail           56 bytes: rows, rows of bytes, columns, values that are targets (0 or 1), length of the words, checksum
//!                (CRC-32 of all before it), MAGIC's last 8 bytes
//! ```
//! All numbers are little-endian u64 but the values. A file is looked into only as far as its length bears out the numbers
//! of its tail, and used only if the checksum is right: a cache that is cut short or has one flipped bit is refused.
//!
//! A file that is mapped must not be written to or cut short by another program meanwhile; this one never does, it
//! renames a new file to the old one's place (`model_file::stage`).

mod map;
mod origin;
mod words;
mod write;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::Crc;

use self::words::{Garbled, Words};
use crate::dataset::csv::Csv;
use crate::dataset::{Inputs, Layout, Targets};
use crate::error::{Error, Kind};
use crate::tensor::Matrix;

pub use origin::Origin;
pub use write::write;

/// How a cache begins.
const MAGIC: &[u8; 16] = b"mlp-fast cache1\n";
/// How the beginning of all versions is.
const ANY_MAGIC: usize = 14;
/// The bytes after the words: five numbers, the checksum and the end.
const TAIL: usize = 56;
/// The longest words: a million names of columns fit in.
const MOST_WORDS: u64 = 256 << 20;
/// Bytes that are read at a time to be checked.
const PIECE: usize = 1 << 18;

/// A cache that is open and has the right length; its content is not checked yet.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    file: File,
    length: u64,
    layout: Layout,
    are_values: bool,
    checksum: u64,
    names: Names,
}

/// The words.
#[derive(Debug)]
struct Names {
    origin: Origin,
    columns: Option<Vec<String>>,
    label: Option<String>,
    targets: Vec<String>,
}

impl Names {
    fn read(bytes: &[u8]) -> Result<Self, Garbled> {
        let mut words = Words::read(bytes);
        let names = Self {
            origin: Origin::take(&mut words)?,
            columns: words.take_optional(Words::take_texts)?,
            label: words.take_optional(Words::take_text)?,
            targets: words.take_texts()?,
        };
        words.end()?;
        Ok(names)
    }
}

/// Whether the file is a cache, whole or not, of this or another version.
///
/// # Errors
/// Of [`Kind::Io`], when it cannot be read.
pub fn is_cache(path: &Path) -> Result<bool, Error> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(ANY_MAGIC as u64).read_to_end(&mut start))
        .map_err(|cause| Error::io("cannot read", path, &cause))?;
    Ok(start == MAGIC[..ANY_MAGIC])
}

/// Opens a cache.
///
/// # Errors
/// Of [`Kind::Io`], when it cannot be read; of [`Kind::Data`], when it is none, or damaged, or of another version.
pub fn open(path: &Path) -> Result<Cache, Error> {
    let failed = |cause: io::Error| Error::io("cannot read", path, &cause);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut start = Vec::new();
    (&file)
        .take(MAGIC.len() as u64)
        .read_to_end(&mut start)
        .map_err(failed)?;
    if start != MAGIC {
        let known = start.starts_with(&MAGIC[..ANY_MAGIC]);
        let what = if known {
            "it is of another version, or cut short"
        } else {
            "it is no cache of a CSV"
        };
        return Err(Error::new(Kind::Data, what).at(path.display().to_string()));
    }
    let damaged = |what: &str| damaged(path, what);
    if length < (MAGIC.len() + TAIL) as u64 {
        return Err(damaged("it is cut short"));
    }
    file.seek(SeekFrom::Start(length - TAIL as u64))
        .map_err(failed)?;
    let mut tail = [0; TAIL];
    file.read_exact(&mut tail).map_err(failed)?;
    let (numbers, end) = tail.split_at(TAIL - 8);
    let number = |i: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&numbers[8 * i..][..8]);
        u64::from_le_bytes(bytes)
    };
    if end != &MAGIC[8..] {
        return Err(damaged("it is cut short"));
    }
    let size = |i| usize::try_from(number(i)).unwrap_or(usize::MAX);
    let layout = Layout {
        offset: MAGIC.len(),
        rows: size(0),
        byte_rows: size(1),
        cols: size(2),
    };
    let (targets, words) = (number(3), number(4));
    // Every number is borne out by the length of the file before anything is made of it.
    let wanted = || {
        let targets_at = layout.range()?.end as u64;
        let words_at = targets_at.checked_add((layout.rows as u64).checked_mul(4)?)?;
        let end = words_at.checked_add(words)?.checked_add(TAIL as u64)?;
        Some((words_at, end))
    };
    let words_at = match wanted() {
        Some((words_at, end)) if end == length && layout.rows > 0 && layout.cols > 0 => words_at,
        _ => return Err(damaged("its length is not what its numbers say")),
    };
    if targets > 1 || words > MOST_WORDS {
        return Err(damaged("a number at its end is out of range"));
    }
    file.seek(SeekFrom::Start(words_at)).map_err(failed)?;
    let mut bytes = Vec::new();
    (&file)
        .take(words)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let names = Names::read(&bytes).map_err(|_| damaged("its names cannot be read"))?;
    Ok(Cache {
        path: path.to_owned(),
        file,
        length,
        layout,
        are_values: targets == 1,
        checksum: number(5),
        names,
    })
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::new(Kind::Data, format!("it is damaged: {what}")).at(path.display().to_string())
}

impl Cache {
    /// What it was made from.
    pub fn origin(&self) -> &Origin {
        &self.names.origin
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Checks all of it, telling how many bytes are done, and maps it.
    ///
    /// # Errors
    /// Of [`Kind::Io`], when it cannot be read or mapped; of [`Kind::Data`], when it is damaged.
    pub fn into_csv(mut self, tell: &mut dyn FnMut(u64)) -> Result<Csv, Error> {
        let failed = |cause: io::Error| Error::io("cannot read", &self.path, &cause);
        if checksum(&mut self.file, self.length - 16, tell).map_err(failed)? != self.checksum {
            return Err(damaged(
                &self.path,
                "its checksum is not that of its content",
            ));
        }
        let block = map::map(&self.file).map_err(failed)?;
        let targets = self.layout.range().unwrap_or_default().end;
        let targets = (*block)
            .as_ref()
            .get(targets..)
            .and_then(|from| from.get(..4 * self.layout.rows))
            .ok_or_else(|| damaged(&self.path, "it was cut short while it was read"))?;
        let targets = targets.as_chunks::<4>().0.iter().copied();
        let names = self.names.targets;
        let targets = if self.are_values {
            let values: Vec<f32> = targets.map(f32::from_le_bytes).collect();
            Targets::Values {
                values: Matrix::from_vec(values.len(), 1, &values),
                names,
            }
        } else {
            Targets::Classes {
                labels: targets.map(u32::from_le_bytes).collect(),
                names,
            }
        };
        let inputs =
            Inputs::from_block(block, self.layout).and_then(|inputs| match self.names.columns {
                Some(columns) => inputs.with_columns(columns),
                None => Ok(inputs),
            });
        Ok(Csv {
            inputs: inputs.map_err(|error| error.at(self.path.display().to_string()))?,
            targets: Some(targets),
            label: self.names.label,
        })
    }
}

/// The checksum of the first `length` bytes.
fn checksum(file: &mut File, length: u64, tell: &mut dyn FnMut(u64)) -> io::Result<u64> {
    file.rewind()?;
    let mut crc = Crc::new();
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    while done < length {
        let count = piece.len().min((length - done) as usize);
        file.read_exact(&mut piece[..count])?;
        crc.update(&piece[..count]);
        done += count as u64;
        tell(done);
    }
    Ok(u64::from(crc.sum()))
}
