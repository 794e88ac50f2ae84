//! C = A B with the rows of B read where they lie, 16 NP columns of each at a time: for a small B, and for the
//! first rows of any product, which pack B as they go.

use pulp::{Simd, WithSimd};

use super::blocking::KB;
use super::few_rows::FewRows;
use super::macrokernel::{groups, tiles};
use super::microkernel;
use crate::isa::apart;
use crate::tensor::LINE;

/// C = A B, or C += A B, for columns that fill whole lines.
#[derive(Debug)]
pub(super) struct InPlace<'a> {
    /// Rows of A, `a_stride` apart, and how many.
    pub(super) a: &'a [f32],
    pub(super) a_stride: usize,
    pub(super) rows: usize,
    /// Rows of B, `b_stride` apart: as many as there are steps.
    pub(super) b: &'a [f32],
    pub(super) b_stride: usize,
    pub(super) steps: usize,
    /// Rows of C, `c_stride` apart, and how many lines in each.
    pub(super) c: &'a mut [f32],
    pub(super) c_stride: usize,
    pub(super) panels: usize,
    pub(super) add: bool,
    /// Room for B in panels, to be written; or nothing.
    pub(super) packed: &'a mut [[f32; LINE]],
}

impl WithSimd for InPlace<'_> {
    /// How many rows are done: all, or, where B is packed, one tile of them if there are as many; else none.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        // As in `macrokernel`.
        match S::F32_LANES {
            // Four panels rather than two twos: as many sums in fewer rows, which read B once, not twice.
            16 if self.panels == 4 && self.packed.is_empty() => self.run::<S, 1, 6, 4>(simd),
            16 => self.run::<S, 1, 8, 3>(simd),
            8 => self.run::<S, 2, 6, 1>(simd),
            4 => self.run::<S, 4, 6, 1>(simd),
            _ => self.run::<S, 16, 1, 1>(simd),
        }
    }
}

impl InPlace<'_> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const MR: usize, const NP: usize>(mut self, simd: S) -> usize {
        if !self.packed.is_empty() {
            if self.rows < MR {
                return 0;
            }
            for pc in (0..self.steps).step_by(KB) {
                self.strip::<S, PV, MR, NP, true>(simd, 0, pc);
            }
            return MR;
        }
        for (i, size) in tiles(self.rows, MR) {
            if size == 1 {
                let left = FewRows {
                    a: &self.a[i * self.a_stride..],
                    a_stride: self.a_stride,
                    rows: self.rows - i,
                    steps: self.steps,
                    b: self.b,
                    b_stride: self.b_stride,
                    c: &mut self.c[i * self.c_stride..],
                    c_stride: self.c_stride,
                    n: self.panels * LINE,
                    add: self.add,
                };
                apart(simd, left);
                break;
            }
            for pc in (0..self.steps).step_by(KB) {
                if size == MR {
                    self.strip::<S, PV, MR, NP, false>(simd, i, pc);
                } else if const { MR > 4 } && size == 4 {
                    self.strip::<S, PV, 4, NP, false>(simd, i, pc);
                }
            }
        }
        self.rows
    }

    /// Rows `i..i + MR` of C, the block of steps from `pc` on.
    #[inline(always)]
    fn strip<S: Simd, const PV: usize, const MR: usize, const NP: usize, const PACK: bool>(
        &mut self,
        simd: S,
        i: usize,
        pc: usize,
    ) {
        for (j, size) in groups(self.panels, NP) {
            if size == NP {
                self.tile::<S, PV, MR, NP, PACK>(simd, i, j, pc);
            } else if const { NP > 2 } && size == 2 {
                self.tile::<S, PV, MR, 2, PACK>(simd, i, j, pc);
            } else if const { NP > 1 } {
                self.tile::<S, PV, MR, 1, PACK>(simd, i, j, pc);
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const MR: usize, const NP: usize, const PACK: bool>(
        &mut self,
        simd: S,
        i: usize,
        j: usize,
        pc: usize,
    ) {
        let k = self.steps;
        let len = KB.min(k - pc);
        let rows = microkernel::strided(&self.a[i * self.a_stride + pc..], self.a_stride, len);
        let mut packed: [&mut [[f32; LINE]]; NP] = core::array::from_fn(|_| &mut [][..]);
        if PACK {
            let panels = self.packed[j * k..].chunks_exact_mut(k);
            for (packed, panel) in packed.iter_mut().zip(panels) {
                *packed = &mut panel[pc..pc + len];
            }
        }
        let b = &self.b[pc * self.b_stride + j * LINE..];
        let mut acc = microkernel::zeros::<S, MR, NP, PV>(simd);
        microkernel::rows_in_place::<S, MR, NP, PV, PACK>(
            simd,
            rows,
            (b, self.b_stride),
            packed,
            &mut acc,
        );
        let c = &mut self.c[i * self.c_stride + j * LINE..];
        microkernel::store_tile(simd, &acc, c, self.c_stride, self.add || pc > 0);
    }
}
