//! c = a B for one row a, with the rows of B read where they lie, some lines of each at a time: B passes by once, and how
//! fast is all that counts.

use pulp::{Simd, WithSimd};

use super::blocking::KB;
use super::microkernel::{line, store};
use crate::tensor::LINE;

/// c = a B for at least a line of columns, or c += a B for whole lines.
#[derive(Debug)]
pub(super) struct LoneRow<'a> {
    pub(super) a: &'a [f32],
    /// Rows of B, `b_stride` apart: as many as there are numbers in a.
    pub(super) b: &'a [f32],
    pub(super) b_stride: usize,
    pub(super) c: &'a mut [f32],
    pub(super) add: bool,
}

impl WithSimd for LoneRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Lines for as many chains of multiply-adds as there are registers for: the longer a piece of each row of B, the
        // sooner is the next foreseen.
        match S::F32_LANES {
            16 => self.run::<S, 1, 16>(simd),
            8 => self.run::<S, 2, 4>(simd),
            4 => self.run::<S, 4, 4>(simd),
            _ => self.run::<S, 16, 1>(simd),
        }
    }
}

#[expect(
    clippy::needless_range_loop,
    reason = "counted loops are unrolled, which leaves arrays of vectors in registers"
)]
impl LoneRow<'_> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const MOST: usize>(mut self, simd: S) {
        let n = self.c.len();
        let mut done = 0;
        while done < n {
            // Where nothing is added to, some columns may be done again, with the same sums.
            let room = if self.add { n - done } else { n };
            let takes = |lines: usize| lines * LINE <= room && n - done > lines / 2 * LINE;
            done = if const { MOST >= 16 } && takes(16) {
                self.lines::<S, PV, 16>(simd, done)
            } else if const { MOST >= 8 } && takes(8) {
                self.lines::<S, PV, 8>(simd, done)
            } else if const { MOST >= 4 } && takes(4) {
                self.lines::<S, PV, 4>(simd, done)
            } else if const { MOST >= 2 } && takes(2) {
                self.lines::<S, PV, 2>(simd, done)
            } else {
                self.lines::<S, PV, 1>(simd, done)
            };
        }
    }

    /// So many lines of columns, from `first` on or the last ones: where they end.
    #[inline(always)]
    fn lines<S: Simd, const PV: usize, const NP: usize>(&mut self, simd: S, first: usize) -> usize {
        let first = first.min(self.c.len() - NP * LINE);
        for (block, a) in self.a.chunks(KB).enumerate() {
            let b = &self.b[block * KB * self.b_stride + first..];
            let mut sum = [[simd.splat_f32s(0.0); PV]; NP];
            for (p, &x) in a.iter().enumerate() {
                // Where a row begins follows from p alone, whatever the loads before wait for.
                let row = &b[p * self.b_stride..][..NP * LINE];
                let x = simd.splat_f32s(x);
                for q in 0..NP {
                    let b = line::<S, PV>(&row.as_chunks::<LINE>().0[q]);
                    for v in 0..PV {
                        sum[q][v] = simd.mul_add_f32s(x, b[v], sum[q][v]);
                    }
                }
            }
            let c = &mut self.c[first..][..NP * LINE];
            for (c, sum) in c.as_chunks_mut().0.iter_mut().zip(sum) {
                store(simd, sum, c, self.add || block > 0);
            }
        }
        first + NP * LINE
    }
}
