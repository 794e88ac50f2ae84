//! The formulas over rows of whole lines.

use pulp::{Simd, WithSimd};

use super::super::math::{expm1_nonpositive, sigmoid, tanh};
use super::super::reduce::fill_padding;
use super::super::softmax::{softmax_backward, softmax_forward};
use super::super::{LINE, padded};
use super::Activation;
use crate::isa::apart;

/// sqrt(2 / pi) times two, and times 0.044715: 2 u = z (`GELU_1` + `GELU_3` z^2).
const GELU_1: f32 = 1.595_769;
const GELU_3: f32 = 0.071_354_814;

/// Rows of `cols` numbers, and their padding, that begin `stride` apart, as many as there are.
struct Rows<'a> {
    data: &'a mut [f32],
    stride: usize,
    cols: usize,
}

impl Rows<'_> {
    /// Calls `f` with every row, its padding with it, and where it begins.
    #[inline(always)]
    fn each(&mut self, mut f: impl FnMut(usize, &mut [f32])) {
        let mut at = 0;
        while at < self.data.len() {
            f(at, &mut self.data[at..][..padded(self.cols)]);
            at += self.stride;
        }
    }

    /// Replaces every vector x by f(x).
    #[inline(always)]
    fn map<S: Simd>(&mut self, f: impl Fn(S::f32s) -> S::f32s) {
        self.each(
            #[inline(always)]
            |_, row| {
                for x in S::as_mut_simd_f32s(row).0 {
                    *x = f(*x);
                }
            },
        );
    }

    /// Replaces every vector d of the gradient by f(s, d), s being the saved one.
    #[inline(always)]
    fn map_back<S: Simd>(&mut self, saved: &[f32], f: impl Fn(S::f32s, S::f32s) -> S::f32s) {
        self.each(
            #[inline(always)]
            |at, d| {
                let saved = S::as_simd_f32s(&saved[at..][..d.len()]).0;
                for (d, &s) in S::as_mut_simd_f32s(d).0.iter_mut().zip(saved) {
                    *d = f(s, *d);
                }
            },
        );
    }

    /// Makes the padding zero.
    #[inline(always)]
    fn fill_padding<S: Simd>(&mut self, simd: S) {
        let cols = self.cols;
        if !cols.is_multiple_of(LINE) {
            self.each(
                #[inline(always)]
                |_, row| fill_padding(simd, row, cols, 0.0),
            );
        }
    }
}

/// z -> f(z) in place for `cols` values in a row of whole lines; the padding becomes zero, whatever it was.
#[inline(always)]
pub fn activation_forward<S: Simd>(simd: S, act: Activation, row: &mut [f32], cols: usize) {
    debug_assert_eq!(row.len(), padded(cols), "a padded row");
    let forward = Forward {
        act,
        bias: None,
        kept: None,
        stride: row.len(),
        rows: row,
        cols,
    };
    apart(simd, forward);
}

/// x -> f(x + bias) for rows of `cols` values and their padding that begin `stride` apart, as many as there are.
#[derive(Debug)]
pub struct Forward<'a> {
    /// f.
    pub act: Activation,
    /// One value a column.
    pub bias: Option<&'a [f32]>,
    /// Where x + bias is kept, in rows that lie as those do.
    pub kept: Option<&'a mut [f32]>,
    /// They.
    pub rows: &'a mut [f32],
    /// The distance between them.
    pub stride: usize,
    /// Their length.
    pub cols: usize,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            act,
            bias,
            mut kept,
            rows,
            stride,
            cols,
        } = self;
        let mut rows = Rows {
            data: rows,
            stride,
            cols,
        };
        if let Some(bias) = bias {
            // In whole lines, where the bias is in such.
            let n = if bias.len() < padded(cols) {
                cols
            } else {
                padded(cols)
            };
            rows.each(
                #[inline(always)]
                |_, row| add(simd, &mut row[..n], &bias[..n]),
            );
        }
        if let Some(kept) = &mut kept {
            rows.each(
                #[inline(always)]
                |at, row| kept[at..][..row.len()].copy_from_slice(row),
            );
        }
        rows.forward(simd, act);
        rows.fill_padding(simd);
    }
}

/// x + b for every number of a row.
#[inline(always)]
fn add<S: Simd>(simd: S, row: &mut [f32], b: &[f32]) {
    let (row, row_tail) = S::as_mut_simd_f32s(row);
    let (b, b_tail) = S::as_simd_f32s(b);
    for (x, &b) in row.iter_mut().zip(b) {
        *x = simd.add_f32s(*x, b);
    }
    if !row_tail.is_empty() {
        let (x, b) = (
            simd.partial_load_f32s(row_tail),
            simd.partial_load_f32s(b_tail),
        );
        simd.partial_store_f32s(row_tail, simd.add_f32s(x, b));
    }
}

