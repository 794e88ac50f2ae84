//! Numbers and settings as people read them.

use std::fmt::Write;

use serde_json::{Map, Value};

/// `97.86 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// `101 770`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `0.42 s`, `12.3 s`, `2 min 5 s`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.2} s")
    } else if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        let whole = seconds.round() as u64;
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

/// `812 kB`, `47.2 MB`, `1.50 GB`.
pub(crate) fn bytes(count: usize) -> String {
    match count {
        1_000_000_000.. => format!("{:.2} GB", count as f64 / 1e9),
        1_000_000.. => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{} kB", count.div_ceil(1000)),
    }
}

/// `784-128-10`.
pub(crate) fn shape(widths: impl IntoIterator<Item = usize>) -> String {
    let widths: Vec<String> = widths.into_iter().map(|width| width.to_string()).collect();
    widths.join("-")
}

/// `0.04851` for 0.048514182396: numbers that were chosen are short, those that were measured are not.
fn short(number: String) -> String {
    match number.parse::<f64>() {
        Ok(value) if number.len() > 9 && value.fract() != 0.0 => format!("{value:.5}"),
        _ => number,
    }
}

/// A line for each entry: `  batch size           128`.
pub(crate) fn entries(entries: &Map<String, Value>) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(inner) => {
            let inner = inner.iter().map(|(key, value)| format!("{key} {value}"));
            inner.collect::<Vec<_>>().join(", ")
        }
        Value::Number(number) => short(number.to_string()),
        other => other.to_string(),
    };
    entries
        .iter()
        .map(|(key, value)| format!("  {:<26} {}", key.replace('_', " "), text(value)))
        .collect()
}

/// Texts are broken at this width.
const WIDTH: usize = 100;

/// Adds a heading and a text, broken into lines that begin below one another.
pub(crate) fn paragraph(text: &mut String, heading: &str, words: &str) {
    let mut line = format!("{heading}  ");
    let indent = line.len();
    for word in words.split_whitespace() {
        if line.len() + word.len() > WIDTH && line.len() > indent {
            let _ = writeln!(text, "{}", line.trim_end());
            line = " ".repeat(indent);
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::{bytes, duration, grouped, paragraph, percent, shape, short};

    #[test]
    fn numbers_as_people_read_them() {
        assert_eq!(percent(0.978_61), "97.86 %");
        assert_eq!(
            [0, 999, 1000, 101_770, 1_000_000].map(grouped),
            ["0", "999", "1 000", "101 770", "1 000 000"]
        );
        assert_eq!(
            [1, 812_000, 47_160_000, 1_500_000_000].map(bytes),
            ["1 kB", "812 kB", "47.2 MB", "1.50 GB"]
        );
        assert_eq!(
            [0.421, 12.34, 125.2].map(duration),
            ["0.42 s", "12.3 s", "2 min 5 s"]
        );
        assert_eq!(
            ["0.048514182396", "1e-8", "101770"].map(|number| short(number.to_owned())),
            ["0.04851", "1e-8", "101770"]
        );
        assert_eq!(shape([784, 128, 10]), "784-128-10");
    }

    #[test]
    fn paragraphs_are_broken() {
        let mut text = String::new();
        paragraph(&mut text, "about", &"four ".repeat(20));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("about  four four") && lines[0].len() <= 100);
        assert!(lines[1].starts_with("       four"));
        assert_eq!(text.matches("four").count(), 20);
        paragraph(&mut text, "a", "");
        assert!(text.ends_with("\na\n"));
    }
}
