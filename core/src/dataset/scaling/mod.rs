//! Scaling of inputs: x' = (x - `shift[j]`) * `scale[j]`, one f32 subtraction and one f32 multiplication a value.
//!
//! | kind | shift | scale |
//! | --- | --- | --- |
//! | `none` | 0 | 1 |
//! | `standard` | mean of the column | 1 / standard deviation (of the population) |
//! | `min-max` | least value of the column | 1 / (greatest - least) |
//! | `unit` | 0 | 1 / 255 |
//! | `shift:c` | c | 1 |
//! | `unit-shift:c` | 255 c | 1 / 255, so x' = x / 255 - c |
//!
//! A column that is constant in the data it is fitted on becomes 0 under `standard` and `min-max`: its scale is 1.
//! Sums run in f64 in the order of the rows, and only + - * / and square root are used, so the constants are the same
//! on every machine. Fit on the training rows only, then apply the same [`Scaling`] to all others.
//!
//! `auto` is `unit` for images, which are at least [`IMAGE_COLUMNS`] columns of integers from 0 to 255 that use at least
//! half of that range, and `standard` for all else. Pixels are not standardised because most of those at the border are
//! almost constant, and dividing by their tiny deviation makes huge values of the few that are not.

mod kind;
mod statistics;

use self::statistics::{Range, is_image};
use crate::dataset::Inputs;
use crate::error::{Error, Kind};

pub use kind::ScalingKind;
pub use statistics::IMAGE_COLUMNS;
pub(super) use statistics::moments;

/// A fitted scaling: a shift and a scale for each column.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    name: &'static str,
    columns: usize,
    /// One value if all columns share both their shift and their scale, else one for each column.
    shift: Vec<f32>,
    scale: Vec<f32>,
}

/// What [`Scaling::name`] may be.
const FITTED: [&str; 6] = ["none", "standard", "min-max", "unit", "shift", "unit-shift"];

/// The constants as the gathering loops want them.
pub(super) enum Affine<'a> {
    Uniform { shift: f32, scale: f32 },
    Columns { shift: &'a [f32], scale: &'a [f32] },
}

impl Affine<'_> {
    #[inline(always)]
    pub(super) fn of(scaling: Option<&Scaling>) -> Affine<'_> {
        match scaling {
            // (x - 0) * 1 is x, exactly.
            None => Affine::Uniform {
                shift: 0.0,
                scale: 1.0,
            },
            Some(scaling) => match (&scaling.shift[..], &scaling.scale[..]) {
                (&[shift], &[scale]) => Affine::Uniform { shift, scale },
                (shift, scale) => Affine::Columns { shift, scale },
            },
        }
    }

    /// The same for some of the columns.
    pub(super) fn of_columns(self, columns: std::ops::Range<usize>) -> Self {
        match self {
            Self::Uniform { .. } => self,
            Self::Columns { shift, scale } => Self::Columns {
                shift: &shift[columns.clone()],
                scale: &scale[columns],
            },
        }
    }
}

impl Scaling {
    /// The scaling of that kind for the raw values of these inputs (a scaling that they have already is not looked at).
    ///
    /// # Errors
    /// When there are no rows to fit on, a column to be fitted on holds NaN or infinity or is wider than an f32 can tell, or
    /// the constants of a shift are not finite, or neither one nor one for each column.
    pub fn fit(kind: &ScalingKind, inputs: &Inputs) -> Result<Self, Error> {
        let columns = inputs.cols();
        match kind {
            ScalingKind::Auto if is_image(inputs) => Self::fit(&ScalingKind::Unit, inputs),
            ScalingKind::Auto => Self::fit(&ScalingKind::Standard, inputs),
            ScalingKind::None => Ok(Self::none(columns)),
            ScalingKind::Unit => Ok(Self::build("unit", columns, vec![0.0], vec![UNIT])),
            ScalingKind::Shift(constants) => {
                check_constants(constants, columns)?;
                let shift = constants.clone();
                Ok(Self::build("shift", columns, shift, vec![1.0]))
            }
            ScalingKind::UnitShift(constants) => {
                check_constants(constants, columns)?;
                let shift = constants.iter().map(|&c| (255.0 * f64::from(c)) as f32);
                Ok(Self::build(
                    "unit-shift",
                    columns,
                    shift.collect(),
                    vec![UNIT],
                ))
            }
            ScalingKind::Standard | ScalingKind::MinMax if inputs.rows() == 0 => Err(Error::new(
                Kind::Data,
                "a scaling cannot be fitted on no rows",
            )),
            ScalingKind::Standard => {
                let range = Range::of(inputs)?;
                let (mean, deviation) = moments(inputs);
                let shift = mean.iter().map(|&mean| mean as f32).collect();
                let scale = (0..columns).map(|j| range.scale(j, deviation[j])).collect();
                Ok(Self::build("standard", columns, shift, scale))
            }
            ScalingKind::MinMax => {
                let range = Range::of(inputs)?;
                let scale = (0..columns)
                    .map(|j| {
                        range.scale(j, f64::from(range.greatest[j]) - f64::from(range.least[j]))
                    })
                    .collect();
                Ok(Self::build("min-max", columns, range.least, scale))
            }
        }
    }