impl Rows<'_> {
    /// (A loop of its own for each: what it needs is made ready, and no more.)
    #[inline(always)]
    fn forward<S: Simd>(&mut self, simd: S, act: Activation) {
        let cols = self.cols;
        let zero = simd.splat_f32s(0.0);
        match act {
            Activation::Identity => {}
            Activation::Sigmoid => self.map::<S>(
                #[inline(always)]
                |z| sigmoid(simd, z),
            ),
            Activation::Tanh => self.map::<S>(
                #[inline(always)]
                |z| tanh(simd, z),
            ),
            Activation::Relu | Activation::StraightThroughRelu => self.map::<S>(
                #[inline(always)]
                |z| {
                    let low = simd.less_than_or_equal_f32s(z, zero);
                    simd.select_f32s(low, zero, unmasked(simd, z))
                },
            ),
            Activation::LeakyRelu(slope) => {
                let slope = simd.splat_f32s(slope);
                self.map::<S>(
                    #[inline(always)]
                    |z| {
                        let low = simd.less_than_or_equal_f32s(z, zero);
                        simd.select_f32s(low, simd.mul_f32s(slope, z), unmasked(simd, z))
                    },
                );
            }
            Activation::Elu(size) => {
                let size = simd.splat_f32s(size);
                self.map::<S>(
                    #[inline(always)]
                    |z| {
                        let low = simd.less_than_or_equal_f32s(z, zero);
                        // The exponential must not see what would overflow it.
                        let t = expm1_nonpositive(simd, simd.select_f32s(low, z, zero));
                        simd.select_f32s(low, simd.mul_f32s(size, t), unmasked(simd, z))
                    },
                );
            }
            Activation::Gelu => self.map::<S>(
                #[inline(always)]
                |z| simd.mul_f32s(z, sigmoid(simd, gelu_argument(simd, z))),
            ),
            Activation::Silu => self.map::<S>(
                #[inline(always)]
                |z| simd.mul_f32s(z, sigmoid(simd, z)),
            ),
            Activation::Softmax => self.each(
                #[inline(always)]
                |_, row| softmax_forward(simd, row, cols),
            ),
        }
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
        let Self {
            act,
            saved,
            d,
            stride,
            cols,
        } = self;
        let mut d = Rows {
            data: d,
            stride,
            cols,
        };
        d.backward(simd, act, saved);
        d.fill_padding(simd);
    }
}

impl Rows<'_> {
    #[inline(always)]
    fn backward<S: Simd>(&mut self, simd: S, act: Activation, saved: &[f32]) {
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        match act {
            Activation::Identity | Activation::StraightThroughRelu => {}
            Activation::Sigmoid => self.map_back::<S>(
                saved,
                #[inline(always)]
                |y, d| simd.mul_f32s(d, simd.mul_f32s(y, simd.sub_f32s(one, y))),
            ),
            Activation::Tanh => self.map_back::<S>(
                saved,
                #[inline(always)]
                |y, d| simd.mul_f32s(d, simd.negate_mul_add_f32s(y, y, one)),
            ),
            Activation::Relu => self.step_back(simd, saved, zero),
            Activation::LeakyRelu(slope) => self.step_back(simd, saved, simd.splat_f32s(slope)),
            Activation::Elu(size) => {
                let size = simd.splat_f32s(size);
                self.map_back::<S>(
                    saved,
                    #[inline(always)]
                    |y, d| {
                        let low = simd.less_than_or_equal_f32s(y, zero);
                        simd.mul_f32s(d, simd.select_f32s(low, simd.add_f32s(y, size), one))
                    },
                );
            }
            Activation::Gelu => self.map_back::<S>(
                saved,
                #[inline(always)]
                |z, d| simd.mul_f32s(d, gelu_slope(simd, z)),
            ),
            Activation::Silu => self.map_back::<S>(
                saved,
                #[inline(always)]
                |z, d| {
                    let s = sigmoid(simd, z);
                    // s + z s (1 - s)
                    let slope = simd.mul_add_f32s(simd.mul_f32s(z, s), simd.sub_f32s(one, s), s);
                    simd.mul_f32s(d, slope)
                },
            ),
            Activation::Softmax => self.each(
                #[inline(always)]
                |at, d| softmax_backward(simd, &saved[at..][..d.len()], d),
            ),
        }
    }

    /// d times 1, or times `slope` where y <= 0. (A product, for the reason given at [`unmasked`].)
    #[inline(always)]
    fn step_back<S: Simd>(&mut self, simd: S, y: &[f32], slope: S::f32s) {
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        self.map_back::<S>(
            y,
            #[inline(always)]
            |y, d| {
                let low = simd.less_than_or_equal_f32s(y, zero);
                simd.mul_f32s(d, simd.select_f32s(low, slope, one))
            },
        );
    }
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
