//! C = A B for a B of few columns, of which lines of 16 would be mostly padding: the vectors run down the rows of A, and
//! numbers of B are broadcast.
//!
//! ```text
//! for four steps of the reduction
//!     for each vector of the tile's rows: four steps of each row, 16 bytes, turned into four vectors of one step each
//!     for each step, each column of B: a number, broadcast, times the vectors of the tile
//! ```
//!
//! Four quarters of a vector are put together as they are loaded, which leaves a transposition of four by four within
//! each quarter: shuffles that run beside the multiply-adds.
//!
//! Few rows of A by a transposed B are the same, transposed: the vectors run down the rows of what lies there.

#[cfg(test)]
mod every_width;
mod panel;
mod store;

use std::hint::black_box;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocking::{Caches, KB, bytes};
use super::{Operand, pack};
use crate::isa::{Isa, prefetch};
use crate::tensor::matrix::{LINE, MatMut, MatRef};
use crate::tensor::turn::{FOUR, quarters, turned};
pub(super) use panel::by_panel;
use store::{place_columns, place_rows, store};

/// Columns of the wider form: as many as leave registers to turn A in.
pub(super) const WIDE: usize = 10;

/// Columns of the narrower one,
const SLIM: usize = 6;

/// and of one for a column, or two.
const PAIR: usize = 2;

/// C = A B, or C += A B, if B has so few columns and A as many rows as fill a tile: whether it is done.
pub(super) fn few_columns(
    isa: Isa,
    (a, rows): (&MatRef<'_>, Range<usize>),
    b: &Operand<'_>,
    c: &mut MatMut<'_>,
    add: bool,
) -> bool {
    let (n, c_stride) = (b.cols(), c.row_stride());
    let (a, a_stride, rows) = (a.data_from(rows.start, 0), a.row_stride(), rows.len());
    // A lone column whose numbers lie side by side is as good as a row.
    let is_turned = n == 1 && c_stride == 1;
    let place = Place {
        c: c.data(),
        c_stride: if is_turned { rows } else { c_stride },
        is_turned,
    };
    by_width(isa, (a, a_stride, rows), (*b, n), place, add)
}

/// The same of an A of so few rows and a transposed B: of C transposed, B is what A was.
pub(super) fn few_rows(
    isa: Isa,
    (a, rows): (&MatRef<'_>, Range<usize>),
    b: &MatRef<'_>,
    c: &mut MatMut<'_>,
    add: bool,
) -> bool {
    let (m, k, c_stride) = (rows.len(), a.cols(), c.row_stride());
    let a = MatRef::new(a.data_from(rows.start, 0), m, k, a.row_stride());
    let place = Place {
        c: c.data(),
        c_stride,
        is_turned: true,
    };
    let long = (b.data(), b.row_stride(), b.rows());
    by_width(isa, long, (Operand::Transposed(a), m), place, add)
}

fn by_width(
    isa: Isa,
    a: (&[f32], usize, usize),
    (b, n): (Operand<'_>, usize),
    place: Place<'_>,
    add: bool,
) -> bool {
    if n > WIDE || b.rows() == 0 {
        false
    } else if n > SLIM {
        of_columns::<WIDE>(isa, a, b, place, add)
    } else if n > PAIR {
        of_columns::<SLIM>(isa, a, b, place, add)
    } else {
        of_columns::<PAIR>(isa, a, b, place, add)
    }
}

/// By tiles of N columns.
fn of_columns<const N: usize>(
    isa: Isa,
    (a, a_stride, rows): (&[f32], usize, usize),
    b: Operand<'_>,
    place: Place<'_>,
    add: bool,
) -> bool {
    let lying = match b {
        Operand::Plain(b) if b.row_stride() == N => b.data().as_chunks().0.get(..b.rows()),
        _ => None,
    };
    let room;
    let b_rows = if let Some(rows) = lying {
        rows
    } else {
        room = pack::rows_of(b, N);
        room.as_chunks().0
    };
    let mut narrow = Narrow::<N> {
        a,
        a_stride,
        rows,
        b: b_rows,
        place,
        n: b.cols(),
        add,
        tile: &mut [],
        far: bytes(rows, a_stride) > Caches::of_this_machine().l3 / 2,
    };
    if narrow.takes_tiles(add || b.rows() > KB) {
        return isa.dispatch(narrow);
    }
    let mut tile = [[0.0; N]; 2 * LINE];
    narrow.tile = &mut tile;
    isa.dispatch(narrow)
}

/// Where C lies.
struct Place<'a> {
    /// Rows, `c_stride` apart,
    c: &'a mut [f32],
    c_stride: usize,
    /// or columns.
    is_turned: bool,
}

/// C = A B, or C += A B, by tiles of N columns.
struct Narrow<'a, const N: usize> {
    /// Rows of A, `a_stride` apart, and how many.
    a: &'a [f32],
    a_stride: usize,
    rows: usize,
    /// Rows of B, and whatever makes them as wide as a tile.
    b: &'a [[f32; N]],
    place: Place<'a>,
    /// How many columns C has.
    n: usize,
    add: bool,
    /// Room for the rows of a tile that cannot be put into C as they are.
    tile: &'a mut [[f32; N]],
    /// Whether A is asked for before it is read.
    far: bool,
}

/// All rows of A from each fourth one of a tile on: what lies at one index in each is a fourth row of any tile, by
/// quarters of its vectors.
type Fourths<'a, const V: usize> = [[&'a [f32]; LINE / FOUR]; V];

