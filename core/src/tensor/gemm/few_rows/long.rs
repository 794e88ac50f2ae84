//! Few rows by a B that comes from afar: some of its rows at a time, each read on end, while the sums wait near by. (A tile
//! reads a little of each row, and the next may lie in another page of memory.)

use pulp::{Simd, WithSimd};

use super::FewRows;
use crate::tensor::LINE;
use crate::tensor::gemm::blocking::KB;
use crate::tensor::gemm::microkernel::{keep, line, store};

/// Lines of a row that are read on end: two pages of memory.
const LONG: usize = 128;

/// What [`FewRows`] is, of at most MR rows and columns that fill lines, R rows of B at a time.
pub(super) struct Long<'a, const PV: usize, const MR: usize, const R: usize>(
    pub(super) FewRows<'a>,
);

impl<const PV: usize, const MR: usize, const R: usize> WithSimd for Long<'_, PV, MR, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let block = self.0;
        let a: [&[f32]; MR] = core::array::from_fn(|i| {
            &block.a[i.min(block.rows - 1) * block.a_stride..][..block.steps]
        });
        let mut sums = [[[0.0; LINE]; LONG]; MR];
        for j in (0..block.n).step_by(LONG * LINE) {
            let width = (block.n - j).min(LONG * LINE);
            for pc in (0..block.steps).step_by(KB) {
                let mut sums = sums.each_mut().map(|sums| &mut sums[..width / LINE]);
                for sums in &mut sums {
                    sums.fill([0.0; LINE]);
                }
                let end = block.steps.min(pc + KB);
                let mut p = pc;
                while p < end {
                    let b = (&block.b[p * block.b_stride + j..], block.b_stride);
                    p += if end - p >= R {
                        add_rows::<S, PV, MR, R>(simd, a.map(|a| &a[p..]), b, &mut sums)
                    } else {
                        add_rows::<S, PV, MR, 1>(simd, a.map(|a| &a[p..]), b, &mut sums)
                    };
                }
                let add = block.add || pc > 0;
                for (i, sums) in sums.iter().enumerate().take(block.rows) {
                    let c = block.c[i * block.c_stride + j..].as_chunks_mut().0;
                    for (c, sum) in c.iter_mut().zip(sums.iter()) {
                        store::<S, PV>(simd, line::<S, PV>(sum), c, add);
                    }
                }
            }
        }
    }
}

/// sums\[i\] += a\[i\] B for the first R rows of B; gives R.
#[inline(always)]
fn add_rows<S: Simd, const PV: usize, const MR: usize, const R: usize>(
    simd: S,
    a: [&[f32]; MR],
    (b, b_stride): (&[f32], usize),
    sums: &mut [&mut [[f32; LINE]]; MR],
) -> usize {
    let width = sums[0].len();
    let (mut x, mut rows) = ([[simd.splat_f32s(0.0); R]; MR], [&[][..]; R]);
    for r in 0..R {
        for i in 0..MR {
            x[i][r] = simd.splat_f32s(a[i][r]);
        }
        rows[r] = &b[r * b_stride..].as_chunks::<LINE>().0[..width];
    }
    // One length for all: told here, so that no index is checked below.
    let sums = sums.each_mut().map(|sums| &mut sums[..width]);
    for j in 0..width {
        let mut sum = [[simd.splat_f32s(0.0); PV]; MR];
        for i in 0..MR {
            sum[i] = line::<S, PV>(&sums[i][j]);
        }
        for r in 0..R {
            let b = line::<S, PV>(&rows[r][j]);
            for i in 0..MR {
                for v in 0..PV {
                    sum[i][v] = simd.mul_add_f32s(x[i][r], b[v], sum[i][v]);
                }
            }
        }
        for i in 0..MR {
            keep::<S, PV>(simd, sum[i], &mut sums[i][j]);
        }
    }
    R
}
