//! Row-major f32 matrices: [`Matrix`] owns, [`MatRef`] and [`MatMut`] look at a part.
//!
//! Element (r, c) lies at `r * stride + c`. An owned matrix starts on a 64-byte line and its row stride is a multiple of
//! 16 floats, the columns past `cols` being zero, so kernels read and write whole lines and need no tails.

use std::fmt;

/// Floats in a 64-byte line: the unit of padding, the width of a packed panel, the number of virtual lanes.
pub const LINE: usize = 16;

/// Rounds up to whole lines.
#[inline(always)]
pub const fn padded(n: usize) -> usize {
    n.next_multiple_of(LINE)
}

/// A zeroed run of floats that starts on a 64-byte line.
pub struct Aligned {
    vec: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let vec = vec![0.0; len + LINE - 1];
        let start = vec.as_ptr().align_offset(64).min(LINE - 1);
        Self { vec, start, len }
    }
}

impl std::ops::Deref for Aligned {
    type Target = [f32];

    #[inline(always)]
    fn deref(&self) -> &[f32] {
        &self.vec[self.start..][..self.len]
    }
}

impl std::ops::DerefMut for Aligned {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.vec[self.start..][..self.len]
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl fmt::Debug for Aligned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aligned({} floats)", self.len)
    }
}

/// An owned matrix, its rows padded to whole lines with zeros.
#[derive(Clone, Debug)]
pub struct Matrix {
    data: Aligned,
    rows: usize,
    cols: usize,
}

impl Matrix {
    /// A matrix of zeros.
    ///
    /// # Panics
    /// When no memory has room for so many.
    #[track_caller]
    pub fn zeros(rows: usize, cols: usize) -> Self {
        let len = cols
            .checked_next_multiple_of(LINE)
            .and_then(|stride| rows.checked_mul(stride));
        let Some(len) = len else {
            panic!("no memory has room for a {rows} x {cols} matrix");
        };
        Self {
            data: Aligned::zeroed(len),
            rows,
            cols,
        }
    }

    /// The matrix whose element (r, c) is `f(r, c)`.
    pub fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> f32) -> Self {
        let mut matrix = Self::zeros(rows, cols);
        for r in 0..rows {
            for (c, x) in matrix.row_mut(r).iter_mut().enumerate() {
                *x = f(r, c);
            }
        }
        matrix
    }

    /// The matrix of these row-major values.
    ///
    /// # Panics
    /// When there are not `rows * cols` values.
    #[track_caller]
    pub fn from_vec(rows: usize, cols: usize, values: &[f32]) -> Self {
        assert_eq!(
            values.len(),
            rows * cols,
            "a {rows} x {cols} matrix was given {} values",
            values.len()
        );
        Self::from_fn(rows, cols, |r, c| values[r * cols + c])
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The distance between the starts of two rows, in elements.
    pub fn row_stride(&self) -> usize {
        padded(self.cols)
    }

    /// One row.
    ///
    /// # Panics
    /// When there is no such row.
    #[track_caller]
    pub fn row(&self, r: usize) -> &[f32] {
        assert!(r < self.rows, "row {r} of a matrix of {} rows", self.rows);
        &self.data[r * padded(self.cols)..][..self.cols]
    }

    /// One row and the zeros after it, in whole lines.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn padded_row(&self, r: usize) -> &[f32] {
        assert!(r < self.rows, "row {r} of a matrix of {} rows", self.rows);
        &self.data[r * padded(self.cols)..][..padded(self.cols)]
    }

    /// One row, to write.
    ///
    /// # Panics
    /// When there is no such row.
    #[track_caller]
    pub fn row_mut(&mut self, r: usize) -> &mut [f32] {
        assert!(r < self.rows, "row {r} of a matrix of {} rows", self.rows);
        &mut self.data[r * padded(self.cols)..][..self.cols]
    }

    /// The whole as a view.
    pub fn view(&self) -> MatRef<'_> {
        MatRef {
            data: &self.data,
            rows: self.rows,
            cols: self.cols,
            stride: padded(self.cols),
        }
    }

    /// The whole as a view to write.
    pub fn view_mut(&mut self) -> MatMut<'_> {
        MatMut {
            rows: self.rows,
            cols: self.cols,
            stride: padded(self.cols),
            data: &mut self.data,
        }
    }

    /// All elements in row-major order, without the padding.
    pub fn to_vec(&self) -> Vec<f32> {
        (0..self.rows)
            .flat_map(|r| self.row(r).iter().copied())
            .collect()
    }
}

