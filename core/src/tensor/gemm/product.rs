//! A product on some threads: each takes a part of C at a time, as soon as it is free, and computes it as it would alone.
//! What they could share, a packed B, would have to be waited for. So the parts are columns, of which each thread packs
//! its own, unless there are few of them, or rows enough for each thread to pack all.

use std::ops::Range;

use super::across::{Across, Piece};
use super::claims::Claims;
use super::{Operand, Output, alone, blocking};
use crate::isa::Isa;
use crate::team::{self, Broken, Member};
use crate::tensor::matrix::{LINE, MatMut, MatRef};

/// Work below which a further thread does not pay where it has to be started: that takes some 30 microseconds.
const MULTIPLY_ADDS_TO_START_FOR: usize = 4 << 20;

/// And where it waits for work: about a microsecond.
const MULTIPLY_ADDS_TO_WAKE_FOR: usize = 256 << 10;

/// A lone row reads a number of B for each multiply-add: that takes four to ten times as long.
const LONE: usize = 8;

/// Columns of a lone row that are computed together. Narrower parts of the rows of B are read no faster than whole ones.
const LONE_COLUMNS: usize = 8 * LINE;

/// Rows that pay for packing B once more.
const ROWS_TO_PACK_FOR: usize = 512;

/// Pieces for each thread, where each takes its own,
const MOST_PIECES: usize = 4;

/// and where it goes through all of them for some columns: so many, lest it find those taken that are left.
const LENT_PIECES: usize = 8;

/// Columns for each thread.
const LEAST_COLUMNS: usize = 96;

/// Rows that make a few tiles.
const LEAST_ROWS: usize = 24;

/// So many of the threads as have enough to do, each so much.
pub(super) fn threads_that_pay(threads: usize, [m, k, n]: [usize; 3], each: usize) -> usize {
    let (each, parts) = if m == 1 {
        (each / LONE, n / LONE_COLUMNS)
    } else {
        (each, m.div_ceil(alone::FEW))
    };
    let pay = (m.saturating_mul(k).saturating_mul(n) / each).min(parts);
    threads.min(pay).clamp(1, team::MOST_THREADS)
}

/// C = A B in one of the forms of [`Output`], on `threads` threads that are started for it.
#[inline(always)]
pub(super) fn multiply(
    isa: Isa,
    threads: usize,
    [a, b]: [&Operand<'_>; 2],
    c: &mut MatMut<'_>,
    output: Output<'_>,
) {
    let shape = [a.rows(), a.cols(), b.cols()];
    let threads = threads_that_pay(threads, shape, MULTIPLY_ADDS_TO_START_FOR);
    if threads == 1 {
        return alone::multiply(isa, (a, 0..a.rows()), b, c, output);
    }
    let product = Product::of(isa, (threads, false), shape, c.reborrow(), output);
    let work = |member: Member<'_>| product.take(&member, a, b);
    team::run(threads, work, work);
}

/// A product that the members of a team compute together, as often as they like: threads that are there already pay for
/// far smaller ones than those that [`gemm`](super::gemm()) would have to start.
///
/// ```
/// use mlp_core::Isa;
/// use mlp_core::team::{self, Member};
/// use mlp_core::tensor::Matrix;
/// use mlp_core::tensor::gemm::{Operand, Output, Product};
///
/// let (a, b) = (Matrix::from_fn(6, 5, |_, _| 2.0), Matrix::from_fn(5, 4, |_, _| 3.0));
/// let mut c = Matrix::zeros(6, 4);
/// let product = Product::new(Isa::SCALAR, 2, [6, 5, 4], c.view_mut(), Output::Accumulate);
/// let work = |member: Member<'_>| {
///     for _ in 0..10 {
///         let (a, b) = (Operand::Plain(a.view()), Operand::Plain(b.view()));
///         if product.work(&member, a, b).is_err() {
///             return;
///         }
///     }
/// };
/// team::run(2, work, work);
/// drop(product);
/// assert_eq!(c.row(5), [300.0; 4]);
/// ```
#[derive(Debug)]
pub struct Product<'c> {
    isa: Isa,
    shape: [usize; 3],
    stride: usize,
    output: Output<'c>,
    /// Parts of C: rows, or columns of the only one.
    pieces: Vec<Piece<'c>>,
    /// Which of the two.
    by_lone_columns: bool,
    /// Columns that threads take, where they do not take pieces, and how many of these for each.
    columns: Vec<Range<usize>>,
    columns_each: usize,
    claims: Claims,
}

impl<'c> Product<'c> {
    /// C, m x n, of an A of m x k and a B of k x n that are yet to be told, for a team of `size` (as [`team::run`] takes it,
    /// 1 to 64).
    ///
    /// # Panics
    /// When C or the bias have another shape.
    #[track_caller]
    pub fn new(
        isa: Isa,
        size: usize,
        shape: [usize; 3],
        c: MatMut<'c>,
        output: Output<'c>,
    ) -> Self {
        super::check_c(shape, &c, output);
        let size = size.clamp(1, team::MOST_THREADS);
        Self::of(isa, (size, true), shape, c, output)
    }

