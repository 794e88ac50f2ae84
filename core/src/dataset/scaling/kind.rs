//! The kinds of scaling and their names.

use crate::error::{Error, Kind};

/// How to scale; see the table of the [module](super).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ScalingKind {
    /// `unit` for images, else `standard`.
    #[default]
    Auto,
    /// As the data is.
    None,
    /// Mean 0, standard deviation 1.
    Standard,
    /// From 0 to 1.
    MinMax,
    /// Divided by 255.
    Unit,
    /// Less these constants: one for each column, or one for all.
    Shift(Vec<f32>),
    /// Divided by 255, then less these constants: one for each column, or one for all.
    UnitShift(Vec<f32>),
}

impl ScalingKind {
    /// The forms that [`parse`](Self::parse) reads.
    pub const NAMES: &'static [&'static str] = &[
        "auto",
        "none",
        "standard",
        "min-max",
        "unit",
        "shift:VALUE,..",
        "unit-shift:VALUE,..",
    ];

    /// The name that [`parse`](Self::parse) reads back: `standard`, `unit-shift:0.5`.
    pub fn name(&self) -> String {
        match self {
            Self::Auto => "auto".into(),
            Self::None => "none".into(),
            Self::Standard => "standard".into(),
            Self::MinMax => "min-max".into(),
            Self::Unit => "unit".into(),
            Self::Shift(constants) => format!("shift:{}", join(constants)),
            Self::UnitShift(constants) => format!("unit-shift:{}", join(constants)),
        }
    }

    /// The kind of that name.
    ///
    /// # Errors
    /// When it is no name of [`NAMES`](Self::NAMES), or a constant is no finite number.
    pub fn parse(name: &str) -> Result<Self, Error> {
        match name.split_once(':') {
            None => match name {
                "auto" => Some(Self::Auto),
                "none" => Some(Self::None),
                "standard" => Some(Self::Standard),
                "min-max" => Some(Self::MinMax),
                "unit" => Some(Self::Unit),
                _ => None,
            },
            Some(("shift", list)) => Some(Self::Shift(constants(name, list)?)),
            Some(("unit-shift", list)) => Some(Self::UnitShift(constants(name, list)?)),
            Some(_) => None,
        }
        .ok_or_else(|| {
            Error::new(
                Kind::Setting,
                format!("scaling `{name}` is not one of: {}", Self::NAMES.join(", ")),
            )
        })
    }
}

fn join(constants: &[f32]) -> String {
    let texts: Vec<_> = constants.iter().map(f32::to_string).collect();
    texts.join(",")
}

fn constants(name: &str, list: &str) -> Result<Vec<f32>, Error> {
    list.split(',')
        .map(|text| match text.trim().parse::<f32>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(Error::new(
                Kind::Setting,
                format!("scaling `{name}`: `{text}` is not a number"),
            )),
        })
        .collect()
}
