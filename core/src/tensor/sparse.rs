//! Matrices of which most numbers are zero: by rows ([`SparseRows`]) and by columns ([`SparseColumns`]).
//!
//! Columns are taken in pairs, 2 i and 2 i + 1, because neighbours are often zero in the same rows (strokes of pixels): a
//! pair is left out where both are zero, and is there as two numbers where either is not. Buffers are made once, for the
//! most that they will hold, and filled again and again.

use pulp::{Simd, WithSimd};

use crate::isa::Isa;

/// Two columns next to each other.
pub type Pair = [f32; 2];

/// Columns 2 i and 2 i + 1 of a row, which may end between them.
#[inline(always)]
pub fn pair_of<T: Copy + Default>(row: &[T], i: u16) -> [T; 2] {
    let i = usize::from(i) * 2;
    [row[i], row.get(i + 1).copied().unwrap_or_default()]
}

/// Most columns of a sparse row: its pairs are numbered by 16 bits.
pub const MOST_COLUMNS: usize = 1 << 17;

/// Rows of pairs: of each row the numbers of the pairs, ascending, and what is in them.
#[derive(Clone, Debug)]
pub struct SparseRows {
    /// Row r has entries `starts[r]..starts[r + 1]`.
    starts: Vec<usize>,
    indices: Vec<u16>,
    pairs: Vec<Pair>,
}

impl SparseRows {
    /// No row yet, and room for `rows` of them with `entries` pairs in all.
    pub fn with_capacity(rows: usize, entries: usize) -> Self {
        let mut starts = Vec::with_capacity(rows + 1);
        starts.push(0);
        Self {
            starts,
            indices: Vec::with_capacity(entries),
            pairs: Vec::with_capacity(entries),
        }
    }

    /// No row yet, and room for `rows` rows of `columns` columns, whatever is in them.
    pub fn for_dense(rows: usize, columns: usize) -> Self {
        Self::with_capacity(rows, rows * columns.div_ceil(2) + RUN)
    }

    /// One more row: the pairs of which not both are zero, of whatever sign.
    ///
    /// # Panics
    /// When it is longer than [`MOST_COLUMNS`].
    pub fn push_dense(&mut self, isa: Isa, row: &[f32]) {
        assert!(row.len() <= MOST_COLUMNS, "a row of {}", row.len());
        let first = self.indices.len();
        self.indices
            .resize(first + row.len().div_ceil(2).next_multiple_of(RUN), 0);
        let count = isa.dispatch(ListPairs {
            row,
            indices: &mut self.indices[first..],
        });
        self.indices.truncate(first + count);
        let found = self.indices[first..].iter();
        self.pairs.extend(found.map(|&i| pair_of(row, i)));
        self.starts.push(self.indices.len());
    }

    /// Takes all rows away.
    pub fn clear(&mut self) {
        self.starts.truncate(1);
        self.indices.clear();
        self.pairs.clear();
    }

    /// One more row: which pairs, in ascending order, and as many of them.
    #[inline(always)]
    pub fn push(&mut self, indices: &[u16], pairs: impl ExactSizeIterator<Item = Pair>) {
        debug_assert_eq!(indices.len(), pairs.len(), "a pair for each number");
        debug_assert!(indices.is_sorted(), "ascending pairs");
        self.indices.extend_from_slice(indices);
        self.pairs.extend(pairs);
        self.starts.push(self.indices.len());
    }

    /// Makes zero what the last row has in the column after its last of `cols`, which shares a pair with that.
    #[inline(always)]
    pub fn end_at(&mut self, cols: usize) {
        if let (Some(&index), Some(pair)) = (self.indices.last(), self.pairs.last_mut())
            && usize::from(index) * 2 + 1 == cols
        {
            pair[1] = 0.0;
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Which pairs row `r` has, and the pairs.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline(always)]
    pub fn row(&self, r: usize) -> (&[u16], &[Pair]) {
        let entries = self.starts[r]..self.starts[r + 1];
        (&self.indices[entries.clone()], &self.pairs[entries])
    }

    /// Which pairs row `r` has, and the pairs, to be changed.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline(always)]
    pub fn row_mut(&mut self, r: usize) -> (&[u16], &mut [Pair]) {
        let entries = self.starts[r]..self.starts[r + 1];
        (&self.indices[entries.clone()], &mut self.pairs[entries])
    }
}

/// Pairs that are looked at together.
const RUN: usize = 8;

/// For each set of places in a run, as the bits of a byte, these places in ascending order.
const PLACES: [[u16; RUN]; 1 << RUN] = {
    let mut places = [[0; RUN]; 1 << RUN];
    let mut set = 0;
    while set < 1 << RUN {
        let (mut count, mut place) = (0, 0);
        while place < RUN {
            if set >> place & 1 == 1 {
                places[set][count] = place as u16;
                count += 1;
            }
            place += 1;
        }
        set += 1;
    }
    places
};

/// Writes which pairs of a row are not zero, in ascending order, to the front of `indices`, and gives their number; what
/// follows them there, in whole runs, is overwritten.
struct ListPairs<'a> {
    row: &'a [f32],
    indices: &'a mut [u16],
}

impl WithSimd for ListPairs<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let (runs, rest) = self.row.as_chunks();
        let mut count = 0;
        for (i, run) in runs.iter().enumerate() {
            count += list_run(i * RUN, run, &mut self.indices[count..]);
        }
        if !rest.is_empty() {
            let mut run = [0.0; 2 * RUN];
            run[..rest.len()].copy_from_slice(rest);
            count += list_run(runs.len() * RUN, &run, &mut self.indices[count..]);
        }
        count
    }
}

