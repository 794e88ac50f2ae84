//! The register tile: MR rows of C by NP panels of 16 columns, held in registers while the reduction index runs.
//!
//! ```text
//! for p in 0..k            one step of the reduction
//!     b = panels[..][p]    16 NP consecutive columns of B: 16 NP / LANES vector loads
//!     for i in 0..MR
//!         a = A[i][p]      one number, broadcast
//!         acc[i][..] = fma(a, b, acc[i][..])
//! ```
//!
//! A tile needs MR * NP * 16 / LANES accumulators, at least 8 of them to keep two FMA units of latency 4 busy, and at
//! most two or three fewer than there are registers. Each accumulator lane is one element of C, so the tile's shape
//! cannot change any element's chain of roundings: it is free to be what is fastest.
//!
//! All walks are free of bounds checks: slices of one length indexed below that length, and exact chunks. With a
//! checked index the one down columns ran at half the speed (Zen 3, 128 x 784 x 64).

use pulp::Simd;

use crate::isa::prefetch;
use crate::tensor::LINE;

/// Steps before a row of B that is packed is read that it is asked for: each is in another page of memory, or nearly, and
/// comes from afar.
const AHEAD: usize = 48;

/// MR x NP x (16 / LANES) accumulators; `PV` is 16 / LANES.
pub(super) type Acc<V, const MR: usize, const NP: usize, const PV: usize> = [[[V; PV]; NP]; MR];

/// N rows of `len`, `stride` apart from the beginning of `data` on.
#[inline(always)]
pub(super) fn strided<T, const N: usize>(mut data: &[T], stride: usize, len: usize) -> [&[T]; N] {
    let mut rows: [&[T]; N] = [&[]; N];
    // One after another: a product and two checks for each take as long as some steps of the tile.
    for (i, row) in rows.iter_mut().enumerate() {
        let (whole, below) = if i + 1 < N {
            data.split_at(stride)
        } else {
            (data, &[][..])
        };
        *row = &whole[..len];
        data = below;
    }
    rows
}

/// The vectors of one 16-float line.
#[inline(always)]
pub(super) fn line<S: Simd, const PV: usize>(line: &[f32; LINE]) -> [S::f32s; PV] {
    let vectors = S::as_simd_f32s(line).0;
    core::array::from_fn(|j| vectors[j])
}

/// The vectors of a line of each panel.
#[inline(always)]
pub(super) fn lines<'a, S: Simd, const NP: usize, const PV: usize>(
    simd: S,
    line_of: impl Fn(usize) -> &'a [f32; LINE],
) -> [[S::f32s; PV]; NP] {
    let mut b = [[simd.splat_f32s(0.0); PV]; NP];
    for (q, b) in b.iter_mut().enumerate() {
        *b = line::<S, PV>(line_of(q));
    }
    b
}

/// N rows, or panels, T steps at a time, so many times.
#[inline(always)]
fn in_turns<'a, X, const N: usize, const T: usize>(
    rows: &[&'a [X]; N],
    turns: usize,
) -> [&'a [[X; T]]; N] {
    let mut cut: [&[_]; N] = [&[]; N];
    for (cut, row) in cut.iter_mut().zip(rows) {
        *cut = &row.as_chunks().0[..turns];
    }
    cut
}

/// acc\[i\] += a\[i\] b, fused.
#[inline(always)]
pub(super) fn step<S: Simd, const MR: usize, const NP: usize, const PV: usize>(
    simd: S,
    a: [f32; MR],
    b: [[S::f32s; PV]; NP],
    acc: &mut Acc<S::f32s, MR, NP, PV>,
) {
    for i in 0..MR {
        let x = simd.splat_f32s(a[i]);
        for q in 0..NP {
            for j in 0..PV {
                acc[i][q][j] = simd.mul_add_f32s(x, b[q][j], acc[i][q][j]);
            }
        }
    }
}

/// The tile of rows of A (contiguous along the reduction) by packed panels.
#[inline(always)]
pub(super) fn rows<S: Simd, const MR: usize, const NP: usize, const PV: usize>(
    simd: S,
    mut a: [&[f32]; MR],
    mut panels: [&[[f32; LINE]]; NP],
    acc: &mut Acc<S::f32s, MR, NP, PV>,
) {
    // One length for all: told here, so that no index is checked below.
    let k = panels[0].len();
    for row in &mut a {
        *row = &row[..k];
    }
    for panel in &mut panels {
        *panel = &panel[..k];
    }
    // Some steps a turn of large tiles: what the loop itself takes, and to find the rows' next numbers, is a sixth of a step
    // of the largest for a CPU that does four things a cycle, and more of a smaller one.
    *acc = if const { MR <= 4 } {
        rows_by_turns::<S, MR, NP, PV, 1>(simd, a, panels, *acc)
    } else if const { matches!(MR * NP * PV, 12..=16) } {
        rows_by_turns::<S, MR, NP, PV, 4>(simd, a, panels, *acc)
    } else {
        rows_by_turns::<S, MR, NP, PV, 2>(simd, a, panels, *acc)
    };
}

