//! Values that are more than a number or a name, and what makes a number right by itself.

use mlp_core::Every;

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

/// A whole number from 0.
pub(crate) fn whole(text: &str) -> Result<usize, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("`{text}` is not a whole number of 0 or more"))
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

/// How often: `5`, `5epochs`, `0.5 minutes`, `30seconds`, `1000steps`.
pub(crate) fn every(text: &str) -> Result<Every, String> {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e');
    // An e may belong to a number, 1e3, or to a unit.
    let unit = unit.map_or(text.len(), |at| text[..at].trim_end_matches('e').len());
    let (number, unit) = text.split_at(unit);
    let seconds = |each: f64| match not_negative(number)? {
        0.0 => Err("more than 0 is needed".to_owned()),
        number => Ok(Every::Seconds(number * each)),
    };
    match unit.trim() {
        "" | "epoch" | "epochs" => count(number).map(Every::Epochs),
        "step" | "steps" => count(number).map(Every::Steps),
        "second" | "seconds" => seconds(1.0),
        "minute" | "minutes" => seconds(60.0),
        other => Err(format!(
            "`{other}` is none of: epochs, minutes, seconds, steps"
        )),
    }
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
    use mlp_core::Every;

    use super::{BatchSize, Hidden, count, every, not_negative, share};

    #[test]
    fn how_often() {
        for (text, means) in [
            ("5", Every::Epochs(5)),
            ("1epoch", Every::Epochs(1)),
            ("12 epochs", Every::Epochs(12)),
            ("100steps", Every::Steps(100)),
            ("0.5minutes", Every::Seconds(30.0)),
            ("1e1seconds", Every::Seconds(10.0)),
            ("1 minute", Every::Seconds(60.0)),
        ] {
            assert_eq!(every(text), Ok(means), "{text}");
        }
        for wrong in [
            "",
            "0",
            "0minutes",
            "-1minutes",
            "1.5epochs",
            "epochs",
            "5days",
            "5e",
            "nanseconds",
            "1e999minutes",
        ] {
            assert!(every(wrong).is_err(), "{wrong}");
        }
    }

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
