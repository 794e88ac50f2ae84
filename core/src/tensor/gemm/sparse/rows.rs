//! C = A B, a strip of columns of A at a time.

use std::fmt;

use pulp::{Simd, WithSimd};

use super::super::blocking::KB;
use super::super::epilogue::Epilogue;
use super::super::macrokernel::{Segment, overlap};
use super::super::microkernel;
use super::{MOST_PANELS, ones};
use crate::tensor::LINE;
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::{Bytes, Floats, Numbers, SparseRows, UNITS};

/// Rows of A that go through the columns together.
const ROWS: usize = 128;

/// What is done meanwhile, once for every row and strip of A: the time to have what is wanted next fetched from memory.
#[derive(Clone, Copy)]
pub struct Meanwhile<'a>(pub &'a dyn Fn(usize, usize));

impl fmt::Debug for Meanwhile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}

/// Columns of a strip, at most.
const MOST_COLUMNS: usize = 2 * UNITS;

/// C = A B for a sparse A.
#[derive(Debug)]
pub struct SparseRowsByPanels<'a, const U: usize = 2> {
    /// A, of no more columns than all segments are long.
    pub a: &'a SparseRows<U>,
    /// B in pieces of whole units (but for the last), in ascending order of the reduction. Those that begin and end
    /// with a strip of A are read where they lie.
    pub segments: &'a [Segment<'a>],
    /// What is done meanwhile.
    pub meanwhile: Option<Meanwhile<'a>>,
    /// Room for sums and for what is not read where it lies: [`room_for_rows`].
    pub room: &'a mut Aligned,
    /// Rows of C, padded to whole lines.
    pub c: &'a mut [f32],
    /// The distance between rows of C.
    pub c_stride: usize,
    /// Columns of C.
    pub n: usize,
    /// What follows.
    pub epilogue: Epilogue<'a>,
}

/// Floats of room that a [`SparseRowsByPanels`] of at most that many rows needs.
pub fn room_for_rows(rows: usize) -> usize {
    MOST_PANELS * (MOST_COLUMNS + rows.min(ROWS)) * LINE
}

impl<const U: usize> WithSimd for SparseRowsByPanels<'_, U> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let a = self.a;
        // Hidden units are no bytes.
        if const { U > 1 } && a.is_of_bytes() {
            self.by_lanes(simd, Bytes(a.table()));
        } else {
            self.by_lanes(simd, Floats);
        }
        let (stride, n) = (self.c_stride, self.n);
        self.epilogue.apply(simd, self.c, stride, n, 0..a.rows());
    }
}

/// Lines of a panel of B for the units of a strip.
type UnitsOfLines<const U: usize> = [[[f32; LINE]; U]; UNITS];

/// A strip of columns of A, or as much of it as lies in one piece of B and one block of the reduction.
struct Window<'w, const U: usize, const NP: usize> {
    /// The strip.
    strip: usize,
    /// Which bits of the strip's mask are units of the window.
    mask: u64,
    /// The lines of B for all columns of the strip (others than the window's are never looked at).
    lines: [&'w UnitsOfLines<U>; NP],
    /// How many panels of C there are.
    count: usize,
    /// Whether sums begin here, and whether they are stored in C, or onto it.
    is_first: bool,
    is_last: bool,
    add: bool,
}

impl<const U: usize> SparseRowsByPanels<'_, U> {
    #[inline(always)]
    fn by_lanes<S: Simd, N: Numbers>(&mut self, simd: S, numbers: N) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 4, N>(simd, numbers),
            8 => self.run::<S, 2, 2, N>(simd, numbers),
            4 => self.run::<S, 4, 1, N>(simd, numbers),
            _ => self.run::<S, 16, 1, N>(simd, numbers),
        }
    }

    #[inline(always)]
    fn run<S: Simd, const PV: usize, const NP: usize, N: Numbers>(&mut self, simd: S, numbers: N) {
        // The scalar set is for its bits, not for speed.
        if const { U > 1 && S::F32_LANES > 1 }
            && self.a.rows() == 1
            && let [b] = self.segments
        {
            return self.alone::<S, PV, NP, N>(simd, numbers, b);
        }
        let panels = self.n.div_ceil(LINE);
        for j in (0..panels).step_by(NP) {
            match panels - j {
                1 => self.tile::<S, PV, 1, N>(simd, numbers, j, 1),
                2 if NP > 2 => self.tile::<S, PV, 2, N>(simd, numbers, j, 2),
                left => self.tile::<S, PV, NP, N>(simd, numbers, j, left.min(NP)),
            }
        }
    }

    /// `count` panels from j on of all rows; where there are fewer than NP the last one is read more than once.
    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const NP: usize, N: Numbers>(
        &mut self,
        simd: S,
        numbers: N,
        j: usize,
        count: usize,
    ) {
        // The scalar set is for its bits, not for speed.
        let side_by_side = if S::F32_LANES > 1 { 2 } else { 1 };
        let across = SparseRows::<U>::STRIP;
        let k = self
            .segments
            .iter()
            .map(|segment| segment.len)
            .sum::<usize>();
        let (copied, sums) = self
            .room
            .as_chunks_mut::<LINE>()
            .0
            .split_at_mut(NP * across);
        let sums = sums.as_chunks_mut::<NP>().0;
        let (a, segments) = (self.a, self.segments);
        for first in (0..a.rows()).step_by(ROWS) {
            let rows = first..a.rows().min(first + ROWS);
            for pc in (0..k).step_by(KB) {
                let pe = k.min(pc + KB);
                let mut start = 0;
                for segment in segments {
                    let (mut from, to) = overlap(start, segment.len, pc, pe).unwrap_or((0, 0));
                    while from < to {
                        let strip = (start + from) / across;
                        // Columns of the strip before the window, and where that ends in the segment.
                        let before = start + from - strip * across;
                        let end = to.min(from + across - before);
                        let lines = |q: usize| {
                            let j = j + q.min(count - 1);
                            &segment.lines[j * segment.len..][from..end]
                        };
                        let mask = ones((end - from).div_ceil(U)) << (before / U);
                        let window = Window {
                            strip,
                            mask,
                            lines: if end - from == across {
                                std::array::from_fn(|q| units(lines(q)))
                            } else {
                                if a.found_in(strip) & mask != 0 {
                                    for (q, part) in copied.chunks_exact_mut(across).enumerate() {
                                        part[before..][..end - from].copy_from_slice(lines(q));
                                        // A column that the last unit has not got is zero in A.
                                        if before + end - from < across {
                                            part[before + end - from] = [0.0; LINE];
                                        }
                                    }
                                }
                                std::array::from_fn(|q| units(&copied[q * across..]))
                            },
                            count,
                            is_first: start + from == pc,
                            is_last: start + end == pe,
                            add: pc > 0,
                        };
                        from = end;
                        let c = &mut self.c[j * LINE..];
                        let mut r = rows.start;
                        while r < rows.end {
                            if let (Some(meanwhile), 0, 0) = (self.meanwhile, j, before) {
                                for r in r..rows.end.min(r + side_by_side) {
                                    meanwhile.0(r, strip);
                                }
                            }
                            let sums = &mut sums[r - rows.start..];
                            let c = (&mut c[r * self.c_stride..], self.c_stride);
                            if side_by_side > 1 && r + 1 < rows.end {
                                rows_of::<S, PV, U, NP, 2, N>(
                                    simd, a, numbers, r, &window, sums, c,
                                );
                            } else {
                                rows_of::<S, PV, U, NP, 1, N>(
                                    simd, a, numbers, r, &window, sums, c,
                                );
                            }
                            r += side_by_side;
                        }
                    }
                    start += segment.len;
                }
            }
        }
    }
}

