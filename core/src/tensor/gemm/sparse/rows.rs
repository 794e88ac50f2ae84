//! C = A B, a strip of columns of A at a time.

use std::fmt;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::blocking::KB;
use super::super::epilogue::Epilogue;
use super::super::macrokernel::Segment;
use super::super::microkernel;
use super::{MOST_PANELS, ones};
use crate::tensor::LINE;
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::{Bytes, Floats, GROUP, Numbers, SparseRows, UNITS};

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

/// Some columns of A, from the beginning of a strip to the end of one or of all, and no more than a block of the reduction:
/// part of a longer one.
#[derive(Clone, Debug)]
pub struct Span {
    /// Which columns.
    pub columns: Range<usize>,
    /// Whether their sums go on from those of the same block that C holds.
    pub goes_on: bool,
}

/// Columns of a strip, at most.
const MOST_COLUMNS: usize = 2 * UNITS;

/// C = A B for a sparse A.
#[derive(Debug)]
pub struct SparseRowsByPanels<'a, const U: usize = 2> {
    /// A, of no more columns than all segments are long.
    pub a: &'a SparseRows<U>,
    /// Its columns, if they are not all.
    pub only: Option<Span>,
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
    // A last row that has none beside it has room for its sums all the same.
    MOST_PANELS * (MOST_COLUMNS + rows.min(ROWS).next_multiple_of(2)) * LINE
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
struct Window<'w, const U: usize> {
    /// The strip.
    strip: usize,
    /// Which bits of the strip's mask are units of the window.
    mask: u64,
    /// Columns of the strip before the window, and the window's.
    before: usize,
    len: usize,
    /// The piece of B, and where in it the window begins.
    segment: &'w Segment<'w>,
    from: usize,
    /// Where in the reduction it ends.
    end: usize,
    /// Whether sums begin here, and whether they are stored in C, or onto it.
    is_first: bool,
    is_last: bool,
    add: bool,
}

impl<'w, const U: usize> Window<'w, U> {
    /// The window that begins at step `at` of the reduction, of what is done of it. (Apart: the same for all tiles.)
    #[inline(never)]
    fn from(segments: &'w [Segment<'w>], span: &Span, at: usize) -> Option<Self> {
        let Range { start: first, end } = span.columns;
        if at >= end {
            return None;
        }
        let mut start = 0;
        let segment = segments.iter().find(|segment| {
            start += segment.len;
            at < start
        })?;
        let strip = at / SparseRows::<U>::STRIP;
        let until = start.min((strip + 1) * SparseRows::<U>::STRIP).min(end);
        let before = at % SparseRows::<U>::STRIP;
        Some(Self {
            strip,
            mask: ones((until - at).div_ceil(U)) << (before / U),
            before,
            len: until - at,
            segment,
            from: at + segment.len - start,
            end: until,
            is_first: (at - first).is_multiple_of(KB) && !span.goes_on,
            is_last: (until - first).is_multiple_of(KB) || until == end,
            add: at - first >= KB,
        })
    }

    /// The lines of panel `j` of B for its columns.
    fn lines(&self, j: usize) -> &'w [[f32; LINE]] {
        &self.segment.lines[j * self.segment.len..][self.from..][..self.len]
    }

    /// Copies what it has of panels `j..j + count` to where it lies in a strip, of the last one as often as there are
    /// strips. (Apart: the same for all tiles.)
    #[inline(never)]
    fn copy(&self, j: usize, count: usize, strips: &mut [[f32; LINE]]) {
        let strips = strips.chunks_exact_mut(SparseRows::<U>::STRIP);
        for (q, strip) in strips.enumerate() {
            let (part, rest) = strip[self.before..].split_at_mut(self.len);
            part.copy_from_slice(self.lines(j + q.min(count - 1)));
            // A column that the last unit has not got is zero in A.
            if let Some(line) = rest.first_mut() {
                *line = [0.0; LINE];
            }
        }
    }
}

