//! Rows turned into columns: of panels, and of any matrix.

use pulp::{Simd, WithSimd};

use super::matrix::{LINE, padded};
use crate::isa::apart;

/// Numbers of a row that are moved together.
pub(super) const FOUR: usize = 4;

/// Four columns of as many rows as there are lanes, a vector for each column: `four` tells those of row `l * 4 + q`.
///
/// Quarters of a vector are put together as they are loaded, which leaves a transposition of four by four within each.
#[expect(
    clippy::needless_range_loop,
    reason = "counted loops are unrolled, which leaves arrays of vectors in registers"
)]
#[inline(always)]
pub(super) fn turned<'a, S: Simd>(
    simd: S,
    four: impl Fn(usize, usize) -> &'a [f32],
) -> [S::f32s; FOUR] {
    let mut x = [simd.splat_f32s(0.0); FOUR];
    for q in 0..FOUR {
        x[q] = quarters(simd, |l| four(l, q));
    }
    simd.deinterleave_shfl_f32s(x)
}

/// A vector of its quarters.
#[expect(
    clippy::needless_range_loop,
    reason = "counted loops are unrolled, which leaves arrays of vectors in registers"
)]
#[inline(always)]
pub(super) fn quarters<'a, S: Simd>(_: S, quarter: impl Fn(usize) -> &'a [f32]) -> S::f32s {
    let mut line = [[0.0; FOUR]; LINE / FOUR];
    for l in 0..S::F32_LANES / FOUR {
        line[l].copy_from_slice(quarter(l));
    }
    S::as_simd_f32s(line.as_flattened()).0[0]
}

/// Columns that are written at a time: few enough for the pages in which all of them lie.
const TOGETHER: usize = 64;

/// Writes the columns of a matrix as rows.
#[derive(Debug)]
pub(super) struct Transpose<'a> {
    /// Rows of numbers, `from_stride` apart.
    pub(super) from: &'a [f32],
    pub(super) from_stride: usize,
    /// How many rows there are,
    pub(super) rows: usize,
    /// and columns.
    pub(super) columns: usize,
    /// A row for each column, `to_stride` apart: whole lines, zero past the last number.
    pub(super) to: &'a mut [f32],
    pub(super) to_stride: usize,
}

impl WithSimd for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (rows, columns) = (self.rows, self.columns);
        if const { S::F32_LANES == 1 } || columns < FOUR {
            return self.slowly();
        }
        for begin in (0..columns).step_by(TOGETHER) {
            let end = columns.min(begin + TOGETHER);
            for first in (0..rows).step_by(LINE) {
                for column in (begin..end).step_by(FOUR) {
                    // The last four may begin with columns that are done.
                    let at = (first, column.min(columns - FOUR));
                    if rows - first >= LINE {
                        self.whole(simd, at);
                    } else {
                        self.rest(simd, at);
                    }
                }
            }
        }
    }
}

impl Transpose<'_> {
    /// Four columns of a line of rows.
    #[inline(always)]
    fn whole<S: Simd>(&mut self, simd: S, (first, column): (usize, usize)) {
        let stride = self.from_stride;
        for part in (0..LINE).step_by(S::F32_LANES) {
            let from = &self.from[(first + part) * stride + column..];
            // Each fourth row, of one length: what is within one is within each.
            let len = from.len() - (S::F32_LANES - FOUR) * stride;
            let mut fourths = [&[][..]; LINE / FOUR];
            for l in 0..S::F32_LANES / FOUR {
                fourths[l] = &from[l * FOUR * stride..][..len];
            }
            let x = turned(simd, |l, q| &fourths[l][q * stride..][..FOUR]);
            self.put::<S>(x, (first + part, column));
        }
    }

    /// Of the rows that are left.
    #[inline(always)]
    fn rest<S: Simd>(&mut self, simd: S, (first, column): (usize, usize)) {
        let mut left = [[0.0; FOUR]; LINE];
        for (r, four) in (first..self.rows).zip(&mut left) {
            four.copy_from_slice(&self.from[r * self.from_stride + column..][..FOUR]);
        }
        for part in (0..LINE).step_by(S::F32_LANES) {
            let x = turned(simd, |l, q| &left[part + l * FOUR + q][..]);
            self.put::<S>(x, (first + part, column));
        }
    }

    #[inline(always)]
    fn put<S: Simd>(&mut self, x: [S::f32s; FOUR], (r, column): (usize, usize)) {
        for (q, x) in x.into_iter().enumerate() {
            let to = &mut self.to[(column + q) * self.to_stride + r..][..S::F32_LANES];
            S::as_mut_simd_f32s(to).0[0] = x;
        }
    }

    /// Number by number.
    fn slowly(&mut self) {
        for column in 0..self.columns {
            let to = &mut self.to[column * self.to_stride..][..padded(self.rows)];
            let (numbers, padding) = to.split_at_mut(self.rows);
            let from = self.from[column..].iter().step_by(self.from_stride);
            for (to, from) in numbers.iter_mut().zip(from) {
                *to = *from;
            }
            padding.fill(0.0);
        }
    }
}