    /// The scaling that changes nothing.
    pub fn none(columns: usize) -> Self {
        Self::build("none", columns, vec![0.0], vec![1.0])
    }

    /// The scaling of these parts, as a model file keeps them: the [`name`](Self::name), and the shift and the scale, each
    /// with one value for all columns or one for each.
    ///
    /// # Errors
    /// When the name is not known, the lengths are others, or a value is not finite.
    pub fn from_parts(
        name: &str,
        columns: usize,
        shift: Vec<f32>,
        scale: Vec<f32>,
    ) -> Result<Self, Error> {
        let name = FITTED
            .into_iter()
            .find(|&known| known == name)
            .ok_or_else(|| {
                let known = FITTED.join(", ");
                Error::new(
                    Kind::Model,
                    format!("scaling `{name}` is not one of: {known}"),
                )
            })?;
        for (what, values) in [("shifts", &shift), ("scales", &scale)] {
            if values.len() != 1 && values.len() != columns {
                let found = values.len();
                return Err(Error::new(
                    Kind::Model,
                    format!("the scaling has {found} {what} for {columns} columns"),
                ));
            }
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(Error::new(
                    Kind::Model,
                    format!("among the scaling's {what} is {value}"),
                ));
            }
        }
        Ok(Self::build(name, columns, shift, scale))
    }

    /// Expands to one value for each column, or compresses to one for all.
    fn build(name: &'static str, columns: usize, mut shift: Vec<f32>, mut scale: Vec<f32>) -> Self {
        for value in &mut shift {
            *value += 0.0; // -0 becomes 0, so that subtracting it changes no bit
        }
        let is_uniform = |values: &[f32]| values.iter().all(|x| x.to_bits() == values[0].to_bits());
        if is_uniform(&shift) && is_uniform(&scale) {
            shift.truncate(1);
            scale.truncate(1);
        } else {
            for values in [&mut shift, &mut scale] {
                if values.len() == 1 {
                    values.resize(columns, values[0]);
                }
            }
        }
        Self {
            name,
            columns,
            shift,
            scale,
        }
    }

    /// `none`, `standard`, `min-max`, `unit`, `shift` or `unit-shift`: never `auto`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The number of columns that it is for.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// What is subtracted: one value for each column, or a single one for all (then [`scale`](Self::scale) is single too).
    pub fn shift(&self) -> &[f32] {
        &self.shift
    }

    /// What the difference is multiplied by: as many values as [`shift`](Self::shift).
    pub fn scale(&self) -> &[f32] {
        &self.scale
    }

    /// Whether it changes nothing.
    pub fn is_identity(&self) -> bool {
        self.shift == [0.0] && self.scale == [1.0]
    }
}

const UNIT: f32 = 1.0 / 255.0;

fn check_constants(constants: &[f32], columns: usize) -> Result<(), Error> {
    if let Some(constant) = constants.iter().find(|c| !(255.0 * **c).is_finite()) {
        return Err(Error::new(
            Kind::Setting,
            format!("among the constants of a shift is {constant:?}"),
        ));
    }
    if constants.len() == 1 || constants.len() == columns {
        return Ok(());
    }
    let given = constants.len();
    Err(Error::new(
        Kind::Setting,
        format!(
            "a shift of {given} constants does not go with {columns} columns: one or {columns} are expected"
        ),
    ))
}
