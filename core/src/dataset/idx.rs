//! Reading IDX, the format of MNIST: big-endian, `u32` magic, `u32` for each dimension, then one byte a value.
//!
//! | file | magic | dimensions |
//! | --- | --- | --- |
//! | images | 2051 | images, rows, columns |
//! | labels | 2049 | labels |
//!
//! Compression by gzip is told by the first bytes of the file, not by its name, and undone while reading. A header is not
//! believed: memory grows with what the file really holds, and reading stops at what the header promises, so neither a
//! false header nor a gzip bomb takes more than twice the memory of the true data. A compressed file may hold at most
//! [`MAX_UNPACKED`] bytes of values: more than that is to be unpacked by hand, where one sees what becomes of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use crate::dataset::{Dataset, Inputs};
use crate::error::{Error, Kind};

const IMAGES: u32 = 2051;
const LABELS: u32 = 2049;

/// The most that is unpacked, in bytes: a thousand times as much fits into a file of 4 MiB.
pub const MAX_UNPACKED: u64 = 4 << 30;

/// No byte of deflate unpacks to more than 1032 (a run of 258 takes two bits); rounded up.
const UNPACKED_OF_BYTE: u64 = 1100;

/// Reads images, one a row, as bytes.
///
/// # Errors
/// When the file cannot be read, has another magic number, holds no pixels, or less or more than its header promises.
pub fn read_images(path: &Path) -> Result<Inputs, Error> {
    let mut file = IdxFile::open(path)?;
    file.expect_magic(IMAGES)?;
    let [count, rows, columns] = [file.word()?, file.word()?, file.word()?];
    let promise = format!("{count} images of {rows} x {columns} pixels");
    let pixels = rows.checked_mul(columns);
    let Some(total) = pixels.and_then(|pixels| pixels.checked_mul(count)) else {
        return Err(file.wrong(format!(
            "the header promises {promise}, more than there can be"
        )));
    };
    if total == 0 {
        return Err(file.wrong(format!(
            "the header promises {promise}, so there is nothing to read"
        )));
    }
    let bytes = file.body(total, &promise)?;
    Inputs::from_bytes(bytes, count, rows * columns)
}

/// Reads labels, one byte each.
///
/// # Errors
/// When the file cannot be read, has another magic number, holds no labels, or fewer or more than its header promises.
pub fn read_labels(path: &Path) -> Result<Vec<u8>, Error> {
    let mut file = IdxFile::open(path)?;
    file.expect_magic(LABELS)?;
    let count = file.word()?;
    if count == 0 {
        return Err(file.wrong("the header promises 0 labels, so there is nothing to read"));
    }
    file.body(count, &format!("{count} labels"))
}

/// Reads images with their labels; the classes are named `0`, `1`, .. up to the greatest label.
///
/// # Errors
/// When one of the files is not as it should be, or they do not hold equally many.
pub fn read_pair(images: &Path, labels: &Path) -> Result<Dataset, Error> {
    let inputs = read_images(images)?;
    let numbers = read_labels(labels)?;
    if inputs.rows() != numbers.len() {
        return Err(Error::new(
            Kind::Data,
            format!(
                "there are {} labels for the {} images of {}",
                numbers.len(),
                inputs.rows(),
                images.display()
            ),
        )
        .at(labels.display().to_string()));
    }
    let greatest = numbers.iter().copied().max().unwrap_or(0);
    let names = (0..=greatest.max(1))
        .map(|class| class.to_string())
        .collect();
    let numbers = numbers.into_iter().map(u32::from).collect();
    Dataset::classes(inputs, numbers, names).map_err(|error| error.at(labels.display().to_string()))
}

/// What sort of IDX a file is by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Images,
    Labels,
    Other,
}

/// Looks at the first bytes.
pub(super) fn sort_of(path: &Path) -> Result<Sort, Error> {
    let mut file = IdxFile::open(path)?;
    Ok(match file.word() {
        Ok(magic) if magic == IMAGES as usize => Sort::Images,
        Ok(magic) if magic == LABELS as usize => Sort::Labels,
        _ => Sort::Other,
    })
}

/// An open file, unpacked on the way if it is compressed.
struct IdxFile {
    path: PathBuf,
    source: Source,
    /// More bytes than it can hold, where that is known.
    limit: Option<u64>,
    /// The most bytes that are taken from it.
    most: u64,
}