/// The tile of rows that are as long as the panels, T steps a turn.
#[inline(always)]
fn rows_by_turns<S: Simd, const MR: usize, const NP: usize, const PV: usize, const T: usize>(
    simd: S,
    a: [&[f32]; MR],
    panels: [&[[f32; LINE]]; NP],
    mut acc: Acc<S::f32s, MR, NP, PV>,
) -> Acc<S::f32s, MR, NP, PV> {
    let k = panels[0].len();
    let turns = k / T;
    let of_a = in_turns::<_, MR, T>(&a, turns);
    let of_b = in_turns::<_, NP, T>(&panels, turns);
    for p in 0..turns {
        for u in 0..T {
            let mut x = [0.0; MR];
            for i in 0..MR {
                x[i] = of_a[i][p][u];
            }
            step(simd, x, lines(simd, |q| &of_b[q][p][u]), &mut acc);
        }
    }
    for p in T * turns..k {
        let mut x = [0.0; MR];
        for i in 0..MR {
            x[i] = a[i][p];
        }
        step(simd, x, lines(simd, |q| &panels[q][p]), &mut acc);
    }
    acc
}

/// The tile of rows of A by the first 16 NP columns of rows of B that lie a stride apart; with PACK it leaves those
/// columns in panels.
#[inline(always)]
pub(super) fn rows_in_place<
    S: Simd,
    const MR: usize,
    const NP: usize,
    const PV: usize,
    const PACK: bool,
>(
    simd: S,
    mut a: [&[f32]; MR],
    (b, stride): (&[f32], usize),
    mut packed: [&mut [[f32; LINE]]; NP],
    acc: &mut Acc<S::f32s, MR, NP, PV>,
) {
    let k = a[0].len();
    for row in &mut a {
        *row = &row[..k];
    }
    if PACK {
        for panel in &mut packed {
            *panel = &mut std::mem::take(panel)[..k];
        }
    }
    let mut sum = *acc;
    for (p, row) in b.chunks(stride).take(k).enumerate() {
        let row = &row[..NP * LINE];
        if PACK
            && let Some(ahead) = b.get((p + AHEAD) * stride..)
            && ahead.len() >= NP * LINE
        {
            for q in 0..NP {
                prefetch(&ahead[q * LINE..]);
            }
            // The rows may begin anywhere in a line of a cache, and then end in one more.
            prefetch(&ahead[NP * LINE - 1..]);
        }
        let mut vectors = [[simd.splat_f32s(0.0); PV]; NP];
        for q in 0..NP {
            vectors[q] = line::<S, PV>(&row.as_chunks::<LINE>().0[q]);
            if PACK {
                keep::<S, PV>(simd, vectors[q], &mut packed[q][p]);
            }
        }
        let mut x = [0.0; MR];
        for i in 0..MR {
            x[i] = a[i][p];
        }
        step(simd, x, vectors, &mut sum);
    }
    *acc = sum;
}

/// The tile of columns `first..first + MR` of A (rows `stride` apart, the reduction running down them) by packed
/// panels: the product of A transposed, without a transposition.
#[inline(always)]
pub(super) fn columns<S: Simd, const MR: usize, const NP: usize, const PV: usize>(
    simd: S,
    a: &[f32],
    stride: usize,
    first: usize,
    mut panels: [&[[f32; LINE]]; NP],
    acc: &mut Acc<S::f32s, MR, NP, PV>,
) {
    let k = panels[0].len();
    assert!(
        first + MR <= stride && k * stride <= a.len(),
        "columns {first}..{} of {k} rows of {stride} in {} floats",
        first + MR,
        a.len()
    );
    for panel in &mut panels {
        *panel = &panel[..k];
    }
    let mut sum = *acc;
    let two_lines = in_turns::<_, NP, 2>(&panels, k / 2);
    let pairs = a.chunks_exact(2 * stride).take(k / 2);
    for (p, two) in pairs.enumerate() {
        let two = two.split_at(stride);
        for (u, row) in [two.0, two.1].into_iter().enumerate() {
            let mut x = [0.0; MR];
            x.copy_from_slice(&row[first..first + MR]);
            step(simd, x, lines(simd, |q| &two_lines[q][p][u]), &mut sum);
        }
    }
    if k % 2 == 1 {
        let mut x = [0.0; MR];
        x.copy_from_slice(&a[(k - 1) * stride..][..stride][first..first + MR]);
        step(simd, x, lines(simd, |q| &panels[q][k - 1]), &mut sum);
    }
    *acc = sum;
}

