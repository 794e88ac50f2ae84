//! Data sets as the commands need them: to train on, with answers to measure by, or inputs alone.

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use mlp_core::Kind;
use mlp_core::dataset::options::{ClassChoice, Expected, Header, ReadOptions, Task};
use mlp_core::dataset::source::{self, SourceOptions};
use mlp_core::dataset::{Dataset, Inputs, Scaling, Targets};
use mlp_core::model_file::{self, Model};
use mlp_core::rng::LegacyRandom;

use crate::args;
use crate::args::{DataArgs, MachineArgs, Split, TrainArgs};
use crate::cache;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::targets::Scaled;

/// The seed of the built-in digits: they are the same for every `--seed`, and those that `generate` draws unasked.
const DIGITS_SEED: u64 = 1;

/// The rows of a training run, scaled.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) train: Dataset,
    /// Rows that are watched, and not trained on.
    pub(crate) held_out: Option<Dataset>,
    /// The test part of a source that has one.
    pub(crate) test: Option<Dataset>,
    /// How the targets are scaled, if they are.
    pub(crate) targets: Option<Scaled>,
    /// The column that held the answers: its name, or its number in a file without names.
    pub(crate) label: Option<String>,
}

impl Parts {
    /// Rows that are at hand, all to be trained on, scaled.
    pub(crate) fn of(rows: Dataset, settings: &Settings) -> Result<Self, Failure> {
        let scaling = Scaling::fit(&settings.scaling, rows.inputs())?;
        Ok(Self {
            train: rows.scaled(scaling)?,
            held_out: None,
            test: None,
            targets: None,
            label: None,
        })
    }

    /// Loads the data, holds rows out, and scales all as the training rows need it; for a model to go on from, as that
    /// model needs it. If rows are shuffled once, that is what is drawn first.
    pub(crate) fn load(
        args: &TrainArgs,
        settings: &Settings,
        from: Option<&Model>,
        random: Option<&mut LegacyRandom>,
    ) -> Result<Self, Failure> {
        Self::load_holding_out(args, settings, from, random, true)
    }

    /// The same, holding rows out only where the source has no test part.
    pub(crate) fn load_to_test(args: &TrainArgs, settings: &Settings) -> Result<Self, Failure> {
        Self::load_holding_out(args, settings, None, None, false)
    }

    fn load_holding_out(
        args: &TrainArgs,
        settings: &Settings,
        from: Option<&Model>,
        random: Option<&mut LegacyRandom>,
        always: bool,
    ) -> Result<Self, Failure> {
        if args.rows.is_some() && args.data != "digits" {
            return Err(Failure::usage(
                "--rows says how many digits to draw; for other data --take N uses the first N rows",
            ));
        }
        let mut options = match from {
            Some(model) => options_for(model, &args.source),
            None => source_options(&args.source),
        };
        options.digits_rows = args.rows;
        options.read.choice = args.classes.choice();
        match args.task {
            args::Task::Auto => {}
            args::Task::Classes => options.read.task = Task::Classes,
            args::Task::Values => options.read.task = Task::Values,
        }
        if args.task == args::Task::Values && !source::is_table(&args.data, &options)? {
            return Err(Failure::usage(format!(
                "--task values is for tables, and the answers of {} are classes",
                args.data
            )));
        }
        columns_to_choose(&args.data, &options)?;
        if args.cache {
            for data in std::iter::once(&args.data).chain(&args.validation_data) {
                can_be_cached(data, &options)?;
            }
            options.csv = if args.quiet {
                cache::read::<true>
            } else {
                cache::read::<false>
            };
        }
        let loaded = source::open(&args.data, &options)?;
        if options.read.header == Header::Auto && loaded.label.is_some() && !args.quiet {
            note_lone_class(&args.data, &loaded.train);
        }
        let all = rows_of(loaded.train, &args.source, &args.data)?;
        let (train, held_out) = match &args.validation_data {
            Some(data) => {
                options.read.expected = Some(expected(&all, loaded.label.clone()));
                options.read.task = task_of(&all);
                let held_out = source::open_test(data, &options)?;
                (all, Some(held_out))
            }
            None if always || loaded.test.is_none() => hold_out(all, args)?,
            None => (all, None),
        };
        train.several_classes().map_err(|error| {
            Failure::Failed(format!("{}: of the rows to train on, {error}", args.data))
        })?;
        let train = match (args.fine.shuffle_once, random) {
            (false, _) => train,
            (true, Some(random)) => train.select(&random.permutation(train.len())),
            (true, None) => train.shuffled(args.seed),
        };
        let scaling = match from {
            Some(model) => model.scaling.clone(),
            None => Scaling::fit(&settings.scaling, train.inputs())?,
        };
        let scaled = |rows: Dataset| rows.scaled(scaling.clone());
        Ok(Self {
            train: scaled(train)?,
            held_out: held_out.map(scaled).transpose()?,
            test: loaded.test.map(scaled).transpose()?,
            targets: None,
            label: loaded.label,
        })
    }
}

/// A header that was taken for data may show by its class, which no other row has.
fn note_lone_class(data: &str, rows: &Dataset) {
    let (Targets::Classes { labels, names }, None) = (rows.targets(), rows.inputs().columns())
    else {
        return;
    };
    let counts = rows.class_counts();
    let Some(&first) = labels.first() else {
        return;
    };
    let first = first as usize;
    if counts[first] == 1 && counts.iter().filter(|&&count| count == 1).count() == 1 {
        let class = &names[first];
        drop(writeln!(
            io::stderr(),
            "{data}: only the first row has the class `{class}`: if it is a header, say --header yes"
        ));
    }
}

