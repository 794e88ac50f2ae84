//! The walk over the slices of an update: loads, the penalty on the way in, the step of one optimiser, stores.

use pulp::{Simd, bytemuck};

use super::Update;

/// First moments smaller than this, 2^-100, are stored as zero: a hundred steps of decay from there would be denormal. Weights
/// smaller than this have no penalty, for the same reason.
pub const TINY: f32 = f32::from_bits((127 - 100) << 23);

/// x, or 0 where |x| < 2^-100; NaN stays. By the patterns, which are in the order of the numbers with NaN on top: of floats
/// that would be a comparison for what goes, to be turned round by an instruction that Adam can feel.
#[inline(always)]
pub(super) fn flush<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    flush_all(simd, x).0
}

/// The same, and whether all of x is zero then.
#[inline(always)]
pub(super) fn flush_all<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, bool) {
    let stays = simd.greater_than_i32s(pattern(simd, x), before(simd, TINY));
    let x = simd.select_f32s(stays, x, simd.splat_f32s(0.0));
    (x, is_nowhere::<S>(stays))
}

/// Whether all of g is zero.
#[inline(always)]
pub(super) fn is_zero<S: Simd>(simd: S, g: S::f32s) -> bool {
    is_nowhere::<S>(simd.greater_than_i32s(pattern(simd, g), simd.splat_i32s(0)))
}

#[inline(always)]
fn is_nowhere<S: Simd>(mask: S::m32s) -> bool {
    bytemuck::bytes_of(&mask)
        .iter()
        .fold(0, |all, byte| all | byte)
        == 0
}

/// A mean of squares, v = `keep` v + (`add` g) g.
#[derive(Clone, Copy)]
pub(super) struct MeanSquare<S: Simd> {
    keep: S::f32s,
    add: S::f32s,
    /// Before the pattern of the least |g| of which (`add` g) g is not denormal.
    below: S::i32s,
}

impl<S: Simd> MeanSquare<S> {
    #[inline(always)]
    pub(super) fn new(simd: S, [keep, add]: [f32; 2]) -> Self {
        let least = (f64::from(f32::MIN_POSITIVE) / f64::from(add)).sqrt();
        // The two products are rounded, by 2^-24 of themselves at most.
        let least = (least * (1.0 + 2.0_f64.powi(-20))) as f32;
        Self {
            keep: simd.splat_f32s(keep),
            add: simd.splat_f32s(add),
            below: before(simd, least),
        }
    }

    /// The next v, 0 where it is below 2^-126 (it is never negative), and without a square that is: of squares only what is
    /// denormal is given up, as their roots are still far from nothing. (With them a step on gradients of 1e-5 down to 1e-30
    /// took 123 ns a vector for 11 without, an epoch of 784-64-64-10 that knew its rows of MNIST twice the first one's time:
    /// Cascade Lake, 2026-11-28, `mlp-fast train mnist --hidden 64,64 -b 32 --epochs 60`.)
    #[inline(always)]
    pub(super) fn next(self, simd: S, v: S::f32s, g: S::f32s) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        let counts = simd.greater_than_i32s(pattern(simd, g), self.below);
        let part = simd.select_f32s(counts, simd.mul_f32s(self.add, g), zero);
        let v = simd.mul_add_f32s(self.keep, v, simd.mul_f32s(part, g));
        let least = simd.splat_u32s(f32::MIN_POSITIVE.to_bits() - 1);
        let is_normal = simd.greater_than_u32s(simd.transmute_u32s_f32s(v), least);
        simd.select_f32s(is_normal, v, zero)
    }
}

/// The pattern of |x|.
#[inline(always)]
fn pattern<S: Simd>(simd: S, x: S::f32s) -> S::i32s {
    simd.transmute_i32s_u32s(simd.transmute_u32s_f32s(simd.abs_f32s(x)))
}

/// The pattern before that of a positive number.
#[inline(always)]
fn before<S: Simd>(simd: S, x: f32) -> S::i32s {
    simd.splat_i32s(x.to_bits() as i32 - 1)
}

/// Of a v of which nothing is kept, zeros are: an infinite one times nothing would be NaN.
#[inline(always)]
pub(super) fn forget(v: &mut [f32], keep: f32) {
    if keep == 0.0 {
        v.fill(0.0);
    }
}