/// The same of columns that were brought together, MR numbers a step. (Apart: as `columns` with that stride, LLVM has the sums
/// of one step wait for those of the step before.)
#[inline(always)]
pub(super) fn packed_columns<S: Simd, const MR: usize, const NP: usize, const PV: usize>(
    simd: S,
    a: &[[f32; MR]],
    mut panels: [&[[f32; LINE]]; NP],
    acc: &mut Acc<S::f32s, MR, NP, PV>,
) {
    let k = a.len();
    for panel in &mut panels {
        *panel = &panel[..k];
    }
    let mut sum = *acc;
    let two_of_a = a.as_chunks::<2>().0;
    let two_lines = in_turns::<_, NP, 2>(&panels, two_of_a.len());
    for p in 0..two_of_a.len() {
        for u in 0..2 {
            step(
                simd,
                two_of_a[p][u],
                lines(simd, |q| &two_lines[q][p][u]),
                &mut sum,
            );
        }
    }
    if k % 2 == 1 {
        step(simd, a[k - 1], lines(simd, |q| &panels[q][k - 1]), &mut sum);
    }
    *acc = sum;
}

/// All accumulators zero.
#[inline(always)]
pub(super) fn zeros<S: Simd, const MR: usize, const NP: usize, const PV: usize>(
    simd: S,
) -> Acc<S::f32s, MR, NP, PV> {
    [[[simd.splat_f32s(0.0); PV]; NP]; MR]
}

/// c = 0 + acc, or c = c + acc where `add`: no block's sum is stored as -0.
#[inline(always)]
pub(super) fn store<S: Simd, const PV: usize>(
    simd: S,
    acc: [S::f32s; PV],
    c: &mut [f32; LINE],
    add: bool,
) {
    let c = S::as_mut_simd_f32s(c).0;
    for j in 0..PV {
        let old = if add { c[j] } else { simd.splat_f32s(0.0) };
        c[j] = simd.add_f32s(old, acc[j]);
    }
}

/// The same of sums that lie in rows, as long as c is.
#[inline(always)]
pub(super) fn put(sums: &[f32], c: &mut [f32], add: bool) {
    for (c, sum) in c.iter_mut().zip(sums) {
        *c = if add { *c } else { 0.0 } + sum;
    }
}

/// The sum as it is.
#[inline(always)]
pub(super) fn keep<S: Simd, const PV: usize>(_: S, acc: [S::f32s; PV], line: &mut [f32; LINE]) {
    S::as_mut_simd_f32s(line).0.copy_from_slice(&acc);
}

/// Stores a whole tile in rows of C a stride apart.
#[inline(always)]
pub(super) fn store_tile<S: Simd, const MR: usize, const NP: usize, const PV: usize>(
    simd: S,
    acc: &Acc<S::f32s, MR, NP, PV>,
    c: &mut [f32],
    stride: usize,
    add: bool,
) {
    // The question is asked once, not for every vector.
    if add {
        store_rows(simd, acc, c, stride, true);
    } else {
        store_rows(simd, acc, c, stride, false);
    }
}

#[inline(always)]
fn store_rows<S: Simd, const MR: usize, const NP: usize, const PV: usize>(
    simd: S,
    acc: &Acc<S::f32s, MR, NP, PV>,
    c: &mut [f32],
    stride: usize,
    add: bool,
) {
    each_line::<MR, NP>(
        (c, stride),
        #[inline(always)]
        |i, q, line| store(simd, acc[i][q], line, add),
    );
}

/// Calls `f` with each line of C that a tile is of, the q-th of row i, rows being `stride` apart.
#[inline(always)]
pub(super) fn each_line<const MR: usize, const NP: usize>(
    (c, stride): (&mut [f32], usize),
    mut f: impl FnMut(usize, usize, &mut [f32; LINE]),
) {
    let mut rest = c;
    for i in 0..MR {
        let (row, below) = if i + 1 < MR {
            rest.split_at_mut(stride)
        } else {
            (rest, &mut [][..])
        };
        let lines = row[..NP * LINE].as_chunks_mut::<LINE>().0;
        for (q, line) in lines.iter_mut().enumerate() {
            f(i, q, line);
        }
        rest = below;
    }
}

/// c += factor (scale (0 + acc)): the sum as [`store`] would leave it, then a product and a fused addition.
#[inline(always)]
pub(super) fn add<S: Simd, const PV: usize>(
    simd: S,
    acc: [S::f32s; PV],
    c: &mut [f32; LINE],
    scale: S::f32s,
    factor: S::f32s,
) {
    let c = S::as_mut_simd_f32s(c).0;
    for j in 0..PV {
        let sum = simd.add_f32s(simd.splat_f32s(0.0), acc[j]);
        c[j] = simd.mul_add_f32s(factor, simd.mul_f32s(scale, sum), c[j]);
    }
}
