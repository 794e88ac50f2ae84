//! Choices that a person writes as `name` or `name:number`: "relu", "leaky-relu:0.01", "huber:1".

use crate::error::{Error, Kind, shown};

/// Splits a choice into one of `names` and its number, if it has one; `what` is said in the error: "activation".
pub(crate) fn parse<'a>(
    what: &str,
    names: &[&str],
    text: &'a str,
) -> Result<(&'a str, Option<f64>), Error> {
    let (name, number) = match text.split_once(':') {
        Some((name, number)) => (name, Some(number)),
        None => (text, None),
    };
    if !names.contains(&name) {
        return Err(unknown(what, names, text));
    }
    let number = match number {
        Some(number) => Some(number.parse().map_err(|_| {
            Error::new(
                Kind::Setting,
                format!(
                    "{what} `{}`: `{}` is not a number",
                    shown(text),
                    shown(number)
                ),
            )
        })?),
        None => None,
    };
    Ok((name, number))
}

/// There is no such name.
pub(crate) fn unknown(what: &str, names: &[&str], text: &str) -> Error {
    Error::new(
        Kind::Setting,
        format!(
            "unknown {what} `{}`; there are: {}",
            shown(text),
            names.join(", ")
        ),
    )
}

/// That name takes no number.
pub(crate) fn no_number(what: &str, text: &str) -> Error {
    Error::new(
        Kind::Setting,
        format!("{what} `{}` takes no number after its name", shown(text)),
    )
}