impl PartialEq for Matrix {
    fn eq(&self, other: &Self) -> bool {
        self.cols == other.cols && self.rows == other.rows && self.data[..] == other.data[..]
    }
}

/// A matrix to read: any row stride of at least `cols`.
#[derive(Clone, Copy, Debug)]
pub struct MatRef<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    stride: usize,
}

/// A matrix to write: any row stride of at least `cols`.
#[derive(Debug)]
pub struct MatMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    stride: usize,
}

/// Whether such a matrix lies in so many elements; gives the stride, of which no multiple that is asked for overflows: that
/// of a lone row may have been anything.
#[inline(always)]
#[track_caller]
fn check(len: usize, rows: usize, cols: usize, stride: usize) -> usize {
    assert!(
        stride >= cols,
        "row stride {stride} is less than {cols} columns"
    );
    let need = if rows == 0 || cols == 0 {
        Some(0)
    } else {
        (rows - 1)
            .checked_mul(stride)
            .and_then(|before| before.checked_add(cols))
    };
    assert!(
        need.is_some_and(|need| len >= need),
        "a {rows} x {cols} matrix of row stride {stride} has no room in {len} elements"
    );
    stride.min(len.max(1))
}

impl<'a> MatRef<'a> {
    /// A view of `rows` x `cols` elements, row r starting at `r * stride`.
    ///
    /// # Panics
    /// When the slice is too short or the stride less than `cols`.
    #[inline]
    #[track_caller]
    pub fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        let stride = check(data.len(), rows, cols, stride);
        Self {
            data,
            rows,
            cols,
            stride,
        }
    }

    /// What lies from element (r, c) on; nothing past the last one.
    pub(crate) fn data_from(&self, r: usize, c: usize) -> &'a [f32] {
        &self.data[(r * self.stride + c).min(self.data.len())..]
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The distance between the starts of two rows, in elements.
    pub fn row_stride(&self) -> usize {
        self.stride
    }

    /// The elements from the first on, padding included.
    #[inline(always)]
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// One row.
    ///
    /// # Panics
    /// When the elements end before that row does.
    #[inline(always)]
    pub fn row(&self, r: usize) -> &'a [f32] {
        &self.data[r * self.stride..][..self.cols]
    }
}

impl<'a> MatMut<'a> {
    /// A view of `rows` x `cols` elements, row r starting at `r * stride`.
    ///
    /// # Panics
    /// When the slice is too short or the stride less than `cols`.
    #[inline]
    #[track_caller]
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize, stride: usize) -> Self {
        let stride = check(data.len(), rows, cols, stride);
        Self {
            data,
            rows,
            cols,
            stride,
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The distance between the starts of two rows, in elements.
    pub fn row_stride(&self) -> usize {
        self.stride
    }

    /// The elements from the first on, padding included.
    #[inline(always)]
    pub fn data(&mut self) -> &mut [f32] {
        self.data
    }

    /// The elements from the first on, padding included, for as long as they were lent.
    pub fn into_data(self) -> &'a mut [f32] {
        self.data
    }

    /// One row.
    ///
    /// # Panics
    /// When the elements end before that row does.
    #[inline(always)]
    pub fn row(&mut self, r: usize) -> &mut [f32] {
        &mut self.data[r * self.stride..][..self.cols]
    }

    /// The same matrix for a shorter time.
    #[inline(always)]
    pub fn reborrow(&mut self) -> MatMut<'_> {
        MatMut {
            data: self.data,
            rows: self.rows,
            cols: self.cols,
            stride: self.stride,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{LINE, MatRef, Matrix};

    #[test]
    fn shapes_that_no_memory_has_room_for_are_refused() {
        for (rows, cols) in [(1 << 60, LINE), (1, usize::MAX), (usize::MAX, usize::MAX)] {
            assert!(catch_unwind(|| Matrix::zeros(rows, cols)).is_err());
        }
        for (rows, cols, stride) in [(3, 4, 1 << 63), (usize::MAX, 1, usize::MAX), (2, 4, 4)] {
            assert!(catch_unwind(|| MatRef::new(&[0.0; 7], rows, cols, stride)).is_err());
        }
        let lone = &[1.0; 7];
        let lone = MatRef::new(lone, 1, 7, usize::MAX);
        assert_eq!((lone.row(0), lone.row_stride()), (&[1.0; 7][..], 7));
        assert_eq!(MatRef::new(&[], usize::MAX, 0, usize::MAX).cols(), 0);
    }
}
