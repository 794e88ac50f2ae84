//! A product and a sum in one rounding.

/// a b + c, rounded once, as IEEE 754 has it and the standard library promises. The library leaves it to the system, and
/// `MinGW`'s rounds twice: there it is made of f64, which holds the product exactly.
pub fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(all(windows, target_env = "gnu")) {
        by_f64(a, b, c)
    } else {
        a.mul_add(b, c)
    }
}

/// The sum in f64, rounded to odd (Boldo & Melquiond 2008, theorem 3: f64 has more than the 2 * 24 + 2 bits it takes), then
/// to f32 as ever.
fn by_f64(a: f32, b: f32, c: f32) -> f32 {
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    let c_part = sum - product;
    let error = (product - (sum - c_part)) + (c - c_part);
    let is_cut = sum.is_finite() && error != 0.0;
    let is_even = sum.to_bits().is_multiple_of(2);
    let odd = match (is_cut && is_even, (error > 0.0) == (sum > 0.0)) {
        (false, _) => sum.to_bits(),
        (true, true) => sum.to_bits() + 1,
        (true, false) => sum.to_bits() - 1,
    };
    f64::from_bits(odd) as f32
}

#[cfg(test)]
mod tests {
    use super::{by_f64, mul_add};
    use crate::rng::Rng;
    use crate::ulp::same;

    #[test]
    fn it_is_rounded_once() {
        // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, half way between two numbers; what is added decides.
        let x = 1.0 + 2.0_f32.powi(-12);
        let [down, up] = [-1.0, 1.0].map(|sign| sign * 2.0_f32.powi(-60));
        for f in [mul_add, by_f64] {
            assert_eq!(f(x, x, down), 1.0 + 2.0_f32.powi(-11));
            assert_eq!(f(x, x, up), 1.0 + 2.0_f32.powi(-11) + 2.0_f32.powi(-23));
            assert_eq!(f(x, x, -1.0), 2.0_f32.powi(-11) + 2.0_f32.powi(-24));
            assert!(same(f(-0.0, 1.0, -0.0), -0.0) && same(f(0.0, 1.0, -0.0), 0.0));
            assert!(f(f32::INFINITY, 0.0, 1.0).is_nan());
            assert_eq!(f(f32::MAX, 2.0, 0.0), f32::INFINITY);
            assert_eq!(f(f32::MIN_POSITIVE, 0.5, 0.0), f32::MIN_POSITIVE / 2.0);
        }
    }

    #[test]
    fn both_ways_give_the_same_bits() {
        let mut rng = Rng::new(1);
        let mut number = || f32::from_bits((rng.next_u64() >> 32) as u32);
        for _ in 0..1_000_000 {
            let [a, b] = [number(), number()];
            // Anything, and what nearly cancels the product.
            for c in [number(), -a * b * number().clamp(0.5, 2.0)] {
                let [x, y] = [mul_add(a, b, c), by_f64(a, b, c)];
                assert!(same(x, y), "{a:e} * {b:e} + {c:e}: {x:e} {y:e}");
            }
        }
    }
}
