//! The rows of a CSV, gathered column by role into inputs and targets.

use super::Csv;
use super::byte_row::{self, Run};
use super::cell::{self, as_byte};
use super::columns::{Columns, Role};
use super::labels::{self, Labels};
use crate::dataset::options::{ClassChoice, Expected, LabelUse, ReadOptions, Task};
use crate::dataset::{Inputs, Targets};
use crate::error::{Error, Kind};
use crate::tensor::Matrix;

/// What has been read so far.
pub(in crate::dataset) struct Table {
    file: String,
    columns: Columns,
    runs: Vec<Run>,
    /// Those that have not been taken.
    values: Values,
    labels: Option<Labels>,
    classes: Option<Vec<String>>,
    rows: usize,
    /// The line whose number of columns all others must have.
    first_line: usize,
}

/// Inputs in the order of the file, without padding: bytes until a cell is something else.
pub(in crate::dataset) enum Values {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

impl Values {
    #[inline]
    fn push(&mut self, value: f32) {
        match self {
            Self::Floats(floats) => floats.push(value),
            Self::Bytes(bytes) => {
                if let Some(byte) = as_byte(value) {
                    bytes.push(byte);
                    return;
                }
                let mut floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
                floats.push(value);
                *self = Self::Floats(floats);
            }
        }
    }
}

impl Table {
    pub(super) fn new(
        file: &str,
        mut columns: Columns,
        options: &ReadOptions,
        first_line: usize,
    ) -> Self {
        if options.labels == LabelUse::Ignored
            && let Some(label) = columns.label()
        {
            columns.roles[label] = Role::Unused;
        }
        let classes = options
            .expected
            .as_ref()
            .map(|expected: &Expected| expected.classes.clone());
        // Chosen among, labels are classes; the model's are those after the choice.
        let chosen = options.choice != ClassChoice::All;
        let task = match &classes {
            _ if chosen => Task::Classes,
            None => options.task,
            Some(Some(_)) => Task::Classes,
            Some(None) => Task::Values,
        };
        Self {
            file: file.to_owned(),
            runs: byte_row::runs_of(&columns.roles),
            values: Values::Bytes(Vec::new()),
            labels: columns.label().map(|_| Labels::new(task)),
            classes: classes.flatten().filter(|_| !chosen),
            columns,
            rows: 0,
            first_line,
        }
    }

    /// Takes a line in which every cell ends with a comma if it is plain; false if it is not, and nothing is taken.
    pub(super) fn plain_row(&mut self, line: &[u8], number: usize) -> Result<bool, Error> {
        let Values::Bytes(bytes) = &mut self.values else {
            return Ok(false);
        };
        let length = bytes.len();
        let Some(label) = byte_row::parse(line, &self.runs, bytes) else {
            bytes.truncate(length);
            return Ok(false);
        };
        self.label(&line[label], number)?;
        self.end_row(number)?;
        Ok(true)
    }

    /// Takes the cells of a row.
    pub(super) fn row<'c>(
        &mut self,
        cells: impl Iterator<Item = &'c [u8]> + Clone,
        line: usize,
    ) -> Result<(), Error> {
        let width = self.columns.roles.len();
        let found = cells.clone().count();
        if found != width {
            return Err(Error::new(
                Kind::Data,
                format!(
                    "expected {width} columns, as in line {}, found {found}",
                    self.first_line
                ),
            )
            .at(format!("{}:{line}", self.file)));
        }
        for (column, cell) in cells.enumerate() {
            match self.columns.roles[column] {
                Role::Input => match cell::number(cell) {
                    Ok(value) => self.values.push(value),
                    Err(fault) => {
                        let text = format!("{}, {}", fault.expected(), fault.found(cell));
                        let place = format!("{}:{line}, {}", self.file, self.columns.place(column));
                        return Err(Error::new(Kind::Data, text).at(place));
                    }
                },
                Role::Label => self.label(cell, line)?,
                Role::Unused => {}
            }
        }
        self.end_row(line)
    }

