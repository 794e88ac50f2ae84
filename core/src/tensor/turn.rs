//! Panels of columns, turned into panels of rows.

use pulp::{Simd, WithSimd};

use super::matrix::LINE;

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

/// Writes panels of 16 columns as panels of 16 rows.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Panel after panel, a line for each row.
    pub by_columns: &'a [[f32; LINE]],
    /// Panel after panel, a line for each column. What it has past the last row is not written.
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
                let block = &part[first..self.rows.min(first + LINE)];
                match block.first_chunk() {
                    Some(block) if const { S::F32_LANES > 1 } => turn(simd, block, lines),
                    _ => turn_slowly(block, lines),
                }
            }
        }
    }
}

/// A whole block, or fewer columns of it.
#[inline(always)]
fn turn<S: Simd>(simd: S, block: &[[f32; LINE]; LINE], lines: &mut [[f32; LINE]]) {
    for (g, lines) in lines.chunks_mut(FOUR).enumerate() {
        for first in (0..LINE).step_by(S::F32_LANES) {
            let x = turned(simd, |l, q| {
                &block[first + l * FOUR + q].as_chunks::<FOUR>().0[g][..]
            });
            for (line, x) in lines.iter_mut().zip(x) {
                S::as_mut_simd_f32s(&mut line[first..]).0[0] = x;
            }
        }
    }
}

/// Fewer rows, number by number.
fn turn_slowly(block: &[[f32; LINE]], lines: &mut [[f32; LINE]]) {
    for (column, line) in lines.iter_mut().enumerate() {
        for (x, row) in line.iter_mut().zip(block) {
            *x = row[column];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Turn;
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
                        let want = if r < rows { number(r, c) } else { -2.0 };
                        assert_eq!(by_rows[r / LINE * columns + c][r % LINE], want, "{r} {c}");
                    }
                }
            }
        }
    }
}
