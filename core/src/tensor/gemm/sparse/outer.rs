//! C = A^T B for one row of A: an outer product, added line by line where the sums lie.

use pulp::Simd;

use super::SparseColumnsByPanels;
use crate::tensor::LINE;
use crate::tensor::gemm::macrokernel::{Sink, Sums};
use crate::tensor::gemm::microkernel;
use crate::tensor::sparse::{Numbers, SparseRows, UNITS};

/// A row of A, and the line of each panel of B.
pub(super) type LoneRow<'a, const U: usize> = (&'a SparseRows<U>, &'a [[f32; LINE]]);

impl<'a, K: Sink, const U: usize> SparseColumnsByPanels<'a, K, U> {
    /// The row of A, if it is but one, whose product is added to what the sink has without a factor of its own.
    pub(super) fn lone_row(&mut self) -> Option<LoneRow<'a, U>> {
        let mut filled = self.a.iter().filter(|a| a.rows() > 0);
        let (Some(a), None) = (filled.next(), filled.next()) else {
            return None;
        };
        let is_plain = self.sink.in_place().is_some_and(|sums| sums.scale == 1.0);
        let piece = self.pieces.iter().find(|piece| piece.len > 0)?;
        (a.rows() == 1 && is_plain).then_some((*a, piece.lines))
    }

    /// The product of that row, exactly the panels that there are.
    #[inline(always)]
    pub(super) fn lone<S: Simd, const PV: usize, const NP: usize, N: Numbers>(
        &mut self,
        simd: S,
        numbers: N,
        row: LoneRow<'_, U>,
    ) {
        for j in (0..self.panels).step_by(NP) {
            let Some(sums) = self.sink.in_place() else {
                return;
            };
            let left = self.panels - j;
            if const { NP > 1 } && left == 1 {
                Self::outer_product::<S, PV, 1, N>(simd, numbers, row, j, sums);
            } else if const { NP > 2 } && left == 2 {
                Self::outer_product::<S, PV, 2, N>(simd, numbers, row, j, sums);
            } else if const { NP > 3 } && left == 3 {
                Self::outer_product::<S, PV, 3, N>(simd, numbers, row, j, sums);
            } else {
                Self::outer_product::<S, PV, NP, N>(simd, numbers, row, j, sums);
            }
        }
    }

    /// One row of A by NP panels from j on of one row of B, times 1, added to what the sink has.
    #[inline(always)]
    fn outer_product<S: Simd, const PV: usize, const NP: usize, N: Numbers>(
        simd: S,
        numbers: N,
        (a, lines): LoneRow<'_, U>,
        j: usize,
        sums: Sums<'_>,
    ) {
        let Sums {
            lines: c,
            rows,
            factor,
            ..
        } = sums;
        if rows.is_empty() {
            return;
        }
        let (one, factor) = (simd.splat_f32s(1.0), simd.splat_f32s(factor));
        let b: [[S::f32s; PV]; NP] =
            std::array::from_fn(|q| microkernel::line::<S, PV>(&lines[j + q]));
        let widen = |x: N::Kept| simd.splat_f32s(numbers.widen(x));
        let add = |x: S::f32s, b: &[S::f32s; PV], line: &mut [f32; LINE]| {
            let products: [_; PV] = std::array::from_fn(|v| simd.mul_f32s(x, b[v]));
            microkernel::add(simd, products, line, one, factor);
        };
        let mut panels = c[j * rows.len()..].chunks_exact_mut(rows.len());
        // Whole units, and the column that the last unit has not got.
        let mut panels: [_; NP] = std::array::from_fn(|_| {
            let panel = panels.next().unwrap_or_default();
            panel.as_chunks_mut::<U>()
        });
        let units = rows.start / U..rows.end / U;
        for strip in units.start / UNITS..rows.end.div_ceil(U * UNITS) {
            let first = units.start.max(strip * UNITS);
            let len = units.end.min((strip + 1) * UNITS) - first;
            let mut whole = panels.iter_mut();
            let mut here: [_; NP] = std::array::from_fn(|_| {
                let whole = whole.next().map(|(whole, _)| &mut whole[..]);
                &mut whole.unwrap_or_default()[first - units.start..][..len]
            });
            let x = &a.strip_row(numbers, 0, strip)[first % UNITS..];
            let mut bits = a.found_in(strip) >> (first % UNITS);
            while bits != 0 {
                let at = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if at >= len {
                    if first + at == units.end {
                        let x = x[at].map(widen);
                        for ((_, rest), b) in panels.iter_mut().zip(&b) {
                            for (x, line) in x.into_iter().zip(rest.iter_mut()) {
                                add(x, b, line);
                            }
                        }
                    }
                    break;
                }
                let x = x[at].map(widen);
                for (here, b) in here.iter_mut().zip(&b) {
                    for (x, line) in x.into_iter().zip(&mut here[at]) {
                        add(x, b, line);
                    }
                }
            }
        }
    }
}
