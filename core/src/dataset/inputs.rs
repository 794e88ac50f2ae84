//! Input rows as they lie in memory: [`Inputs`] is a matrix of f32, or of bytes that are never widened in memory, with
//! the names of its columns, if it has names, and a [`Scaling`] that is applied on the way out. Or the values lie elsewhere,
//! in a block that others look at too ([`Inputs::from_block`]): what is done with rows does not know the difference.
//!
//! Bytes matter: MNIST's 60 000 rows of 784 pixels are 47 MB as bytes and 188 MB as f32, and what limits the gathering of
//! random rows is memory. The scaling is lazy for the same reason, and so that a dataset can be scaled without a copy.

use std::fmt;

use crate::dataset::shared::{Block, Layout, Shared};
use crate::dataset::{Scaling, pages};
use crate::error::{Error, Kind};
use crate::isa::Isa;
use crate::tensor::Matrix;

/// Rows of inputs, f32 or bytes, with optional column names and an optional scaling.
#[derive(Clone, Debug)]
pub struct Inputs {
    pub(super) values: Values,
    rows: usize,
    cols: usize,
    columns: Option<Vec<String>>,
    scaling: Option<Scaling>,
}

#[derive(Clone)]
pub(super) enum Values {
    Floats(Matrix),
    /// Row-major, without padding.
    Bytes(Vec<u8>),
    Shared(Shared),
}

/// One row as it is kept.
pub(super) enum Row<'a> {
    Floats(&'a [f32]),
    Bytes(&'a [u8]),
    /// f32, little-endian.
    Stored(&'a [[u8; 4]]),
}

/// A word for what they are, not millions of values.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Floats(_) => "f32",
            Self::Bytes(_) => "bytes",
            Self::Shared(_) => "shared",
        })
    }
}

impl Inputs {
    /// Inputs that are the rows of a matrix, `[rows, features]`.
    pub fn from_matrix(matrix: Matrix) -> Self {
        Self {
            rows: matrix.rows(),
            cols: matrix.cols(),
            values: Values::Floats(matrix),
            columns: None,
            scaling: None,
        }
    }

    /// Inputs from bytes, row-major: pixels, or any integers from 0 to 255.
    ///
    /// # Errors
    /// When there are not `rows * cols` bytes.
    pub fn from_bytes(bytes: Vec<u8>, rows: usize, cols: usize) -> Result<Self, Error> {
        if rows.checked_mul(cols) != Some(bytes.len()) {
            return Err(Error::new(
                Kind::Data,
                format!(
                    "{rows} rows of {cols} bytes were expected, {} bytes were given",
                    bytes.len()
                ),
            ));
        }
        Ok(Self {
            values: Values::Bytes(bytes),
            rows,
            cols,
            columns: None,
            scaling: None,
        })
    }

    /// Inputs from rows that are kept elsewhere: they are looked at where they lie, and never copied.
    ///
    /// # Errors
    /// When the rows do not lie in the block, or are more than 2^32 - 1.
    pub fn from_block(block: Block, layout: Layout) -> Result<Self, Error> {
        Ok(Self {
            values: Values::Shared(Shared::new(block, layout)?),
            rows: layout.rows,
            cols: layout.cols,
            columns: None,
            scaling: None,
        })
    }

    /// The same inputs with these names of their columns.
    ///
    /// # Errors
    /// When there is not one name for each column.
    pub fn with_columns(mut self, names: Vec<String>) -> Result<Self, Error> {
        if names.len() != self.cols {
            return Err(Error::new(
                Kind::Data,
                format!(
                    "{} column names were given for {} columns",
                    names.len(),
                    self.cols
                ),
            ));
        }
        self.columns = Some(names);
        Ok(self)
    }

