//! The loops round the register tile: C = A B with rows of A contiguous along the reduction (forward pass, input gradient).
//! (`columns` has those of the weight gradient.)
//! ```text
//! loop 5   ic: chunks of MC rows, for what the tiles leave of the epilogue
//! loop 4   jc: blocks of steps, where there are very many, and of columns: what is in the second-level cache of B
//! loop 3   ir: tiles of MR rows
//! loop 2   jr: NP panels at a time
//! loop 1   pc: blocks of KB steps, the chains of the contract; C is in the first-level cache from the second one on
//! ```
//! The loops are those of Goto & van de Geijn 2008 and Van Zee & van de Geijn 2015, with A not packed.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocking::{Caches, KB, block_in_l2, bytes};
use super::epilogue::{Epilogue, InTile, store_last};
use super::microkernel;
use crate::isa::prefetch;
use crate::tensor::LINE;

/// Rows of C in one pass over B.
const MC: usize = 256;

/// A piece of the reduction of a packed operand: `len` steps of every panel, panel after panel.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Steps of the reduction in this piece.
    pub len: usize,
    /// `len` lines for each panel.
    pub lines: &'a [[f32; LINE]],
}

/// C = A B, or C += A B, and the epilogue.
#[derive(Debug)]
pub struct RowsByPanels<'a> {
    /// Rows of A, `a_stride` apart, at least as long as all segments together.
    pub a: &'a [f32],
    /// The distance between rows of A.
    pub a_stride: usize,
    /// The number of rows.
    pub rows: usize,
    /// B in pieces, in ascending order of the reduction.
    pub segments: &'a [Segment<'a>],
    /// Rows of C.
    pub c: &'a mut [f32],
    /// The distance between rows of C.
    pub c_stride: usize,
    /// Columns of C.
    pub n: usize,
    /// Whether the rows of C are padded to whole lines, which are then written wholly (zeros past column n).
    /// An epilogue needs it.
    pub padded: bool,
    /// Whether the product is added to what C holds.
    pub add: bool,
    /// What follows.
    pub epilogue: Epilogue<'a>,
}

/// What is the same for all tiles: whether A is far, whether C is, and what follows their sums.
#[derive(Clone, Copy)]
struct Walk<'a> {
    far: bool,
    c_is_far: bool,
    last: Option<InTile<'a>>,
}

impl WithSimd for RowsByPanels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // MR, NP: 24 accumulators of 32 registers, or 12 of 16; a scalar tile has no good shape, so it has the simplest.
        // ONE: panels of a lone row.
        match S::F32_LANES {
            16 => self.run::<S, 1, 8, 3, 8>(simd),
            8 => self.run::<S, 2, 6, 1, 4>(simd),
            4 => self.run::<S, 4, 6, 1, 4>(simd),
            _ => self.run::<S, 16, 1, 1, 1>(simd),
        }
    }
}

/// Cuts `n` into tiles of `most` (6, 8 or 12), of 4 and of 1, with as few of 1 as can be: (start, size). For `most` = 1, only those.
#[inline(always)]
pub(super) fn tiles(n: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let left = n - start;
        let size = match left {
            0 => return None,
            // Two of 4 rather than a 6 and lone ones.
            8 | 9 if most == 6 => 4,
            _ if left >= most => most,
            4.. => 4,
            _ => 1,
        };
        start += size;
        Some((start - size, size))
    })
}

/// Cuts `n` panels into groups of `most`, the last ones such that none is alone if that can be: (start, size).
#[inline(always)]
pub(super) fn groups(n: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let left = n - start;
        let size = match left {
            0 => return None,
            // Two of 2 rather than a 3 and a lone one.
            2 | 4 if most == 3 => 2,
            _ if left >= most => most,
            // Of a lone row: what is left has a chain for each line, and needs several at a time.
            4.. if most > 4 => 4,
            2.. if most > 3 => 2,
            _ => 1,
        };
        start += size;
        Some((start - size, size))
    })
}

/// The part of a segment that falls in steps `from..to`, `start` being the segment's first step: (from, to) within it.
#[inline(always)]
pub(super) fn overlap(start: usize, len: usize, from: usize, to: usize) -> Option<(usize, usize)> {
    let (low, high) = (from.max(start), to.min(start + len));
    (low < high).then(|| (low - start, high - start))
}

