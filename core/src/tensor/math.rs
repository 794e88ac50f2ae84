//! exp, log, tanh, sigmoid and softplus over whole vectors, from our own polynomials.
//!
//! The standard library's functions differ from platform to platform, so they may not decide a bit of a model. These
//! are made of operations that IEEE 754 rounds correctly (fused multiply-add, add, multiply, divide) and of selects and
//! integer shifts, in one order, so every instruction set gives the same bits. NaN comes out where NaN goes in (its
//! payload is not promised). No result is denormal unless the argument is: a tail below 2^-126 is exactly zero, because
//! denormals cost a hundred cycles each on many CPUs and carry nothing here.
//!
//! | function | largest error, ULP | over |
//! |---|---|---|
//! | [`exp`] | 0.90 | all f32 with a normal result |
//! | [`expm1_nonpositive`] | 0.95 | all f32 <= 0 |
//! | [`log`] | 0.91 | all positive f32 |
//! | [`sigmoid`] | 1.97 | all f32 with a normal result |
//! | [`softplus`] | 1.83 | all f32 with a normal result |
//! | [`tanh`] | 2.50 | all f32 |
//!
//! The errors are measured over every one of the 2^32 arguments against f64, in units of the spacing of f32 at the exact
//! value, on AVX2 (25 minutes on two busy cores):
//! `MLP_FAST_EXHAUSTIVE=1 cargo test --release -p mlp-tests --test math -- --nocapture`.
//!
//! References: Cody & Waite 1980 (the two-part ln 2), Muller 2016, "Elementary Functions" (Remez fits, table-free exp).

use pulp::Simd;

/// ln(2^-126), rounded up: the least argument of exp with a normal result.
const EXP_MIN: f32 = -87.336_54;
/// The greatest argument of exp with a finite result.
const EXP_MAX: f32 = 88.722_83;
/// ln 2 in two parts; nine bits in the first, so an integer below 2^15 times it is exact.
const LN2_HI: f32 = 0.693_359_4; // 355 / 512
const LN2_LO: f32 = -2.121_944_4e-4;
/// Adding it to |x| < 2^22 leaves the nearest integer (plus 127) in the low bits of the sum.
const ROUND: f32 = 12_582_912.0 + 127.0;

/// exp(r) = 1 + r + r^2 (...), for |r| <= ln(2) / 2: a Remez fit, relative error 2^-28.2; highest power first.
const EXP: [f32; 7] = [
    1.383_800_3e-3,
    8.369_165e-3,
    4.166_81e-2,
    0.166_665_17,
    0.499_999_94,
    1.0,
    1.0,
];
/// (exp(r) - 1 - r) / r^2 on the same range, fitted to the relative error of exp(r) - 1: 2^-26.1.
const EXPM1: [f32; 5] = [
    1.383_786_1e-3,
    8.367_088e-3,
    4.166_775e-2,
    0.166_665_39,
    0.499_999_97,
];
/// (log(1 + f) - f + f^2 / 2) / f^3 for sqrt(1/2) <= 1 + f <= sqrt(2): relative error of the logarithm 2^-28.3.
const LOG: [f32; 9] = [
    6.748_571e-2,
    -0.116_789_48,
    0.118_891_06,
    -0.124_051_49,
    0.142_193_76,
    -0.166_680_13,
    0.200_021_27,
    -0.250_000_1,
    0.333_333_13,
];

/// The polynomial of these coefficients, highest power first, by Horner's rule.
#[inline(always)]
fn horner<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: [f32; N]) -> S::f32s {
    let mut y = simd.splat_f32s(coefficients[0]);
    for &c in &coefficients[1..] {
        y = simd.mul_add_f32s(y, x, simd.splat_f32s(c));
    }
    y
}

/// x = k ln 2 + r with |r| <= ln(2) / 2: gives r, and k + 127 in the low bits of a float's pattern.
#[inline(always)]
fn reduce<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::u32s) {
    let round = simd.splat_f32s(ROUND);
    let biased = simd.mul_add_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), round);
    let k = simd.sub_f32s(biased, round);
    let r = simd.mul_add_f32s(k, simd.splat_f32s(-LN2_HI), x);
    let r = simd.mul_add_f32s(k, simd.splat_f32s(-LN2_LO), r);
    (r, simd.transmute_u32s_f32s(biased))
}

