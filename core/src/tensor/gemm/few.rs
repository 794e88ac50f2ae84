//! C = A B for a few rows of A: a matrix times a vector, or nearly. Packing B would cost as much as the product, so its
//! rows are read where they lie, 16 NP columns of each row at a time, for all rows of a tile at once.

use pulp::{Simd, WithSimd};

use super::blocking::KB;
use super::macrokernel::tiles;
use super::microkernel;
use crate::tensor::{LINE, MatMut, MatRef};

/// Up to this many rows of A: with more, B packed once is read often enough to pay. An estimate: packing
/// costs about a cycle a number, the product m / 16 cycles.
pub(super) const FEW: usize = 8;

/// C = A B, or C += A B, for the columns of C that fill whole lines: `n / 16 * 16` of them.
#[derive(Debug)]
pub(super) struct FewRows<'a> {
    pub(super) a: MatRef<'a>,
    pub(super) b: MatRef<'a>,
    pub(super) c: MatMut<'a>,
    pub(super) add: bool,
}

impl FewRows<'_> {
    /// Whether the rows of B can be read in whole strides: the last one may end with its last column.
    pub(super) fn can_read(b: MatRef<'_>) -> bool {
        b.rows() > 0 && b.data().len() >= b.rows() * b.row_stride()
    }
}

impl WithSimd for FewRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1>(simd),
            8 => self.run::<S, 2>(simd),
            4 => self.run::<S, 4>(simd),
            _ => self.run::<S, 16>(simd),
        }
    }
}

impl FewRows<'_> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize>(mut self, simd: S) {
        for (i, size) in tiles(self.a.rows(), if const { PV == LINE } { 1 } else { 4 }) {
            if const { PV == LINE } {
                self.strip::<S, PV, 1, 1>(simd, i);
            } else if size == 4 {
                self.strip::<S, PV, 4, 1>(simd, i);
            } else {
                self.strip::<S, PV, 1, 4>(simd, i);
            }
        }
    }

    /// Rows `i..i + MR` of C.
    #[inline(always)]
    fn strip<S: Simd, const PV: usize, const MR: usize, const NP: usize>(
        &mut self,
        simd: S,
        i: usize,
    ) {
        let panels = self.b.cols() / LINE;
        let grouped = panels / NP * NP;
        for j in (0..grouped).step_by(NP) {
            self.tile::<S, PV, MR, NP>(simd, i, j * LINE);
        }
        for j in grouped..panels {
            self.tile::<S, PV, MR, 1>(simd, i, j * LINE);
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const MR: usize, const NP: usize>(
        &mut self,
        simd: S,
        i: usize,
        first: usize,
    ) {
        let (k, stride) = (self.b.rows(), self.b.row_stride());
        for pc in (0..k).step_by(KB) {
            let end = k.min(pc + KB);
            let mut acc = microkernel::zeros::<S, MR, NP, PV>(simd);
            let a = std::array::from_fn(|r| &self.a.row(i + r)[pc..end]);
            microkernel::rows_in_place(
                simd,
                a,
                &self.b.data()[pc * stride..end * stride],
                stride,
                first,
                &mut acc,
            );
            for (r, acc) in acc.into_iter().enumerate() {
                let row = &mut self.c.row(i + r)[first..];
                for (acc, c) in acc.into_iter().zip(row.chunks_exact_mut(LINE)) {
                    microkernel::store(simd, acc, c, self.add || pc > 0);
                }
            }
        }
    }
}
