//! Activations: f over a row of pre-activations z, and the factor f' on the way back.
//!
//! | name | f(z) | f' |
//! |---|---|---|
//! | `identity` | z | 1 |
//! | `sigmoid` | 1 / (1 + e^-z) | y (1 - y) |
//! | `tanh` | tanh z | 1 - y^2 |
//! | `relu` | z, 0 where z <= 0 | 1, 0 where y <= 0 |
//! | `straight-through-relu` | z, 0 where z <= 0 | 1 |
//! | `leaky-relu:a` | z, a z where z <= 0 | 1, a where y <= 0 |
//! | `elu:a` | z, a (e^z - 1) where z <= 0 | 1, y + a where y <= 0 |
//! | `gelu` | z s, s = sigmoid(2 u), u = sqrt(2 / pi) (z + 0.044715 z^3) | s + z s (1 - s) 2 u' |
//! | `silu` | z s, s = sigmoid(z) | s + z s (1 - s) |
//! | `softmax` | `e^z[j] / sum over k of e^z[k]` | the whole row: `y (d - sum over k of d[k] y[k])` |
//!
//! All but gelu and silu know f' from the output y, so that z need not be kept. `gelu` is the tanh form of Hendrycks &
//! Gimpel 2016 (what `PyTorch` calls `approximate='tanh'`), written with 1 + tanh u = 2 sigmoid(2 u), which keeps the
//! left tail accurate; it is not the form with erf. `elu` is Clevert et al. 2016, `silu` Elfwing et al. 2018 (swish).
//! `straight-through-relu` takes the gradient of the output for that of z, the straight-through estimator of Bengio et al.
//! 2013: a unit that is off still learns.
//!
//! `ReLU` and its family are selects on z <= 0, not maxima, so NaN passes, on every instruction set alike.
//!
//! An activation is added here and nowhere else: a variant, a name, a line in `name`, `parse`, `check`, forward, backward.

use pulp::{Simd, WithSimd};

use super::math::{expm1_nonpositive, sigmoid, tanh};
use super::padded;
use super::reduce::fill_padding;
use super::softmax::{softmax_backward, softmax_forward};
use crate::choice;
use crate::error::{Error, Kind};
use crate::isa::apart;

/// What a layer does with its weighted sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// f(z) = z.
    Identity,
    /// f(z) = 1 / (1 + e^-z).
    Sigmoid,
    /// f(z) = tanh z.
    Tanh,
    /// f(z) = z, or 0 where z <= 0.
    Relu,
    /// f(z) = z, or 0 where z <= 0, with a derivative taken to be 1 everywhere.
    StraightThroughRelu,
    /// f(z) = z, or this slope times z where z <= 0.
    LeakyRelu(f32),
    /// f(z) = z, or this size times (e^z - 1) where z <= 0.
    Elu(f32),
    /// f(z) = z sigmoid(2 u), u = sqrt(2 / pi) (z + 0.044715 z^3).
    Gelu,
    /// f(z) = z sigmoid(z).
    Silu,
    /// `f(z)[j] = e^z[j] / sum over k of e^z[k]`: probabilities.
    Softmax,
}

/// sqrt(2 / pi) times two, and times 0.044715: 2 u = z (`GELU_1` + `GELU_3` z^2).
const GELU_1: f32 = 1.595_769;
const GELU_3: f32 = 0.071_354_814;

impl Activation {
    /// All names, as [`parse`](Self::parse) takes them; `leaky-relu` and `elu` also with a number.
    pub const NAMES: &[&str] = &[
        "identity",
        "sigmoid",
        "tanh",
        "relu",
        "straight-through-relu",
        "leaky-relu",
        "elu",
        "gelu",
        "silu",
        "softmax",
    ];

    /// Whether a number of its output depends on the whole row, not on one number alone.
    pub(crate) fn is_of_rows(self) -> bool {
        self == Self::Softmax
    }

    /// The name, with its number if it has one: "leaky-relu:0.01".
    pub fn name(self) -> String {
        match self {
            Self::Identity => "identity".into(),
            Self::Sigmoid => "sigmoid".into(),
            Self::Tanh => "tanh".into(),
            Self::Relu => "relu".into(),
            Self::StraightThroughRelu => "straight-through-relu".into(),
            Self::LeakyRelu(slope) => format!("leaky-relu:{slope}"),
            Self::Elu(size) => format!("elu:{size}"),
            Self::Gelu => "gelu".into(),
            Self::Silu => "silu".into(),
            Self::Softmax => "softmax".into(),
        }
    }

    /// The activation of that [`name`](Self::name). Without a number `leaky-relu` has the slope 0.01 and `elu` the size 1.
    ///
    /// # Errors
    /// When there is no such name, or the number is not one that [`check`](Self::check) lets pass.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let what = "activation";
        let (name, number) = choice::parse(what, Self::NAMES, text)?;
        let number = number.map(|number| number as f32);
        let activation = match (name, number) {
            ("leaky-relu", slope) => Self::LeakyRelu(slope.unwrap_or(0.01)),
            ("elu", size) => Self::Elu(size.unwrap_or(1.0)),
            (_, Some(_)) => return Err(choice::no_number(what, text)),
            ("identity", _) => Self::Identity,
            ("sigmoid", _) => Self::Sigmoid,
            ("tanh", _) => Self::Tanh,
            ("relu", _) => Self::Relu,
            ("straight-through-relu", _) => Self::StraightThroughRelu,
            ("gelu", _) => Self::Gelu,
            ("silu", _) => Self::Silu,
            ("softmax", _) => Self::Softmax,
            _ => return Err(choice::unknown(what, Self::NAMES, text)),
        };
        activation.check()?;
        Ok(activation)
    }

    /// Whether its number makes sense.
    ///
    /// # Errors
    /// When a slope or size is negative, infinite or NaN: the derivative could not be told from the output.
    pub fn check(self) -> Result<(), Error> {
        match self {
            Self::LeakyRelu(a) | Self::Elu(a) if !(a >= 0.0 && a.is_finite()) => Err(Error::new(
                Kind::Setting,
                format!(
                    "activation `{}` needs a finite number that is not negative",
                    self.name()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Whether the derivative is taken from z rather than from the output, so that z must be kept.
    pub fn needs_preactivation(self) -> bool {
        matches!(self, Self::Gelu | Self::Silu)
    }
}

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
    apart(simd, Forward { act, row, cols });
}

struct Forward<'a> {
    act: Activation,
    row: &'a mut [f32],
    cols: usize,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { act, row, cols } = self;
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
    apart(
        simd,
        Backward {
            act,
            saved,
            d,
            cols,
        },
    );
}

struct Backward<'a> {
    act: Activation,
    saved: &'a [f32],
    d: &'a mut [f32],
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
            cols,
        } = self;
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
