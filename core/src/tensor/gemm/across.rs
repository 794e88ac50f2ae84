//! Some columns of a product, all of its rows: B is packed once, by the thread that has these columns, and nobody waits for
//! it. The rows of C lie whole, in pieces that threads lend each other for a block of B: each begins with another, and
//! takes those first that nobody has.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::alone::Block;
use super::blocking;
use super::room::{OF_B, with_room};
use super::{Operand, Output, activate, pack};
use crate::isa::Isa;
use crate::tensor::matrix::{LINE, MatMut};

/// Rows of C, and which they are. (Each in cache lines of its own, lest those who hold others wait for them.)
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Piece<'c>(Mutex<(Range<usize>, &'c mut [f32])>);

impl<'c> Piece<'c> {
    pub(super) fn new(range: Range<usize>, c: &'c mut [f32]) -> Self {
        Self(Mutex::new((range, c)))
    }

    /// It, once nobody else has it.
    pub(super) fn lock(&self) -> MutexGuard<'_, (Range<usize>, &'c mut [f32])> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all units of a product have in common.
pub(super) struct Across<'a, 'c> {
    pub(super) isa: Isa,
    pub(super) a: Operand<'a>,
    pub(super) b: Operand<'a>,
    pub(super) output: Output<'a>,
    pub(super) pieces: &'a [Piece<'c>],
    /// Between rows of C.
    pub(super) stride: usize,
}

impl Across<'_, '_> {
    /// These columns, beginning with that piece.
    pub(super) fn multiply(&self, columns: &Range<usize>, first: usize, rows_of_a: &mut Vec<f32>) {
        let k = self.b.rows();
        let lines = blocking::steps(k).min(k) * columns.len().div_ceil(LINE);
        with_room(&OF_B, lines, |lines| {
            self.multiply_in(columns, first, (lines, rows_of_a));
        });
    }

    fn multiply_in(
        &self,
        columns: &Range<usize>,
        first: usize,
        (lines, rows_of_a): (&mut [[f32; LINE]], &mut Vec<f32>),
    ) {
        let k = self.b.rows();
        let deep = blocking::steps(k);
        for pc in (0..k).step_by(deep) {
            let steps = pc..k.min(pc + deep);
            let of_b = (self.b, columns.clone(), steps.clone());
            let mut block = Block::new(self.isa, of_b, self.output, &mut *lines);
            visit(self.pieces, first, |rows, c| {
                let a = match self.a {
                    Operand::Plain(a) => (a.data_from(rows.start, pc), a.row_stride()),
                    Operand::Transposed(a) => {
                        let stride = pack::stride_of_rows(steps.len());
                        rows_of_a.resize(rows.len() * stride, 0.0);
                        pack::rows_into(self.isa, a, rows.clone(), steps.clone(), rows_of_a);
                        (&rows_of_a[..], stride)
                    }
                };
                let mut whole = MatMut::new(&mut *c, rows.len(), columns.end, self.stride);
                block.by_rows(a, 0..rows.len(), &mut whole);
                if steps.end == k {
                    let c = &mut c[columns.start..];
                    let c = &mut MatMut::new(c, rows.len(), columns.len(), self.stride);
                    activate(self.isa, c, self.output.of(columns));
                }
            });
        }
    }
}

/// Each piece once, from the first on and round, those that others have after the rest.
fn visit(pieces: &[Piece<'_>], first: usize, mut work: impl FnMut(&Range<usize>, &mut [f32])) {
    let mut others_have = Vec::new();
    for i in 0..pieces.len() {
        let piece = &pieces[(first + i) % pieces.len()];
        match piece.0.try_lock() {
            Ok(mut piece) => {
                let (rows, c) = &mut *piece;
                work(rows, c);
            }
            Err(_) => others_have.push(piece),
        }
    }
    for piece in others_have {
        let (rows, c) = &mut *piece.lock();
        work(rows, c);
    }
}