/// m / (`root` sqrt v + `eps`), or m if all of it is zero, which is the same: root and quotient take most of a step, and of
/// inputs that are always zero nothing moves. (Not if v could be NaN where m is not: see [`forget`].)
#[inline(always)]
pub(super) fn quotient<S: Simd>(
    simd: S,
    (m, is_zero): (S::f32s, bool),
    v: S::f32s,
    [root, eps]: [S::f32s; 2],
) -> S::f32s {
    if is_zero {
        m
    } else {
        simd.div_f32s(m, simd.mul_add_f32s(simd.sqrt_f32s(v), root, eps))
    }
}

/// The gradient of loss and penalty: scale g + l2 w + l1 sign(w), with 0 for w where |w| < 2^-100. Weights of inputs that are
/// always zero would shrink until they are denormal.
#[derive(Clone, Copy)]
struct Gradient<S: Simd> {
    simd: S,
    scale: S::f32s,
    l1: S::f32s,
    l2: S::f32s,
    penalised: bool,
}

impl<S: Simd> Gradient<S> {
    #[inline(always)]
    fn new(simd: S, u: &Update) -> Self {
        let (l1, l2) = u.penalty.unwrap_or((0.0, 0.0));
        Self {
            simd,
            scale: simd.splat_f32s(u.scale),
            l1: simd.splat_f32s(l1),
            l2: simd.splat_f32s(l2),
            penalised: u.penalty.is_some(),
        }
    }

    #[inline(always)]
    fn at(self, w: S::f32s, g: S::f32s) -> S::f32s {
        let simd = self.simd;
        let g = simd.mul_f32s(self.scale, g);
        if !self.penalised {
            return g;
        }
        let w = flush(simd, w);
        let zero = simd.splat_f32s(0.0);
        let sign = simd.select_f32s(simd.less_than_f32s(w, zero), simd.neg_f32s(self.l1), zero);
        let sign = simd.select_f32s(simd.greater_than_f32s(w, zero), self.l1, sign);
        simd.add_f32s(simd.mul_add_f32s(self.l2, w, g), sign)
    }
}

#[inline(always)]
fn check(w: &[f32], others: [&[f32]; 3]) {
    debug_assert!(w.len().is_multiple_of(crate::tensor::LINE), "whole lines");
    debug_assert!(
        others.iter().all(|other| other.len() == w.len()),
        "slices of one length"
    );
}

/// w = step(w, g)
#[inline(always)]
pub(super) fn sweep0<S: Simd>(
    simd: S,
    u: &Update,
    w: &mut [f32],
    g: &[f32],
    step: impl Fn(S::f32s, S::f32s) -> S::f32s,
) {
    check(w, [g, g, g]);
    let gradient = Gradient::new(simd, u);
    let ws = S::as_mut_simd_f32s(w).0.iter_mut();
    for (w, &g) in ws.zip(S::as_simd_f32s(g).0) {
        *w = step(*w, gradient.at(*w, g));
    }
}

/// (w, m) = step(w, g, m)
#[inline(always)]
pub(super) fn sweep1<S: Simd>(
    simd: S,
    u: &Update,
    w: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    step: impl Fn(S::f32s, S::f32s, S::f32s) -> (S::f32s, S::f32s),
) {
    check(w, [g, m, m]);
    let gradient = Gradient::new(simd, u);
    let ws = S::as_mut_simd_f32s(w).0.iter_mut();
    let ms = S::as_mut_simd_f32s(m).0.iter_mut();
    for ((w, &g), m) in ws.zip(S::as_simd_f32s(g).0).zip(ms) {
        (*w, *m) = step(*w, gradient.at(*w, g), *m);
    }
}

/// (w, m, v) = step(w, g, m, v)
#[inline(always)]
pub(super) fn sweep2<S: Simd>(
    simd: S,
    u: &Update,
    w: &mut [f32],
    g: &[f32],
    (m, v): (&mut [f32], &mut [f32]),
    step: impl Fn(S::f32s, S::f32s, S::f32s, S::f32s) -> (S::f32s, S::f32s, S::f32s),
) {
    check(w, [g, m, v]);
    let gradient = Gradient::new(simd, u);
    let ws = S::as_mut_simd_f32s(w).0.iter_mut();
    let (ms, vs) = (S::as_mut_simd_f32s(m).0, S::as_mut_simd_f32s(v).0);
    for (((w, &g), m), v) in ws.zip(S::as_simd_f32s(g).0).zip(ms).zip(vs) {
        (*w, *m, *v) = step(*w, gradient.at(*w, g), *m, *v);
    }
}
