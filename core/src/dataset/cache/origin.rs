//! What a cache was made from: by which a later run knows whether it is still good.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use flate2::Crc;

use super::words::{Garbled, Words, put_number, put_text};
use crate::dataset::options::ReadOptions;
use crate::error::Error;

/// Bytes at either end of a file that are looked at.
const END: u64 = 1 << 16;

/// A CSV file, known by its size, the time when it was changed and its two ends (64 KiB each), and how it was read: equal
/// where a cache of it is still good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    size: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    ends: u64,
    options: String,
}

impl Origin {
    /// Of that file, to be read by this version of the program with these options.
    ///
    /// # Errors
    /// Of [`Kind::Io`](crate::error::Kind::Io), when it cannot be read.
    pub fn of(csv: &Path, options: &ReadOptions) -> Result<Self, Error> {
        Self::look(csv, options).map_err(|cause| Error::io("cannot read", csv, &cause))
    }

    fn look(csv: &Path, options: &ReadOptions) -> io::Result<Self> {
        let mut file = File::open(csv)?;
        let found = file.metadata()?;
        let since_1970 = found.modified()?.duration_since(SystemTime::UNIX_EPOCH);
        let mut ends = Vec::new();
        (&file).take(END).read_to_end(&mut ends)?;
        file.seek(SeekFrom::Start(found.len().saturating_sub(END)))?;
        (&file).take(END).read_to_end(&mut ends)?;
        let mut crc = Crc::new();
        crc.update(&ends);
        Ok(Self {
            size: found.len(),
            modified: since_1970.map_or(0, |time| time.as_nanos() as u64),
            ends: u64::from(crc.sum()),
            options: format!("{} {options:?}", env!("CARGO_PKG_VERSION")),
        })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for number in [self.size, self.modified, self.ends] {
            put_number(out, number);
        }
        put_text(out, &self.options);
    }

    pub(super) fn take(words: &mut Words<'_>) -> Result<Self, Garbled> {
        Ok(Self {
            size: words.take_number()?,
            modified: words.take_number()?,
            ends: words.take_number()?,
            options: words.take_text()?,
        })
    }

    /// Bytes of the CSV.
    pub fn size(&self) -> u64 {
        self.size
    }
}
