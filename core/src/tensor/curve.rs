//! An activation as a curve: y = f(z) and its slope f'(z) at given points, by the kernels that training uses.

use pulp::{Simd, WithSimd};

use super::activation::{Activation, activation_backward, activation_forward};
use super::padded;
use crate::error::{Error, Kind};
use crate::isa::Isa;

/// The points of a curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// f(z).
    pub y: Vec<f32>,
    /// f'(z), as it is taken on the way back.
    pub slope: Vec<f32>,
}

impl Curve {
    /// f and f' at every z.
    ///
    /// # Errors
    /// When it is softmax, which is no function of one number, or when its number makes no sense.
    pub fn of(activation: Activation, z: &[f32]) -> Result<Self, Error> {
        activation.check()?;
        if activation == Activation::Softmax {
            return Err(Error::new(
                Kind::Setting,
                "softmax is a function of all outputs together and has no curve",
            ));
        }
        Ok(Isa::SCALAR.dispatch(Points { activation, z }))
    }
}

struct Points<'a> {
    activation: Activation,
    z: &'a [f32],
}

impl WithSimd for Points<'_> {
    type Output = Curve;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Curve {
        let cols = self.z.len();
        let mut y = vec![0.0; padded(cols)];
        y[..cols].copy_from_slice(self.z);
        let z = y.clone();
        activation_forward(simd, self.activation, &mut y, cols);
        let saved = if self.activation.needs_preactivation() {
            &z
        } else {
            &y
        };
        let mut slope = vec![1.0; padded(cols)];
        activation_backward(simd, self.activation, saved, &mut slope, cols);
        y.truncate(cols);
        slope.truncate(cols);
        Curve { y, slope }
    }
}