    fn label(&mut self, cell: &[u8], line: usize) -> Result<(), Error> {
        match self.labels.as_mut().map(|labels| labels.push(cell, line)) {
            Some(Err(fault)) => Err(self.label_fault(fault)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn label_fault(&self, fault: labels::Fault) -> Error {
        let column = self.columns.label().map(|label| self.columns.place(label));
        let column = column.unwrap_or_default();
        Error::new(Kind::Data, fault.message).at(match fault.line {
            Some(line) => format!("{}:{line}, {column}", self.file),
            None => format!("{}, {column}", self.file),
        })
    }

    fn end_row(&mut self, line: usize) -> Result<(), Error> {
        self.rows += 1;
        if u32::try_from(self.rows).is_err() {
            let text = format!("more rows than the {} that a dataset holds", u32::MAX);
            return Err(Error::new(Kind::Data, text).at(format!("{}:{line}", self.file)));
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many values of inputs it holds.
    #[inline]
    pub(super) fn held(&self) -> usize {
        match &self.values {
            Values::Bytes(bytes) => bytes.len(),
            Values::Floats(floats) => floats.len(),
        }
    }

    /// Hands over what it holds of the inputs, rows in the order of the model, and forgets it. After f32 come no bytes.
    pub(in crate::dataset) fn hand_over<T>(&mut self, take: impl FnOnce(&Values) -> T) -> T {
        let order = self.columns.order.as_deref();
        match &mut self.values {
            Values::Bytes(bytes) => reorder(bytes, order),
            Values::Floats(floats) => reorder(floats, order),
        }
        let taken = take(&self.values);
        match &mut self.values {
            Values::Bytes(bytes) => bytes.clear(),
            Values::Floats(floats) => floats.clear(),
        }
        taken
    }

    /// How many rows were read, and how many inputs each has.
    pub(in crate::dataset) fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns.inputs())
    }

    /// The names of the inputs, if the file has names.
    pub(in crate::dataset) fn input_names(&self) -> Option<Vec<String>> {
        self.columns.input_names()
    }

    /// The label column, if there is one: its name, or its number in a file without names.
    pub(in crate::dataset) fn label_column(&self) -> Option<String> {
        let label = self.columns.label()?;
        let name = self.columns.name(label).map(str::to_owned);
        Some(name.unwrap_or_else(|| (label + 1).to_string()))
    }

    /// The targets, once, if there is a label column.
    pub(in crate::dataset) fn targets(&mut self) -> Result<Option<Targets>, Error> {
        let labels = self.labels.take();
        let label = self.columns.label();
        let name = label
            .and_then(|label| self.columns.name(label))
            .unwrap_or("target");
        labels
            .map(|labels| labels.finish(name, self.classes.as_deref()))
            .transpose()
            .map_err(|fault| self.label_fault(fault))
    }

    /// All that was read.
    pub(super) fn finish(mut self) -> Result<Csv, Error> {
        let targets = self.targets()?;
        let (rows, cols) = self.shape();
        let (names, label) = (self.input_names(), self.label_column());
        let order = self.columns.order.as_deref();
        let inputs = match self.values {
            Values::Bytes(mut bytes) => {
                reorder(&mut bytes, order);
                Inputs::from_bytes(bytes, rows, cols)?
            }
            Values::Floats(mut floats) => {
                reorder(&mut floats, order);
                let mut matrix = Matrix::zeros(rows, cols);
                for (r, row) in floats.chunks_exact(cols).enumerate() {
                    matrix.row_mut(r).copy_from_slice(row);
                }
                Inputs::from_matrix(matrix)
            }
        };
        let inputs = match names {
            Some(names) => inputs.with_columns(names)?,
            None => inputs,
        };
        Ok(Csv {
            inputs,
            targets,
            label,
        })
    }
}

/// Puts the values of each row in the order of the model: value i of the file is input `order[i]`.
fn reorder<T: Copy>(values: &mut [T], order: Option<&[usize]>) {
    let Some(order) = order else { return };
    let mut copy = Vec::with_capacity(order.len());
    for row in values.chunks_exact_mut(order.len()) {
        copy.clear();
        copy.extend_from_slice(row);
        for (&value, &to) in copy.iter().zip(order) {
            row[to] = value;
        }
    }
}
