//! The formulas over rows of whole lines.

use pulp::{Simd, WithSimd};

use super::super::math::{expm1_nonpositive, sigmoid, tanh};
use super::super::padded;
use super::super::reduce::fill_padding;
use super::super::softmax::{softmax_backward, softmax_forward};
use super::Activation;
use crate::isa::apart;

/// sqrt(2 / pi) times two, and times 0.044715: 2 u = z (`GELU_1` + `GELU_3` z^2).
const GELU_1: f32 = 1.595_769;
const GELU_3: f32 = 0.071_354_814;

/// Replaces every vector x of the row by f(x).
#[inline(always)]
fn map<S: Simd>(row: &mut [f32], f: impl Fn(S::f32s) -> S::f32s) {
    for x in S::as_mut_simd_f32s(row).0 {
        *x = f(*x);
    }
}

/// Replaces every vector d of the gradient by f(s, d), s being the saved one.
#[inline(always)]
fn map_back<S: Simd>(saved: &[f32], d: &mut [f32], f: impl Fn(S::f32s, S::f32s) -> S::f32s) {
    for (d, &s) in S::as_mut_simd_f32s(d)
        .0
        .iter_mut()
        .zip(S::as_simd_f32s(saved).0)
    {
        *d = f(s, *d);
    }
}

/// z -> f(z) in place for `cols` values in a row of whole lines; the padding becomes zero, whatever it was.
#[inline(always)]
pub fn activation_forward<S: Simd>(simd: S, act: Activation, row: &mut [f32], cols: usize) {
    debug_assert_eq!(row.len(), padded(cols), "a padded row");
    let stride = row.len();
    activation_forward_rows(simd, act, (row, stride), cols);
}

/// The same of rows that begin `stride` apart, as many as there are, in one call.
#[inline(always)]
pub fn activation_forward_rows<S: Simd>(
    simd: S,
    act: Activation,
    (rows, stride): (&mut [f32], usize),
    cols: usize,
) {
    let forward = Forward {
        act,
        rows,
        stride,
        cols,
    };
    apart(simd, forward);
}

struct Forward<'a> {
    act: Activation,
    rows: &'a mut [f32],
    stride: usize,
    cols: usize,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.rows.chunks_mut(self.stride.max(1)) {
            let row = &mut row[..padded(self.cols)];
            Self::one(simd, self.act, row, self.cols);
        }
    }
}

impl Forward<'_> {
    #[inline(always)]
    fn one<S: Simd>(simd: S, act: Activation, row: &mut [f32], cols: usize) {
        let zero = simd.splat_f32s(0.0);
        match act {
            Activation::Identity => {}
            Activation::Sigmoid => map::<S>(
                row,
                #[inline(always)]
                |z| sigmoid(simd, z),
            ),
            Activation::Tanh => map::<S>(
                row,
                #[inline(always)]
                |z| tanh(simd, z),
            ),
            Activation::Relu | Activation::StraightThroughRelu => map::<S>(
                row,
                #[inline(always)]
                |z| {
                    let low = simd.less_than_or_equal_f32s(z, zero);
                    simd.select_f32s(low, zero, unmasked(simd, z))
                },
            ),
            Activation::LeakyRelu(slope) => {
                let slope = simd.splat_f32s(slope);
                map::<S>(
                    row,
                    #[inline(always)]
                    |z| {
                        let low = simd.less_than_or_equal_f32s(z, zero);
                        simd.select_f32s(low, simd.mul_f32s(slope, z), unmasked(simd, z))
                    },
                );
            }
            Activation::Elu(size) => {
                let size = simd.splat_f32s(size);
                map::<S>(
                    row,
                    #[inline(always)]
                    |z| {
                        let low = simd.less_than_or_equal_f32s(z, zero);
                        // The exponential must not see what would overflow it.
                        let t = expm1_nonpositive(simd, simd.select_f32s(low, z, zero));
                        simd.select_f32s(low, simd.mul_f32s(size, t), unmasked(simd, z))
                    },
                );
            }
            Activation::Gelu => map::<S>(
                row,
                #[inline(always)]
                |z| simd.mul_f32s(z, sigmoid(simd, gelu_argument(simd, z))),
            ),
            Activation::Silu => map::<S>(
                row,
                #[inline(always)]
                |z| simd.mul_f32s(z, sigmoid(simd, z)),
            ),
            Activation::Softmax => softmax_forward(simd, row, cols),
        }
        fill_padding(simd, row, cols, 0.0);
    }
}

/// z + 0, for z that is not -0: z itself.
///
/// A vector that is stored where it was loaded from, some lanes changed by a select, becomes a masked store in LLVM, which
/// is five times slower on AMD's AVX2 than the load, the addition and a whole store.
#[inline(always)]
fn unmasked<S: Simd>(simd: S, z: S::f32s) -> S::f32s {
    simd.add_f32s(z, simd.splat_f32s(0.0))
}

/// 2 u = 2 sqrt(2 / pi) (z + 0.044715 z^3)
#[inline(always)]
fn gelu_argument<S: Simd>(simd: S, z: S::f32s) -> S::f32s {
    let cubic = simd.splat_f32s(GELU_3);
    let linear = simd.splat_f32s(GELU_1);
    simd.mul_f32s(z, simd.mul_add_f32s(cubic, simd.mul_f32s(z, z), linear))
}