impl<const N: usize> WithSimd for Narrow<'_, N> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        // Vectors of rows: at most 20 accumulators of 32 registers, or 6 of 16, which have no room for the wider form.
        match S::F32_LANES {
            16 | 4 => self.run::<S, 2>(simd),
            8 if const { N <= SLIM } => self.run::<S, 1>(simd),
            _ => false,
        }
    }
}

#[expect(
    clippy::needless_range_loop,
    reason = "counted loops are unrolled, which leaves arrays of vectors in registers"
)]
impl<const N: usize> Narrow<'_, N> {
    /// Whether a tile can be put into C at once, its sums added or not.
    #[inline(always)]
    fn takes_tiles(&self, add: bool) -> bool {
        self.place.is_turned || self.n == N && !add
    }

    #[inline(always)]
    fn run<S: Simd, const V: usize>(mut self, simd: S) -> bool {
        let (tile, rows) = (V * S::F32_LANES, self.rows);
        if rows < tile {
            return false;
        }
        // One length for all, so that what is within one is within each.
        let len = self.a.len() - (tile - FOUR) * self.a_stride;
        let mut fourths: Fourths<'_, V> = [[&[]; LINE / FOUR]; V];
        for v in 0..V {
            for l in 0..S::F32_LANES / FOUR {
                let first = v * S::F32_LANES + l * FOUR;
                fourths[v][l] = &self.a[first * self.a_stride..][..len];
            }
        }
        for pc in (0..self.b.len()).step_by(KB) {
            let steps = pc..self.b.len().min(pc + KB);
            // The last tile may begin with rows that are done.
            let begin = |first: usize| first.min(rows - tile);
            let mut x = [[simd.splat_f32s(0.0); FOUR]; V];
            if steps.len() >= FOUR {
                for v in 0..V {
                    x[v] = turned(simd, |l, q| {
                        &fourths[v][l][pc + q * self.a_stride..][..FOUR]
                    });
                }
            }
            for first in (0..rows).step_by(tile) {
                let (i, next) = (begin(first), begin(first + tile));
                let rows = (i, first - i, next);
                self.tile::<S, V>(simd, &fourths, rows, steps.clone(), &mut x);
            }
        }
        true
    }

    /// Rows of C from `i` on, of which the first `done` are there already; these steps of the reduction. `x` has the first
    /// four of them, and then those of the tile from row `next` on.
    #[inline(always)]
    fn tile<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        fourths: &Fourths<'_, V>,
        (i, done, next): (usize, usize, usize),
        steps: Range<usize>,
        x: &mut [[S::f32s; FOUR]; V],
    ) {
        let (pc, stride) = (steps.start, self.a_stride);
        let b = &self.b[steps];
        let (b, b_left) = b.as_chunks::<FOUR>();
        let mut acc = [[simd.splat_f32s(0.0); N]; V];
        let at = i * stride + pc;
        let below = if self.far {
            self.a.get(at + V * S::F32_LANES * stride..)
        } else {
            None
        };
        let from = (fourths, [at, next * stride + pc], stride);
        fours(simd, from, b, below.unwrap_or(&[]), x, &mut acc);
        for (p, b_left) in b_left.iter().enumerate() {
            let lines = column(&self.a[at + b.len() * FOUR + p..], stride, S::F32_LANES);
            let mut x = [simd.splat_f32s(0.0); V];
            for v in 0..V {
                x[v] = S::as_simd_f32s(&lines[v]).0[0];
            }
            step(simd, x, b_left, &mut acc);
        }
        let add = self.add || pc > 0;
        let (tile, n) = (V * S::F32_LANES, self.n);
        let Place {
            c,
            c_stride,
            is_turned,
        } = &mut self.place;
        let (c, c_stride) = (&mut **c, *c_stride);
        if *is_turned {
            let mut columns = [[0.0; 2 * LINE]; N];
            for v in 0..V {
                for j in 0..N {
                    S::as_mut_simd_f32s(&mut columns[j][v * S::F32_LANES..]).0[0] = acc[v][j];
                }
            }
            return place_columns(&columns[..n], done..tile, (&mut c[i..], c_stride), add);
        }
        let c = &mut c[i * c_stride..];
        // (Rows that are done are then written once more.)
        let in_place = n == N && !add;
        let (rows, row_stride) = if in_place {
            (&mut *c, c_stride)
        } else {
            (self.tile.as_flattened_mut(), N)
        };
        // Added to zero, no zero stays negative; where C is added to, that is for C to say.
        let zero = simd.splat_f32s(if add { -0.0 } else { 0.0 });
        if row_stride == N {
            // Known to the compiler, it costs nothing.
            store(simd, zero, &acc, &mut rows[..tile * N], N);
        } else {
            store(simd, zero, &acc, rows, row_stride);
        }
        if !in_place {
            place_rows(&self.tile[done..tile], done, c, (c_stride, n), add);
        }
    }
}

