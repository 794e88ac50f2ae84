//! What each column of a CSV is for: an input, the label, or nothing.

use std::collections::HashMap;

use super::cell;
use super::header::{is_header, names_of};
use crate::dataset::options::{Expected, Header, LabelUse, ReadOptions};
use crate::dataset::suggest::closest;
use crate::error::{Error, Kind, shown};

/// The names that mark a label column, the likeliest first.
pub(super) const LABEL_NAMES: [&str; 3] = ["label", "target", "class"];
/// The columns of a headerless file of 28 x 28 images, in which the label comes first by custom.
const MNIST_COLUMNS: usize = 785;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Input,
    Label,
    Unused,
}

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Columns {
    /// The names of all columns, if the file has a header.
    names: Option<Vec<String>>,
    pub(super) roles: Vec<Role>,
    /// Where each input of the file goes, if the model has them in another order.
    pub(super) order: Option<Vec<usize>>,
}

/// One row, split and unquoted.
pub(super) type Cells = [Vec<u8>];

impl Columns {
    /// Decides by the first row, and by the second, if there is one. Returns whether the first row is a header.
    pub(super) fn resolve(
        first: &Cells,
        second: Option<&Cells>,
        options: &ReadOptions,
    ) -> Result<(Self, bool), Error> {
        let has_header = match options.header {
            Header::Yes => true,
            Header::No => false,
            Header::Auto => is_header(first, second),
        };
        let names = has_header.then(|| names_of(first)).transpose()?;
        let mut columns = Self {
            names,
            roles: vec![Role::Input; first.len()],
            order: None,
        };
        columns.assign(first, options)?;
        Ok((columns, has_header))
    }

    pub(super) fn inputs(&self) -> usize {
        self.roles
            .iter()
            .filter(|&&role| role == Role::Input)
            .count()
    }

    pub(super) fn label(&self) -> Option<usize> {
        self.roles.iter().position(|&role| role == Role::Label)
    }

    /// `column 3 (age)`, or `column 3` without a header.
    pub(super) fn place(&self, column: usize) -> String {
        match &self.names {
            Some(names) => format!("column {} ({})", column + 1, shown(&names[column])),
            None => format!("column {}", column + 1),
        }
    }

    /// The name of a column, if the file has names.
    pub(super) fn name(&self, column: usize) -> Option<&str> {
        self.names.as_ref().map(|names| names[column].as_str())
    }

    /// The names of the inputs, if the file has names, in the order of the inputs.
    pub(super) fn input_names(&self) -> Option<Vec<String>> {
        let names = self.names.as_ref()?;
        let inputs = names
            .iter()
            .zip(&self.roles)
            .filter(|&(_, &role)| role == Role::Input);
        let mut inputs: Vec<(usize, &String)> = inputs.map(|(name, _)| name).enumerate().collect();
        if let Some(order) = &self.order {
            inputs.sort_unstable_by_key(|&(i, _)| order[i]);
        }
        Some(inputs.into_iter().map(|(_, name)| name.clone()).collect())
    }

    fn assign(&mut self, first: &Cells, options: &ReadOptions) -> Result<(), Error> {
        let expected = options.expected.as_ref();
        if first.len() == 1 && expected.is_none_or(|model| model.inputs > 1) {
            return Err(one_column(&first[0]));
        }
        let asked = options
            .label
            .as_deref()
            .map(|label| self.find(label))
            .transpose();
        // Unlabelled data for a prediction need not have the label column.
        let asked = if options.labels == LabelUse::Ignored {
            asked.unwrap_or(None)
        } else {
            asked?
        };
        match (expected, &self.names) {
            (Some(expected), Some(names)) if expected.columns.is_some() => {
                let wanted = expected.columns.as_deref().unwrap_or_default();
                let (roles, order) = by_name(names, wanted)?;
                let label = asked.or_else(|| self.named(expected.label.as_deref()?));
                self.roles = roles;
                self.order = order;
                match label {
                    Some(label) if self.roles[label] == Role::Input => {
                        let name = shown(&names[label]);
                        return Err(Error::new(
                            Kind::Data,
                            format!(
                                "column `{name}` cannot be the label, it is an input of the model"
                            ),
                        ));
                    }
                    Some(label) => self.roles[label] = Role::Label,
                    None if options.labels == LabelUse::Required => {
                        return Err(self.no_label(expected.label.as_deref()));
                    }
                    None => {}
                }
            }
            (Some(expected), _) => {
                let label = asked.or_else(|| self.remembered(first, expected));
                self.by_width(expected, label, options.labels)?;
            }
            (None, _) => {
                let label = asked.or_else(|| self.customary(first));
                self.roles[label.unwrap_or(first.len() - 1)] = Role::Label;
            }
        }
        Ok(())
    }

    /// As many columns as the model has inputs, or one more, which is the label.
    fn by_width(
        &mut self,
        expected: &Expected,
        label: Option<usize>,
        labels: LabelUse,
    ) -> Result<(), Error> {
        let width = self.roles.len();
        if width == expected.inputs + 1 {
            let label = label.ok_or_else(|| {
                let inputs = expected.inputs;
                let text = format!(
                    "expected {inputs} inputs, found {width} columns, of which any may be the label: give its number, 1 to {width}"
                );
                Error::new(Kind::Data, text)
            })?;
            self.roles[label] = Role::Label;
            return Ok(());
        }
        let wanted = match labels {
            LabelUse::Ignored if width == expected.inputs => return Ok(()),
            LabelUse::Ignored => format!("{}, or one more with the label", expected.inputs),
            LabelUse::Required => format!("{} and the label", expected.inputs),
        };
        Err(Error::new(
            Kind::Data,
            format!("expected as many columns as the model has inputs, {wanted}, found {width}"),
        ))
    }

