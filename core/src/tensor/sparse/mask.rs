//! Masks of bits: of a row, and turned.

use pulp::{Simd, WithSimd};

use super::UNITS;
use crate::isa::Isa;

/// Writes the mask of a row: bit i of the words is set where any of columns U i to U i + U - 1 is not zero, of whatever
/// sign.
pub fn mask_of<const U: usize>(isa: Isa, row: &[f32], mask: &mut [u64]) {
    isa.dispatch(Mask::<U> { row, mask });
}

struct Mask<'a, const U: usize> {
    row: &'a [f32],
    mask: &'a mut [u64],
}

impl<const U: usize> WithSimd for Mask<'_, U> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (word, row) in self.mask.iter_mut().zip(self.row.chunks(U * UNITS)) {
            *word = 0;
            for (i, columns) in row.chunks(UNITS).enumerate() {
                *word |= units_of::<U>(columns) << (UNITS / U * i);
            }
        }
    }
}

/// The bits of the units of at most 64 columns.
#[inline(always)]
fn units_of<const U: usize>(columns: &[f32]) -> u64 {
    // A byte for each column first, which is done in vectors.
    let mut bytes = [0_u8; UNITS];
    if let Some(columns) = columns.first_chunk() {
        is_not_zero(columns, &mut bytes);
    } else {
        let mut padded = [0.0; UNITS];
        padded[..columns.len()].copy_from_slice(columns);
        is_not_zero(&padded, &mut bytes);
    }
    let eights = bytes.as_chunks().0.iter();
    let bits = eights.rev().fold(0, |bits, eight| {
        // Byte i of the eight goes to bit 56 + i: no two products meet.
        let first = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits << 8 | first
    });
    if U == 1 {
        bits
    } else {
        halves(bits | bits >> 1)
    }
}

#[inline(always)]
fn is_not_zero(columns: &[f32; UNITS], bytes: &mut [u8; UNITS]) {
    for (byte, x) in bytes.iter_mut().zip(columns) {
        *byte = u8::from(x.to_bits() << 1 != 0);
    }
}

/// The even bits, side by side (Warren, section 7-4).
#[inline(always)]
fn halves(bits: u64) -> u64 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) & 0x0000_0000_ffff_ffff
}

/// Bit j of word i becomes bit i of word j.
#[inline(always)]
pub(super) fn transpose(words: &mut [u64; 64]) {
    swap::<32>(words, 0x0000_0000_ffff_ffff);
    swap::<16>(words, 0x0000_ffff_0000_ffff);
    swap::<8>(words, 0x00ff_00ff_00ff_00ff);
    swap::<4>(words, 0x0f0f_0f0f_0f0f_0f0f);
    swap::<2>(words, 0x3333_3333_3333_3333);
    swap::<1>(words, 0x5555_5555_5555_5555);
}

/// Of each two blocks of D x D bits beside the diagonal of a square of 2 D x 2 D, one takes the other's place.
#[inline(always)]
fn swap<const D: usize>(words: &mut [u64; 64], mask: u64) {
    for first in (0..64).step_by(2 * D) {
        for i in first..first + D {
            let changed = ((words[i] >> D) ^ words[i + D]) & mask;
            words[i] ^= changed << D;
            words[i + D] ^= changed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{UNITS, mask_of};
    use crate::isa::Isa;

    fn mask(isa: Isa, row: &[f32]) -> Vec<u64> {
        let mut mask = vec![u64::MAX; row.len().div_ceil(2 * UNITS)];
        mask_of::<2>(isa, row, &mut mask);
        mask
    }

    #[test]
    fn what_is_not_zero_has_a_bit() {
        let cases: [(&[f32], &[u64]); 6] = [
            (&[], &[]),
            (&[0.0, -0.0, 1.0], &[2]),
            (&[f32::NAN; 9], &[31]),
            (&[0.0; 150], &[0, 0]),
            (
                &[0., 1e-45, 0., 0., 0., 0., 0., -2., 0., f32::INFINITY, 0.],
                &[0b1_1001],
            ),
            (
                &[[0.0; 127], [1.0; 127]].concat(),
                &[1 << 63, u64::MAX >> 1],
            ),
        ];
        for isa in Isa::available() {
            for (row, want) in cases {
                assert_eq!(mask(isa, row), want, "{row:?}");
            }
            let mut lone = [0];
            mask_of::<1>(
                isa,
                &[&[0.0, 2.0, -0.0][..], &[1.0; 61]].concat(),
                &mut lone,
            );
            assert_eq!(lone, [u64::MAX << 3 | 2]);
        }
    }
}
