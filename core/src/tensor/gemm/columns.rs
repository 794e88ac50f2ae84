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
        // MR, NP: 24 accumulators of 32 registers, or 12 of 16, MR dividing GROUP.
        match S::F32_LANES {
            16 => self.run::<S, 1, 12, 2>(simd),
            8 => self.run::<S, 2, 6, 1>(simd),
            4 => self.run::<S, 4, 6, 1>(simd),
            _ => self.run::<S, 16, 1, 1>(simd),
        }
    }
}

/// The finished strips of some panels.
type Strips<const NP: usize> = [[[f32; LINE]; GROUP]; NP];

/// Where in C a tile of the weight gradient lies, and how it is computed.
#[derive(Clone, Copy)]
struct Place {
    /// The first column of the group, and how far into it the tile begins.
    group: usize,
    i: usize,
    /// The first panel.
    j: usize,
    /// Steps of the reduction.
    k: usize,
    /// Whether the group is packed.
    packed: bool,
    /// Whether the tile is added to what the strips hold.
    add: bool,
}

impl<K: Sink> ColumnsByPanels<'_, K> {
    #[inline(always)]
    fn run<S: Simd, const PV: usize, const MR: usize, const NP: usize>(mut self, simd: S) {
        let k = self.pieces.iter().map(|piece| piece.len).sum::<usize>();
        // The last row of a view may end with its last column: only packing gives it a whole stride.
        let whole = |piece: &Rows<'_>| piece.a.len() >= piece.len * piece.stride;
        let pays = self.panels >= PANELS_TO_PACK_FOR || !self.pieces.iter().all(whole);
        let packed = pays && self.packed.len() >= k * GROUP;
        let mut strips: Strips<NP> = [[[0.0; LINE]; GROUP]; NP];
        for group in self.columns.clone().step_by(GROUP) {
            let width = GROUP.min(self.columns.end - group);
            if packed {
                for (i, rows) in tiles(width, MR) {
                    self.pack::<MR>(group + i, rows, i * k);
                }
            }
            for (j, size) in groups(self.panels, NP) {
                let mut at = Place {
                    group,
                    i: 0,
                    j,
                    k,
                    packed,
                    add: false,
                };
                for (q, strip) in strips.iter_mut().take(size).enumerate() {
                    at.add = self.sink.begin(group, j + q, &mut strip[..width]);
                }
                for (i, rows) in tiles(width, MR) {
                    at.i = i;
                    if size < NP {
                        self.tiles_of::<S, PV, MR, 1, NP>(simd, at, rows, &mut strips);
                    } else {
                        self.tiles_of::<S, PV, MR, NP, NP>(simd, at, rows, &mut strips);
                    }
                }
                for (q, strip) in strips.iter_mut().take(size).enumerate() {
                    self.sink.take(simd, group, j + q, &mut strip[..width]);
                }
            }
        }
    }

    /// Brings the columns of A of a tile together, from there on in the room.
    #[inline(always)]
    fn pack<const MR: usize>(&mut self, first: usize, rows: usize, at: usize) {
        if rows == MR {
            self.pack_tile::<MR>(first, at);
        } else if const { MR > 4 } && rows == 4 {
            self.pack_tile::<4>(first, at);
        } else if const { MR > 1 } {
            self.pack_tile::<1>(first, at);
        }
    }

    /// The same of just as many columns.
    #[inline(always)]
    fn pack_tile<const MR: usize>(&mut self, first: usize, at: usize) {
        let mut packed = self.packed[at..].as_chunks_mut::<MR>().0.iter_mut();
        for piece in self.pieces {
            let rows = piece.a.chunks(piece.stride).take(piece.len);
            for (row, packed) in rows.zip(&mut packed) {
                packed.copy_from_slice(&row[first..first + MR]);
            }
        }
    }

    /// The tile of so many rows.
    #[inline(always)]
    fn tiles_of<S: Simd, const PV: usize, const MR: usize, const NP: usize, const ALL: usize>(
        &self,
        simd: S,
        at: Place,
        rows: usize,
        strips: &mut Strips<ALL>,
    ) {
        if rows == MR {
            self.tile::<S, PV, MR, NP, ALL>(simd, at, strips);
        } else if const { MR > 4 } && rows == 4 {
            self.tile::<S, PV, 4, NP, ALL>(simd, at, strips);
        } else if const { MR > 1 } {
            self.tile::<S, PV, 1, NP, ALL>(simd, at, strips);
        }
    }

    /// MR columns of A by NP panels, over all k steps.
    #[inline(always)]
    fn tile<S: Simd, const PV: usize, const MR: usize, const NP: usize, const ALL: usize>(
        &self,
        simd: S,
        at: Place,
        strips: &mut Strips<ALL>,
    ) {
        for pc in (0..at.k).step_by(KB) {
            let mut acc = microkernel::zeros::<S, MR, NP, PV>(simd);
            let mut start = 0;
            for piece in self.pieces {
                if let Some((from, to)) = overlap(start, piece.len, pc, pc + KB) {
                    let lines = &piece.lines[at.j * piece.len + from..];
                    let panels: [_; NP] = microkernel::strided(lines, piece.len, to - from);
                    if at.packed {
                        let a = self.packed[at.i * at.k..].as_chunks().0;
                        let a = &a[start + from..start + to];
                        microkernel::packed_columns(simd, a, panels, &mut acc);
                    } else {
                        let a = &piece.a[from * piece.stride..];
                        let first = at.group + at.i;
                        microkernel::columns(simd, a, piece.stride, first, panels, &mut acc);
                    }
                }
                start += piece.len;
            }
            for q in 0..NP {
                let strip = &mut strips[q][at.i..][..MR];
                for i in 0..MR {
                    microkernel::store(simd, acc[i][q], &mut strip[i], at.add || pc > 0);
                }
            }
        }
    }
}