    fn of(
        isa: Isa,
        (size, together): (usize, bool),
        shape: [usize; 3],
        c: MatMut<'c>,
        output: Output<'c>,
    ) -> Self {
        let [m, k, n] = shape;
        let stride = c.row_stride();
        let threads = threads_that_pay(size, shape, MULTIPLY_ADDS_TO_WAKE_FOR);
        let near = blocking::is_near(k, n);
        let by_columns = threads > 1
            && m > 1
            && !output.is_of_rows()
            && !near
            && n >= threads * LEAST_COLUMNS
            && (2 * LEAST_ROWS..2 * ROWS_TO_PACK_FOR).contains(&(m / threads));
        let panels = n.div_ceil(LINE);
        let columns_each = panels.div_ceil(threads * alone::COLUMNS / LINE);
        let units = if by_columns {
            threads * columns_each
        } else {
            0
        };
        let cut = |i: usize| n.min(panels * i / units * LINE);
        let columns = (0..units).map(|i| cut(i)..cut(i + 1)).collect();
        let (least, most) = if by_columns {
            (LEAST_ROWS, LENT_PIECES)
        } else if near {
            (LEAST_ROWS, MOST_PIECES)
        } else {
            (ROWS_TO_PACK_FOR, MOST_PIECES)
        };
        // The same number for each thread, and some, lest all wait for one whose core does something else.
        let of_each = (m / threads / least).clamp(1, most);
        let by_lone_columns = m == 1 && !output.is_of_rows();
        let (lines, across, unit) = if by_lone_columns {
            (n, 1, LONE_COLUMNS)
        } else {
            (m, stride, alone::FEW)
        };
        let lines_each = lines
            .div_ceil(threads * of_each)
            .next_multiple_of(unit)
            .max(unit);
        let (mut rest, mut pieces) = (c.into_data(), Vec::new());
        for first in (0..lines).step_by(lines_each) {
            let range = first..lines.min(first + lines_each);
            let (piece, tail) = rest.split_at_mut((range.len() * across).min(rest.len()));
            pieces.push(Piece::new(range, piece));
            rest = tail;
        }
        Self {
            isa,
            shape,
            stride,
            output,
            pieces,
            by_lone_columns,
            columns,
            columns_each,
            claims: Claims::new(size, together),
        }
    }

    /// This member's part of A B, which all members are to call for the same operands; afterwards C is finished.
    ///
    /// # Errors
    /// When another member has panicked.
    ///
    /// # Panics
    /// When the shapes of the operands, or the size of the team, are not those that were told.
    #[track_caller]
    pub fn work(&self, member: &Member<'_>, a: Operand<'_>, b: Operand<'_>) -> Result<(), Broken> {
        super::check(&a, &b, self.shape);
        let (size, told) = (member.size(), self.claims.size());
        assert_eq!(
            size, told,
            "a team of {size}, for a product of a team of {told}"
        );
        self.take(member, &a, &b);
        member.wait()
    }

    /// As much as falls to this thread.
    fn take(&self, member: &Member<'_>, a: &Operand<'_>, b: &Operand<'_>) {
        if self.columns.is_empty() {
            self.take_pieces(member, a, b);
        } else {
            self.take_columns(member, *a, *b);
        }
    }

    fn take_columns(&self, member: &Member<'_>, a: Operand<'_>, b: Operand<'_>) {
        let across = Across {
            isa: self.isa,
            a,
            b,
            output: self.output,
            pieces: &self.pieces,
            stride: self.stride,
        };
        // A transposed A is brought into rows for each of them: all that a thread has are one.
        let joined = match a {
            Operand::Plain(_) => 1,
            Operand::Transposed(_) => self.columns_each,
        };
        let first = member.index() * self.pieces.len() / member.size();
        let mut rows_of_a = Vec::new();
        for unit in self
            .claims
            .round(self.columns.len() / joined, member.index())
        {
            let columns = &self.columns[unit * joined..][..joined];
            let columns = columns[0].start..columns[joined - 1].end;
            across.multiply(&columns, first, &mut rows_of_a);
        }
    }

    fn take_pieces(&self, member: &Member<'_>, a: &Operand<'_>, b: &Operand<'_>) {
        for index in self.claims.round(self.pieces.len(), member.index()) {
            let (range, c) = &mut *self.pieces[index].lock();
            let (mut rows, mut b, mut output) = (range.clone(), *b, self.output);
            let (mut n, mut stride) = (self.shape[2], self.stride);
            if self.by_lone_columns {
                (n, stride) = (range.len(), range.len());
                (b, output) = (columns_of(b, range.clone()), output.of(range));
                rows = 0..1;
            }
            let c = &mut MatMut::new(c, rows.len(), n, stride);
            alone::multiply(self.isa, (a, rows), &b, c, output);
        }
    }
}

/// Some columns of that operand.
fn columns_of(b: Operand<'_>, columns: Range<usize>) -> Operand<'_> {
    let (len, start) = (columns.len(), columns.start);
    match b {
        Operand::Plain(b) => {
            let data = b.data_from(0, start);
            Operand::Plain(MatRef::new(data, b.rows(), len, b.row_stride()))
        }
        Operand::Transposed(b) => {
            let data = b.data_from(start, 0);
            Operand::Transposed(MatRef::new(data, len, b.cols(), b.row_stride()))
        }
    }
}