/// The same for one run, of pairs from `first` on.
#[inline(always)]
fn list_run(first: usize, run: &[f32; 2 * RUN], indices: &mut [u16]) -> usize {
    // As wide as the numbers, so that it is done in a vector or two.
    let mut bits = [0_u32; 2 * RUN];
    for ((place, bit), x) in bits.iter_mut().enumerate().zip(run) {
        *bit = u32::from(x.to_bits() << 1 != 0) << (place / 2);
    }
    let set = bits.iter().fold(0, |set, bit| set | bit) as usize;
    // All places are written, those of the set counted: no branch to mispredict.
    for (index, place) in indices[..RUN].iter_mut().zip(PLACES[set]) {
        *index = first as u16 + place;
    }
    set.count_ones() as usize
}

/// A pair in one row: the row, and the two numbers.
pub type Cell = (u32, Pair);

/// Pairs of columns: of each the rows, ascending, and the numbers in them.
#[derive(Clone, Debug)]
pub struct SparseColumns {
    /// Pair i has cells from `i * slot` on.
    slot: usize,
    counts: Vec<u32>,
    cells: Vec<Cell>,
    /// The pairs that have cells, in the order of their first one, and how many these are; room for one more.
    found: Vec<u16>,
    count: usize,
}

impl SparseColumns {
    /// No cell yet, and room for `columns` columns of at most `rows` rows.
    pub fn new(columns: usize, rows: usize) -> Self {
        // Odd, so that the cells written next, one for each pair, are not all in a few sets of the cache.
        let (slot, pairs) = (rows | 1, columns.div_ceil(2));
        Self {
            slot,
            counts: vec![0; pairs],
            cells: vec![(0, [0.0; 2]); pairs * slot],
            found: vec![0; pairs + 1],
            count: 0,
        }
    }

    /// Takes all cells away.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.count = 0;
    }

    /// One more cell of pair `i`, in a row below those it has.
    ///
    /// # Panics
    /// When there is no room for it.
    #[inline(always)]
    pub fn push(&mut self, i: usize, cell: Cell) {
        let count = &mut self.counts[i];
        self.cells[i * self.slot + *count as usize] = cell;
        // No branch to mispredict.
        self.found[self.count] = i as u16;
        self.count += usize::from(*count == 0);
        *count += 1;
    }

    /// The cells of pair `i`.
    ///
    /// # Panics
    /// When there is no such pair.
    #[inline(always)]
    pub fn pair(&self, i: usize) -> &[Cell] {
        &self.cells[i * self.slot..][..self.counts[i] as usize]
    }

    /// The pairs that have a cell, in the order of their first one.
    #[inline(always)]
    pub fn found(&self) -> &[u16] {
        &self.found[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_COLUMNS, SparseColumns, SparseRows};
    use crate::isa::Isa;

    #[test]
    fn what_is_not_zero_is_listed() {
        let cases: [(&[f32], &[u16]); 6] = [
            (&[], &[]),
            (&[0.0, -0.0, 1.0], &[1]),
            (&[f32::NAN; 9], &[0, 1, 2, 3, 4]),
            (&[0.0; 48], &[]),
            (
                &[0., 1e-45, 0., 0., 0., 0., 0., -2., 0., f32::INFINITY, 0.],
                &[0, 3, 4],
            ),
            (
                &[[0.0; 17], [1.0; 17]].concat(),
                &[8, 9, 10, 11, 12, 13, 14, 15, 16],
            ),
        ];
        for isa in Isa::available() {
            for (row, want) in cases {
                let mut rows = SparseRows::for_dense(1, row.len());
                let room = rows.indices.capacity();
                rows.push_dense(isa, row);
                assert_eq!(rows.row(0).0, want, "{row:?}");
                assert_eq!(rows.indices.capacity(), room, "nothing is allocated");
            }
            // The last column that there can be.
            let mut row = vec![0.0; MOST_COLUMNS];
            row[MOST_COLUMNS - 1] = 1.0;
            let mut rows = SparseRows::for_dense(1, MOST_COLUMNS);
            rows.push_dense(isa, &row);
            assert_eq!(rows.row(0), (&[u16::MAX][..], &[[0.0, 1.0]][..]));
        }
    }

    #[test]
    fn rows_are_kept_and_end_where_the_columns_do() {
        let mut rows = SparseRows::with_capacity(2, 3);
        rows.push(&[0, 2], [[1.0, 2.0], [3.0, 9.0]].into_iter());
        rows.end_at(5);
        rows.push(&[], [].into_iter());
        assert_eq!(rows.rows(), 2);
        assert_eq!(rows.row(0), (&[0, 2][..], &[[1.0, 2.0], [3.0, 0.0]][..]));
        assert_eq!(rows.row(1).0.len(), 0);
        rows.clear();
        assert_eq!(rows.rows(), 0);
    }

    #[test]
    fn columns_are_filled_again_and_again() {
        let mut columns = SparseColumns::new(5, 2);
        for _ in 0..2 {
            columns.clear();
            assert!(columns.found().is_empty());
            columns.push(2, (0, [1.0, 0.0]));
            columns.push(0, (1, [2.0, 3.0]));
            columns.push(2, (1, [4.0, 0.0]));
            assert_eq!(columns.pair(0), [(1, [2.0, 3.0])]);
            assert_eq!(columns.pair(1), []);
            assert_eq!(columns.pair(2), [(0, [1.0, 0.0]), (1, [4.0, 0.0])]);
            assert_eq!(columns.found(), [2, 0]);
        }
    }
}