/// 2^k from the second result of [`reduce`], for -126 <= k <= 127: the low bits become the exponent.
#[inline(always)]
fn power_of_two<S: Simd>(simd: S, biased: S::u32s) -> S::f32s {
    simd.transmute_f32s_u32s(simd.wrapping_dyn_shl_u32s(biased, simd.splat_u32s(23)))
}

/// e^x.
///
/// exp(0) = 1, exp(inf) = inf, exp(-inf) = 0; above 88.72283 the result is inf; below -87.33654, where it would be
/// denormal, it is 0.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (r, biased) = reduce(simd, x);
    let p = horner(simd, r, EXP);
    // The power is added to p's exponent as an integer: 2^128 p fits where 2^128 does not.
    let k = simd.sub_u32s(biased, simd.splat_u32s(127));
    let k = simd.wrapping_dyn_shl_u32s(k, simd.splat_u32s(23));
    let y = simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(p), k));
    // NaN fails the first comparison, and NaN + inf is NaN.
    let y = simd.select_f32s(
        simd.less_than_or_equal_f32s(x, simd.splat_f32s(EXP_MAX)),
        y,
        simd.add_f32s(x, simd.splat_f32s(f32::INFINITY)),
    );
    let low = simd.less_than_f32s(x, simd.splat_f32s(EXP_MIN));
    simd.select_f32s(low, simd.splat_f32s(0.0), y)
}

/// e^x for x <= 0 (and up to 88), as [`exp`] to the bit, with one comparison less.
#[inline(always)]
pub fn exp_nonpositive<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (r, biased) = reduce(simd, x);
    let p = horner(simd, r, EXP);
    let y = simd.mul_f32s(p, power_of_two(simd, biased));
    let low = simd.less_than_f32s(x, simd.splat_f32s(EXP_MIN));
    simd.select_f32s(low, simd.splat_f32s(0.0), y)
}

/// e^x - 1 for x <= 0, accurate near 0 too; -1 at -inf.
#[inline(always)]
pub fn expm1_nonpositive<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let floor = simd.splat_f32s(-87.0);
    let x = simd.select_f32s(simd.less_than_f32s(x, floor), floor, x);
    let (r, biased) = reduce(simd, x);
    let q = horner(simd, r, EXPM1);
    let em1 = simd.mul_add_f32s(simd.mul_f32s(r, r), q, r);
    // 2^k (1 + em1) - 1
    let scale = power_of_two(simd, biased);
    simd.mul_add_f32s(scale, em1, simd.sub_f32s(scale, simd.splat_f32s(1.0)))
}

/// e ln 2 + log(1 + f) for sqrt(1/2) <= 1 + f <= sqrt(2) and an integer e.
#[inline(always)]
fn log_parts<S: Simd>(simd: S, e: S::f32s, f: S::f32s) -> S::f32s {
    let p = horner(simd, f, LOG);
    let q = simd.mul_add_f32s(p, f, simd.splat_f32s(-0.5));
    let y = simd.mul_add_f32s(simd.mul_f32s(f, f), q, f);
    let y = simd.mul_add_f32s(e, simd.splat_f32s(LN2_LO), y);
    simd.mul_add_f32s(e, simd.splat_f32s(LN2_HI), y)
}

/// The natural logarithm.
///
/// log(1) = 0, log(0) = -inf (of either sign), log(inf) = inf, NaN for x < 0. Denormal arguments are as accurate as others.
#[inline(always)]
pub fn log<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// The pattern of sqrt(1/2).
    const SQRT_HALF: u32 = 0x3F35_04F3;
    const ONE: u32 = 0x3F80_0000;
    /// 2^23, the step from a denormal to a normal number and from an integer to its float.
    const TWO_23: f32 = 8_388_608.0;
    let tiny = simd.less_than_f32s(x, simd.splat_f32s(f32::MIN_POSITIVE));
    let scaled = simd.mul_f32s(x, simd.splat_f32s(TWO_23));
    let normal = simd.select_f32s(tiny, scaled, x);
    // Moved so that the exponent field steps at sqrt(1/2) 2^k.
    let bits = simd.add_u32s(
        simd.transmute_u32s_f32s(normal),
        simd.splat_u32s(ONE - SQRT_HALF),
    );
    let mantissa = simd.and_u32s(bits, simd.splat_u32s(0x007F_FFFF));
    let m = simd.transmute_f32s_u32s(simd.add_u32s(mantissa, simd.splat_u32s(SQRT_HALF)));
    let f = simd.sub_f32s(m, simd.splat_f32s(1.0));
    // The exponent as a float: into the low bits of 2^23, minus 2^23 and the bias.
    let field = simd.wrapping_dyn_shr_u32s(bits, simd.splat_u32s(23));
    let field = simd.transmute_f32s_u32s(simd.add_u32s(field, simd.splat_u32s(0x4B00_0000)));
    let bias = simd.select_f32s(
        tiny,
        simd.splat_f32s(TWO_23 + 150.0),
        simd.splat_f32s(TWO_23 + 127.0),
    );
    let y = log_parts(simd, simd.sub_f32s(field, bias), f);

    // Infinity and NaN are their own logarithm.
    let finite = simd.less_than_f32s(x, simd.splat_f32s(f32::INFINITY));
    let y = simd.select_f32s(finite, y, x);
    let zero = simd.splat_f32s(0.0);
    let at_zero = simd.select_f32s(
        simd.equal_f32s(x, zero),
        simd.splat_f32s(f32::NEG_INFINITY),
        simd.splat_f32s(f32::NAN),
    );
    simd.select_f32s(simd.less_than_or_equal_f32s(x, zero), at_zero, y)
}