/// The lines of a whole strip, unit by unit.
#[inline(always)]
fn units<const U: usize>(lines: &[[f32; LINE]]) -> &UnitsOfLines<U> {
    let units = lines.as_chunks().0.first_chunk();
    units.expect("as many lines as a strip has columns")
}

/// One or two rows of A from r on, in one window.
#[inline(always)]
fn rows_of<
    S: Simd,
    const PV: usize,
    const U: usize,
    const NP: usize,
    const R: usize,
    N: Numbers,
>(
    simd: S,
    a: &SparseRows<U>,
    numbers: N,
    r: usize,
    window: &Window<'_, U, NP>,
    sums: &mut [[[f32; LINE]; NP]],
    (c, c_stride): (&mut [f32], usize),
) {
    let sums = &mut sums[..R];
    let mut acc = microkernel::zeros::<S, R, NP, PV>(simd);
    if !window.is_first {
        for (acc, sums) in acc.iter_mut().zip(&*sums) {
            *acc = std::array::from_fn(|q| microkernel::line::<S, PV>(&sums[q]));
        }
    }
    let x: [&[[N::Kept; U]; UNITS]; R] =
        std::array::from_fn(|i| a.strip_row(numbers, r + i, window.strip));
    let mut bits: [u64; R] = std::array::from_fn(|i| a.word(r + i, window.strip) & window.mask);
    if const { R == 2 } {
        while bits[0] != 0 && bits[1] != 0 {
            for i in 0..R {
                unit::<S, PV, U, NP, N>(
                    simd,
                    numbers,
                    &mut bits[i],
                    x[i],
                    &window.lines,
                    &mut acc[i],
                );
            }
        }
    }
    for i in 0..R {
        while bits[i] != 0 {
            unit::<S, PV, U, NP, N>(
                simd,
                numbers,
                &mut bits[i],
                x[i],
                &window.lines,
                &mut acc[i],
            );
        }
    }
    if window.is_last {
        for (acc, c) in acc.into_iter().zip(c.chunks_mut(c_stride)) {
            for (acc, c) in acc
                .into_iter()
                .zip(&mut c.as_chunks_mut().0[..window.count])
            {
                microkernel::store(simd, acc, c, window.add);
            }
        }
    } else {
        for (acc, sums) in acc.into_iter().zip(sums) {
            for (acc, sum) in acc.into_iter().zip(sums) {
                S::as_mut_simd_f32s(sum).0.copy_from_slice(&acc);
            }
        }
    }
}

/// The next unit of a row, taken out of its bits.
#[inline(always)]
fn unit<S: Simd, const PV: usize, const U: usize, const NP: usize, N: Numbers>(
    simd: S,
    numbers: N,
    bits: &mut u64,
    x: &[[N::Kept; U]; UNITS],
    lines: &[&UnitsOfLines<U>; NP],
    acc: &mut [[S::f32s; PV]; NP],
) {
    // Below 64, for there is a bit: told to the compiler.
    let at = bits.trailing_zeros() as usize % 64;
    *bits &= *bits - 1;
    for i in 0..U {
        let x = simd.splat_f32s(numbers.widen(x[at][i]));
        for (acc, lines) in acc.iter_mut().zip(lines) {
            let b = microkernel::line::<S, PV>(&lines[at][i]);
            for (acc, b) in acc.iter_mut().zip(b) {
                *acc = simd.mul_add_f32s(x, b, *acc);
            }
        }
    }
}
