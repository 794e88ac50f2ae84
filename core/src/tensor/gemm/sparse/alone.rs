//! C = A B for one row of A: two blocks of the reduction side by side, for the sums of one would wait for themselves.

use pulp::Simd;

use super::super::blocking::KB;
use super::super::microkernel;
use super::{SparseRowsByPanels, ones};
use crate::tensor::LINE;
use crate::tensor::gemm::Segment;
use crate::tensor::sparse::{Numbers, SparseRows, UNITS};

/// What is left of a block of the reduction.
struct Block<'a, const U: usize, K> {
    /// Units of the strip under way: where it begins, which are left, and their numbers.
    first: usize,
    bits: u64,
    x: &'a [[K; U]; UNITS],
    /// The strips after that.
    next: usize,
    end: usize,
}

/// Lines of a panel of B, unit by unit, and the line that the last unit has not got a second for.
type Panel<'a, const U: usize> = (&'a [[[f32; LINE]; U]], &'a [[f32; LINE]]);

impl<const U: usize> SparseRowsByPanels<'_, U> {
    /// The product, where A is one row and B in one piece.
    #[inline(always)]
    pub(super) fn alone<S: Simd, const PV: usize, const NP: usize, N: Numbers>(
        &mut self,
        simd: S,
        numbers: N,
        b: &Segment<'_>,
    ) {
        let panels = self.n.div_ceil(LINE);
        for j in (0..panels).step_by(NP) {
            let left = panels - j;
            if const { NP > 1 } && left == 1 {
                self.tile_alone::<S, PV, 1, N>(simd, numbers, b, j);
            } else if const { NP > 2 } && left == 2 {
                self.tile_alone::<S, PV, 2, N>(simd, numbers, b, j);
            } else if const { NP > 3 } && left == 3 {
                self.tile_alone::<S, PV, 3, N>(simd, numbers, b, j);
            } else {
                self.tile_alone::<S, PV, NP, N>(simd, numbers, b, j);
            }
        }
    }

    /// NP panels from j on.
    #[inline(always)]
    fn tile_alone<S: Simd, const PV: usize, const NP: usize, N: Numbers>(
        &mut self,
        simd: S,
        numbers: N,
        b: &Segment<'_>,
        j: usize,
    ) {
        let across = SparseRows::<U>::STRIP;
        let (a, len) = (self.a, b.len);
        let meanwhile = self.meanwhile.filter(|_| j == 0);
        let panels: [Panel<'_, U>; NP] =
            std::array::from_fn(|q| b.lines[(j + q) * len..][..len].as_chunks());
        let c = &mut self.c.as_chunks_mut::<LINE>().0[j..][..NP];
        let whole = len / U;
        for pc in (0..len).step_by(2 * KB) {
            let mut acc = microkernel::zeros::<S, 2, NP, PV>(simd);
            let strips = |columns: usize| len.min(pc + columns).div_ceil(across);
            let mut blocks: [Block<'_, U, N::Kept>; 2] = std::array::from_fn(|i| Block {
                first: 0,
                bits: 0,
                x: a.strip_row(numbers, 0, 0),
                next: strips(i * KB),
                end: strips((i + 1) * KB),
            });
            loop {
                for block in &mut blocks {
                    while block.bits == 0 && block.next < block.end {
                        let strip = block.next;
                        if let Some(meanwhile) = meanwhile {
                            meanwhile.0(0, strip);
                        }
                        block.first = strip * UNITS;
                        block.bits = a.found_in(strip) & ones(whole.saturating_sub(block.first));
                        block.x = a.strip_row(numbers, 0, strip);
                        block.next += 1;
                    }
                }
                let [one, other] = &mut blocks;
                if one.bits == 0 && other.bits == 0 {
                    break;
                }
                while one.bits != 0 && other.bits != 0 {
                    unit(simd, numbers, one, &panels, &mut acc[0]);
                    unit(simd, numbers, other, &panels, &mut acc[1]);
                }
                // The end of the one, or of the other.
                if one.next == one.end && one.bits == 0 {
                    while other.bits != 0 {
                        unit(simd, numbers, other, &panels, &mut acc[1]);
                    }
                }
                if other.next == other.end && other.bits == 0 {
                    while one.bits != 0 {
                        unit(simd, numbers, one, &panels, &mut acc[0]);
                    }
                }
            }
            let last = usize::from(pc + KB < len);
            // The blocks change places, and no index tells the last one: the sums would be kept in memory for that, at every
            // step.
            let [one, other] = acc;
            let (before, mut end) = if last == 0 {
                (other, one)
            } else {
                (one, other)
            };
            if const { U > 1 } && pc + 2 * KB >= len && len % U > 0 && a.is_found(whole) {
                let x = &a.strip_row(numbers, 0, whole / UNITS)[whole % UNITS];
                rest(simd, numbers, x, &panels, &mut end);
            }
            if last > 0 {
                for q in 0..NP {
                    microkernel::store(simd, before[q], &mut c[q], pc > 0);
                }
            }
            for q in 0..NP {
                microkernel::store(simd, end[q], &mut c[q], pc + last > 0);
            }
        }
    }
}

/// The columns of the last unit that there are, where those are not all.
#[inline(always)]
fn rest<S: Simd, const PV: usize, const U: usize, const NP: usize, N: Numbers>(
    simd: S,
    numbers: N,
    x: &[N::Kept; U],
    panels: &[Panel<'_, U>; NP],
    acc: &mut [[S::f32s; PV]; NP],
) {
    for q in 0..NP {
        for (x, line) in x.iter().zip(panels[q].1) {
            add(simd, numbers.widen(*x), line, &mut acc[q]);
        }
    }
}

/// The next unit of a block, taken out of its bits.
#[inline(always)]
fn unit<S: Simd, const PV: usize, const U: usize, const NP: usize, N: Numbers>(
    simd: S,
    numbers: N,
    block: &mut Block<'_, U, N::Kept>,
    panels: &[Panel<'_, U>; NP],
    acc: &mut [[S::f32s; PV]; NP],
) {
    // Below 64, for there is a bit: told to the compiler.
    let at = block.bits.trailing_zeros() as usize % 64;
    block.bits &= block.bits - 1;
    for i in 0..U {
        let x = numbers.widen(block.x[at][i]);
        for q in 0..NP {
            add(simd, x, &panels[q].0[block.first + at][i], &mut acc[q]);
        }
    }
}

/// acc += x line
#[inline(always)]
fn add<S: Simd, const PV: usize>(simd: S, x: f32, line: &[f32; LINE], acc: &mut [S::f32s; PV]) {
    let x = simd.splat_f32s(x);
    for (acc, b) in acc.iter_mut().zip(microkernel::line::<S, PV>(line)) {
        *acc = simd.mul_add_f32s(x, b, *acc);
    }
}