/// The first number of each of the tile's rows of A, `lanes` to a line.
#[inline(never)]
fn column(a: &[f32], stride: usize, lanes: usize) -> [[f32; LINE]; 2] {
    let mut lines = [[0.0; LINE]; 2];
    for (i, a) in a.iter().step_by(stride).take(2 * lanes).enumerate() {
        lines[i / lanes][i % lanes] = *a;
    }
    lines
}

/// acc += A B for these fours of steps, of rows that are a stride apart from `at` on.
#[inline(always)]
fn fours<S: Simd, const N: usize, const V: usize>(
    simd: S,
    (fourths, [mut at, after], stride): (&Fourths<'_, V>, [usize; 2], usize),
    b: &[[[f32; N]; FOUR]],
    mut below: &[f32],
    first: &mut [[S::f32s; FOUR]; V],
    acc: &mut [[S::f32s; N]; V],
) {
    let mut sum = *acc;
    let mut x = *first;
    let last = at + b.len() * FOUR;
    let (mut next, mut asked) = (below, 0);
    for b4 in b {
        // As many lines as these rows take, of the rows that come next.
        if let Some((lines, rest)) = next.split_at_checked(V * S::F32_LANES * FOUR) {
            for line in lines.as_chunks::<LINE>().0 {
                prefetch(line);
            }
            (next, asked) = (rest, asked + lines.len());
            if asked >= b.len() * FOUR {
                below = below.get(stride..).unwrap_or(&[]);
                (next, asked) = (below, 0);
            }
        }
        // Not to be foreseen: the compiler would keep an address for each row, and spend as long on those as on their use.
        at += FOUR;
        at = black_box(if at == last { after } else { at });
        // Four calls, no loop, which would have the sums in memory.
        let (from, mut coming) = ((fourths, at, stride), x);
        step_and_turn(simd, 0, &x, b4, from, &mut sum, &mut coming);
        step_and_turn(simd, 1, &x, b4, from, &mut sum, &mut coming);
        step_and_turn(simd, 2, &x, b4, from, &mut sum, &mut coming);
        step_and_turn(simd, 3, &x, b4, from, &mut sum, &mut coming);
        x = coming;
    }
    (*acc, *first) = (sum, x);
}

/// Step s of the four in `x`, and then the rows of those that come next that are fourth rows from the s-th: in one lump
/// they would keep the multiply-adds waiting.
#[inline(always)]
fn step_and_turn<S: Simd, const N: usize, const V: usize>(
    simd: S,
    s: usize,
    x: &[[S::f32s; FOUR]; V],
    b4: &[[f32; N]; FOUR],
    (fourths, at, stride): (&Fourths<'_, V>, usize, usize),
    sum: &mut [[S::f32s; N]; V],
    coming: &mut [[S::f32s; FOUR]; V],
) {
    step(simd, core::array::from_fn(|v| x[v][s]), &b4[s], sum);
    for v in 0..V {
        coming[v][s] = quarters(simd, |l| &fourths[v][l][at + s * stride..][..FOUR]);
        if s == 3 {
            coming[v] = simd.deinterleave_shfl_f32s(coming[v]);
        }
    }
}

/// acc\[v\]\[j\] += a\[v\] b\[j\], fused.
#[inline(always)]
fn step<S: Simd, const N: usize, const V: usize>(
    simd: S,
    a: [S::f32s; V],
    b: &[f32; N],
    acc: &mut [[S::f32s; N]; V],
) {
    for j in 0..N {
        let y = simd.splat_f32s(b[j]);
        for v in 0..V {
            acc[v][j] = simd.mul_add_f32s(a[v], y, acc[v][j]);
        }
    }
}