/// d *= f' in place (for softmax: times the whole Jacobian); `saved` is the output, or z if the activation
/// [needs the pre-activation](Activation::needs_preactivation). Both rows are whole lines; the padding of d becomes zero.
#[inline(always)]
pub fn activation_backward<S: Simd>(
    simd: S,
    act: Activation,
    saved: &[f32],
    d: &mut [f32],
    cols: usize,
) {
    debug_assert_eq!(d.len(), padded(cols), "a padded row");
    debug_assert!(
        act == Activation::Identity || saved.len() == d.len(),
        "rows of one length"
    );
    let stride = d.len();
    activation_backward_rows(simd, act, (saved, d, stride), cols);
}

/// The same of rows that begin `stride` apart, as many as there are.
#[inline(always)]
pub fn activation_backward_rows<S: Simd>(
    simd: S,
    act: Activation,
    (saved, d, stride): (&[f32], &mut [f32], usize),
    cols: usize,
) {
    let backward = Backward {
        act,
        saved,
        d,
        stride,
        cols,
    };
    apart(simd, backward);
}

struct Backward<'a> {
    act: Activation,
    saved: &'a [f32],
    d: &'a mut [f32],
    stride: usize,
    cols: usize,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (stride, cols) = (self.stride.max(1), self.cols);
        // For the identity nothing need be saved.
        let mut saved = self.saved.chunks(stride);
        for d in self.d.chunks_mut(stride) {
            let d = &mut d[..padded(cols)];
            let saved = saved.next().map_or(&[][..], |saved| &saved[..d.len()]);
            Self::one(simd, self.act, saved, d, cols);
        }
    }
}

impl Backward<'_> {
    #[inline(always)]
    fn one<S: Simd>(simd: S, act: Activation, saved: &[f32], d: &mut [f32], cols: usize) {
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        match act {
            Activation::Identity | Activation::StraightThroughRelu => {}
            Activation::Sigmoid => map_back::<S>(
                saved,
                d,
                #[inline(always)]
                |y, d| simd.mul_f32s(d, simd.mul_f32s(y, simd.sub_f32s(one, y))),
            ),
            Activation::Tanh => map_back::<S>(
                saved,
                d,
                #[inline(always)]
                |y, d| simd.mul_f32s(d, simd.negate_mul_add_f32s(y, y, one)),
            ),
            Activation::Relu => step_back(simd, saved, d, zero),
            Activation::LeakyRelu(slope) => step_back(simd, saved, d, simd.splat_f32s(slope)),
            Activation::Elu(size) => {
                let size = simd.splat_f32s(size);
                map_back::<S>(
                    saved,
                    d,
                    #[inline(always)]
                    |y, d| {
                        let low = simd.less_than_or_equal_f32s(y, zero);
                        simd.mul_f32s(d, simd.select_f32s(low, simd.add_f32s(y, size), one))
                    },
                );
            }
            Activation::Gelu => map_back::<S>(
                saved,
                d,
                #[inline(always)]
                |z, d| simd.mul_f32s(d, gelu_slope(simd, z)),
            ),
            Activation::Silu => map_back::<S>(
                saved,
                d,
                #[inline(always)]
                |z, d| {
                    let s = sigmoid(simd, z);
                    // s + z s (1 - s)
                    let slope = simd.mul_add_f32s(simd.mul_f32s(z, s), simd.sub_f32s(one, s), s);
                    simd.mul_f32s(d, slope)
                },
            ),
            Activation::Softmax => softmax_backward(simd, saved, d),
        }
        fill_padding(simd, d, cols, 0.0);
    }
}

/// d times 1, or times `slope` where y <= 0. (A product, for the reason given at [`unmasked`].)
#[inline(always)]
fn step_back<S: Simd>(simd: S, y: &[f32], d: &mut [f32], slope: S::f32s) {
    let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
    map_back::<S>(
        y,
        d,
        #[inline(always)]
        |y, d| {
            let low = simd.less_than_or_equal_f32s(y, zero);
            simd.mul_f32s(d, simd.select_f32s(low, slope, one))
        },
    );
}

/// s + z s (1 - s) 2 u'
#[inline(always)]
fn gelu_slope<S: Simd>(simd: S, z: S::f32s) -> S::f32s {
    // At 12 the slope is exactly 0 or 1; further out z^2 would overflow into 0 * inf.
    let (high, low) = (simd.splat_f32s(12.0), simd.splat_f32s(-12.0));
    let z = simd.select_f32s(simd.greater_than_f32s(z, high), high, z);
    let z = simd.select_f32s(simd.less_than_f32s(z, low), low, z);
    let s = sigmoid(simd, gelu_argument(simd, z));
    let du = simd.mul_add_f32s(
        simd.splat_f32s(3.0 * GELU_3),
        simd.mul_f32s(z, z),
        simd.splat_f32s(GELU_1),
    );
    let bell = simd.mul_f32s(s, simd.sub_f32s(simd.splat_f32s(1.0), s));
    simd.mul_add_f32s(simd.mul_f32s(z, bell), du, s)
}
