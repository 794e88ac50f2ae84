//! Values that are more than a number or a name, and what makes a number right by itself.

/// Units of each hidden layer, first to last; empty for a linear model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hidden(pub(crate) Vec<usize>);

impl std::str::FromStr for Hidden {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        text.split(',')
            .map(|units| match whole(units)? {
                0 => Err(
                    "a layer has at least one unit, and `none` means no hidden layer".to_owned(),
                ),
                units => Ok(units),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Rows of each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchSize {
    Rows(usize),
    Full,
}

impl std::str::FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "full" => Ok(Self::Full),
            _ => count(text).map(Self::Rows),
        }
    }
}

fn whole(text: &str) -> Result<usize, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("`{text}` is not a whole number"))
}

/// A whole number from 1.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    match whole(text)? {
        0 => Err("at least 1 is needed".to_owned()),
        count => Ok(count),
    }
}

/// A whole number from 0 to 2^64 - 1.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("`{text}` is not a whole number from 0 to {}", u64::MAX))
}

/// A finite number.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| format!("`{text}` is not a number"))
}

/// A number that is 0 or more.
pub(crate) fn not_negative(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| {
        (number >= 0.0)
            .then_some(number)
            .ok_or_else(|| "a number of 0 or more is needed".to_owned())
    })
}

/// A share of a whole: 0 or more, and less than 1.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| {
        (0.0..1.0)
            .contains(&number)
            .then_some(number)
            .ok_or_else(|| "a number from 0 to below 1 is needed".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::{BatchSize, Hidden, count, not_negative, share};

    #[test]
    fn hidden_layers() {
        assert_eq!("128,64".parse(), Ok(Hidden(vec![128, 64])));
        assert_eq!("none".parse(), Ok(Hidden(Vec::new())));
        for wrong in ["0", "128,0", "", "128,", "-3", "a", "1.5"] {
            assert!(wrong.parse::<Hidden>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_at_their_limits() {
        assert_eq!("full".parse(), Ok(BatchSize::Full));
        assert_eq!("7".parse(), Ok(BatchSize::Rows(7)));
        assert!("0".parse::<BatchSize>().is_err() && count("0").is_err() && count("x").is_err());
        assert_eq!((share("0"), share("0.99")), (Ok(0.0), Ok(0.99)));
        assert!(share("1").is_err() && share("-0.1").is_err() && share("nan").is_err());
        assert_eq!(
            (not_negative("1e-3"), not_negative("0")),
            (Ok(1e-3), Ok(0.0))
        );
        assert!(not_negative("-1e-9").is_err() && not_negative("inf").is_err());
    }
}
