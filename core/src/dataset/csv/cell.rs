//! The number in a cell.

/// Why a cell holds no number that can be trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Empty,
    Text,
    NotFinite,
    TooLarge,
}

impl Fault {
    /// What was found instead of a number.
    pub(super) fn found(self, cell: &[u8]) -> String {
        if cell.contains(&0) {
            return "found a NUL byte: is this a text file?".into();
        }
        match self {
            Self::Empty => "found an empty cell".into(),
            Self::Text if std::str::from_utf8(cell).is_err() => {
                format!("found {}, which is not UTF-8 text", quoted(cell))
            }
            Self::Text | Self::NotFinite => format!("found {}", quoted(cell)),
            Self::TooLarge => format!("found {}, which is too large for an f32", quoted(cell)),
        }
    }

    /// What was expected.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Empty | Self::Text => "expected a number",
            Self::NotFinite | Self::TooLarge => "expected a finite number",
        }
    }
}

/// The cell as a message shows it: in backquotes, shortened, control characters escaped.
pub(super) fn quoted(cell: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text = String::from_utf8_lossy(&cell[..cell.len().min(4 * SHOWN)]);
    let shown: String = text.chars().take(SHOWN).collect();
    let dots = if text.chars().count() > SHOWN || cell.len() > 4 * SHOWN {
        ".."
    } else {
        ""
    };
    format!("`{}{dots}`", shown.escape_debug())
}

/// The number in a cell, blanks around it aside, correctly rounded.
#[inline]
pub(super) fn number(cell: &[u8]) -> Result<f32, Fault> {
    if let Some(value) = short(cell) {
        return Ok(value);
    }
    let cell = cell.trim_ascii();
    if cell.is_empty() {
        return Err(Fault::Empty);
    }
    let text = std::str::from_utf8(cell).map_err(|_| Fault::Text)?;
    let value: f32 = text.parse().map_err(|_| Fault::Text)?;
    if value.is_finite() {
        Ok(value)
    } else if text.bytes().any(|byte| byte.is_ascii_digit()) {
        Err(Fault::TooLarge)
    } else {
        Err(Fault::NotFinite)
    }
}

/// The number in a cell of at most nine bytes, digits with at most one point among them, such as `17`, `-0.25` or `5.1`.
///
/// Its digits are an integer below 2^24 and the power of ten is at most 10^9: both are exact in f32, so their quotient is
/// correctly rounded (Clinger 1990), the same value that `str::parse` finds.
#[inline]
fn short(cell: &[u8]) -> Option<f32> {
    const POWERS: [f32; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
    let (negative, digits) = match cell {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, cell),
    };
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let (mut integer, mut count, mut point) = (0_u32, 0, None);
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            integer = integer * 10 + u32::from(digit);
            count += 1;
        } else if byte == b'.' && point.is_none() {
            point = Some(count);
        } else {
            return None;
        }
    }
    if count == 0 || integer >= 1 << 24 {
        return None;
    }
    let value = integer as f32 / POWERS[count - point.unwrap_or(count)];
    Some(if negative { -value } else { value })
}

/// The number as a byte, if it is one of 0..=255.
#[inline]
pub(super) fn as_byte(value: f32) -> Option<u8> {
    let byte = value as u8;
    (f32::from(byte) == value).then_some(byte)
}

#[cfg(test)]
mod tests {
    use super::{Fault, number, short};
    use crate::rng::Rng;

    #[test]
    fn short_numbers_are_those_of_the_standard_library() {
        let mut rng = Rng::new(11);
        for _ in 0..200_000 {
            let digits = rng.below(8) as usize + 1;
            let mut text: String = (0..digits)
                .map(|_| char::from(b'0' + rng.below(10) as u8))
                .collect();
            if rng.below(2) == 1 {
                text.insert(rng.below(digits as u64 + 1) as usize, '.');
            }
            if rng.below(4) == 0 {
                text.insert(0, '-');
            }
            let expected: f32 = text.parse().expect("digits and a point are a number");
            let found = number(text.as_bytes()).expect("digits and a point are a number");
            assert_eq!(found.to_bits(), expected.to_bits(), "{text}");
        }
        assert!(short(b"16777215").is_some() && short(b"16777216").is_none());
    }

    #[test]
    fn what_is_no_number() {
        let cases: [(&[u8], Fault); 11] = [
            (b"", Fault::Empty),
            (b"  ", Fault::Empty),
            (b"abc", Fault::Text),
            (b".", Fault::Text),
            (b"-", Fault::Text),
            (b"1.2.3", Fault::Text),
            (b"1,5", Fault::Text),
            (b"\xFF", Fault::Text),
            (b"NaN", Fault::NotFinite),
            (b"-inf", Fault::NotFinite),
            (b"1e39", Fault::TooLarge),
        ];
        for (cell, fault) in cases {
            assert_eq!(
                number(cell),
                Err(fault),
                "{}",
                String::from_utf8_lossy(cell)
            );
        }
        assert_eq!(number(b" +5.0e1 "), Ok(50.0));
    }
}
