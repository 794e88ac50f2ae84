//! Distances between floats: the one place where tests get their tolerances from.

/// |got - exact| in units of the spacing of f32 at `exact` (2^-149 where that would be denormal).
///
/// Both NaN, both the same infinity, or an infinity where `exact` rounds to it: 0. One of them NaN, or a wrong infinity: inf.
#[must_use]
pub fn ulps(got: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if got.is_nan() || rounded.is_nan() {
        return if got.is_nan() && rounded.is_nan() {
            0.0
        } else {
            f64::INFINITY
        };
    }
    if got.is_infinite() || rounded.is_infinite() {
        return if got == rounded { 0.0 } else { f64::INFINITY };
    }
    (f64::from(got) - exact).abs() / spacing(exact)
}

/// The distance from |x| to the next greater f32, for a number in f32's range.
#[must_use]
pub fn spacing(x: f64) -> f64 {
    let exponent = ((x.to_bits() >> 52) & 0x7FF) as i32 - 1023;
    f64::from_bits(((exponent.max(-126) - 23 + 1023) as u64) << 52)
}

/// Whether two floats are the same to the bit, any NaN being the same as any other.
#[must_use]
pub fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Whether two rows are the [`same`] throughout.
#[must_use]
pub fn all_same(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| same(a, b))
}

/// Whether |got - want| <= relative * max(|want|, floor).
#[must_use]
pub fn near(got: f32, want: f64, relative: f64, floor: f64) -> bool {
    (f64::from(got) - want).abs() <= relative * want.abs().max(floor)
}

#[cfg(test)]
mod tests {
    use super::{all_same, near, spacing, ulps};

    #[test]
    fn spacing_is_the_step_to_the_next_float() {
        for x in [1.0_f32, 1.5, 2.0, 3.0e-39, 1e-45, 1e38, 0.1] {
            let next = f32::from_bits(x.to_bits() + 1);
            let step = f64::from(next) - f64::from(x);
            assert_eq!(spacing(f64::from(x)), step, "at {x}");
        }
    }

    #[test]
    fn ulps_see_a_wrong_last_bit_and_wrong_specials() {
        assert_eq!(ulps(1.0 + f32::EPSILON, 1.0), 1.0);
        assert_eq!(ulps(f32::INFINITY, 1e300), 0.0);
        assert_eq!(ulps(f32::INFINITY, f64::NEG_INFINITY), f64::INFINITY);
        assert_eq!(ulps(f32::NAN, 1.0), f64::INFINITY);
        assert_eq!(ulps(1.0, f64::NAN), f64::INFINITY);
        assert_eq!(ulps(f32::NAN, f64::NAN), 0.0);
    }

    #[test]
    fn sameness_is_of_bits_and_nearness_is_relative() {
        assert!(!all_same(&[0.0], &[-0.0]));
        assert!(all_same(&[f32::NAN], &[-f32::NAN]));
        assert!(!all_same(&[], &[0.0]));
        assert!(near(1.001, 1.0, 2e-3, 0.0) && !near(1.001, 1.0, 5e-4, 0.0));
        assert!(near(1e-9, 0.0, 1e-6, 1.0) && !near(f32::NAN, 0.0, 1.0, 1.0));
    }
}