/// Writes panels of 16 columns as panels of 16 rows.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Panel after panel, a line for each row.
    pub by_columns: &'a [[f32; LINE]],
    /// Panel after panel, a line for each column; zero past the last row.
    pub by_rows: &'a mut [[f32; LINE]],
    /// How many rows there are,
    pub rows: usize,
    /// and columns.
    pub columns: usize,
}

impl WithSimd for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let firsts = (0..self.rows).step_by(LINE);
        for (first, panel) in firsts.zip(self.by_rows.chunks_exact_mut(self.columns)) {
            let parts = self.by_columns.chunks_exact(self.rows);
            for (part, lines) in parts.zip(panel.chunks_mut(LINE)) {
                let block = Transpose {
                    from: part[first..].as_flattened(),
                    from_stride: LINE,
                    rows: LINE.min(self.rows - first),
                    columns: lines.len(),
                    to: lines.as_flattened_mut(),
                    to_stride: LINE,
                };
                apart(simd, block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Transpose, Turn};
    use crate::isa::Isa;
    use crate::tensor::matrix::LINE;

    #[test]
    fn every_number_finds_its_place() {
        for isa in Isa::available() {
            for [rows, columns] in [[1_usize, 1_usize], [16, 16], [32, 10], [37, 50], [5, 64]] {
                let number = |r: usize, c: usize| (r * 1000 + c) as f32;
                let mut by_columns = vec![[-1.0; LINE]; rows * columns.div_ceil(LINE)];
                for c in 0..columns {
                    for r in 0..rows {
                        by_columns[c / LINE * rows + r][c % LINE] = number(r, c);
                    }
                }
                let mut by_rows = vec![[-2.0; LINE]; columns * rows.div_ceil(LINE)];
                isa.dispatch(Turn {
                    by_columns: &by_columns,
                    by_rows: &mut by_rows,
                    rows,
                    columns,
                });
                for r in 0..rows.next_multiple_of(LINE) {
                    for c in 0..columns {
                        let want = if r < rows { number(r, c) } else { 0.0 };
                        assert_eq!(by_rows[r / LINE * columns + c][r % LINE], want, "{r} {c}");
                    }
                }
            }
        }
    }

    #[test]
    fn columns_become_rows() {
        for isa in Isa::available() {
            for [rows, columns] in [
                [1_usize, 1_usize],
                [1, 4],
                [15, 3],
                [16, 5],
                [37, 130],
                [50, 7],
            ] {
                let stride = columns + 3;
                let number = |r: usize, c: usize| (r * 1000 + c + 1) as f32;
                // It ends with the last number.
                let mut from = vec![f32::NAN; (rows - 1) * stride + columns];
                for r in 0..rows {
                    for c in 0..columns {
                        from[r * stride + c] = number(r, c);
                    }
                }
                let whole = rows.next_multiple_of(LINE);
                let to_stride = whole + 1;
                let mut to = vec![-1.0; (columns - 1) * to_stride + whole];
                isa.dispatch(Transpose {
                    from: &from,
                    from_stride: stride,
                    rows,
                    columns,
                    to: &mut to,
                    to_stride,
                });
                for (at, x) in to.iter().enumerate() {
                    let want = match (at % to_stride, at / to_stride) {
                        (r, c) if r < rows => number(r, c),
                        (r, _) if r < whole => 0.0,
                        _ => -1.0,
                    };
                    assert_eq!(*x, want, "{} {rows} x {columns}, at {at}", isa.name());
                }
            }
        }
    }
}
