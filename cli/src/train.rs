//! `mlp-fast train`: from a data set to a model, its learning curves and its history.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use clap::{Arg, CommandFactory};
use mlp_core::dataset::{Dataset, Targets};
use mlp_core::model_file::Model;
use mlp_core::nn::{Layer, Network};
use mlp_core::train::{Checkpoint, History, Stop, Trainer};
use mlp_core::{Error, Kind};
use serde_json::{Map, Value};

use crate::args::{Cli, Task, TrainArgs};
use crate::checkpoints::Checkpoints;
use crate::data::{self, Parts};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::measured::Measured;
use crate::outputs::Outputs;
use crate::progress::Progress;
use crate::record;
use crate::settings::Settings;
use crate::{memory, print, targets};

/// Trains, writes the model and what goes beside it, and says how good the model is.
pub(crate) fn run(args: &TrainArgs) -> Result<(), Failure> {
    if args.help_all {
        return print_all_help();
    }
    let start = Instant::now();
    let settings = Settings::check(args)?;
    let mut outputs = Outputs::claim(args)?;
    let from = match &args.from {
        Some(path) => Some(data::model(path, &args.machine)?),
        None => None,
    };
    let mut random = Settings::legacy_random(args)?;
    let parts = Parts::load(args, &settings, from.as_ref(), random.as_mut())?;
    let mut network = match from {
        Some(model) => Settings::go_on(args, model.network)?,
        None => settings.network(args, &parts.train, random.as_mut())?,
    };
    let parts = targets::scaled(args, parts, &mut network)?;
    let told = record::settings(args, &settings, &parts, &network);
    let place = |error: Error| error.at(args.output.display().to_string());
    Model::check_room(&network, &parts.train, &Value::Object(told.clone())).map_err(place)?;
    if let Some(checkpoints) = &mut outputs.checkpoints {
        checkpoints.settle(&told)?;
    }
    if !args.quiet {
        note(args, &settings, &parts, &network, &told);
    }
    let resumed = outputs.checkpoints.as_ref().is_some_and(Checkpoints::go_on);
    let interrupt = Interrupt::listen();
    let mut trainer = settings.trainer(args);
    if let Some(random) = random.as_mut() {
        trainer = trainer.legacy_random(random);
    }
    let history = fit(args, trainer, &parts, &outputs, &interrupt, &mut network)?;
    let done = history.epochs.len();
    let kept = match args.patience {
        Some(_) => history.best_epoch,
        None => done,
    };
    let interrupted = interrupt
        .signal()
        .filter(|_| history.stopped == Stop::Callback);
    let ended = |signal| Failure::Interrupted {
        signal,
        sentence: how_to_go_on(args, &outputs, done),
    };
    // Nothing has been learned that is worth the files that may be there from before.
    if let (Some(signal), 0) = (interrupted, done) {
        return Err(ended(signal));
    }
    targets::given_back(&parts, &mut network)?;

    let record = record::finished(told, &history, kept);
    let model = Model::new(network, &parts.train, parts.label.clone(), record);
    // Before it is measured: whatever comes of that, the model is there.
    outputs.write(&model, &args.data, &history, kept)?;
    let mut report = Vec::new();
    if interrupted.is_none() {
        report = measured(args, &parts, &model.network)?;
    }
    if args.verbose {
        note_memory(args);
    }
    if args.patience.is_some() && kept > 0 {
        report.push(format!("kept the weights of epoch {kept} of {done}"));
    }
    report.push(outputs.wrote());
    report.push(format!(
        "{} in {}, {} {}",
        match done {
            1 => "1 epoch".to_owned(),
            epochs => format!("{epochs} epochs"),
        },
        print::duration(history.seconds),
        print::duration(start.elapsed().as_secs_f64()),
        if resumed {
            "since it went on"
        } else {
            "in all"
        },
    ));
    let mut stdout = io::stdout().lock();
    for line in report {
        writeln!(stdout, "{line}")?;
    }
    interrupted.map_or(Ok(()), |signal| Err(ended(signal)))
}

/// What all took, on standard error.
fn note_memory(args: &TrainArgs) {
    let cached = if args.cache {
        ", with what the system had brought in of the cache"
    } else {
        ""
    };
    if let Some(bytes) = memory::most_held() {
        let bytes = print::bytes(bytes);
        let told = format!("  memory: the process held at most {bytes}{cached}");
        drop(writeln!(io::stderr(), "{told}"));
    }
}

/// How good the network is on rows that it was not trained on.
fn measured(args: &TrainArgs, parts: &Parts, network: &Network) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for (name, rows) in [("held-out", &parts.held_out), ("test", &parts.test)] {
        if let Some(rows) = rows {
            let outputs = network.predict_on(rows.inputs(), args.machine.threads());
            let raw = parts
                .targets
                .as_ref()
                .and_then(|scaled| scaled.held_out.as_ref());
            let targets = raw.unwrap_or(rows.targets());
            lines.push(Measured::new(targets, &outputs)?.headline(name));
        }
    }
    Ok(lines)
}