/// Which of so many rows are neither passed over nor left behind.
fn chosen(found: usize, args: &DataArgs, data: &str) -> Result<Range<usize>, Failure> {
    let skip = args.skip;
    if skip > 0 && skip >= found {
        return Err(Failure::Failed(format!(
            "{data}: --skip {skip} leaves nothing of {found} rows"
        )));
    }
    let end = skip.saturating_add(args.take.unwrap_or(found));
    Ok(skip..end.min(found))
}

fn rows_of(rows: Dataset, args: &DataArgs, data: &str) -> Result<Dataset, Failure> {
    let chosen = chosen(rows.len(), args, data)?;
    Ok(rows.skip(chosen.start).take(chosen.len()))
}

/// Sets a share of the rows apart.
fn hold_out(all: Dataset, args: &TrainArgs) -> Result<(Dataset, Option<Dataset>), Failure> {
    if args.validation == 0.0 {
        return Ok((all, None));
    }
    let share = 1.0 - args.validation;
    let sides = match (args.split, all.targets()) {
        (Split::Stratified, _) | (Split::Auto, Targets::Classes { .. }) => {
            all.into_split_stratified(share, args.seed)
        }
        (Split::Last, _) => all.split_last(share),
        (Split::Random, _) | (Split::Auto, Targets::Values { .. }) => {
            all.into_split(share, args.seed)
        }
    };
    let (train, held_out) = sides.map_err(|error| match error.kind() {
        Kind::Setting => Failure::usage(format!("{}: {error}", args.data)),
        _ => Failure::Failed(format!(
            "{}: --validation {}: {error}",
            args.data, args.validation
        )),
    })?;
    Ok((train, Some(held_out)))
}

/// Reads a model, to be run as the options say.
pub(crate) fn model(path: &Path, machine: &MachineArgs) -> Result<Model, Failure> {
    let mut model = Model::load(path)?;
    model.network = model.network.with_isa(machine.isa()?);
    Ok(model)
}

/// The rows of a data set, with their answers in the model's order.
pub(crate) fn with_answers(
    model: &Model,
    data: &str,
    args: &DataArgs,
    choice: ClassChoice,
) -> Result<Dataset, Failure> {
    let mut options = options_for(model, args);
    options.read.choice = choice;
    columns_to_choose(data, &options)?;
    let rows = source::open_test(data, &options)?;
    let (told, known) = (model.target.names.len(), rows.targets().width());
    if told != known {
        return Err(Failure::Failed(format!(
            "{data}: the model tells {told} values of a row, and the data has {known} to compare with"
        )));
    }
    rows_of(rows, args, data)
}

/// The rows of a data set without their answers.
pub(crate) fn inputs(model: &Model, data: &str, args: &DataArgs) -> Result<Inputs, Failure> {
    let options = options_for(model, args);
    columns_to_choose(data, &options)?;
    let rows = source::open_inputs(data, &options)?;
    let chosen = chosen(rows.rows(), args, data)?;
    if chosen.len() == rows.rows() {
        return Ok(rows);
    }
    Ok(rows.into_selected(&chosen.collect::<Vec<_>>()))
}

/// The rows of a data set, those to train on or those to test on, to be looked at.
pub(crate) fn to_look_at(data: &str, args: &DataArgs, test: bool) -> Result<Dataset, Failure> {
    let options = source_options(args);
    columns_to_choose(data, &options)?;
    let loaded = source::open(data, &options)?;
    let rows = if test {
        loaded
            .test
            .ok_or_else(|| Failure::usage(format!("--test: {data} has no test part")))?
    } else {
        loaded.train
    };
    rows_of(rows, args, data)
}

/// A cache is made of a CSV that can be found again.
fn can_be_cached(data: &str, options: &SourceOptions) -> Result<(), Failure> {
    if !source::is_table(data, options)? {
        return Err(Failure::usage(format!(
            "--cache is for CSV files that are larger than memory, and {data} is none"
        )));
    }
    if !Path::new(data).is_file() {
        return Err(Failure::usage(format!(
            "--cache keeps a copy beside a file, and {data} is a pipe or a device"
        )));
    }
    Ok(())
}

/// Images have no columns among which a label could be named.
fn columns_to_choose(data: &str, options: &SourceOptions) -> Result<(), Failure> {
    match &options.read.label {
        Some(label) if !source::is_table(data, options)? => Err(Failure::usage(format!(
            "--label {label}: {data} has no columns, its labels are known"
        ))),
        _ => Ok(()),
    }
}

fn source_options(args: &DataArgs) -> SourceOptions {
    SourceOptions {
        data_dir: args.data_dir.clone(),
        read: ReadOptions {
            header: match args.header {
                args::Header::Auto => Header::Auto,
                args::Header::Yes => Header::Yes,
                args::Header::No => Header::No,
            },
            label: args.label.clone(),
            ..ReadOptions::default()
        },
        seed: DIGITS_SEED,
        ..SourceOptions::default()
    }
}

fn options_for(model: &Model, args: &DataArgs) -> SourceOptions {
    let mut options = source_options(args);
    options.read.expected = Some(model.expected());
    options.read.task = match model.target.task {
        model_file::Task::Classes => Task::Classes,
        model_file::Task::Values => Task::Values,
    };
    options
}

/// What rows must be like to go with these.
fn expected(rows: &Dataset, label: Option<String>) -> Expected {
    Expected {
        inputs: rows.inputs().cols(),
        columns: rows.inputs().columns().map(<[String]>::to_vec),
        label,
        classes: match rows.targets() {
            Targets::Classes { names, .. } => Some(names.clone()),
            Targets::Values { .. } => None,
        },
    }
}

fn task_of(rows: &Dataset) -> Task {
    match rows.targets() {
        Targets::Classes { .. } => Task::Classes,
        Targets::Values { .. } => Task::Values,
    }
}
