//! The natural logarithm of an f64, correctly rounded, by operations that round the same everywhere.
//!
//! ln(m 2^e) = e ln 2 + 2 atanh(t), t = (m - 1) / (m + 1), m in [0.7, 1.42), so |t| < 0.172 and
//! atanh(t) = t (1 + t^2 / 3 + t^4 / 5 + ...). All is carried as the unevaluated sum of two f64 (Dekker 1971), but for the
//! tail of the series from t^20 on, which f64 alone knows to 2^-100 of the whole. The error before the one rounding at the
//! end is about 2^-99 of the result, so that of 10^13 arguments chosen blindly perhaps one is rounded the wrong way.
//!
//! The logarithms of C libraries come close (glibc's is within 0.52 ULP), but which of their results are a last bit off
//! depends on the library and on whether the CPU has fused multiply-add.

use crate::isa::mul_add_f64;

/// A number as the sum of two f64, the second at most half an ULP of the first.
#[derive(Clone, Copy)]
struct Double {
    high: f64,
    low: f64,
}

/// ln 2 to 107 bits.
const LN_2: Double = Double {
    high: std::f64::consts::LN_2,
    low: 2.319_046_813_846_299_6e-17,
};

/// Terms of the series in two f64, and after them in one.
const LONG: u32 = 10;
const SHORT: u32 = 12;

/// a + b exactly, where |a| >= |b| or a is 0.
fn quick_sum(a: f64, b: f64) -> Double {
    let high = a + b;
    let low = b - (high - a);
    Double { high, low }
}

/// a + b exactly.
fn sum(a: f64, b: f64) -> Double {
    let high = a + b;
    let b_part = high - a;
    let low = (a - (high - b_part)) + (b - b_part);
    Double { high, low }
}

/// a b exactly.
fn product(a: f64, b: f64) -> Double {
    let high = a * b;
    let low = mul_add_f64(a, b, -high);
    Double { high, low }
}

impl Double {
    fn plus(self, other: Self) -> Self {
        let high = sum(self.high, other.high);
        let low = sum(self.low, other.low);
        let first = quick_sum(high.high, high.low + low.high);
        quick_sum(first.high, first.low + low.low)
    }

    fn times(self, other: Self) -> Self {
        let exact = product(self.high, other.high);
        let cross = mul_add_f64(self.high, other.low, self.low * other.high);
        quick_sum(exact.high, exact.low + cross)
    }

    fn over(self, other: Self) -> Self {
        let first = self.high / other.high;
        let rest = self.plus(other.times(Self::from(-first)));
        let second = rest.high / other.high;
        let rest = rest.plus(other.times(Self::from(-second)));
        let third = rest.high / other.high;
        let head = quick_sum(first, second);
        quick_sum(head.high, head.low + third)
    }
}

impl From<f64> for Double {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

/// ln x of a positive normal number, correctly rounded (see the [module](self)).
pub(super) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let shifted = bits.wrapping_sub(0x3FE6_A09E_667F_3BCD);
    let exponent = (shifted as i64 >> 52) as f64;
    let m = f64::from_bits(bits.wrapping_sub(shifted & (0xFFF << 52)));
    // m - 1 is exact (Sterbenz).
    let t = Double::from(m - 1.0).over(sum(m, 1.0));
    let t2 = t.times(t);
    let tail = (LONG..LONG + SHORT).rev().fold(0.0, |sum, i| {
        mul_add_f64(t2.high, sum, 1.0 / f64::from(2 * i + 1))
    });
    let series = (0..LONG).rev().fold(Double::from(tail), |sum, i| {
        let coefficient = Double::from(1.0).over(Double::from(f64::from(2 * i + 1)));
        sum.times(t2).plus(coefficient)
    });
    let atanh = t.times(series);
    let twice = Double {
        high: 2.0 * atanh.high,
        low: 2.0 * atanh.low,
    };
    let whole = LN_2.times(Double::from(exponent));
    whole.plus(twice).high
}

#[cfg(test)]
mod tests {
    use super::ln;

    /// Arguments at which a C library's logarithm (glibc 2.36) is one unit of the last bit off, and the logarithms by
    /// arithmetic of 50 decimal digits.
    const HARD: [(u64, u64); 6] = [
        (0x3FE6_C215_3E00_D1A2, 0xBFD5_CFE2_07DD_D216),
        (0x3FE2_3D6F_3E37_B4F2, 0xBFE1_FCE3_43A6_4DAA),
        (0x3FDA_E1F8_7728_6B54, 0xBFEB_C1BE_1A2C_7910),
        (0x3FED_A77B_26FF_3574, 0xBFB3_7D58_4F84_9C61),
        (0x3FE8_761E_3113_B17D, 0xBFD1_3164_32E5_38BF),
        (0x3FEC_41B2_ACD7_F616, 0xBFBF_D92E_AF5E_261F),
    ];

    #[test]
    fn it_is_correctly_rounded() {
        for (x, expected) in HARD {
            let x = f64::from_bits(x);
            assert_eq!(ln(x).to_bits(), expected, "ln({x:e})");
        }
        assert_eq!(ln(1.0).to_bits(), 0);
        assert_eq!(ln(2.0).to_bits(), std::f64::consts::LN_2.to_bits());
        assert_eq!(ln(0.5).to_bits(), (-std::f64::consts::LN_2).to_bits());
    }

    #[test]
    fn it_agrees_with_the_system_to_a_bit() {
        let mut rng = crate::rng::Rng::new(8);
        for _ in 0..100_000 {
            let x = f64::from_bits((rng.next_u64() >> 2).max(1 << 52));
            assert!(ln(x).to_bits().abs_diff(x.ln().to_bits()) <= 1, "ln({x:e})");
        }
    }
}
