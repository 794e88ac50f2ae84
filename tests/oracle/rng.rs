//! Test data: a generator of a few lines (`SplitMix64`, Steele, Lea & Flood 2014) and the fillings that tests want.

/// A seeded generator.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The generator of that seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// One of 0..n; the bias of the remainder, n / 2^64, is of no account here.
    ///
    /// # Panics
    /// When `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next_u64() % n
    }

    /// Uniform in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0;
        low + (high - low) * unit
    }

    /// `len` numbers, uniform in [low, high).
    pub fn uniform(&mut self, len: usize, low: f32, high: f32) -> Vec<f32> {
        (0..len)
            .map(|_| self.between(f64::from(low), f64::from(high)) as f32)
            .collect()
    }

    /// `len` integers of -max..=max: while k max^2 stays below 2^24, a product of such matrices is exact in f32
    /// whatever the order of its sums, so `==` holds between any two right answers.
    pub fn small_integers(&mut self, len: usize, max: u32) -> Vec<f32> {
        let max = i64::from(max);
        (0..len)
            .map(|_| (self.below(2 * max as u64 + 1) as i64 - max) as f32)
            .collect()
    }

    /// `len` powers of two, 2^-range to 2^range, of either sign: every product is exact.
    pub fn powers_of_two(&mut self, len: usize, range: i32) -> Vec<f32> {
        (0..len)
            .map(|_| {
                let exponent = self.below(2 * range as u64 + 1) as i32 - range;
                let sign = if self.below(2) == 0 { 1.0 } else { -1.0 };
                sign * 2.0_f32.powi(exponent)
            })
            .collect()
    }

    /// `len` class labels of 0..classes.
    pub fn labels(&mut self, len: usize, classes: u32) -> Vec<u32> {
        (0..len)
            .map(|_| self.below(u64::from(classes)) as u32)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_first_outputs_are_those_of_splitmix64() {
        // The published test vector of seed 1234567.
        let mut rng = Rng::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn fillings_reach_their_ends_and_nothing_beyond() {
        let mut rng = Rng::new(1);
        let integers = rng.small_integers(1000, 3);
        assert!(
            (-3..=3).all(|x| integers.contains(&(x as f32))),
            "an integer is missing"
        );
        assert!(integers.iter().all(|x| x.abs() <= 3.0 && x.fract() == 0.0));
        let powers = rng.powers_of_two(1000, 2);
        assert!(
            powers
                .iter()
                .all(|x| [0.25, 0.5, 1.0, 2.0, 4.0].contains(&x.abs()))
        );
        assert!(powers.contains(&-0.25) && powers.contains(&4.0));
        let uniform = rng.uniform(1000, -1.0, 2.0);
        assert!(uniform.iter().all(|x| (-1.0..=2.0).contains(x)));
        assert!(uniform.iter().any(|&x| x < -0.9) && uniform.iter().any(|&x| x > 1.9));
    }
}
