//! The lines of a text file, bounded in length, each fit for the fast path or to be fed to the `csv` crate.
//!
//! [`Lines`] holds one line at a time. Most rows hold no quotes, and splitting those at the commas needs no parser. A row
//! with quotes goes through `csv::Reader`, to which `Lines` is the source: it hands over the current line and gives the
//! next one only if asked, which happens when a quoted cell goes on over the end of the line.

use std::io::{self, BufRead, BufReader, Read};

/// The longest row, in bytes.
pub(super) const MAX_LINE: usize = 64 << 20;

pub(super) struct Lines<R> {
    source: BufReader<R>,
    /// The current line, its line end replaced by one comma, so that every cell ends with a comma.
    line: Vec<u8>,
    /// The number of the current line, from 1.
    number: usize,
    /// How much of the current line, and of the row that it belongs to, the `csv` crate has been given.
    fed: usize,
    fed_of_row: usize,
    /// The file ended while the `csv` crate asked for more of a row.
    ended_in_row: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source: BufReader::with_capacity(1 << 18, source),
            line: Vec::new(),
            number: 0,
            fed: 0,
            fed_of_row: 0,
            ended_in_row: false,
        }
    }

    /// Goes to the next line that is not blank; false at the end of the file.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        loop {
            if !self.read_line()? {
                return Ok(false);
            }
            if !self.line[..self.line.len() - 1]
                .trim_ascii_start()
                .is_empty()
            {
                return Ok(true);
            }
        }
    }

    /// The current line, with a comma in place of its end.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// The number of the current line, from 1.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Whether the file ended inside quotes.
    pub(super) fn ended_in_row(&self) -> bool {
        self.ended_in_row
    }

    /// The `csv` crate is to be given the current line from its start.
    pub(super) fn feed(&mut self) {
        self.fed = 0;
        self.fed_of_row = 0;
        if let Some(end) = self.line.last_mut() {
            *end = b'\n';
        }
    }

    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let read = (&mut self.source)
            .take(MAX_LINE as u64 + 2)
            .read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        if self.line.len() > MAX_LINE {
            return Err(too_long());
        }
        if self.number == 1 {
            self.check_start()?;
        }
        self.line.push(b',');
        Ok(true)
    }

    /// Takes off a byte order mark, and tells files that are no UTF-8 text by their first bytes.
    fn check_start(&mut self) -> io::Result<()> {
        if self.line.starts_with(b"\xEF\xBB\xBF") {
            self.line.drain(..3);
        }
        let what = match self.line.as_slice() {
            [0x1F, 0x8B, ..] => "is compressed by gzip: a CSV is read only when it is unpacked",
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "is UTF-16 text: save it as UTF-8",
            _ => return Ok(()),
        };
        Err(io::Error::new(io::ErrorKind::InvalidData, what))
    }
}

fn too_long() -> io::Error {
    let megabytes = MAX_LINE >> 20;
    let text = format!("is longer than {megabytes} MB: is this a CSV file?");
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.fed == self.line.len() {
            if !self.read_line()? {
                self.ended_in_row = true;
                return Ok(0);
            }
            self.fed = 0;
            if let Some(end) = self.line.last_mut() {
                *end = b'\n';
            }
        }
        let count = out.len().min(self.line.len() - self.fed);
        out[..count].copy_from_slice(&self.line[self.fed..][..count]);
        self.fed += count;
        self.fed_of_row += count;
        if self.fed_of_row > MAX_LINE {
            return Err(too_long());
        }
        Ok(count)
    }
}
