//! Reading a CSV: comma-separated cells, quotes as in RFC 4180, lines that end in LF or CR LF (inside
//! quotes they become `\n`; blank ones are skipped), UTF-8 with or without a byte order mark.
//!
//! **Header.** The first line is a header if no cell in it is a number, or if it has a word above a number (or `y` above
//! another word) and its numbers, two or more, only count the columns, or if it has one of the words `label`, `target` and
//! `class` and its numbers are whole and ascend; [`Header`] overrules that. Equal names become `x`, `x.1`, `x.2`.
//!
//! **Label.** The column that [`ReadOptions::label`] names. Without it, the column named `label`, `target` or `class`, or
//! `y` if there is no `x`; else the last one, but the first one in a headerless file of 785 columns of integers from 0 to 255. So both forms of
//! MNIST, Kaggle's `label,pixel0..pixel783` and `5,0,0,..`, need no options. All other columns are inputs.
//!
//! **Inputs** stay bytes while every cell is a whole number from 0 to 255, and become f32 at the first that is not.
//!
//! **Targets** are classes or values by the rule told at [`Task`]. Classes are sorted, by value if all are numbers.
//!
//! **For a model** ([`ReadOptions::expected`]) columns are found by name when both sides have names, in any order, and
//! others are ignored; else there must be as many as the model has inputs, or one more with the label, which is where it
//! was in training; where that is not known, or the header tells another, it must be named.
//!
//! Every fault is an error that tells file, line, column and what was found. A row is at most 64 MB long and has at most
//! [`MAX_COLUMNS`] columns, there are at most 65 536 classes and 2^32 - 1 rows, so that a file that is no CSV is told by a
//! message and not by running out of memory.

mod byte_row;
mod cell;
mod columns;
mod header;
mod labels;
mod lines;
mod table;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use self::columns::Columns;
use self::lines::Lines;
use self::table::Table;
pub(super) use self::table::Values;
use crate::dataset::options::ReadOptions;
#[cfg(doc)]
use crate::dataset::options::{Header, Task};
use crate::dataset::{Dataset, Inputs, Targets};
use crate::error::{Error, Kind};

/// The most columns that a CSV may have.
pub const MAX_COLUMNS: usize = 1_000_000;

/// What a CSV holds.
#[derive(Clone, Debug)]
pub struct Csv {
    /// The inputs, with the names of their columns if the file has a header.
    pub inputs: Inputs,
    /// The targets, if there is a label column and labels are not ignored.
    pub targets: Option<Targets>,
    /// The label column, if targets were read from one: its name, or its number in a file without names.
    pub label: Option<String>,
}

impl Csv {
    /// The dataset of inputs and targets.
    ///
    /// # Errors
    /// When there are no targets.
    pub fn into_dataset(self) -> Result<Dataset, Error> {
        match self.targets {
            Some(Targets::Classes { labels, names }) => {
                Dataset::classes(self.inputs, labels, names)
            }
            Some(Targets::Values { values, names }) => {
                Dataset::named_values(self.inputs, values, names)
            }
            None => Err(Error::new(Kind::Data, "there is no label column")),
        }
    }
}

/// Reads a CSV file.
///
/// # Errors
/// When it cannot be read, or its content is not as the [module](self) tells.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Csv, Error> {
    // Asked before: Windows opens no folder.
    if path.is_dir() {
        let text = "expected a CSV file, found a folder";
        return Err(Error::new(Kind::Io, text).at(path.display().to_string()));
    }
    let file = File::open(path).map_err(|cause| Error::io("cannot read", path, &cause))?;
    read_from(file, &path.display().to_string(), options)
}

/// Reads a CSV from anywhere; `name` is what errors call it.
///
/// # Errors
/// When it cannot be read, or its content is not as the [module](self) tells.
pub fn read_from(source: impl Read, name: &str, options: &ReadOptions) -> Result<Csv, Error> {
    let mut reading = Reading::begin(source, name, options)?;
    while reading.more(usize::MAX)? {}
    reading.table.finish()
}

/// A CSV that is read piece by piece.
pub(super) struct Reading<R> {
    rows: Rows<R>,
    pub(super) table: Table,
}

impl<R: Read> Reading<R> {
    /// Reads the first two rows, which tell what the columns are for.
    pub(super) fn begin(source: R, name: &str, options: &ReadOptions) -> Result<Self, Error> {
        let mut rows = Rows::new(source, name);
        let Some((first_line, first)) = rows.next()? else {
            return Err(Error::new(Kind::Data, "the file is empty").at(name));
        };
        let second = rows.next()?;
        let second_cells = second.as_ref().map(|(_, cells)| cells.as_slice());
        let (columns, has_header) =
            Columns::resolve(&first, second_cells, options).map_err(|error| error.at(name))?;
        let mut table = Table::new(name, columns, options, first_line);
        if !has_header {
            table.row(first.iter().map(Vec::as_slice), first_line)?;
        }
        if let Some((line, cells)) = second {
            table.row(cells.iter().map(Vec::as_slice), line)?;
        }
        Ok(Self { rows, table })
    }

