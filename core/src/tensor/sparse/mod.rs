//! Rows of which most numbers are zero, for the products that skip zeros.
//!
//! The numbers stay where they would be without that, in strips, and a mask of bits tells which are not zero: a set bit
//! costs a kernel three cheap instructions, a list of places costs memory, and making it over again by columns far more.
//! So many columns as U share a bit, set where any of them is not zero: two of inputs, because neighbours are often zero in
//! the same rows (strokes of pixels); of the outputs of hidden units, where it is not so, each has its own. Here such
//! columns are a unit. A mask is kept by rows, and turned 64 rows at a time to go by units (Warren, Hacker's Delight, 2nd ed., section 7-3). Bytes stay bytes: a table of 256 numbers widens them. Buffers are
//! made once, for the most that they will hold, and filled again and again.

mod mask;
mod numbers;
mod push;

pub(super) use numbers::{Bytes, Floats, Numbers};

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::isa::Isa;

/// Rows that are masked together: a bit each of one word.
pub const GROUP: usize = 64;

/// Units in a strip: a word of a row's mask.
pub const UNITS: usize = 64;

/// Up to so many rows the bits of a mask are turned one by one.
const FEW: usize = 16;

/// What a strip has of a row, unit by unit, on lines of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct StripRow<const U: usize, T>(pub(super) [[T; U]; UNITS]);

/// Some columns of a group of rows. (Where there is room for fewer, what follows them is no part of it, and not looked at:
/// that an index of a bit is within is then known to the compiler.)
pub(super) type Strip<const U: usize, T> = [StripRow<U, T>; GROUP];

/// Rows of which most numbers are zero, U columns to a bit.
#[derive(Clone, Debug)]
pub struct SparseRows<const U: usize = 2> {
    rows: usize,
    /// For how many there is room.
    capacity: usize,
    columns: usize,
    /// Words of a row's mask, of as many strips.
    words: usize,
    /// Row after row, its words.
    by_row: Vec<u64>,
    /// Which units any row has.
    found: Vec<u64>,
    /// A word for each unit, group after group: which rows have it.
    by_unit: Vec<[u64; GROUP]>,
    /// Strip after strip, group after group, of which one of the two there is.
    bytes: Vec<StripRow<U, u8>>,
    /// What the bytes stand for.
    table: Box<[f32; 256]>,
    floats: Vec<StripRow<U, f32>>,
}

impl<const U: usize> SparseRows<U> {
    /// Columns of a strip.
    pub(super) const STRIP: usize = U * UNITS;

    /// No row yet, and room for `rows` rows of f32.
    pub fn of_floats(rows: usize, columns: usize) -> Self {
        let mut made = Self::without_strips(rows, columns);
        made.floats = vec![StripRow([[0.0; U]; UNITS]); Self::strip_rows(rows, columns)];
        made
    }

    /// The bytes that room for `rows` rows of f32 takes.
    pub fn size_of_floats(rows: usize, columns: usize) -> usize {
        let (words, groups) = (columns.div_ceil(Self::STRIP), rows.div_ceil(GROUP));
        let masks = words * (rows + 1 + GROUP * groups) * size_of::<u64>();
        let strips = Self::strip_rows(rows, columns) * size_of::<StripRow<U, f32>>();
        masks + strips + size_of::<[f32; 256]>()
    }

    /// No row yet, and room for `rows` rows of bytes that stand for these numbers.
    ///
    /// # Panics
    /// Where units are of one column: for those there are no kernels.
    pub fn of_bytes(rows: usize, columns: usize, table: [f32; 256]) -> Self {
        assert!(U > 1, "bytes in units of one column");
        let mut made = Self::without_strips(rows, columns);
        made.bytes = vec![StripRow([[0; U]; UNITS]); Self::strip_rows(rows, columns)];
        made.table = Box::new(table);
        made
    }

    fn without_strips(rows: usize, columns: usize) -> Self {
        let words = columns.div_ceil(Self::STRIP);
        Self {
            rows: 0,
            capacity: rows,
            columns,
            words,
            by_row: vec![0; rows * words],
            found: vec![0; words],
            by_unit: vec![[0; GROUP]; rows.div_ceil(GROUP) * words],
            bytes: Vec::new(),
            table: Box::new([0.0; 256]),
            floats: Vec::new(),
        }
    }

    /// Rows of all strips, and what makes the last one a whole group's.
    fn strip_rows(rows: usize, columns: usize) -> usize {
        rows * columns.div_ceil(Self::STRIP) + rows.next_multiple_of(GROUP) - rows
    }

    /// Where the strips of a group begin, and how many rows there is room for in each.
    #[inline(always)]
    fn group(&self, group: usize) -> (usize, usize) {
        let first = group * GROUP;
        (first * self.words, GROUP.min(self.capacity - first))
    }