/// `interrupted in epoch 4 of 10: the same command with --resume goes on from model.checkpoint`.
fn how_to_go_on(args: &TrainArgs, outputs: &Outputs, done: usize) -> String {
    let kept = match done {
        0 => ", so no model was written",
        _ => "",
    };
    let at = format!("interrupted in epoch {} of {}{kept}", done + 1, args.epochs);
    match &outputs.checkpoints {
        Some(checkpoints) => {
            let path = checkpoints.path().display();
            let which = if checkpoints.is_up_to_date() {
                "goes on from"
            } else {
                "goes on from what was last written to"
            };
            let resume = if args.resume { "" } else { " with --resume" };
            format!("{at}: the same command{resume} {which} {path}")
        }
        None => format!(
            "{at}: no checkpoint was asked for (--checkpoint-every), so the same command begins anew"
        ),
    }
}

/// The help of this command with the options that `--help` leaves out.
fn print_all_help() -> Result<(), Failure> {
    let shown = |arg: Arg| arg.hide(false);
    let mut command = Cli::command().mut_subcommand("train", |train| train.mut_args(shown));
    command.build();
    if let Some(train) = command.find_subcommand_mut("train") {
        train.print_help()?;
    }
    Ok(())
}

/// The run itself, with its progress on standard error.
fn fit(
    args: &TrainArgs,
    trainer: Trainer<'_>,
    parts: &Parts,
    outputs: &Outputs,
    interrupt: &Interrupt,
    network: &mut Network,
) -> Result<History, Failure> {
    let rows = parts.train.len() as u64;
    let progress = Progress::new(
        (args.epochs as u64).saturating_mul(rows),
        args.quiet,
        args.verbose,
    );
    let mut trainer = trainer
        .on_step(|step| progress.step(step))
        .on_epoch(|epoch| progress.epoch(epoch))
        .stop_when(|| interrupt.signal().is_some());
    if let Some(checkpoints) = &outputs.checkpoints {
        if let Some(checkpoint) = checkpoints.take() {
            progress.begin_at(rows.saturating_mul(checkpoint.history.len() as u64));
            if !args.quiet {
                note_resumed(checkpoints.path(), &checkpoint);
            }
            trainer = trainer.resume(checkpoint);
        }
        let keep = |checkpoint: &Checkpoint| checkpoints.keep(checkpoint, &progress);
        trainer = trainer.checkpoints(checkpoints.every(), keep);
    }
    let result = trainer.fit(network, &parts.train, parts.held_out.as_ref());
    progress.finish();
    result.map_err(|error| match (error.kind(), &outputs.checkpoints) {
        (Kind::Checkpoint, Some(file)) => error.at(file.path().display().to_string()).into(),
        _ => error.into(),
    })
}

fn note_resumed(path: &Path, checkpoint: &Checkpoint) {
    let path = path.display();
    let what = if checkpoint.finished {
        format!("{path}: the run was finished {checkpoint}")
    } else {
        format!("{path}: the run goes on {checkpoint}")
    };
    drop(writeln!(io::stderr(), "{what}"));
}

/// A note of the first column that varies by so little, for its size, that f32 rounds most of it away: 2^15 deviations or
/// more from 0, or constant where not even all whole numbers are left.
fn blurred(rows: &Dataset) -> Option<String> {
    let scaling = rows.inputs().scaling()?;
    let mut constants = scaling.shift().iter().zip(scaling.scale());
    let column = constants.position(|(shift, &scale)| {
        let most = if scale == 1.0 { 16_777_216.0 } else { 32_768.0 };
        shift.abs() * scale >= most
    })?;
    let name = match rows.inputs().columns() {
        Some(names) => names[column].clone(),
        None => (column + 1).to_string(),
    };
    Some(format!(
        "input {name}: too large for how little it varies, f32 rounds that away: subtract an offset"
    ))
}

/// More classes than these may have been meant for values.
const MANY_CLASSES: usize = 20;

/// What is about to happen, on standard error.
fn note(
    args: &TrainArgs,
    settings: &Settings,
    parts: &Parts,
    network: &Network,
    told: &Map<String, Value>,
) {
    let count = |rows: &Option<Dataset>, what: &str| {
        rows.as_ref().map_or_else(String::new, |rows| {
            format!(", {} {what}", print::grouped(rows.len() as u64))
        })
    };
    let widths = network.layers().iter().map(Layer::outputs);
    let mut lines = vec![
        format!(
            "{}: {} rows to train on{}{}",
            args.data,
            print::grouped(parts.train.len() as u64),
            count(&parts.held_out, "held out"),
            count(&parts.test, "to test"),
        ),
        format!(
            "network {}: {} parameters",
            print::shape(std::iter::once(network.inputs()).chain(widths)),
            print::grouped(network.parameters() as u64),
        ),
    ];
    if let Targets::Classes { names, .. } = parts.train.targets()
        && args.task == Task::Auto
        && args.from.is_none()
        && parts.label.is_some()
        && names.len() > MANY_CLASSES
        && names.iter().all(|name| name.parse::<f64>().is_ok())
    {
        lines.push(format!(
            "answers: {} classes (whole numbers; --task values takes them as numbers)",
            names.len()
        ));
    }
    lines.extend(blurred(&parts.train));
    if parts.targets.is_some() {
        lines.push(
            "targets are far from 0 and 1: losses are of (t - mean) / deviation (see --raw-targets)".into(),
        );
    }
    if args.verbose {
        lines.extend(print::entries(told));
        lines.push(format!(
            "  at most {} threads, instruction set {}",
            args.machine.threads(),
            network.isa()
        ));
        lines.push(memory::plan(args, settings, parts, network));
    }
    // Notes are a courtesy: whether anyone reads them is no matter.
    drop(writeln!(io::stderr(), "{}", lines.join("\n")));
}
