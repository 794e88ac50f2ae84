//! The weight gradient, C = A^T B with the reduction running down the rows of A:
//! ```text
//! loop 3   groups of GROUP columns of A, a line or two of each row
//! loop 2   jr: NP panels of B at a time
//! loop 1   tiles of MR columns, over all blocks of KB steps; the finished strips go to the sink
//! ```

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocking::KB;
use super::macrokernel::{Sink, groups, overlap, tiles};
use super::microkernel;
use crate::isa::apart;
use crate::tensor::LINE;

/// Columns of A in one strip of the weight gradient.
pub const GROUP: usize = 24;

/// From this many panels on, packing a strip of A pays for itself.
const PANELS_TO_PACK_FOR: usize = 4;

/// A piece of the reduction of the weight gradient: `len` rows of A, and as many lines of each panel of B.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Rows of A, `stride` apart.
    pub a: &'a [f32],
    /// The distance between rows of A.
    pub stride: usize,
    /// The number of rows.
    pub len: usize,
    /// `len` lines for each panel.
    pub lines: &'a [[f32; LINE]],
}

/// C = A^T B by strips.
#[derive(Debug)]
pub struct ColumnsByPanels<'a, K> {
    /// A and B in pieces, in ascending order of the reduction.
    pub pieces: &'a [Rows<'a>],
    /// Columns of A, rows of C, to do.
    pub columns: Range<usize>,
    /// Panels of B, all of them done.
    pub panels: usize,
    /// Room for a strip of A, whose tiles are packed one after another: [`GROUP`] floats for each step, or nothing.
    pub packed: &'a mut [f32],
    /// Where the strips go.
    pub sink: K,
}

impl<K: Sink> WithSimd for ColumnsByPanels<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            pieces,
            columns,
            panels,
            packed,
            mut sink,
        } = self;
        let k = pieces.iter().map(|piece| piece.len).sum::<usize>();
        // The last row of a view may end with its last column: only packing gives it a whole stride.
        let whole = |piece: &Rows<'_>| piece.a.len() >= piece.len * piece.stride;
        let are_whole = pieces.iter().all(whole);
        let pays = panels >= PANELS_TO_PACK_FOR || !are_whole;
        let packed = (pays && packed.len() >= k * GROUP).then_some(packed);
        let mut tiles = Tiles {
            pieces,
            k,
            packed,
            group: 0,
            width: 0,
            j: 0,
            strips: [[[0.0; LINE]; GROUP]; MOST_PANELS],
            panels: 0,
        };
        for group in columns.clone().step_by(GROUP) {
            let width = GROUP.min(columns.end - group);
            // Four columns at once take as long as one: what lies beside the last is computed too, and left.
            let fours = width.next_multiple_of(4);
            let have = |piece: &Rows<'_>| piece.stride >= group + fours;
            let fill = are_whole && pieces.iter().all(have);
            (tiles.group, tiles.width) = (group, if fill { fours } else { width });
            for (j, size) in groups(panels, panels_at_once::<S>()) {
                (tiles.j, tiles.panels) = (j, size);
                // Apart: the same for all sinks.
                apart(simd, &mut tiles);
                for (q, strip) in tiles.strips.iter_mut().take(size).enumerate() {
                    sink.take(simd, group, j + q, &mut strip[..width]);
                }
            }
        }
    }
}

/// Panels that a tile has, at most.
const MOST_PANELS: usize = 2;

/// And with those vectors.
#[inline(always)]
fn panels_at_once<S: Simd>() -> usize {
    if S::F32_LANES == 16 { MOST_PANELS } else { 1 }
}

/// The strips of a group of columns of A and of some panels.
struct Tiles<'a> {
    pieces: &'a [Rows<'a>],
    /// Steps of the reduction.
    k: usize,
    /// Room for the group, if it is packed.
    packed: Option<&'a mut [f32]>,
    /// The first column of the group, and how many there are.
    group: usize,
    width: usize,
    /// The first panel, and how many there are.
    j: usize,
    panels: usize,
    strips: [[[f32; LINE]; GROUP]; MOST_PANELS],
}

