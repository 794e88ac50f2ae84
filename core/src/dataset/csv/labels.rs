//! The label column of a CSV: texts as they are read, classes or values in the end.

use std::collections::HashMap;

use super::cell::{self, quoted};
use crate::dataset::Targets;
use crate::dataset::options::{AUTO_CLASSES, Task};
use crate::error::shown;
use crate::tensor::Matrix;

/// The most classes.
pub(super) const MAX_CLASSES: usize = 1 << 16;

/// The labels read so far.
#[derive(Debug)]
pub(super) struct Labels {
    task: Task,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    /// For each row the number of its text, in order of appearance.
    Texts {
        rows: Vec<u32>,
        numbers: HashMap<Box<[u8]>, u32>,
        texts: Vec<Text>,
    },
    Values(Vec<f32>),
}

/// A text that some label has.
#[derive(Debug)]
struct Text {
    name: String,
    line: usize,
    /// Its value, if it is a number (as f64, so that long integers stay apart).
    value: Option<f64>,
}

/// What is wrong with the label of a line; without a line, with the column as a whole.
pub(super) struct Fault {
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

impl Fault {
    fn at(line: usize, message: String) -> Self {
        Self {
            line: Some(line),
            message,
        }
    }
}

impl Labels {
    pub(super) fn new(task: Task) -> Self {
        let kept = if task == Task::Values {
            Kept::Values(Vec::new())
        } else {
            Kept::Texts {
                rows: Vec::new(),
                numbers: HashMap::new(),
                texts: Vec::new(),
            }
        };
        Self { task, kept }
    }

    pub(super) fn push(&mut self, label: &[u8], line: usize) -> Result<(), Fault> {
        match &mut self.kept {
            Kept::Values(values) => {
                values.push(value(label, line)?);
                return Ok(());
            }
            Kept::Texts {
                rows,
                numbers,
                texts,
            } => {
                if let Some(&number) = numbers.get(label) {
                    rows.push(number);
                    return Ok(());
                }
                if texts.len() < MAX_CLASSES {
                    let number = texts.len() as u32;
                    texts.push(Text::new(label, line)?);
                    numbers.insert(label.into(), number);
                    rows.push(number);
                    return Ok(());
                }
            }
        }
        self.check_count(line)?;
        self.become_values()?;
        self.push(label, line)
    }

    /// Whether more different labels than there may be classes can be values: if most of them are numbers. (A word among
    /// those is told when it becomes one.)
    fn check_count(&self, line: usize) -> Result<(), Fault> {
        let words = match &self.kept {
            Kept::Texts { texts, .. } => texts.iter().filter(|text| text.value.is_none()).count(),
            Kept::Values(_) => 0,
        };
        if self.task == Task::Classes || words > MAX_CLASSES / 2 {
            return Err(Fault::at(
                line,
                format!("more than {MAX_CLASSES} different classes"),
            ));
        }
        Ok(())
    }

    fn become_values(&mut self) -> Result<(), Fault> {
        if let Kept::Texts { rows, texts, .. } = &self.kept {
            let values: Vec<f32> = texts
                .iter()
                .map(|text| value(text.name.as_bytes(), text.line))
                .collect::<Result<_, _>>()?;
            self.kept = Kept::Values(rows.iter().map(|&row| values[row as usize]).collect());
        }
        Ok(())
    }

    /// The targets, named `name` if they are values. With `classes` given, labels are numbered as there.
    pub(super) fn finish(
        mut self,
        name: &str,
        classes: Option<&[String]>,
    ) -> Result<Targets, Fault> {
        if self.task == Task::Auto && self.are_values()? {
            self.become_values()?;
        }
        match self.kept {
            Kept::Values(values) => Ok(Targets::Values {
                values: Matrix::from_vec(values.len(), 1, &values),
                names: vec![name.to_owned()],
            }),
            Kept::Texts { rows, texts, .. } => {
                let names = match classes {
                    Some(classes) => classes.to_vec(),
                    None => class_names(&texts)?,
                };
                let index: HashMap<&str, u32> = names
                    .iter()
                    .enumerate()
                    .map(|(i, name)| (name.as_str(), i as u32))
                    .collect();
                let numbers: Vec<u32> = texts
                    .iter()
                    .map(|text| text.class(&index, names.len()))
                    .collect::<Result<_, _>>()?;
                let labels = rows.iter().map(|&row| numbers[row as usize]).collect();
                Ok(Targets::Classes { labels, names })
            }
        }
    }

