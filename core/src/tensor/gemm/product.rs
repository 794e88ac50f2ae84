//! A product on some threads: each takes some rows of C at a time, as soon as it is free, and computes them as it would
//! alone. What they could share, a packed B, would have to be waited for.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::claims::Claims;
use super::{Operand, Output, alone};
use crate::isa::Isa;
use crate::team::{self, Broken, Member};
use crate::tensor::matrix::MatMut;

/// Work below which a further thread does not pay where it has to be started: that takes some 30 microseconds.
const MULTIPLY_ADDS_TO_START_FOR: usize = 4 << 20;

/// And where it waits for work: about a microsecond.
const MULTIPLY_ADDS_TO_WAKE_FOR: usize = 256 << 10;

/// Rows that pay for packing B once more, where threads work at the same time,
const ROWS_TO_PACK_FOR: usize = 512;

/// and where one begins late, or has to share a core at first.
const ROWS_TO_PACK_FOR_LATE: usize = 192;

/// Pieces for each thread.
const MOST_PIECES: usize = 4;

/// Rows that make a few tiles.
const LEAST_ROWS: usize = 24;

/// So many of the threads as have enough to do, each so much.
pub(super) fn threads_that_pay(threads: usize, [m, k, n]: [usize; 3], each: usize) -> usize {
    let pay = (m * k * n / each).min(m.div_ceil(alone::FEW));
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
    let product = Product::of(
        isa,
        (threads, ROWS_TO_PACK_FOR_LATE),
        shape,
        c.reborrow(),
        output,
    );
    let work = |_: Member<'_>| product.take(a, b);
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
    /// Rows of C, and which they are.
    pieces: Vec<Mutex<(Range<usize>, &'c mut [f32])>>,
    claims: Claims,
}

impl<'c> Product<'c> {
    /// C, m x n, of an A of m x k and a B of k x n that are yet to be told, for a team of `size`.
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
        Self::of(isa, (size, ROWS_TO_PACK_FOR), shape, c, output)
    }

    fn of(
        isa: Isa,
        (size, rows_to_pack_for): (usize, usize),
        shape: [usize; 3],
        c: MatMut<'c>,
        output: Output<'c>,
    ) -> Self {
        let [m, k, n] = shape;
        let stride = c.row_stride();
        let threads = threads_that_pay(size, shape, MULTIPLY_ADDS_TO_WAKE_FOR);
        let least = if alone::stays_near(k, n) {
            LEAST_ROWS
        } else {
            rows_to_pack_for
        };
        // The same number for each thread, and some, lest all wait for one whose core does something else.
        let of_each = (m / threads / least).clamp(1, MOST_PIECES);
        let rows = m.div_ceil(threads * of_each).next_multiple_of(alone::FEW);
        let (mut rest, mut pieces) = (c.into_data(), Vec::new());
        for first in (0..m).step_by(rows) {
            let rows = first..m.min(first + rows);
            let (piece, tail) = rest.split_at_mut((rows.len() * stride).min(rest.len()));
            pieces.push(Mutex::new((rows, piece)));
            rest = tail;
        }
        Self {
            isa,
            shape,
            stride,
            output,
            claims: Claims::new(pieces.len(), size),
            pieces,
        }
    }

    /// This member's part of A B, which all members are to call for the same operands; afterwards C is finished.
    ///
    /// # Errors
    /// When another member has panicked.
    ///
    /// # Panics
    /// When the shapes of the operands are not those that were told.
    #[track_caller]
    pub fn work(&self, member: &Member<'_>, a: Operand<'_>, b: Operand<'_>) -> Result<(), Broken> {
        super::check(&a, &b, self.shape);
        self.take(&a, &b);
        member.wait()
    }

    /// As many rows as fall to this thread.
    fn take(&self, a: &Operand<'_>, b: &Operand<'_>) {
        for index in self.claims.round() {
            let mut piece = self.pieces[index]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let (rows, c) = &mut *piece;
            let c = &mut MatMut::new(c, rows.len(), self.shape[2], self.stride);
            alone::multiply(self.isa, (a, rows.clone()), b, c, self.output);
        }
    }
}
