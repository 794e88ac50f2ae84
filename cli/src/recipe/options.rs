//! The settings of a run: the options of `mlp-fast train` as keys of a table, checked by the command line's own parser.
//!
//! `hidden = [64, 64]` is `--hidden 64,64`, `no-shuffle = true` is `--no-shuffle`, `data = "mnist"` is the DATA that
//! the command line takes without an option. So a key is known here as soon as `train` has the option.

use std::ops::Range;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, FromArgMatches};
use mlp_core::dataset::suggest::closest;
use toml::de::DeValue;

use super::toml_file::{Section, TomlFile, Value, wrong};
use crate::args::TrainArgs;
use crate::failure::Failure;

/// What a recipe does not decide: where results go and what the machine gives. (Its targets are as they are.)
const NOT_HERE: [&str; 12] = [
    "checkpoint-every",
    "data-dir",
    "from",
    "help",
    "help-all",
    "isa",
    "output",
    "quiet",
    "raw-targets",
    "resume",
    "threads",
    "verbose",
];

/// One setting and the bytes of the file where it stands.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) key: String,
    /// `None`: a switch that is on.
    pub(super) value: Option<String>,
    place: Range<usize>,
}

impl Setting {
    /// As on the command line: `--hidden 64,64`, `--no-shuffle`, `mnist`.
    pub(super) fn on_command_line(&self) -> String {
        match (&self.value, self.key.as_str()) {
            (Some(value), "data") => value.clone(),
            (Some(value), key) => format!("--{key} {value}"),
            (None, key) => format!("--{key}"),
        }
    }
}

/// Reads a table of settings on top of others: the later one of a key holds.
pub(super) fn read(section: Section<'_, '_>, below: &[Setting]) -> Result<Vec<Setting>, Failure> {
    let command = command();
    let mut settings = below.to_vec();
    for (key, value) in section.table {
        let name: &str = key.get_ref();
        let argument = command.get_arguments().find(|argument| {
            argument.get_long() == Some(name) || (name == "data" && argument.get_id() == "data")
        });
        let Some(argument) = argument.filter(|_| !NOT_HERE.contains(&name)) else {
            return Err(unknown(section.file, name, &key.span(), &command));
        };
        let takes_value = argument.get_action().takes_values();
        settings.retain(|setting| setting.key != name);
        let value = match (takes_value, value.get_ref()) {
            (false, DeValue::Boolean(false)) => continue,
            (false, DeValue::Boolean(true)) => None,
            (false, _) => return Err(wrong(section.file, name, "true or false", &value)),
            (true, _) => Some(text(&value).ok_or_else(|| {
                wrong(
                    section.file,
                    name,
                    "a text, a number or a list of them",
                    &value,
                )
            })?),
        };
        settings.push(Setting {
            key: name.to_owned(),
            value,
            place: key.span(),
        });
    }
    Ok(settings)
}

/// The settings as `train` takes them.
pub(super) fn parse(file: &TomlFile<'_>, settings: &[Setting]) -> Result<TrainArgs, Failure> {
    let words =
        settings
            .iter()
            .filter(|setting| setting.key != "data")
            .map(|setting| match &setting.value {
                Some(value) => format!("--{}={value}", setting.key),
                None => format!("--{}", setting.key),
            });
    let data = settings
        .iter()
        .find(|setting| setting.key == "data")
        .and_then(|setting| setting.value.clone());
    let words: Vec<String> = match data {
        Some(data) => words.chain(["--".to_owned(), data]).collect(),
        None => words.collect(),
    };
    let parsed = command()
        .try_get_matches_from(words)
        .and_then(|matches| TrainArgs::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let sentence = match error.kind() {
            ErrorKind::ValueValidation => crate::value_sentence(&error),
            _ => crate::clap_sentence(&error.to_string()),
        };
        let argument = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(text)) => text.clone(),
            _ => String::new(),
        };
        let at_fault = settings.iter().find(|setting| {
            argument
                .split([' ', ','])
                .any(|word| word.trim_start_matches("--") == setting.key)
        });
        let place = at_fault.or(settings.first());
        file.fault(
            &place.map_or(0..0, |setting| setting.place.clone()),
            sentence,
        )
    })
}

fn command() -> clap::Command {
    TrainArgs::augment_args(clap::Command::new("settings").no_binary_name(true))
}

/// A value as it would be typed.
fn text(value: &Value<'_>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Array(list) => {
            let words: Option<Vec<String>> = list.iter().map(text).collect();
            words.map(|words| words.join(","))
        }
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn unknown(
    file: &TomlFile<'_>,
    name: &str,
    place: &Range<usize>,
    command: &clap::Command,
) -> Failure {
    if NOT_HERE.contains(&name) {
        return file.fault(place, format!("`{name}` is not a recipe's to say"));
    }
    let known = command
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .filter(|name| !NOT_HERE.contains(name));
    let meant =
        closest(name, known).map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
    file.fault(
        place,
        format!("unknown setting `{name}`: a setting is an option of `mlp-fast train`, without its dashes{meant}"),
    )
}
