//! A lone row by rows of B one behind the other, of whole lines: read by the lines of the cache, wherever in one the first
//! row begins, and asked for ahead where that helps.
//!
//! ```text
//! in memory       | . . b0 b1 | b2 b3 b4 b5 | b6 b7 c0 c1 | c2 c3 ..      (rows b, c of two lines of four)
//! multiplied by         x  x    x  x  x  x    x  x  y  y    y  y ..
//! ```
//!
//! So the columns of the sums lie turned by what is before a line begins, and a row's last line takes two numbers of A.
//! Between lines each vector would be two accesses to the cache.

use pulp::{Simd, WithSimd};

use crate::isa::{mul_add, prefetch};
use crate::tensor::LINE;
use crate::tensor::gemm::blocking::Caches;
use crate::tensor::gemm::microkernel::{keep, line, put};

/// Lines before one is read that it is asked for.
const AHEAD: usize = 64;

/// c = a B, or c += a B, for an `a` of one block of steps.
pub(super) struct Contiguous<'a, const PV: usize, const NP: usize> {
    pub(super) a: &'a [f32],
    /// Rows of NP lines, as many as `a` has numbers or more.
    pub(super) b: &'a [f32],
    pub(super) c: &'a mut [f32],
    pub(super) add: bool,
}

impl<const PV: usize, const NP: usize> WithSimd for Contiguous<'_, PV, NP> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, b, c, add } = self;
        let head = b.as_ptr().align_offset(size_of::<[f32; LINE]>());
        let (before, behind) = b.split_at(head);
        let rows = behind.as_chunks::<LINE>().0.as_chunks::<NP>().0;

        let mut turned = [[0.0f32; LINE]; NP];
        for (sum, b) in turned[NP - 1][LINE - head..].iter_mut().zip(before) {
            *sum = mul_add(a[0], *b, 0.0);
        }
        let mut sum = [[simd.splat_f32s(0.0); PV]; NP];
        for q in 0..NP {
            sum[q] = line::<S, PV>(&turned[q]);
        }
        let lanes: [f32; LINE] = core::array::from_fn(|lane| lane as f32);
        let first = simd.splat_f32s((LINE - head) as f32);
        let next = line::<S, PV>(&lanes).map(|lane| simd.greater_than_or_equal_f32s(lane, first));

        // What the last row has behind its first numbers may not fill its lines.
        let last = a.len() - 1;
        let ahead = if Caches::of_this_machine().is_l1_small() {
            &[]
        } else {
            &rows[rows.len().min(AHEAD / NP)..]
        };
        let (now, then, rows) = (&a[..last], &a[1..][..last], &rows[..last]);
        let asked = last.min(ahead.len());
        for (p, (lines, ahead)) in rows.iter().zip(&ahead[..asked]).enumerate() {
            for line in ahead {
                prefetch(line);
            }
            row(simd, [now[p], then[p]], lines, &next, &mut sum);
        }
        for (p, lines) in rows.iter().enumerate().skip(asked) {
            row(simd, [now[p], then[p]], lines, &next, &mut sum);
        }

        for q in 0..NP {
            keep::<S, PV>(simd, sum[q], &mut turned[q]);
        }
        let (most, few) = turned.as_flattened_mut().split_at_mut(NP * LINE - head);
        for (sum, b) in most.iter_mut().zip(&behind[last * NP * LINE..]) {
            *sum = mul_add(a[last], *b, *sum);
        }
        let (of_few, of_most) = c.split_at_mut(head);
        for (c, sums) in [(of_few, few), (of_most, most)] {
            put(sums, c, add);
        }
    }
}

/// A row of B by the first number of A, and what its last line has of the next row by the second.
#[inline(always)]
fn row<S: Simd, const NP: usize, const PV: usize>(
    simd: S,
    a: [f32; 2],
    lines: &[[f32; LINE]; NP],
    next: &[S::m32s; PV],
    sum: &mut [[S::f32s; PV]; NP],
) {
    let (x, y) = (simd.splat_f32s(a[0]), simd.splat_f32s(a[1]));
    for q in 0..NP {
        let b = line::<S, PV>(&lines[q]);
        for j in 0..PV {
            let x = if q + 1 < NP {
                x
            } else {
                simd.select_f32s(next[j], y, x)
            };
            sum[q][j] = simd.mul_add_f32s(x, b[j], sum[q][j]);
        }
    }
}
