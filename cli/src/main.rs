//! `mlp-fast`: train and run multi-layer perceptrons from the command line.
//!
//! Thin: arguments in ([`args`], checked together in [`settings`]), words and files out; everything numeric is
//! `mlp_core`'s. This file turns the end of a command into an exit code: 0 done (also when the reader of the output
//! went away), 1 failed, 2 usage, 130 interrupted, 143 terminated.

mod activations_svg;
mod args;
mod axis;
mod bench;
mod cache;
mod checkpoints;
mod confusion_svg;
mod curves;
mod data;
mod evaluate;
mod failure;
mod generate;
mod inspect;
mod interrupt;
mod measured;
mod memory;
mod mistakes_svg;
mod output;
mod outputs;
mod picture;
mod predict;
mod print;
mod progress;
mod recipe;
mod record;
mod settings;
mod show;
mod svg;
mod targets;
mod train;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args::{Cli, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => run(&cli.command),
        Err(error) => parse_failure(&error),
    };
    match result {
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard error leaves only the exit code to tell.
            drop(writeln!(io::stderr(), "mlp-fast: {failure}"));
            ExitCode::from(match failure {
                Failure::Usage(_) => 2,
                Failure::Interrupted { signal, .. } => 128 + signal,
                _ => 1,
            })
        }
    }
}

fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Train(args) => train::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Recipe(args) => recipe::run(args),
        Command::Show(args) => show::run(args),
        Command::Bench(args) => bench::run(args),
    }
}

/// Help and version are results; all else is told in one sentence.
fn parse_failure(error: &clap::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            error.print()?;
            Ok(())
        }
        ErrorKind::ValueValidation => Err(Failure::usage(value_sentence(error))),
        _ => Err(Failure::usage(clap_sentence(&error.to_string()))),
    }
}

/// Clap's words without its usage and its advice to ask for help:
/// `unexpected argument '--epoch' found; tip: a similar argument exists: '--epochs'`.
pub(crate) fn clap_sentence(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let paragraphs = text
        .split("\n\n")
        .filter(|paragraph| !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more"))
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("; ")
}

/// `--hidden 0: a layer has at least one unit`.
pub(crate) fn value_sentence(error: &clap::Error) -> String {
    let of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    // Clap knows the option as `--hidden <UNITS>` or `-o, --output <FILE>`, and an argument as `<DATA>`.
    let option = of(ContextKind::InvalidArg);
    let option = option.split(" <").next().unwrap_or(option);
    let cause = std::error::Error::source(error).map_or_else(String::new, ToString::to_string);
    format!("{option} {}: {cause}", of(ContextKind::InvalidValue))
}