impl WithSimd for &mut Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // MR, NP: 24 accumulators of 32 registers, or 12 of 16, MR dividing GROUP.
        match S::F32_LANES {
            16 => self.run::<S, 1, 12, 2>(simd),
            8 => self.run::<S, 2, 6, 1>(simd),
            4 => self.run::<S, 4, 6, 1>(simd),
            _ => self.run::<S, 16, 1, 1>(simd),
        }
    }
}

impl Tiles<'_> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const MR: usize, const NP: usize>(&mut self, simd: S) {
        if self.j == 0 {
            for (i, rows) in tiles(self.width, MR) {
                self.pack::<MR>(i, rows);
            }
        }
        for (i, rows) in tiles(self.width, MR) {
            if self.panels < NP {
                self.tiles_of::<S, PV, MR, 1>(simd, i, rows);
            } else {
                self.tiles_of::<S, PV, MR, NP>(simd, i, rows);
            }
        }
    }

    /// Brings the columns of A of a tile together, if they are to be.
    #[inline(always)]
    fn pack<const MR: usize>(&mut self, i: usize, rows: usize) {
        if rows == MR {
            self.pack_tile::<MR>(i);
        } else if const { MR > 4 } && rows == 4 {
            self.pack_tile::<4>(i);
        } else if const { MR > 1 } {
            self.pack_tile::<1>(i);
        }
    }

    /// The same of just as many columns.
    #[inline(always)]
    fn pack_tile<const MR: usize>(&mut self, i: usize) {
        let first = self.group + i;
        let Some(packed) = &mut self.packed else {
            return;
        };
        let mut packed = packed[i * self.k..].as_chunks_mut::<MR>().0.iter_mut();
        for piece in self.pieces {
            let rows = piece.a.chunks(piece.stride).take(piece.len);
            for (row, packed) in rows.zip(&mut packed) {
                packed.copy_from_slice(&row[first..first + MR]);
            }
        }
    }

    /// The tile of so many rows, from row i of the group.
    #[inline(always)]
    fn tiles_of<S: Simd, const PV: usize, const MR: usize, const NP: usize>(
        &mut self,
        simd: S,
        i: usize,
        rows: usize,
    ) {
        if rows == MR {
            self.tile::<S, PV, MR, NP>(simd, i);
        } else if const { MR > 4 } && rows == 4 {
            self.tile::<S, PV, 4, NP>(simd, i);
        } else if const { MR > 1 } {
            self.tile::<S, PV, 1, NP>(simd, i);
        }
    }

    /// MR columns of A by NP panels, over all k steps.
    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const MR: usize, const NP: usize>(
        &mut self,
        simd: S,
        i: usize,
    ) {
        for pc in (0..self.k).step_by(KB) {
            let mut acc = microkernel::zeros::<S, MR, NP, PV>(simd);
            let mut start = 0;
            for piece in self.pieces {
                if let Some((from, to)) = overlap(start, piece.len, pc, pc + KB) {
                    let lines = &piece.lines[self.j * piece.len + from..];
                    let panels: [_; NP] = microkernel::strided(lines, piece.len, to - from);
                    if let Some(packed) = &self.packed {
                        let a = packed[i * self.k..].as_chunks().0;
                        let a = &a[start + from..start + to];
                        microkernel::packed_columns(simd, a, panels, &mut acc);
                    } else {
                        let a = &piece.a[from * piece.stride..];
                        let first = self.group + i;
                        microkernel::columns(simd, a, piece.stride, first, panels, &mut acc);
                    }
                }
                start += piece.len;
            }
            let strips = &mut self.strips;
            for q in 0..NP {
                let strip = &mut strips[q][i..][..MR];
                for r in 0..MR {
                    microkernel::store(simd, acc[r][q], &mut strip[r], pc > 0);
                }
            }
        }
    }
}