    /// The label column of a model that knows its columns by their order: where it was in training, unless the header
    /// tells another; else by custom.
    fn remembered(&self, first: &Cells, expected: &Expected) -> Option<usize> {
        let label = expected.label.as_deref().unwrap_or_default();
        let held = match label.parse::<usize>() {
            Ok(number) if expected.columns.is_none() => number.checked_sub(1),
            _ => self.named(label),
        };
        let held = held.filter(|&held| held < first.len());
        let custom = self.customary(first);
        match held.zip(custom) {
            Some((held, custom)) if held != custom && self.names.is_some() => None,
            _ => held.or(custom),
        }
    }

    /// The label column by custom: `label`, `target`, `class`, or `y` where no `x` makes it a coordinate; the first of 785
    /// columns without names.
    fn customary(&self, first: &Cells) -> Option<usize> {
        let Some(names) = &self.names else {
            let image = first.len() == MNIST_COLUMNS && first.iter().all(|cell| is_byte(cell));
            return image.then_some(0);
        };
        let named = |label: &str| {
            names
                .iter()
                .position(|name| name.eq_ignore_ascii_case(label))
        };
        let y = || {
            if named("x").is_none() {
                named("y")
            } else {
                None
            }
        };
        LABEL_NAMES.into_iter().find_map(named).or_else(y)
    }

    /// The column of that name.
    fn named(&self, label: &str) -> Option<usize> {
        let names = self.names.as_ref()?;
        if let Some(exact) = names.iter().position(|name| name == label) {
            return Some(exact);
        }
        let alike: Vec<usize> = (0..names.len())
            .filter(|&i| names[i].eq_ignore_ascii_case(label))
            .collect();
        match alike[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The column of that name, or of that number.
    fn find(&self, label: &str) -> Result<usize, Error> {
        let width = self.roles.len();
        if let Some(named) = self.named(label) {
            return Ok(named);
        }
        match label.parse::<i64>() {
            Ok(number) if (1..=width as i64).contains(&number) => Ok(number as usize - 1),
            Ok(number) if (-(width as i64)..0).contains(&number) => {
                Ok(width - number.unsigned_abs() as usize)
            }
            Ok(number) => Err(Error::new(
                Kind::Data,
                format!("there is no column {number} for the label: there are {width} columns"),
            )),
            Err(_) => Err(self.no_label(Some(label))),
        }
    }

    fn no_label(&self, label: Option<&str>) -> Error {
        let message = match (&self.names, label) {
            (Some(names), Some(label)) => {
                format!(
                    "there is no label column `{}`{}",
                    shown(label),
                    instead(label, names)
                )
            }
            (Some(names), None) => {
                format!("there is no label column among {}", listed(names))
            }
            (None, label) => format!(
                "there is no header to find the label column `{}` in: give its number, 1 to {}",
                shown(label.unwrap_or_default()),
                self.roles.len()
            ),
        };
        Error::new(Kind::Data, message)
    }
}

fn is_byte(cell: &[u8]) -> bool {
    cell::number(cell).is_ok_and(|value| cell::as_byte(value).is_some())
}

/// The roles of the columns when the model names its inputs, and where each input goes.
fn by_name(names: &[String], wanted: &[String]) -> Result<(Vec<Role>, Option<Vec<usize>>), Error> {
    let place: HashMap<&str, usize> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (name.as_str(), i))
        .collect();
    let mut goes_to = vec![None; names.len()];
    for (input, name) in wanted.iter().enumerate() {
        let Some(&column) = place.get(name.as_str()) else {
            return Err(Error::new(
                Kind::Data,
                format!(
                    "there is no column `{}`, an input of the model{}",
                    shown(name),
                    instead(name, names)
                ),
            ));
        };
        goes_to[column] = Some(input);
    }
    let role = |to: &Option<usize>| {
        if to.is_some() {
            Role::Input
        } else {
            Role::Unused
        }
    };
    let roles = goes_to.iter().map(role).collect();
    let order: Vec<usize> = goes_to.into_iter().flatten().collect();
    Ok((roles, (!order.is_sorted()).then_some(order)))
}

/// What there is instead of a column.
fn instead(name: &str, names: &[String]) -> String {
    match closest(name, names.iter().map(String::as_str)) {
        Some(alike) => format!("; did you mean `{}`?", shown(alike)),
        None => format!("; there are {}", listed(names)),
    }
}

fn listed(names: &[String]) -> String {
    let joined = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| shown(name)).collect();
        names.join(", ")
    };
    match names {
        [first @ .., last] if first.len() > 10 => {
            format!("{}, .., {}", joined(&first[..8]), shown(last))
        }
        _ => joined(names),
    }
}

fn one_column(cell: &[u8]) -> Error {
    let cell = cell.trim_ascii();
    let other = [
        (b';', "`;`"),
        (b'\t', "tabs"),
        (b'|', "`|`"),
        (b' ', "spaces"),
    ]
    .into_iter()
    .find(|(byte, _)| cell.contains(byte));
    let hint = other.map_or_else(String::new, |(_, name)| format!(" with {name} in it"));
    let text = format!("expected several columns, separated by commas, found one{hint}");
    Error::new(Kind::Data, text)
}
