//! C = A B for a few rows of A, or a few columns of B, with the rows of B read where they lie, some lines of each at a time.
//! B passes by once or twice, and how fast is most of what counts: so a lone row has a loop of its own where B is large and
//! without gaps (`contiguous`), and what comes from afar is read row by row (`long`).
//!
//! A line may end in what is past the columns: whatever lies there is multiplied, and forgotten. And a tile may have its
//! last row of A more than once.

mod contiguous;
mod long;

use pulp::{Simd, WithSimd};

use self::contiguous::Contiguous;
use self::long::Long;
use super::blocking::{KB, collides, fits_l2, passes_by, stays_near};
use super::microkernel::{keep, line, put, step, zeros};
use crate::isa::apart;
use crate::tensor::LINE;

/// C = A B, or C += A B.
#[derive(Debug)]
pub(super) struct FewRows<'a> {
    /// Rows of A, `a_stride` apart, and how many, and of how many numbers.
    pub(super) a: &'a [f32],
    pub(super) a_stride: usize,
    pub(super) rows: usize,
    pub(super) steps: usize,
    /// Rows of B, `b_stride` apart: as many as there are steps.
    pub(super) b: &'a [f32],
    pub(super) b_stride: usize,
    /// Rows of C, `c_stride` apart, and how many columns.
    pub(super) c: &'a mut [f32],
    pub(super) c_stride: usize,
    pub(super) n: usize,
    pub(super) add: bool,
}

impl WithSimd for FewRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // Tiles of few rows read little of each row of B: with the longest vectors enough, but of three rows and four where
        // what a page has beside it is gone before the next tile reads it.
        let is_far = self.n >= 8 * LINE && !fits_l2(self.steps, self.b_stride);
        let least = match S::F32_LANES {
            16 if !collides(self.b_stride) => usize::MAX,
            16 => 3,
            _ => 1,
        };
        if const { S::F32_LANES >= 8 } && is_far && (least..=4).contains(&self.rows) {
            self = self.long(simd);
        }
        // How many rows are many, and lines for those, 4, 2 and 1: as many chains of multiply-adds as there are registers
        // for. The longer a piece of each row of B, the sooner is the next foreseen.
        match S::F32_LANES {
            16 => self.run::<S, 1, 8, 2, 4, 8, 16>(simd),
            8 => self.run::<S, 2, 6, 1, 1, 2, 4>(simd),
            4 => self.run::<S, 4, 6, 1, 1, 2, 4>(simd),
            _ => self.run::<S, 16, 1, 0, 0, 0, 1>(simd),
        }
    }
}