    /// The same inputs seen through this scaling, which takes the place of the one that they had.
    ///
    /// # Errors
    /// When it is a scaling of another number of columns.
    pub fn with_scaling(mut self, scaling: Scaling) -> Result<Self, Error> {
        if scaling.columns() != self.cols {
            return Err(Error::new(
                Kind::Data,
                format!(
                    "the scaling is for {} columns, the data has {}",
                    scaling.columns(),
                    self.cols
                ),
            ));
        }
        self.scaling = Some(scaling);
        Ok(self)
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns: features.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The names of the columns, if the data came with names.
    pub fn columns(&self) -> Option<&[String]> {
        self.columns.as_deref()
    }

    /// The scaling that is applied on the way out.
    pub fn scaling(&self) -> Option<&Scaling> {
        self.scaling.as_ref()
    }

    /// The raw values, row-major, if they are kept here as bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.values {
            Values::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether all rows are kept as bytes, here or elsewhere.
    pub(super) fn are_bytes(&self) -> bool {
        match &self.values {
            Values::Bytes(_) => true,
            Values::Floats(_) => false,
            Values::Shared(shared) => shared.are_bytes(),
        }
    }

    /// The raw values, if they are kept here as f32.
    pub fn matrix(&self) -> Option<&Matrix> {
        match &self.values {
            Values::Floats(matrix) => Some(matrix),
            _ => None,
        }
    }

    /// Bytes of memory that the values take.
    pub(super) fn size_in_memory(&self) -> usize {
        match &self.values {
            Values::Floats(matrix) => size_of_val(matrix.view().data()),
            Values::Bytes(bytes) => bytes.len(),
            Values::Shared(shared) => shared.size_in_memory(),
        }
    }

    /// Bytes that the values take elsewhere.
    pub(super) fn size_elsewhere(&self) -> usize {
        match &self.values {
            Values::Shared(shared) => shared.size_elsewhere(),
            _ => 0,
        }
    }

    /// Moves the values to large pages of memory, if they are kept here: for rows that will be met often, in random order.
    pub(crate) fn move_to_large_pages(&self) {
        match &self.values {
            Values::Floats(matrix) => pages::make_large(matrix.view().data()),
            Values::Bytes(bytes) => pages::make_large(bytes),
            Values::Shared(_) => {}
        }
    }

    /// One row as it is kept.
    #[inline(always)]
    #[track_caller]
    pub(super) fn row(&self, row: usize) -> Row<'_> {
        match &self.values {
            Values::Floats(matrix) => Row::Floats(matrix.row(row)),
            Values::Bytes(bytes) => Row::Bytes(&bytes[row * self.cols..][..self.cols]),
            Values::Shared(shared) => shared.row(row),
        }
    }

    /// One row in whole lines, zeros after the last column, if it is kept so.
    #[inline(always)]
    pub(super) fn padded_row(&self, row: usize) -> Option<&[f32]> {
        match &self.values {
            Values::Floats(matrix) => Some(matrix.padded_row(row)),
            _ => None,
        }
    }

    /// Writes one row as it was given, without the scaling.
    ///
    /// # Panics
    /// When there is no such row, or `out` is not as long as a row.
    #[track_caller]
    pub fn raw_row(&self, row: usize, out: &mut [f32]) {
        assert_eq!(
            out.len(),
            self.cols,
            "a row of {} columns was asked for in a slice of {}",
            self.cols,
            out.len()
        );
        match self.row(row) {
            Row::Floats(floats) => out.copy_from_slice(floats),
            Row::Bytes(bytes) => {
                for (x, &byte) in out.iter_mut().zip(bytes) {
                    *x = f32::from(byte);
                }
            }
            Row::Stored(floats) => {
                for (x, &float) in out.iter_mut().zip(floats) {
                    *x = f32::from_le_bytes(float);
                }
            }
        }
    }

    /// All rows, scaled, as one matrix.
    pub fn to_matrix(&self) -> Matrix {
        let mut matrix = Matrix::zeros(self.rows, self.cols);
        self.gather_on(Isa::SCALAR, 0..self.rows, matrix.view_mut());
        matrix
    }

    /// These rows, in this order, with the names and the scaling: a copy, but of rows that are kept elsewhere.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    #[track_caller]
    pub fn select(&self, rows: &[usize]) -> Self {
        let values = match &self.values {
            Values::Floats(matrix) => {
                let mut selected = Matrix::zeros(rows.len(), self.cols);
                for (to, &from) in rows.iter().enumerate() {
                    selected.row_mut(to).copy_from_slice(matrix.row(from));
                }
                Values::Floats(selected)
            }
            Values::Bytes(bytes) => {
                let mut selected = Vec::with_capacity(rows.len() * self.cols);
                for &from in rows {
                    selected.extend_from_slice(&bytes[from * self.cols..][..self.cols]);
                }
                Values::Bytes(selected)
            }
            Values::Shared(shared) => Values::Shared(shared.select(rows)),
        };
        Self {
            values,
            rows: rows.len(),
            cols: self.cols,
            columns: self.columns.clone(),
            scaling: self.scaling.clone(),
        }
    }
}

impl Inputs {
    /// [`select`](Self::select) of rows in ascending order, where the others are no longer needed: bytes move up within
    /// their own memory, so that the data is never there twice.
    ///
    /// # Panics
    /// When there is no such row, or the rows do not ascend.
    #[must_use]
    #[track_caller]
    pub fn into_selected(mut self, rows: &[usize]) -> Self {
        assert!(
            rows.is_sorted_by(|a, b| a < b),
            "the rows to keep do not ascend"
        );
        let Values::Bytes(bytes) = &mut self.values else {
            return self.select(rows);
        };
        for (to, &from) in rows.iter().enumerate() {
            bytes.copy_within(from * self.cols..(from + 1) * self.cols, to * self.cols);
        }
        bytes.truncate(rows.len() * self.cols);
        bytes.shrink_to_fit();
        self.rows = rows.len();
        self
    }
}

impl From<Matrix> for Inputs {
    fn from(matrix: Matrix) -> Self {
        Self::from_matrix(matrix)
    }
}