    /// Reads on until the table holds `most` values of inputs or more; false at the end of the file.
    pub(super) fn more(&mut self, most: usize) -> Result<bool, Error> {
        let goes_on = self.rows.read_into(&mut self.table, most)?;
        if !goes_on && self.table.is_empty() {
            let text = "there is a header, but no row of data below it";
            return Err(Error::new(Kind::Data, text).at(self.rows.name.as_str()));
        }
        Ok(goes_on)
    }
}

/// The rows of a file: those with quotes are split by the `csv` crate, the others at their commas.
struct Rows<R> {
    reader: csv::Reader<Lines<R>>,
    record: csv::ByteRecord,
    name: String,
}

/// A row with the line that it starts in.
type Row = (usize, Vec<Vec<u8>>);

impl<R: Read> Rows<R> {
    fn new(source: R, name: &str) -> Self {
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true);
        Self {
            reader: builder.from_reader(Lines::new(source)),
            record: csv::ByteRecord::new(),
            name: name.to_owned(),
        }
    }

    /// Goes to the next line that is not blank; its number, or nothing at the end of the file.
    fn advance(&mut self) -> Result<Option<usize>, Error> {
        let lines = self.reader.get_mut();
        match lines.advance() {
            Ok(true) => Ok(Some(lines.number())),
            Ok(false) => Ok(None),
            Err(cause) => Err(self.fault(&cause)),
        }
    }

    /// The next row. Only for the first two: it copies every cell.
    fn next(&mut self) -> Result<Option<Row>, Error> {
        let Some(number) = self.advance()? else {
            return Ok(None);
        };
        let line = self.reader.get_ref().line();
        let place = format!("{}:{number}", self.name);
        let too_many = || {
            let text = format!("more than {MAX_COLUMNS} columns: is this a CSV file?");
            Error::new(Kind::Data, text).at(place)
        };
        // A quoted row may go on over many lines.
        let cells = if line.contains(&b'"') {
            self.split_quoted(number)?;
            if self.record.len() > MAX_COLUMNS {
                return Err(too_many());
            }
            self.record.iter().map(<[u8]>::to_vec).collect()
        } else {
            if split(line).nth(MAX_COLUMNS).is_some() {
                return Err(too_many());
            }
            split(line).map(<[u8]>::to_vec).collect()
        };
        Ok(Some((number, cells)))
    }

    /// False at the end of the file, true where the table holds `most` values or more.
    fn read_into(&mut self, table: &mut Table, most: usize) -> Result<bool, Error> {
        while table.held() < most {
            let Some(number) = self.advance()? else {
                return Ok(false);
            };
            let line = self.reader.get_ref().line();
            if table.plain_row(line, number)? {
                continue;
            }
            if line.contains(&b'"') {
                self.split_quoted(number)?;
                table.row(self.record.iter(), number)?;
            } else {
                table.row(split(line), number)?;
            }
        }
        Ok(true)
    }

    /// Splits the row that starts in the current line into `self.record`.
    fn split_quoted(&mut self, number: usize) -> Result<(), Error> {
        self.reader.get_mut().feed();
        let read = self.reader.read_byte_record(&mut self.record);
        if self.reader.get_ref().ended_in_row() {
            let text = "the quote that is opened in this row is never closed";
            return Err(Error::new(Kind::Data, text).at(format!("{}:{number}", self.name)));
        }
        read.map(|_| ()).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(cause) => self.fault(&cause),
            other => Error::new(Kind::Data, format!("cannot split the row: {other:?}"))
                .at(format!("{}:{number}", self.name)),
        })
    }

    /// What is wrong with the current line.
    fn fault(&self, cause: &io::Error) -> Error {
        match cause.kind() {
            io::ErrorKind::FileTooLarge => Error::new(Kind::Data, format!("the line {cause}"))
                .at(format!("{}:{}", self.name, self.reader.get_ref().number())),
            io::ErrorKind::InvalidData => {
                Error::new(Kind::Data, format!("the file {cause}")).at(self.name.as_str())
            }
            _ => Error::io("cannot read", Path::new(&self.name), cause),
        }
    }
}

/// The cells of a line without quotes, in which every cell ends with a comma.
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    line[..line.len() - 1].split(|&byte| byte == b',')
}