enum Source {
    Plain(BufReader<File>),
    Packed(GzDecoder<BufReader<File>>),
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(out),
            Self::Packed(decoder) => decoder.read(out),
        }
    }
}

impl Source {
    /// Whether nothing follows, neither in the content nor behind the compressed data.
    fn is_at_end(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(file) => Ok(file.fill_buf()?.is_empty()),
            Self::Packed(decoder) => {
                Ok(decoder.read(&mut [0])? == 0 && decoder.get_mut().fill_buf()?.is_empty())
            }
        }
    }
}

impl IdxFile {
    fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |cause: io::Error| Error::io("cannot read", path, &cause);
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?;
        let length = length.is_file().then_some(length.len());
        let mut file = BufReader::with_capacity(1 << 16, file);
        let start = file.fill_buf().map_err(unreadable)?;
        if start.is_empty() {
            return Err(Error::new(Kind::Data, "the file is empty").at(path.display().to_string()));
        }
        let (source, limit, most) = if start.starts_with(&[0x1F, 0x8B]) {
            let limit = length.map(|length| length.saturating_mul(UNPACKED_OF_BYTE));
            (Source::Packed(GzDecoder::new(file)), limit, MAX_UNPACKED)
        } else {
            (Source::Plain(file), None, u64::MAX)
        };
        Ok(Self {
            path: path.to_owned(),
            source,
            limit,
            most,
        })
    }

    fn wrong(&self, message: impl Into<String>) -> Error {
        Error::new(Kind::Data, message).at(self.path.display().to_string())
    }

    fn unreadable(&self, cause: &io::Error) -> Error {
        match cause.kind() {
            io::ErrorKind::UnexpectedEof => self.wrong("the file ends too early"),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                self.wrong(format!("the compressed data is damaged ({cause})"))
            }
            _ => Error::io("cannot read", &self.path, cause),
        }
    }

    /// A big-endian `u32` of the header.
    fn word(&mut self) -> Result<usize, Error> {
        let mut bytes = [0; 4];
        match self.source.read_exact(&mut bytes) {
            Ok(()) => Ok(u32::from_be_bytes(bytes) as usize),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.wrong("the file ends inside the IDX header"))
            }
            Err(cause) => Err(self.unreadable(&cause)),
        }
    }

    fn expect_magic(&mut self, expected: u32) -> Result<(), Error> {
        let found = self.word()?;
        if found == expected as usize {
            return Ok(());
        }
        let name = |magic| match magic {
            IMAGES => " (images)",
            LABELS => " (labels)",
            _ => "",
        };
        Err(self.wrong(format!(
            "expected the IDX magic number {expected}{}, found {found}{}",
            name(expected),
            name(found as u32)
        )))
    }

    /// The bytes after the header: exactly `total`, which the header told as `promise`.
    fn body(&mut self, total: usize, promise: &str) -> Result<Vec<u8>, Error> {
        if self.limit.is_some_and(|limit| total as u64 > limit) {
            return Err(self.wrong(format!(
                "the header promises {promise} ({total} bytes), more than can be packed into this file"
            )));
        }
        if total as u64 > self.most {
            return Err(self.wrong(format!(
                "the header promises {promise} ({total} bytes), more than the {} GiB that are unpacked from a \
                 compressed file: unpack it with gunzip first",
                self.most >> 30
            )));
        }
        let mut bytes = Vec::new();
        while bytes.len() < total {
            let before = bytes.len();
            let room = (total - before).min(before.max(1 << 20));
            bytes.try_reserve_exact(room).map_err(|_| {
                self.wrong(format!("{promise} ({total} bytes) do not fit into memory"))
            })?;
            let read = (&mut self.source).take(room as u64).read_to_end(&mut bytes);
            match read {
                Ok(count) if count == room => {}
                Err(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => {
                    return Err(self.unreadable(&cause));
                }
                _ => {
                    return Err(self.wrong(format!(
                        "the header promises {promise} ({total} bytes), but the file ends after {}",
                        bytes.len()
                    )));
                }
            }
        }
        match self.source.is_at_end() {
            Ok(true) => Ok(bytes),
            Ok(false) => Err(self.wrong(format!(
                "the header promises {promise} ({total} bytes), but more bytes follow"
            ))),
            Err(cause) => Err(self.unreadable(&cause)),
        }
    }
}
