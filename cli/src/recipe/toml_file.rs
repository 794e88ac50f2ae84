//! A TOML text whose values know their lines, so that a fault is told with its place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::failure::Failure;

/// A text and what to call it.
#[derive(Debug)]
pub(super) struct TomlFile<'i> {
    pub(super) name: &'i str,
    pub(super) text: &'i str,
}

impl<'i> TomlFile<'i> {
    /// The table that the whole file is.
    pub(super) fn parse(&self) -> Result<Section<'_, 'i>, Failure> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let place = error.span().unwrap_or_default();
            let told = error.message().replace(['\n', '\r'], " ");
            self.fault(&place, told.trim())
        })?;
        Ok(Section {
            file: self,
            place: 0..0,
            table: table.into_inner(),
        })
    }

    /// `own.toml:7: ...`
    pub(super) fn fault(&self, place: &Range<usize>, sentence: impl AsRef<str>) -> Failure {
        let line = 1 + self
            .text
            .bytes()
            .take(place.start)
            .filter(|&b| b == b'\n')
            .count();
        Failure::Failed(format!("{}:{line}: {}", self.name, sentence.as_ref()))
    }
}

/// A value and the bytes of the file where it stands.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A table that is read key by key; whatever is left at the end is unknown.
#[derive(Debug)]
pub(super) struct Section<'f, 'i> {
    pub(super) file: &'f TomlFile<'i>,
    pub(super) place: Range<usize>,
    pub(super) table: DeTable<'i>,
}

impl<'f, 'i> Section<'f, 'i> {
    /// The value of a key, which is taken out.
    pub(super) fn take(&mut self, key: &str) -> Option<Value<'i>> {
        self.table.remove(key)
    }

    /// The fault that a key which must be there is not.
    pub(super) fn missing(&self, key: &str) -> Failure {
        let table = if self.place.start == 0 {
            "the recipe"
        } else {
            "this table"
        };
        self.file
            .fault(&self.place, format!("{table} needs a `{key}`"))
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, Failure> {
        let file = self.file;
        let read = |value: Value<'i>| match value.get_ref() {
            DeValue::String(text) => Ok(text.trim().to_owned()),
            _ => Err(wrong(file, key, "a text in quotes", &value)),
        };
        self.take(key).map(read).transpose()
    }

    pub(super) fn switch(&mut self, key: &str) -> Result<bool, Failure> {
        match self.take(key) {
            None => Ok(false),
            Some(value) => match value.get_ref() {
                DeValue::Boolean(on) => Ok(*on),
                _ => Err(wrong(self.file, key, "true or false", &value)),
            },
        }
    }

    /// A whole number, or a list of them.
    pub(super) fn counts(&mut self, key: &str) -> Result<Option<Vec<usize>>, Failure> {
        let file = self.file;
        let read = |value: &Value<'i>| match value.get_ref() {
            DeValue::Integer(number) => number.to_string().parse().ok(),
            _ => None,
        };
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        one_or_many(&value, &read).map(Some).ok_or_else(|| {
            let expected = "a whole number of 0 or more, or a list of them";
            wrong(file, key, expected, &value)
        })
    }

    /// A number, or a list of them.
    pub(super) fn numbers(&mut self, key: &str) -> Result<Option<Vec<f64>>, Failure> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        one_or_many(&value, &number)
            .map(Some)
            .ok_or_else(|| wrong(self.file, key, "a number, or a list of them", &value))
    }

    /// Rows of numbers, all of one length.
    pub(super) fn rows(&mut self, key: &str) -> Result<Option<Vec<Vec<f64>>>, Failure> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let rows =
            rows(&value).filter(|rows| rows.windows(2).all(|two| two[0].len() == two[1].len()));
        rows.map(Some).ok_or_else(|| {
            let expected = "a list of rows, each a list of as many numbers";
            wrong(self.file, key, expected, &value)
        })
    }

    /// Lists of numbers, of any lengths.
    pub(super) fn lists(&mut self, key: &str) -> Result<Option<Vec<Vec<f64>>>, Failure> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let fault = || wrong(self.file, key, "a list of lists of numbers", &value);
        rows(&value).map(Some).ok_or_else(fault)
    }

    /// Matrices, each a list of rows.
    pub(super) fn matrices(&mut self, key: &str) -> Result<Option<Vec<Vec<Vec<f64>>>>, Failure> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let fault = || {
            wrong(
                self.file,
                key,
                "a list of matrices, each a list of rows",
                &value,
            )
        };
        match value.get_ref() {
            DeValue::Array(list) => list.iter().map(rows).collect::<Option<_>>(),
            _ => None,
        }
        .map(Some)
        .ok_or_else(fault)
    }

    /// The tables of an array of tables, or of a single one.
    pub(super) fn sections(&mut self, key: &str) -> Result<Vec<Section<'f, 'i>>, Failure> {
        let Some(value) = self.take(key) else {
            return Ok(Vec::new());
        };
        let file = self.file;
        let section = |value: Value<'i>| {
            let place = value.span();
            match value.into_inner() {
                DeValue::Table(table) => Ok(Section { file, place, table }),
                _ => Err(file.fault(&place, format!("`{key}` must be a table"))),
            }
        };
        match value.get_ref() {
            DeValue::Array(_) => match value.into_inner() {
                DeValue::Array(list) => list.into_iter().map(section).collect(),
                _ => Ok(Vec::new()),
            },
            _ => Ok(vec![section(value)?]),
        }
    }

    /// At the end: nothing may be left.
    pub(super) fn close(self, known: &[&str]) -> Result<(), Failure> {
        match self.table.into_iter().next() {
            None => Ok(()),
            Some((key, _)) => Err(self.file.fault(
                &key.span(),
                format!(
                    "unknown key `{}`; here there may be: {}",
                    key.get_ref(),
                    known.join(", ")
                ),
            )),
        }
    }
}

fn one_or_many<'i, T>(value: &Value<'i>, read: &dyn Fn(&Value<'i>) -> Option<T>) -> Option<Vec<T>> {
    match value.get_ref() {
        DeValue::Array(list) if list.is_empty() => None,
        DeValue::Array(list) => list.iter().map(read).collect(),
        _ => Some(vec![read(value)?]),
    }
}

/// A number that is finite.
pub(super) fn number(value: &Value<'_>) -> Option<f64> {
    let text = match value.get_ref() {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        _ => return None,
    };
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn rows(value: &Value<'_>) -> Option<Vec<Vec<f64>>> {
    let DeValue::Array(rows) = value.get_ref() else {
        return None;
    };
    rows.iter()
        .map(|row| match row.get_ref() {
            DeValue::Array(row) => row.iter().map(number).collect(),
            _ => None,
        })
        .collect()
}

/// `epochs must be a whole number, and a text was found`
pub(super) fn wrong(file: &TomlFile<'_>, key: &str, expected: &str, value: &Value<'_>) -> Failure {
    let found = match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(list) if list.is_empty() => "an empty list",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    let found = match value.get_ref() {
        DeValue::Integer(number) => format!("{number} was found"),
        DeValue::Float(number) => format!("{number} was found"),
        _ => format!("{found} was found"),
    };
    file.fault(
        &value.span(),
        format!("`{key}` must be {expected}, and {found}"),
    )
}

/// Whether a value is a list of lists.
pub(super) fn is_matrix(value: &Value<'_>) -> bool {
    match value.get_ref() {
        DeValue::Array(list) => list
            .iter()
            .any(|row| matches!(row.get_ref(), DeValue::Array(_))),
        _ => false,
    }
}
