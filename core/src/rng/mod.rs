//! Random numbers whose values never change: the same seed gives the same stream on every machine and in every version.
//!
//! [`Rng`] is xoshiro256++ (Blackman & Vigna 2021) seeded by `SplitMix64`; it implements `rand`'s traits. Every use of
//! randomness takes its own stream, [`Rng::stream`], so that adding one does not move another. Dropout draws from
//! [`cell_key`] and [`cell_hash`] instead: a hash of (seed, epoch, row, unit), which no split of the work can change.
//!
//! [`LegacyRandom`] is `NumPy`'s `RandomState`, for following documents that print what came of `np.random.seed`.

mod legacy;
mod ln;

use std::convert::Infallible;

use rand::TryRng;

pub use legacy::LegacyRandom;

/// xoshiro256++.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng([u64; 4]);

/// One step of `SplitMix64`: a bijection of 64 bits in which every bit of the input moves every bit of the output.
#[inline(always)]
pub const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

impl Rng {
    /// The generator of that seed.
    pub fn new(seed: u64) -> Self {
        let step = 0x9E37_79B9_7F4A_7C15_u64;
        Self([0, 1, 2, 3].map(|i: u64| mix(seed.wrapping_add(step.wrapping_mul(i)))))
    }

    /// An independent generator for one purpose ("init", "shuffle", "split") under the same seed.
    pub fn stream(seed: u64, purpose: &str) -> Self {
        // FNV-1a of the purpose, mixed with the seed.
        let hash = purpose
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
            });
        Self::new(mix(seed) ^ hash)
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in [low, high).
    #[inline]
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform among 0..n, without bias (Lemire 2019).
    ///
    /// # Panics
    /// When `n` is zero.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "no number is below zero");
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= n.wrapping_neg() % n {
                return (product >> 64) as u64;
            }
        }
    }

    /// Standard normal (Marsaglia's polar method; the second of each pair is thrown away).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let s = x * x + y * y;
            if s > 0.0 && s < 1.0 {
                return x * (-2.0 * quick_ln(s) / s).sqrt();
            }
        }
    }

    /// Puts the items in random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// Natural logarithm of a positive normal number to about 1e-15, by operations that round the same everywhere
/// (the system's `ln` does not): as [`ln::ln`] in one f64, ten times as fast.
fn quick_ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let shifted = bits.wrapping_sub(0x3FE6_A09E_667F_3BCD);
    let exponent = (shifted as i64 >> 52) as f64;
    let m = f64::from_bits(bits.wrapping_sub(shifted & (0xFFF << 52)));
    let t = (m - 1.0) / (m + 1.0);
    let t2 = t * t;
    let series = (0..11)
        .rev()
        .fold(0.0, |sum, i| sum * t2 + 1.0 / f64::from(2 * i + 1));
    exponent * std::f64::consts::LN_2 + 2.0 * t * series
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next_u64() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

/// The key of one row of cells: `a`, `b`, `c` are, say, the layer, the epoch and the row.
#[inline(always)]
pub const fn cell_key(seed: u64, a: u64, b: u64, c: u64) -> u64 {
    mix(mix(mix(mix(seed) ^ a) ^ b) ^ c)
}

/// 32 random bits for one cell of the row that has this key, by integer operations that vectorise
/// (the finaliser of `MurmurHash3`, keyed before and in the middle).
#[inline(always)]
pub const fn cell_hash(key: u64, cell: u32) -> u32 {
    let mut h = cell.wrapping_mul(0x9E37_79B9) ^ key as u32;
    h = (h ^ (h >> 16)).wrapping_mul(0x85EB_CA6B);
    h = (h ^ (h >> 13) ^ (key >> 32) as u32).wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

#[cfg(test)]
mod tests {
    use super::{Rng, cell_hash, cell_key, quick_ln};

    #[test]
    fn quick_ln_agrees_with_the_system() {
        let mut rng = Rng::new(7);
        for _ in 0..100_000 {
            let x = f64::from_bits((rng.next_u64() >> 2).max(1 << 52));
            assert!(
                (quick_ln(x) - x.ln()).abs() <= 4e-16 * x.ln().abs().max(1.0),
                "ln({x:e})"
            );
        }
    }

    #[test]
    fn golden_values() {
        let mut rng = Rng::new(1);
        let first: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(first, GOLDEN);
        assert_eq!(cell_hash(cell_key(1, 2, 3, 4), 5), GOLDEN_CELL);
    }

    const GOLDEN: [u64; 3] = [
        14_971_601_782_005_023_387,
        13_781_649_495_232_077_965,
        1_847_458_086_238_483_744,
    ];
    const GOLDEN_CELL: u32 = 1_981_617_841;

    #[test]
    fn normal_has_the_right_moments() {
        let mut rng = Rng::new(3);
        let n = 200_000;
        let (mut mean, mut square, mut fourth) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let x = rng.normal();
            mean += x / f64::from(n);
            square += x * x / f64::from(n);
            fourth += x.powi(4) / f64::from(n);
        }
        // Five standard errors: 1 / sqrt(n), sqrt(2 / n), sqrt(96 / n).
        assert!(
            mean.abs() < 0.0112 && (square - 1.0).abs() < 0.0159 && (fourth - 3.0).abs() < 0.110
        );
    }

    #[test]
    fn shuffle_is_fair() {
        let mut rng = Rng::new(5);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            let mut items = [0, 1, 2];
            rng.shuffle(&mut items);
            counts[usize::from(items[0] > items[1]) + 2 * items[2]] += 1;
        }
        // Each of the six orders: 10 000, five standard deviations of 91.
        assert!(
            counts.iter().all(|&count| count.abs_diff(10_000) < 456),
            "{counts:?}"
        );
    }
}
