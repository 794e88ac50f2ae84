//! C = A B where packing B would not pay: for a few rows of A, a matrix times a vector or nearly; and for a small B. Its
//! rows are read where they lie, 16 NP columns of each row at a time, for all rows of a tile at once.

use pulp::{Simd, WithSimd};

use super::blocking::{Caches, KB};
use super::macrokernel::tiles;
use super::microkernel;
use crate::tensor::{LINE, MatMut, MatRef};

/// Up to this many rows of A: with more, B packed once is read often enough to pay. An estimate: packing
/// costs about a cycle a number, the product m / 16 cycles.
const FEW: usize = 8;

/// Up to this many rows a B that stays in the second-level cache is read where it lies; with more, one of the first level.
const SOME: usize = 48;

/// C = A B, or C += A B, for the columns of C that fill whole lines: `n / 16 * 16` of them.
#[derive(Debug)]
pub(super) struct FewRows<'a> {
    pub(super) a: MatRef<'a>,
    pub(super) b: MatRef<'a>,
    pub(super) c: MatMut<'a>,
    pub(super) add: bool,
}

impl FewRows<'_> {
    /// Whether B is small for so many rows of A, with no work for several threads, and can be read in whole strides: its
    /// last row may end with its last column.
    pub(super) fn fits(a: MatRef<'_>, b: MatRef<'_>, threads: usize) -> bool {
        let size = b.rows() * b.row_stride();
        let Caches { l1, l2, .. } = Caches::of_this_machine();
        let most = match a.rows() {
            m if m <= FEW => usize::MAX,
            _ if threads > 1 => 0,
            m if m <= SOME => l2 / 2,
            _ => l1,
        };
        size > 0 && size_of::<f32>() * size <= most && size <= b.data().len()
    }
}

impl WithSimd for FewRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 8>(simd),
            8 => self.run::<S, 2, 6>(simd),
            4 => self.run::<S, 4, 6>(simd),
            _ => self.run::<S, 16, 1>(simd),
        }
    }
}

impl FewRows<'_> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const MR: usize>(mut self, simd: S) {
        for (i, size) in tiles(self.a.rows(), MR) {
            if size == MR {
                self.strip::<S, PV, MR, 1>(simd, i);
            } else if const { MR > 4 } && size == 4 {
                self.strip::<S, PV, 4, 1>(simd, i);
            } else if const { MR > 1 } {
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
            let mut a: [&[f32]; MR] = [&[]; MR];
            for (r, a) in a.iter_mut().enumerate() {
                *a = &self.a.row(i + r)[pc..end];
            }
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
                for (acc, c) in acc.into_iter().zip(row.as_chunks_mut().0) {
                    microkernel::store(simd, acc, c, self.add || pc > 0);
                }
            }
        }
    }
}