    /// Whether [`Task::Auto`] takes the labels for values.
    fn are_values(&self) -> Result<bool, Fault> {
        let Kept::Texts { texts, .. } = &self.kept else {
            return Ok(true);
        };
        let is_fraction = |text: &&Text| text.value.is_some_and(|value| value.fract() != 0.0);
        let word = texts.iter().find(|text| text.value.is_none());
        let fraction = texts.iter().find(is_fraction);
        match (word, fraction) {
            // One word among fractions is a fault, not a class.
            (Some(word), Some(fraction)) => Err(Fault::at(
                word.line,
                format!(
                    "expected a number, as in line {}, found {}",
                    fraction.line,
                    quoted(word.name.as_bytes())
                ),
            )),
            (Some(_), None) => Ok(false),
            (None, Some(_)) => Ok(true),
            (None, None) => Ok(texts.len() > AUTO_CLASSES),
        }
    }
}

fn value(label: &[u8], line: usize) -> Result<f32, Fault> {
    cell::number(label).map_err(|fault| {
        Fault::at(
            line,
            format!("{}, {}", fault.expected(), fault.found(label)),
        )
    })
}

impl Text {
    fn new(label: &[u8], line: usize) -> Result<Self, Fault> {
        let label = label.trim_ascii();
        let wrong = |what: &str| Err(Fault::at(line, format!("expected a label, found {what}")));
        if label.is_empty() {
            return wrong("an empty cell");
        }
        if label.contains(&0) {
            return wrong("a NUL byte: is this a text file?");
        }
        let Ok(text) = std::str::from_utf8(label) else {
            return wrong(&format!("{}, which is not UTF-8 text", quoted(label)));
        };
        let value = text.parse::<f64>().ok();
        if value.is_some_and(|value| !value.is_finite()) {
            return wrong(&quoted(label));
        }
        Ok(Self {
            name: text.to_owned(),
            line,
            value,
        })
    }

    /// The name of its class: numbers are written in one way, so that `5`, `5.0` and `5e0` are one class.
    fn class_name(&self) -> String {
        match self.value {
            // Above 2^53 different integers share one f64.
            Some(value) if value.abs() < 9e15 => (value + 0.0).to_string(),
            _ => self.name.clone(),
        }
    }

    fn class(&self, index: &HashMap<&str, u32>, classes: usize) -> Result<u32, Fault> {
        let known = index
            .get(self.name.as_str())
            .or_else(|| index.get(self.class_name().as_str()));
        known.copied().ok_or_else(|| {
            let text = quoted(self.name.as_bytes());
            let mut names: Vec<_> = index.iter().collect();
            names.sort_unstable_by_key(|&(_, &number)| number);
            let names: Vec<String> = names.iter().take(10).map(|(name, _)| shown(name)).collect();
            let dots = if classes > 10 { ", .." } else { "" };
            Fault::at(
                self.line,
                format!(
                    "expected one of the model's {classes} classes ({}{dots}), found {text}",
                    names.join(", ")
                ),
            )
        })
    }
}

/// The names of all classes, by value if all are numbers, else by the alphabet.
fn class_names(texts: &[Text]) -> Result<Vec<String>, Fault> {
    let mut named: Vec<(Option<f64>, String)> = texts
        .iter()
        .map(|text| (text.value, text.class_name()))
        .collect();
    if named.iter().all(|(value, _)| value.is_some()) {
        named.sort_unstable_by(|(a, a_name), (b, b_name)| {
            let (a, b) = (a.unwrap_or(0.0) + 0.0, b.unwrap_or(0.0) + 0.0);
            a.total_cmp(&b).then_with(|| a_name.cmp(b_name))
        });
    } else {
        named.sort_unstable_by(|(_, a), (_, b)| a.cmp(b));
    }
    let mut names: Vec<String> = named.into_iter().map(|(_, name)| name).collect();
    names.dedup();
    match names.as_slice() {
        [only] => Err(Fault {
            line: None,
            message: format!(
                "all rows have the same class, `{}`; at least two are needed",
                shown(only)
            ),
        }),
        _ => Ok(names),
    }
}