impl FewRows<'_> {
    /// Does all columns that fill lines; gives the others.
    #[inline(always)]
    fn long<S: Simd>(self, simd: S) -> Self {
        let whole = self.n / LINE * LINE;
        let long = FewRows {
            n: whole,
            c: &mut *self.c,
            ..self
        };
        match S::F32_LANES {
            16 => apart(simd, Long::<'_, 1, 4, 4>(long)),
            8 if long.rows == 1 => apart(simd, Long::<'_, 2, 1, 4>(long)),
            8 => apart(simd, Long::<'_, 2, 4, 2>(long)),
            _ => {}
        }
        Self {
            b: &self.b[whole..],
            c: &mut self.c[whole..],
            n: self.n - whole,
            ..self
        }
    }

    #[inline(always)]
    fn run<
        S: Simd,
        const PV: usize,
        const MANY: usize,
        const OF_MANY: usize,
        const OF_4: usize,
        const OF_2: usize,
        const OF_1: usize,
    >(
        mut self,
        simd: S,
    ) {
        // What is left of many rows wastes less as 4 and 1 or 2, if a second pass over B is cheap.
        let again = self.rows > 4 && self.n > LINE && stays_near(self.steps, self.b_stride);
        let few = if again {
            MANY.saturating_sub(2).max(4)
        } else {
            4
        };
        let mut i = 0;
        while i < self.rows {
            let left = self.rows - i;
            i += if const { OF_MANY > 0 } && left > few {
                self.strip::<S, PV, MANY, OF_MANY>(simd, i)
            } else if const { OF_4 > 0 } && left > 2 {
                self.strip::<S, PV, 4, OF_4>(simd, i)
            } else if const { OF_2 > 0 } && left > 1 {
                self.strip::<S, PV, 2, OF_2>(simd, i)
            } else {
                self.strip::<S, PV, 1, OF_1>(simd, i)
            };
        }
    }

    /// MR rows of C from `i` on, or as many as there are; gives MR.
    #[inline(always)]
    fn strip<S: Simd, const PV: usize, const MR: usize, const MOST: usize>(
        &mut self,
        simd: S,
        i: usize,
    ) -> usize {
        let mut j = 0;
        while j < self.n {
            let left = self.n - j;
            // At least half of what is read is of use, but for a rest.
            j += if const { MOST >= 16 } && left > 8 * LINE {
                self.tile::<S, PV, MR, 16>(simd, i, j)
            } else if const { MOST >= 8 } && left > 4 * LINE {
                self.tile::<S, PV, MR, 8>(simd, i, j)
            } else if const { MOST >= 4 } && left > 2 * LINE {
                self.tile::<S, PV, MR, 4>(simd, i, j)
            } else if const { MOST >= 2 } && left > LINE {
                self.tile::<S, PV, MR, 2>(simd, i, j)
            } else {
                self.tile::<S, PV, MR, 1>(simd, i, j)
            };
        }
        MR
    }

    /// NP lines of these rows from column `j` on; gives how many columns that are.
    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const MR: usize, const NP: usize>(
        &mut self,
        simd: S,
        i: usize,
        j: usize,
    ) -> usize {
        let by_lines = const { MR == 1 && NP >= 8 }
            && self.n == NP * LINE
            && self.b_stride == self.n
            && passes_by(self.steps, self.n);
        for pc in (0..self.steps).step_by(KB) {
            let block = FewRows {
                a: &self.a[i * self.a_stride + pc..],
                rows: MR.min(self.rows - i),
                steps: KB.min(self.steps - pc),
                b: &self.b[pc * self.b_stride + j..],
                c: &mut self.c[i * self.c_stride + j..],
                n: (NP * LINE).min(self.n - j),
                add: self.add || pc > 0,
                ..*self
            };
            // A function of its own, which has registers for all that says where a row of B begins: that must not wait
            // behind the loads of rows before.
            if by_lines {
                let FewRows {
                    a,
                    steps,
                    b,
                    c,
                    n,
                    add,
                    ..
                } = block;
                let (a, c) = (&a[..steps], &mut c[..n]);
                apart(simd, Contiguous::<'_, PV, NP> { a, b, c, add });
            } else {
                apart(simd, Tile::<'_, PV, MR, NP>(block));
            }
        }
        NP * LINE
    }
}

/// At most MR rows by NP lines, and a block of steps.
struct Tile<'a, const PV: usize, const MR: usize, const NP: usize>(FewRows<'a>);

impl<const PV: usize, const MR: usize, const NP: usize> WithSimd for Tile<'_, PV, MR, NP> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let FewRows {
            a,
            a_stride,
            rows,
            steps,
            b,
            b_stride,
            c,
            c_stride,
            n,
            add,
        } = self.0;
        let whole = (b.len() + b_stride).saturating_sub(NP * LINE) / b_stride;
        let whole = whole.min(steps);
        // One length for all: told here, so that no index is checked below.
        let (mut from, mut rest): ([&[f32]; MR], [&[f32]; MR]) = ([&[]; MR], [&[]; MR]);
        for r in 0..MR {
            (from[r], rest[r]) = a[r.min(rows - 1) * a_stride..][..steps].split_at(whole);
        }
        let mut sum = zeros::<S, MR, NP, PV>(simd);
        for p in 0..whole {
            let row = &b[p * b_stride..][..NP * LINE];
            step(
                simd,
                numbers(&from, p),
                vectors::<S, NP, PV>(simd, row.as_chunks().0),
                &mut sum,
            );
        }
        // B may end with the last row, or soon after the last ones.
        for p in 0..steps - whole {
            let mut lines = [[0.0; LINE]; NP];
            lines.as_flattened_mut()[..n].copy_from_slice(&b[(whole + p) * b_stride..][..n]);
            step(
                simd,
                numbers(&rest, p),
                vectors::<S, NP, PV>(simd, &lines),
                &mut sum,
            );
        }
        let mut lines = [[[0.0; LINE]; NP]; MR];
        for r in 0..MR {
            for q in 0..NP {
                keep::<S, PV>(simd, sum[r][q], &mut lines[r][q]);
            }
        }
        for (r, lines) in lines.iter().enumerate().take(rows) {
            put(lines.as_flattened(), &mut c[r * c_stride..][..n], add);
        }
    }
}

/// Number p of each row.
#[inline(always)]
fn numbers<const MR: usize>(rows: &[&[f32]; MR], p: usize) -> [f32; MR] {
    let mut x = [0.0; MR];
    for r in 0..MR {
        x[r] = rows[r][p];
    }
    x
}

/// The vectors of each line.
#[inline(always)]
fn vectors<S: Simd, const NP: usize, const PV: usize>(
    simd: S,
    lines: &[[f32; LINE]],
) -> [[S::f32s; PV]; NP] {
    let mut b = [[simd.splat_f32s(0.0); PV]; NP];
    for q in 0..NP {
        b[q] = line::<S, PV>(&lines[q]);
    }
    b
}