impl<const U: usize> SparseRowsByPanels<'_, U> {
    #[inline(always)]
    fn by_lanes<S: Simd, N: Numbers>(&mut self, simd: S, numbers: N) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 4, N>(simd, numbers),
            8 => self.run::<S, 2, 4, N>(simd, numbers),
            4 => self.run::<S, 4, 1, N>(simd, numbers),
            _ => self.run::<S, 16, 1, N>(simd, numbers),
        }
    }

    #[inline(always)]
    fn run<S: Simd, const PV: usize, const NP: usize, N: Numbers>(&mut self, simd: S, numbers: N) {
        // The scalar set is for its bits, not for speed.
        if const { U > 1 && S::F32_LANES > 1 }
            && self.a.rows() == 1
            && self.only.is_none()
            && let [b] = self.segments
        {
            return self.alone::<S, PV, NP, N>(simd, numbers, b);
        }
        let panels = self.n.div_ceil(LINE);
        for j in (0..panels).step_by(NP) {
            let left = panels - j;
            if const { NP > 1 } && left == 1 {
                self.tile::<S, PV, 1, N>(simd, numbers, j, 1);
            } else if const { NP > 2 } && left == 2 {
                self.tile::<S, PV, 2, N>(simd, numbers, j, 2);
            } else {
                self.tile::<S, PV, NP, N>(simd, numbers, j, left.min(NP));
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
        let across = SparseRows::<U>::STRIP;
        let (a, segments) = (self.a, self.segments);
        let all = segments.iter().map(|segment| segment.len).sum();
        let span = self.only.clone().unwrap_or(Span {
            columns: 0..all,
            goes_on: false,
        });
        let room = self.room.as_chunks_mut::<LINE>().0;
        let (copied, sums) = room.split_at_mut(NP * across);
        let sums = sums.as_chunks_mut::<NP>().0;
        for first in (0..a.rows()).step_by(ROWS) {
            let end = a.rows().min(first + ROWS);
            if span.goes_on {
                let c = &self.c[first * self.c_stride + j * LINE..];
                take_over(c, self.c_stride, count, &mut sums[..end - first]);
            }
            let mut at = span.columns.start;
            while let Some(window) = Window::<U>::from(segments, &span, at) {
                at = window.end;
                let is_whole = window.len == across;
                if !is_whole && a.found_in(window.strip) & window.mask != 0 {
                    window.copy(j, count, copied);
                }
                let mut lines = [units(copied); NP];
                for q in 0..NP {
                    lines[q] = units(if is_whole {
                        window.lines(j + q.min(count - 1))
                    } else {
                        &copied[q * across..]
                    });
                }
                let (a, here, sums) = ((a, numbers), (&window, &lines), &mut *sums);
                let meanwhile = self.meanwhile.filter(|_| j == 0 && window.before == 0);
                let c = (&mut self.c[j * LINE..], self.c_stride, count);
                // The scalar set is for its bits, not for speed; sixteen registers have room for eight sums and what is added.
                if const { S::F32_LANES > 1 && NP * PV <= 4 } {
                    rows_of::<S, PV, U, NP, 2, N>(simd, a, first..end, here, sums, c, meanwhile);
                } else {
                    rows_of::<S, PV, U, NP, 1, N>(simd, a, first..end, here, sums, c, meanwhile);
                }
            }
        }
    }
}

/// Makes the sums of some rows those that C holds.
#[inline(never)]
fn take_over<const NP: usize>(
    c: &[f32],
    c_stride: usize,
    count: usize,
    sums: &mut [[[f32; LINE]; NP]],
) {
    for (sums, c) in sums.iter_mut().zip(c.chunks(c_stride)) {
        sums[..count].copy_from_slice(&c.as_chunks().0[..count]);
    }
}

/// The lines of a whole strip, unit by unit.
#[inline(always)]
fn units<const U: usize>(lines: &[[f32; LINE]]) -> &UnitsOfLines<U> {
    let units = lines.as_chunks().0.first_chunk();
    units.expect("as many lines as a strip has columns")
}

/// Some rows in one window, R side by side. What the rows have is walked, not looked up: with an index for each the
/// loops of units, which are short, had no registers left for it.
#[expect(
    clippy::needless_range_loop,
    reason = "counted loops are unrolled, which leaves arrays of vectors in registers"
)]
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
    (a, numbers): (&SparseRows<U>, N),
    rows: Range<usize>,
    (window, lines): (&Window<'_, U>, &[&UnitsOfLines<U>; NP]),
    sums: &mut [[[f32; LINE]; NP]],
    (c, c_stride, count): (&mut [f32], usize, usize),
    meanwhile: Option<Meanwhile<'_>>,
) {
    let side_by_side = rows.len().div_ceil(R);
    let mut sums = sums.as_chunks_mut::<R>().0[..side_by_side].iter_mut();
    let mut masks = a.masks(rows.clone()).chunks(R * a.words());
    for g in rows.start / GROUP..rows.end.div_ceil(GROUP) {
        let strip = a.strip(numbers, g, window.strip).as_chunks::<R>().0;
        let firsts = (g * GROUP..rows.end).step_by(R);
        for (((x, first), masks), sums) in strip.iter().zip(firsts).zip(&mut masks).zip(&mut sums) {
            if let Some(meanwhile) = meanwhile {
                for r in first..rows.end.min(first + R) {
                    meanwhile.0(r, window.strip);
                }
            }
            // Of a row that is not there no unit is.
            let mut bits = [0; R];
            for i in 0..R {
                let word = masks.get(i * a.words() + window.strip);
                bits[i] = word.map_or(0, |word| word & window.mask);
            }
            let mut acc = microkernel::zeros::<S, R, NP, PV>(simd);
            if !window.is_first {
                for i in 0..R {
                    for q in 0..NP {
                        acc[i][q] = microkernel::line::<S, PV>(&sums[i][q]);
                    }
                }
            }
            if const { R == 2 } {
                while bits[0] != 0 && bits[1] != 0 {
                    for i in 0..R {
                        unit::<S, PV, U, NP, N>(
                            simd,
                            numbers,
                            &mut bits[i],
                            &x[i].0,
                            lines,
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
                        &x[i].0,
                        lines,
                        &mut acc[i],
                    );
                }
            }
            if !window.is_last {
                for i in 0..R {
                    for q in 0..NP {
                        microkernel::keep(simd, acc[i][q], &mut sums[i][q]);
                    }
                }
                continue;
            }
            for i in 0..R {
                let r = first + i;
                if r < rows.end {
                    let c = &mut c[r * c_stride..].as_chunks_mut().0[..count];
                    for q in 0..NP {
                        if q < count {
                            microkernel::store(simd, acc[i][q], &mut c[q], window.add);
                        }
                    }
                }
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
        for q in 0..NP {
            let b = microkernel::line::<S, PV>(&lines[q][at][i]);
            for v in 0..PV {
                acc[q][v] = simd.mul_add_f32s(x, b[v], acc[q][v]);
            }
        }
    }
}
