//! Rows written into their strips, and their masks made of what was written.

use pulp::{Simd, WithSimd};

use super::mask::{mask_of_bytes, mask_of_floats};
use super::{GROUP, SparseRows, StripRow, UNITS};
use crate::isa::Isa;

impl<const U: usize> SparseRows<U> {
    /// One more row of bytes, of which only 0 may stand for zero.
    ///
    /// # Panics
    /// When there is no room for it, or it has other columns.
    #[inline(always)]
    pub fn push_bytes<S: Simd>(&mut self, simd: S, row: &[u8]) {
        let place = self.next(row.len());
        let masks = [&mut self.by_row[..], &mut self.found];
        push(&mut self.bytes, masks, place, row, |_, part, kept| {
            match part.as_chunks().0.first_chunk() {
                Some(units) => *kept = *units,
                None => copy(part, kept.as_flattened_mut()),
            }
            mask_of_bytes(simd, kept)
        });
    }

    /// One more row of numbers, which `write` makes of a part of `row`, told with its first column.
    ///
    /// # Panics
    /// When there is no room for it, or it has other columns.
    #[inline(always)]
    pub fn push_floats<S: Simd, T>(
        &mut self,
        simd: S,
        row: &[T],
        write: impl Fn(usize, &[T], &mut [f32]),
    ) {
        let place = self.next(row.len());
        let masks = [&mut self.by_row[..], &mut self.found];
        push(&mut self.floats, masks, place, row, |first, part, kept| {
            write(first, part, &mut kept.as_flattened_mut()[..part.len()]);
            mask_of_floats(simd, kept)
        });
    }

    /// The place of one more row, of so many columns.
    #[inline(always)]
    fn next(&mut self, columns: usize) -> Place {
        let r = self.rows;
        assert!(r < self.capacity, "no room for more than {r} rows");
        assert_eq!(columns, self.columns, "columns of a row");
        self.rows += 1;
        let (first, height) = self.group(r / GROUP);
        Place {
            strip_row: first + r % GROUP,
            height,
            mask: r * self.words,
        }
    }

    /// One more row of numbers as they are, in code for that instruction set.
    ///
    /// # Panics
    /// When there is no room for it, or it has other columns.
    pub fn push(&mut self, isa: Isa, row: &[f32]) {
        isa.dispatch(Push { rows: self, row });
    }
}

/// Where a row lies.
#[derive(Clone, Copy)]
struct Place {
    /// Its part of the first strip, and how far from there the others are.
    strip_row: usize,
    height: usize,
    /// Its mask's first word.
    mask: usize,
}

/// Writes a row into its strips (past its end they stay zero), of which `write` tells the masks.
#[inline(always)]
fn push<const U: usize, T, K>(
    strips: &mut [StripRow<U, K>],
    [by_row, found]: [&mut [u64]; 2],
    place: Place,
    row: &[T],
    write: impl Fn(usize, &[T], &mut [[K; U]; UNITS]) -> u64,
) {
    let strips = strips[place.strip_row..].iter_mut().step_by(place.height);
    let masks = by_row[place.mask..].iter_mut().zip(found);
    let parts = (0..).step_by(U * UNITS).zip(row.chunks(U * UNITS));
    for ((strip, (mask, found)), (first, part)) in strips.zip(masks).zip(parts) {
        *mask = write(first, part, &mut strip.0);
        *found |= *mask;
    }
}

/// Copies a part of a strip. (Not inline: of whole strips, whose length is known, the copy would be made by the same call.)
#[inline(never)]
fn copy(part: &[u8], kept: &mut [u8]) {
    kept[..part.len()].copy_from_slice(part);
}

struct Push<'a, const U: usize> {
    rows: &'a mut SparseRows<U>,
    row: &'a [f32],
}

impl<const U: usize> WithSimd for Push<'_, U> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.rows.push_floats(simd, self.row, |_, part, kept| {
            match (part.as_chunks::<UNITS>(), kept.as_chunks_mut::<UNITS>().0) {
                // Of known length: no call, and the vectors that are written are those that the mask is made of.
                ((whole, []), kept) => {
                    for (kept, part) in kept.iter_mut().zip(whole) {
                        *kept = *part;
                    }
                }
                _ => kept.copy_from_slice(part),
            }
        });
    }
}
