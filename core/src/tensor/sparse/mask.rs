//! Masks of bits: of a row's strips, and turned.

use pulp::Simd;
use pulp::bytemuck::{NoUninit, bytes_of};

use super::UNITS;

/// The mask of a strip of bytes: bit i is set where unit i has one that is not 0.
#[inline(always)]
pub(super) fn mask_of_bytes<S: Simd, const U: usize>(simd: S, strip: &[[u8; U]; UNITS]) -> u64 {
    const { assert!(U == 1 || U == 2, "units of one column or two") };
    if const { U == 2 && is_a_bit::<S::m16s>(S::U16_LANES) } {
        let units = strip.map(|unit| u16::from_ne_bytes([unit[0], unit[U - 1]]));
        let zero = simd.splat_u16s(0);
        let vectors = S::as_simd_u16s(&units).0.iter();
        return mask_of_zeros(vectors.map(|x| simd.equal_u16s(*x, zero)), S::U16_LANES);
    }
    // A byte for each unit first, which is done in vectors.
    let mut there = [0; UNITS];
    for (there, unit) in there.iter_mut().zip(strip) {
        *there = u8::from(u16::from_ne_bytes([unit[0], unit[U - 1]]) != 0);
    }
    let mut mask = [0; UNITS / 8];
    for (mask, eight) in mask.iter_mut().zip(there.as_chunks().0) {
        // Byte i of the eight goes to bit 56 + i: no two products meet.
        *mask = (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8;
    }
    u64::from_le_bytes(mask)
}

/// The mask of a strip of numbers, of whatever sign.
#[inline(always)]
pub(super) fn mask_of_floats<S: Simd, const U: usize>(simd: S, strip: &[[f32; U]; UNITS]) -> u64 {
    let numbers = strip.as_flattened();
    if const { U == 1 && is_a_bit::<S::m32s>(S::F32_LANES) } {
        let zero = simd.splat_f32s(0.0);
        let vectors = S::as_simd_f32s(numbers).0.iter();
        return mask_of_zeros(vectors.map(|x| simd.equal_f32s(*x, zero)), S::F32_LANES);
    }
    let mut bytes = [[0; U]; UNITS];
    for (byte, x) in bytes.as_flattened_mut().iter_mut().zip(numbers) {
        *byte = u8::from(x.to_bits() << 1 != 0);
    }
    mask_of_bytes(simd, &bytes)
}

/// Whether a comparison of so many lanes leaves a bit for each, and not a lane.
const fn is_a_bit<M>(lanes: usize) -> bool {
    lanes > 1 && size_of::<M>() * 8 == lanes
}

/// The mask of units of which bits tell, so many at a time, which are zero.
#[inline(always)]
fn mask_of_zeros<M: NoUninit>(zeros: impl Iterator<Item = M>, lanes: usize) -> u64 {
    let mut mask = 0;
    for (i, zeros) in zeros.enumerate() {
        let mut bytes = [0; size_of::<u64>()];
        bytes[..size_of::<M>()].copy_from_slice(bytes_of(&zeros));
        mask |= u64::from_le_bytes(bytes) << (i * lanes);
    }
    !mask
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
    use pulp::{Simd, WithSimd};

    use super::{UNITS, mask_of_bytes, mask_of_floats};
    use crate::isa::Isa;

    struct Masks;

    impl WithSimd for Masks {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            what_is_not_zero_has_a_bit(simd);
        }
    }

    #[test]
    fn masks_of_every_instruction_set() {
        for isa in Isa::available() {
            isa.dispatch(Masks);
        }
    }

    #[inline(always)]
    fn what_is_not_zero_has_a_bit<S: Simd>(simd: S) {
        let mut pairs = [[0.0; 2]; UNITS];
        assert_eq!(mask_of_floats(simd, &pairs), 0);
        for (i, pair) in [
            (0, [-0.0, 0.0]),
            (1, [1e-45, 0.0]),
            (2, [0.0, -f32::NAN]),
            (8, [-0.0, f32::INFINITY]),
            (63, [-2.0, 3.0]),
        ] {
            pairs[i] = pair;
        }
        assert_eq!(mask_of_floats(simd, &pairs), 1 << 63 | 1 << 8 | 6);
        let ones = std::array::from_fn(|i| [[0.0, -0.0, f32::NAN][i % 3]]);
        let every_third: u64 = (0..UNITS).filter(|i| i % 3 == 2).map(|i| 1 << i).sum();
        assert_eq!(mask_of_floats(simd, &ones), every_third);
        for (i, shift) in (0..UNITS).flat_map(|i| (0..8).map(move |shift| (i, shift))) {
            for pair in [[1 << shift, 0], [0, 1 << shift]] {
                let mut bytes = [[0; 2]; UNITS];
                bytes[i] = pair;
                assert_eq!(mask_of_bytes(simd, &bytes), 1 << i);
            }
        }
    }
}