/// 1 / (1 + e^-x), in [0, 1]; exactly 1/2 at 0, exactly 0 below -87.33654, where it would be denormal.
#[inline(always)]
pub fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    sigmoid_of(simd, x, exp_nonpositive(simd, neg_abs(simd, x)))
}

/// log(1 + e^x), never overflowing; exactly x where that is the nearest, 0 below -87.33654.
#[inline(always)]
pub fn softplus<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    let positive = simd.select_f32s(simd.greater_than_f32s(x, zero), x, zero);
    let e = exp_nonpositive(simd, neg_abs(simd, x));
    simd.add_f32s(positive, log1p_of(simd, e))
}

/// [`sigmoid`] of x, to the bit, and log(1 + e^-|x|), with one exponential.
#[inline(always)]
pub fn sigmoid_log1p<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let e = exp_nonpositive(simd, neg_abs(simd, x));
    (sigmoid_of(simd, x, e), log1p_of(simd, e))
}

/// -|x|
#[inline(always)]
fn neg_abs<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.or_f32s(x, simd.splat_f32s(-0.0))
}

/// The sigmoid from e = exp(-|x|): 1 / (1 + e) or, mirrored, e / (1 + e), so that both ends are accurate.
#[inline(always)]
fn sigmoid_of<S: Simd>(simd: S, x: S::f32s, e: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    let sum = simd.add_f32s(one, e);
    let y = simd.div_f32s(simd.select_f32s(negative, e, one), sum);
    // What the sum lost, times 1 / (1 + e), which is y or 1 - y: it keeps the error below 2 ULP.
    let lost = simd.sub_f32s(e, simd.sub_f32s(sum, one));
    let share = simd.select_f32s(negative, simd.sub_f32s(y, one), simd.neg_f32s(y));
    simd.mul_add_f32s(simd.mul_f32s(lost, share), y, y)
}

/// log(1 + e) for 0 <= e <= 1.
#[inline(always)]
fn log1p_of<S: Simd>(simd: S, e: S::f32s) -> S::f32s {
    let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
    // 1 + e is 1 + f, or 2 (1 + f) where that is above sqrt(2); never rounded to 1 + e, which would lose a small e.
    let small = simd.less_than_or_equal_f32s(e, simd.splat_f32s(std::f32::consts::SQRT_2 - 1.0));
    let halved = simd.mul_add_f32s(e, simd.splat_f32s(0.5), simd.splat_f32s(-0.5));
    let f = simd.select_f32s(small, e, halved);
    log_parts(simd, simd.select_f32s(small, zero, one), f)
}

/// The hyperbolic tangent: odd to the bit, |y| <= 1, -0 at -0.
///
/// With t = expm1(-2|x|) it is -t / (2 + t) with the sign of x, which is accurate near 0 as well.
#[inline(always)]
pub fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let sign = simd.splat_f32s(-0.0);
    let minus_a = simd.or_f32s(x, sign);
    let t = expm1_nonpositive(simd, simd.add_f32s(minus_a, minus_a));
    // Both t and the quotient are <= 0: the sign of x goes in its place.
    let y = simd.div_f32s(t, simd.add_f32s(simd.splat_f32s(2.0), t));
    simd.or_f32s(
        simd.and_f32s(y, simd.not_f32s(sign)),
        simd.and_f32s(x, sign),
    )
}
