//! Matrix products, in single precision, with bits that do not depend on how they are computed.
//!
//! [`gemm`] computes C = A B (or C += A B, or C = f(A B + bias)) for row-major matrices and their transposes.
//!
//! **The contract.** Every element of C is a chain of fused multiply-adds that starts from zero and takes the reduction
//! index in ascending order; after every [`KB`] = 512 steps the chain starts anew, and the sums of the blocks are
//! added in ascending order to zero (or to what C held, where the product is accumulated). No other freedom remains, so tile
//! shapes, packing, threads and instruction sets cannot change a bit. The error of an element is at most
//! (512 + k/512 + 2) 2^-24 sum |a| |b|.
//!
//! **How.** A register tile of MR rows of A by one to four panels of 16 columns of B runs down the reduction
//! (`microkernel`). It reads B where it lies if that is near (`in_place`); else the first rows of A pack it into panels
//! ([`Panels`]) as they go, for all others (`alone`). A B of up to ten columns has a tile of its own (`narrow`), which
//! does as many rows by a transposed B as well; what else is transposed is brought into rows and panels by vectors. An A
//! of few rows has one (`few_rows`), and so has the weight gradient of a lone unit (`one_column`). The loops round the tile
//! keep each operand in the cache it should be read from (`macrokernel`, `columns`, `blocking`). Several threads take rows
//! of C in turn, or columns (`product`, `across`).
//! Overwriting never reads C, which may hold NaN.

mod across;
mod alone;
mod blocking;
mod by_panels;
mod claims;
mod columns;
mod epilogue;
#[cfg(test)]
mod every_width;
mod few_rows;
mod in_place;
mod macrokernel;
mod microkernel;
mod narrow;
mod one_column;
mod pack;
mod product;
mod room;
mod sparse;

pub use blocking::{Caches, KB};
pub(crate) use by_panels::ByPanels;
pub use columns::{ColumnsByPanels, GROUP, Rows};
pub(crate) use epilogue::spread;
pub use epilogue::{Back, Epilogue, Finish};
pub use macrokernel::{RowsByPanels, Segment, Sink, Sums};
pub use one_column::ColumnsByOne;
pub use pack::{Operand, Panels};
pub use product::Product;
pub use sparse::{
    Meanwhile, Span, SparseColumnsByPanels, SparseRowsByPanels, room_for_lines, room_for_rows,
};

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::activation::{Activation, activation_forward};
use super::matrix::{Aligned, MatMut, padded};
use crate::isa::Isa;

/// What becomes of the product.
#[derive(Clone, Copy, Debug)]
pub enum Output<'a> {
    /// C = A B; C is not read.
    Overwrite,
    /// C += A B.
    Accumulate,
    /// C = f(A B + bias), `bias` having one value a column of C.
    Activate(&'a [f32], Activation),
}

impl Output<'_> {
    /// Whether it needs all columns of a row together.
    fn is_of_rows(self) -> bool {
        matches!(self, Self::Activate(_, f) if f.is_of_rows())
    }

    /// The same for some columns of C, if it is not of whole rows.
    fn of(self, columns: &Range<usize>) -> Self {
        match self {
            Self::Activate(bias, f) => Self::Activate(&bias[columns.clone()], f),
            other => other,
        }
    }
}

/// C = A B in one of the forms of [`Output`], on at most `threads` threads.
///
/// # Panics
/// When the shapes of A (m x k), B (k x n), C (m x n) or the bias (n) do not fit together.
#[track_caller]
pub fn gemm(
    isa: Isa,
    threads: usize,
    a: Operand<'_>,
    b: Operand<'_>,
    mut c: MatMut<'_>,
    output: Output<'_>,
) {
    let shape = [a.rows(), a.cols(), b.cols()];
    check(&a, &b, shape);
    check_c(shape, &c, output);
    product::multiply(isa, threads, [&a, &b], &mut c, output);
}

/// Whether A is m x k and B is k x n.
#[inline(always)]
#[track_caller]
fn check(a: &Operand<'_>, b: &Operand<'_>, [m, k, n]: [usize; 3]) {
    let fit = (a.rows(), a.cols(), b.rows(), b.cols()) == (m, k, k, n);
    assert!(
        fit,
        "A is {} x {}, B is {} x {}, for a product of {m} x {k} x {n}",
        a.rows(),
        a.cols(),
        b.rows(),
        b.cols()
    );
}

/// Whether C is m x n, and the bias has n values.
#[inline(always)]
#[track_caller]
fn check_c([m, _, n]: [usize; 3], c: &MatMut<'_>, output: Output<'_>) {
    assert_eq!(
        (m, n),
        (c.rows(), c.cols()),
        "A B is {m} x {n}, C is {} x {}",
        c.rows(),
        c.cols()
    );
    if let Output::Activate(bias, _) = output {
        assert_eq!(
            bias.len(),
            n,
            "the bias of {n} columns has {} values",
            bias.len()
        );
    }
}

/// The last step of a product whose output is activated.
#[inline(always)]
fn activate(isa: Isa, c: &mut MatMut<'_>, output: Output<'_>) {
    if let Output::Activate(bias, activation) = output {
        activate_with(isa, c, bias, activation);
    }
}

#[inline(never)]
fn activate_with(isa: Isa, c: &mut MatMut<'_>, bias: &[f32], activation: Activation) {
    let line = &mut Aligned::zeroed(padded(c.cols()));
    isa.dispatch(BiasActivation {
        c: c.reborrow(),
        bias,
        activation,
        line,
    });
}

/// c = f(c + bias) for rows without padding, by way of one padded line.
struct BiasActivation<'a> {
    c: MatMut<'a>,
    bias: &'a [f32],
    activation: Activation,
    line: &'a mut [f32],
}

impl WithSimd for BiasActivation<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for r in 0..self.c.rows() {
            let row = self.c.row(r);
            for ((z, c), bias) in self.line.iter_mut().zip(&*row).zip(self.bias) {
                *z = c + bias;
            }
            let n = row.len();
            activation_forward(simd, self.activation, self.line, n);
            row.copy_from_slice(&self.line[..n]);
        }
    }
}