    /// Takes all rows away.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.found.fill(0);
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether its numbers are kept as bytes.
    pub fn is_of_bytes(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The columns of a row of f32 that are in units of its mask, in ascending order, and their numbers to be changed.
    pub fn row_mut(&mut self, r: usize) -> impl Iterator<Item = (u32, &mut f32)> {
        let (first, height) = self.group(r / GROUP);
        let strips = self.floats[first + r % GROUP..].iter_mut().step_by(height);
        let masks = &self.by_row[r * self.words..][..self.words];
        let firsts = (0..).step_by(Self::STRIP);
        firsts
            .zip(strips)
            .zip(masks)
            .flat_map(move |((first, strip), mask)| {
                let units = strip.0.iter_mut().zip((first..).step_by(U));
                let there = units.zip(0..).filter(move |(_, i)| mask >> i & 1 == 1);
                there.flat_map(|((unit, first), _)| (first..).zip(unit))
            })
    }

    /// How many units row `r` has.
    pub fn count(&self, r: usize) -> usize {
        let words = &self.by_row[r * self.words..][..self.words];
        words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The masks of some rows, [`words`](Self::words) of each.
    #[inline(always)]
    pub(super) fn masks(&self, rows: Range<usize>) -> &[u64] {
        &self.by_row[rows.start * self.words..rows.end * self.words]
    }

    /// Words of a row's mask.
    #[inline(always)]
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// Turns the mask to go by units, as the product of columns wants it.
    pub fn turn(&mut self, isa: Isa) {
        if self.rows > 1 {
            isa.dispatch(Turn {
                masks: &self.by_row[..self.rows * self.words],
                words: self.words,
                turned: &mut self.by_unit,
            });
        }
    }

    /// Of which units of a strip any row has one.
    #[inline(always)]
    pub(super) fn found_in(&self, strip: usize) -> u64 {
        self.found[strip]
    }

    /// Whether any row has that unit.
    #[inline(always)]
    pub(super) fn is_found(&self, unit: usize) -> bool {
        self.found[unit / UNITS] >> (unit % UNITS) & 1 == 1
    }

    /// The number of groups of rows.
    #[inline(always)]
    pub(super) fn groups(&self) -> usize {
        self.rows.div_ceil(GROUP)
    }

    /// Which rows of a group have that unit.
    #[inline(always)]
    pub(super) fn rows_with(&self, group: usize, unit: usize) -> u64 {
        if self.rows == 1 {
            // Not turned.
            return self.by_row[unit / UNITS] >> (unit % UNITS) & 1;
        }
        self.by_unit[group * self.words + unit / UNITS][unit % UNITS]
    }

    /// Strip `word` of a group.
    #[inline(always)]
    pub(super) fn strip<N: Numbers>(
        &self,
        numbers: N,
        group: usize,
        word: usize,
    ) -> &Strip<U, N::Kept> {
        let (first, height) = self.group(group);
        let strip = numbers.strips(self)[first + word * height..].first_chunk();
        strip.expect("a whole group's rows from each strip on")
    }

    /// Strip `word` of row `r`.
    #[inline(always)]
    pub(super) fn strip_row<N: Numbers>(
        &self,
        numbers: N,
        r: usize,
        word: usize,
    ) -> &[[N::Kept; U]; UNITS] {
        &self.strip(numbers, r / GROUP, word)[r % GROUP].0
    }

    /// What its bytes stand for.
    pub(super) fn table(&self) -> &[f32; 256] {
        &self.table
    }
}

/// Turns masks of so many words by rows to masks by units.
struct Turn<'a> {
    masks: &'a [u64],
    words: usize,
    turned: &'a mut [[u64; GROUP]],
}

impl WithSimd for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let stride = self.words.max(1);
        let groups = self.masks.chunks(GROUP * stride);
        for (masks, turned) in groups.zip(self.turned.chunks_exact_mut(stride)) {
            let few = masks.len() <= FEW * stride;
            for (word, turned) in turned.iter_mut().enumerate() {
                turned.fill(0);
                for (r, mask) in masks.chunks_exact(stride).enumerate() {
                    if few {
                        let mut bits = mask[word];
                        while bits != 0 {
                            turned[bits.trailing_zeros() as usize % 64] |= 1 << r;
                            bits &= bits - 1;
                        }
                    } else {
                        turned[r % GROUP] = mask[word];
                    }
                }
                if !few {
                    mask::transpose(turned);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SparseRows, UNITS};
    use crate::isa::Isa;

    fn turned_again_and_again<const U: usize>() {
        let is_there = |r: usize, unit: usize| (r * 37 + unit * 11) % 7 < 2;
        let units = 301_usize.div_ceil(U);
        for isa in Isa::available() {
            for rows in [1, 5, 64, 100] {
                let mut sparse = SparseRows::<U>::of_floats(100, 301);
                for round in 0..2 {
                    sparse.clear();
                    for r in 0..rows {
                        let row: Vec<f32> = (0..301)
                            .map(|c| f32::from(is_there(r + round, c / U)))
                            .collect();
                        sparse.push(isa, &row);
                    }
                    sparse.turn(isa);
                    for unit in 0..units {
                        for r in 0..rows {
                            let have = sparse.rows_with(r / 64, unit) >> (r % 64) & 1 == 1;
                            assert_eq!(have, is_there(r + round, unit), "{r} {unit}");
                            let word = sparse.masks(r..r + 1)[unit / UNITS];
                            assert_eq!(word >> (unit % UNITS) & 1 == 1, have, "{r} {unit}");
                        }
                    }
                    let any = |&unit: &usize| (0..rows).any(|r| is_there(r + round, unit));
                    let found = |&unit: &usize| sparse.is_found(unit);
                    assert!((0..units).filter(found).eq((0..units).filter(any)));
                }
            }
        }
    }

    #[test]
    fn masks_are_turned_again_and_again() {
        turned_again_and_again::<1>();
        turned_again_and_again::<2>();
    }
}
