//! Whether the first line of a CSV is a header, and the names in it.

use std::collections::{HashMap, HashSet};

use super::cell;
use super::columns::{Cells, LABEL_NAMES};
use crate::error::{Error, Kind};

/// The first row is a header when none of its cells is a number. With both sorts of cells it is one when a word stands
/// above a number, and the numbers count the columns (0, 1, 2, ..), as tools write them that know no names; `y` above a
/// text is such a word too, unless the text is a letter as well (`n`). Above any text it is one when a word is the name of
/// a label column and the numbers, two or more, are whole and ascend.
pub(super) fn is_header(first: &Cells, second: Option<&Cells>) -> bool {
    let is_word = |cell: &Vec<u8>| {
        matches!(
            cell::number(cell),
            Err(cell::Fault::Text | cell::Fault::Empty)
        )
    };
    if first.iter().all(is_word) {
        return true;
    }
    let Some(second) = second else { return false };
    let is = |cell: &[u8], name: &str| cell.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
    let (mut counted, mut labelled) = (false, false);
    for (above, below) in first.iter().zip(second).filter(|(above, _)| is_word(above)) {
        let y = is(above, "y") && below.trim_ascii().len() > 1;
        counted |= y || cell::number(below).is_ok();
        labelled |= above != below && LABEL_NAMES.iter().any(|name| is(above, name));
    }
    let numbers: Vec<f32> = first
        .iter()
        .filter_map(|cell| cell::number(cell).ok())
        .collect();
    let from_start = matches!(numbers[..], [0.0 | 1.0, _, ..]);
    let mut steps = numbers.windows(2).map(|pair| pair[1] - pair[0]);
    let whole = numbers.len() > 1 && numbers.iter().all(|number| number.fract() == 0.0);
    counted && from_start && steps.clone().all(|step| step == 1.0)
        || labelled && whole && steps.all(|step| step > 0.0)
}

/// The names in a header: trimmed, `column 3` for an empty one, and `x`, `x.1`, `x.2` for equal ones, as pandas has it.
pub(super) fn names_of(first: &Cells) -> Result<Vec<String>, Error> {
    let mut seen = HashSet::new();
    // How far the numbers behind each name are taken, lest a million equal names be tried a million times each.
    let mut taken: HashMap<String, usize> = HashMap::new();
    let mut unique = |name: String| {
        if seen.insert(name.clone()) {
            return name;
        }
        let number = taken.entry(name.clone()).or_default();
        loop {
            *number += 1;
            let unique = format!("{name}.{number}");
            if seen.insert(unique.clone()) {
                return unique;
            }
        }
    };
    let name = |(i, cell): (usize, &Vec<u8>)| {
        let wrong = |what: &str| {
            let text = format!("the name of column {} {what}", i + 1);
            Error::new(Kind::Data, text)
        };
        let text = std::str::from_utf8(cell)
            .map_err(|_| wrong("is not UTF-8 text"))?
            .trim();
        if text.contains('\0') {
            return Err(wrong("has a NUL byte: is this a text file?"));
        }
        let text = if text.is_empty() {
            format!("column {}", i + 1)
        } else {
            text.to_owned()
        };
        Ok(unique(text))
    };
    first.iter().enumerate().map(name).collect()
}
