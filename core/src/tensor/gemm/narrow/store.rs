//! A tile whose vectors are parts of columns, put into rows.

use std::ops::Range;

use pulp::Simd;

use super::WIDE;
use crate::tensor::gemm::microkernel::put;
use crate::tensor::matrix::LINE;
use crate::tensor::turn::FOUR;

/// The rows of a tile, `stride` apart, each number added to such a zero.
#[inline(always)]
pub(super) fn store<S: Simd, const N: usize, const V: usize>(
    simd: S,
    zero: S::f32s,
    acc: &[[S::f32s; N]; V],
    rows: &mut [f32],
    stride: usize,
) {
    // No loop, which would have the sums in memory.
    store_some(simd, zero, &acc[0], rows, stride);
    if const { V > 1 } {
        let rows = &mut rows[S::F32_LANES * stride..];
        store_some(simd, zero, &acc[V - 1], rows, stride);
    }
}

/// As many rows as there are lanes: fours of columns are transposed within each quarter of a vector, and two of them laid
/// side by side, for a wider piece is stored as fast as a narrower one; the last two columns go by pairs.
#[expect(
    clippy::needless_range_loop,
    reason = "counted loops are unrolled, which leaves arrays of vectors in registers"
)]
#[inline(always)]
fn store_some<S: Simd, const N: usize>(
    simd: S,
    zero: S::f32s,
    acc: &[S::f32s; N],
    mut rows: &mut [f32],
    stride: usize,
) {
    let mut fours = [[zero; FOUR]; WIDE / FOUR];
    for g in 0..N / FOUR {
        for q in 0..FOUR {
            fours[g][q] = acc[g * FOUR + q];
        }
        fours[g] = simd.interleave_shfl_f32s(fours[g]);
    }
    let side_by_side = if S::F32_LANES < 2 * FOUR {
        1
    } else {
        const { if N < FOUR { 1 } else { N / FOUR } }
    };
    if side_by_side == 2 {
        for q in 0..FOUR {
            let parts = [0, 1].map(|g| numbers::<S>(fours[g][q]));
            for h in 0..2 {
                let first = h * S::F32_LANES / 2;
                fours[h][q] = vector(simd, |i| {
                    parts[i / FOUR % 2][first + i / (2 * FOUR) * FOUR + i % FOUR]
                });
            }
        }
    }
    let last = [N - 2, N - 1].map(|j| numbers::<S>(acc[j]));
    let mut pairs = [zero; 2];
    for h in 0..2 {
        pairs[h] = vector(simd, |i| {
            last[i % 2][i / FOUR * FOUR + h * 2 + i % FOUR / 2]
        });
    }
    let across = side_by_side * FOUR;
    for l in 0..S::F32_LANES / FOUR {
        for q in 0..FOUR {
            let is_last = l == S::F32_LANES / FOUR - 1 && q == FOUR - 1;
            let all = std::mem::take(&mut rows);
            let (row, below) = if is_last {
                (all, &mut [][..])
            } else {
                all.split_at_mut(stride)
            };
            let row = &mut row[..N];
            rows = below;
            for first in (0..N / FOUR * FOUR).step_by(across) {
                let at = l * across + first / across * S::F32_LANES;
                let from = numbers::<S>(simd.add_f32s(zero, fours[at / S::F32_LANES][q]));
                row[first..][..across].copy_from_slice(&from[at % S::F32_LANES..][..across]);
            }
            let from = numbers::<S>(simd.add_f32s(zero, pairs[q / 2]));
            row[N - 2..].copy_from_slice(&from[l * FOUR + q % 2 * 2..][..2]);
        }
    }
}

/// The numbers of a vector.
#[inline(always)]
fn numbers<S: Simd>(x: S::f32s) -> [f32; LINE] {
    let mut line = [0.0; LINE];
    S::as_mut_simd_f32s(&mut line).0[0] = x;
    line
}

/// A vector of numbers of others: a shuffle, for the compiler.
#[inline(always)]
fn vector<S: Simd>(_: S, number: impl Fn(usize) -> f32) -> S::f32s {
    let mut line = [0.0; LINE];
    for (i, x) in line[..S::F32_LANES].iter_mut().enumerate() {
        *x = number(i);
    }
    S::as_simd_f32s(&line).0[0]
}

/// Rows of a tile, from row `first` of it on, of which C has not all columns, or to which they are added.
#[inline(never)]
pub(super) fn place_rows<const N: usize>(
    rows: &[[f32; N]],
    first: usize,
    c: &mut [f32],
    (stride, n): (usize, usize),
    add: bool,
) {
    for (r, row) in (first..).zip(rows) {
        let c = &mut c[r * stride..][..n];
        // As many columns as the compiler knows of, or fewer.
        if let Ok(c) = <&mut [f32; N]>::try_from(&mut *c) {
            put(row, c, add);
        } else {
            put(row, c, add);
        }
    }
}

/// These rows of each column of a tile, where C has columns for rows, `stride` apart.
#[inline(never)]
pub(super) fn place_columns(
    columns: &[[f32; 2 * LINE]],
    rows: Range<usize>,
    (c, stride): (&mut [f32], usize),
    add: bool,
) {
    for (column, c) in columns.iter().zip(c.chunks_mut(stride)) {
        put(&column[rows.clone()], &mut c[rows.clone()], add);
    }
}