impl<'a> RowsByPanels<'a> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const MR: usize, const NP: usize, const ONE: usize>(
        mut self,
        simd: S,
    ) {
        let panels = self.n.div_ceil(LINE);
        // A tile writes what there is of C: too little is told here.
        let across = if self.padded { panels * LINE } else { self.n };
        assert!(
            self.rows == 0 || (self.rows - 1) * self.c_stride + across <= self.c.len(),
            "{} rows of {across}, {} apart, in {} floats",
            self.rows,
            self.c_stride,
            self.c.len()
        );
        let k = self
            .segments
            .iter()
            .map(|segment| segment.len)
            .sum::<usize>();
        let caches = Caches::of_this_machine();
        let (deep, wide) = block_in_l2(caches, k);
        // Of one block of the reduction, its sums are the product.
        let is_one = (1..=KB).contains(&k) && !self.add;
        let walk = Walk {
            far: bytes(self.rows, self.a_stride) > caches.l3 / 4,
            c_is_far: bytes(self.rows, self.c_stride) > caches.l2,
            last: if is_one {
                self.epilogue.take_in_tile()
            } else {
                None
            },
        };
        for ic in (0..self.rows).step_by(MC) {
            let mc = MC.min(self.rows - ic);
            if k == 0 && !self.add {
                for row in self.c.chunks_mut(self.c_stride).skip(ic).take(mc) {
                    row[..self.n].fill(0.0);
                }
            }
            for pc in (0..k).step_by(deep) {
                let ps = pc..k.min(pc + deep);
                for jc in (0..panels).step_by(wide / LINE) {
                    let js = jc..panels.min(jc + wide / LINE);
                    for (i, size) in tiles(mc, MR) {
                        let at = (ic + i, js.clone(), ps.clone(), walk);
                        if size == MR {
                            self.strip::<S, PV, MR, NP>(simd, at);
                        } else if const { MR > 4 } && size == 4 {
                            self.strip::<S, PV, 4, NP>(simd, at);
                        } else if const { MR > 1 } {
                            self.strip::<S, PV, 1, ONE>(simd, at);
                        }
                    }
                }
            }
            self.epilogue
                .apply(simd, self.c, self.c_stride, self.n, ic..ic + mc);
        }
    }

    /// One row of tiles: rows `i..i + MR`, panels `js`, steps `ps`. If A is far, the rows that come next are asked for.
    #[inline(always)]
    fn strip<S: Simd, const PV: usize, const MR: usize, const NP: usize>(
        &mut self,
        simd: S,
        (i, js, ps, walk): (usize, Range<usize>, Range<usize>, Walk<'a>),
    ) {
        let all = js.len();
        for (j, size) in groups(all, NP) {
            let share = if walk.far {
                (j, j + size, all)
            } else {
                (0, 0, 1)
            };
            let at = (i, js.start + j, share, walk);
            if size == NP {
                self.tile::<S, PV, MR, NP>(simd, at, ps.clone());
            } else if const { NP > 4 } && size == 4 {
                self.tile::<S, PV, MR, 4>(simd, at, ps.clone());
            } else if const { NP > 2 } && size == 2 {
                self.tile::<S, PV, MR, 2>(simd, at, ps.clone());
            } else if const { NP > 1 } {
                self.tile::<S, PV, MR, 1>(simd, at, ps.clone());
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const MR: usize, const NP: usize>(
        &mut self,
        simd: S,
        at: (usize, usize, (usize, usize, usize), Walk<'a>),
        ps: Range<usize>,
    ) {
        for pc in ps.clone().step_by(KB) {
            self.block::<S, PV, MR, NP>(simd, at, pc..ps.end.min(pc + KB));
        }
    }

    /// A tile's sums over one block of the reduction: from row `i` on, panel `j`, with its share (from, to, of all) in
    /// asking for what the next row of tiles needs.
    #[inline(always)]
    fn block<S: Simd, const PV: usize, const MR: usize, const NP: usize>(
        &mut self,
        simd: S,
        (i, j, (first, last, all), walk): (usize, usize, (usize, usize, usize), Walk<'a>),
        ps: Range<usize>,
    ) {
        let mut acc = microkernel::zeros::<S, MR, NP, PV>(simd);
        let add = self.add || ps.start > 0;
        if const { MR > 4 } && add && walk.c_is_far {
            let c = &self.c[i * self.c_stride + j * LINE..];
            ask_for_tile((c, self.c_stride), MR, NP);
        }
        let mut start = 0;
        for segment in self.segments {
            if let Some((from, to)) = overlap(start, segment.len, ps.start, ps.end) {
                let a = &self.a[i * self.a_stride + start + from..];
                let rows: [_; MR] = microkernel::strided(a, self.a_stride, to - from);
                let lines = &segment.lines[j * segment.len + from..];
                let panels: [_; NP] = microkernel::strided(lines, segment.len, to - from);
                if const { MR > 4 && (NP > 2 || PV > 1) } && last > 0 {
                    // In the widest tile; a row at a time, lest too much is asked for at once.
                    let len = to - from;
                    let cut = len.div_ceil(MR);
                    let mut at = 0;
                    for row in 0..MR {
                        let next = (i + MR + row) * self.a_stride + start + from;
                        let share = next + len * first / all..next + len * last / all;
                        for line in self.a.get(share).unwrap_or(&[]).chunks(LINE) {
                            prefetch(line);
                        }
                        let end = len.min(at + cut);
                        let (mut rows, mut panels) = (rows, panels);
                        for row in &mut rows {
                            *row = &row[at..end];
                        }
                        for panel in &mut panels {
                            *panel = &panel[at..end];
                        }
                        microkernel::rows(simd, rows, panels, &mut acc);
                        at = end;
                    }
                } else {
                    microkernel::rows(simd, rows, panels, &mut acc);
                }
            }
            start += segment.len;
        }
        let c = &mut self.c[i * self.c_stride + j * LINE..];
        let width = self.n - j * LINE;
        if let Some(InTile { bias, relu }) = walk.last {
            let bias = &bias[j * LINE..];
            store_last(simd, &acc, (c, self.c_stride), InTile { bias, relu });
        } else if self.padded || width >= NP * LINE {
            microkernel::store_tile(simd, &acc, c, self.c_stride, add);
        } else {
            let mut lines = [[[0.0; LINE]; NP]; MR];
            for i in 0..MR {
                for q in 0..NP {
                    microkernel::keep(simd, acc[i][q], &mut lines[i][q]);
                }
            }
            store_some(
                lines.as_flattened().as_flattened(),
                NP * LINE,
                c,
                (self.c_stride, width),
                add,
            );
        }
    }
}

/// Asks for what C holds where a tile of so many rows and lines is to be added to it: it may be far, and the sums would wait
/// for it. (Apart: what it needs would be made for each tile that needs it not.)
#[inline(never)]
fn ask_for_tile((mut c, stride): (&[f32], usize), rows: usize, lines: usize) {
    for _ in 0..rows {
        for line in c.chunks(LINE).take(lines) {
            prefetch(line);
        }
        c = c.get(stride..).unwrap_or_default();
    }
}

/// The part of a tile, rows of `across` numbers, for which C has columns. (Apart: no tile but the last of a row has need of it.)
#[inline(never)]
fn store_some(
    tile: &[f32],
    across: usize,
    c: &mut [f32],
    (stride, width): (usize, usize),
    add: bool,
) {
    for (sums, c) in tile.chunks_exact(across).zip(c.chunks_mut(stride)) {
        let rest = (&sums[..width], &mut c[..width]);
        let rest = store_parts::<LINE>(rest, add);
        let rest = store_parts::<8>(rest, add);
        let rest = store_parts::<2>(rest, add);
        store_parts::<1>(rest, add);
    }
}

/// As many parts of N numbers as there are, and what is left. (Of a known length: a loop over single numbers takes as long
/// as a short tile.)
fn store_parts<'c, const N: usize>(
    (sums, c): (&'c [f32], &'c mut [f32]),
    add: bool,
) -> (&'c [f32], &'c mut [f32]) {
    let (sums, sums_left) = sums.as_chunks::<N>();
    let (c, c_left) = c.as_chunks_mut::<N>();
    for (c, sums) in c.iter_mut().zip(sums) {
        for (c, sum) in c.iter_mut().zip(sums) {
            *c = if add { *c } else { 0.0 } + sum;
        }
    }
    (sums_left, c_left)
}

/// Numbers to which a multiple of a product is added: c += factor (scale sum), a product and a fused addition.
#[derive(Debug)]
pub struct Sums<'a> {
    /// Lines of c, panel after panel.
    pub lines: &'a mut [[f32; LINE]],
    /// The rows of C that they are of.
    pub rows: Range<usize>,
    /// Times the sum.
    pub scale: f32,
    /// Times that.
    pub factor: f32,
}

/// Takes the finished strips of C = A^T B.
pub trait Sink {
    /// The numbers of C, if all that becomes of the product is that a multiple of it is added to them: only what is not
    /// zero need be.
    #[inline(always)]
    fn in_place(&mut self) -> Option<Sums<'_>> {
        None
    }

    /// Rows `i` of C, panels `j`, will be taken soon: what is far away may be asked for.
    #[inline(always)]
    fn expect(&self, _i: Range<usize>, _j: Range<usize>) {}

    /// Rows `i..i + strip.len()` of C, columns 16 j .. 16 j + 16; the strip may be overwritten.
    fn take<S: Simd>(&mut self, simd: S, i: usize, j: usize, strip: &mut [[f32; LINE]]);
}
