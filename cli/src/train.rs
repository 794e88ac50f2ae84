//! `mlp-fast train`: from a data set to a model, its learning curves and its history.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use mlp_core::dataset::Dataset;
use mlp_core::model_file::Model;
use mlp_core::nn::{Layer, Network};
use mlp_core::train::{Epoch, Extent, History, Memory};
use serde_json::{Map, Value, json};

use crate::args::{BatchSize, TrainArgs};
use crate::curves::{Point, curves_svg};
use crate::data::Parts;
use crate::failure::Failure;
use crate::measured::Measured;
use crate::output::Output;
use crate::progress::Progress;
use crate::record;
use crate::settings::Settings;
use crate::{memory, print};

/// Trains, writes the three files, and says how good the model is.
pub(crate) fn run(args: &TrainArgs) -> Result<(), Failure> {
    let start = Instant::now();
    let settings = Settings::check(args)?;
    let outputs = Outputs::claim(args)?;
    let parts = Parts::load(args, &settings)?;
    let mut network = settings.network(&parts.train)?;
    let told = record::settings(args, &settings, &parts, &network);
    if !args.quiet {
        note(args, &settings, &parts, &network, &told);
    }
    let history = fit(args, &settings, &parts, &mut network)?;
    if args.verbose
        && let Some(bytes) = memory::most_held()
    {
        let told = format!("  memory: the process held at most {}", print::bytes(bytes));
        drop(writeln!(io::stderr(), "{told}"));
    }
    let kept = match args.patience {
        Some(_) => history.best_epoch,
        None => history.epochs.len(),
    };

    let mut report = Vec::new();
    for (name, rows) in [("held-out", &parts.held_out), ("test", &parts.test)] {
        if let Some(rows) = rows {
            let outputs = network.predict_on(rows.inputs(), args.machine.threads());
            report.push(Measured::new(rows.targets(), &outputs)?.headline(name));
        }
    }
    if args.patience.is_some() {
        report.push(format!(
            "kept the weights of epoch {kept} of {}",
            history.epochs.len()
        ));
    }
    let record = record::finished(told, &history, kept);
    let model = Model::new(network, &parts.train, parts.label, record);
    outputs.write(&model, &args.data, &history, kept)?;
    report.push(outputs.wrote());
    report.push(format!(
        "{} in {}, {} in all",
        match history.epochs.len() {
            1 => "1 epoch".to_owned(),
            epochs => format!("{epochs} epochs"),
        },
        print::duration(history.seconds),
        print::duration(start.elapsed().as_secs_f64()),
    ));
    let mut stdout = io::stdout().lock();
    for line in report {
        writeln!(stdout, "{line}")?;
    }
    Ok(())
}

/// The run itself, with its progress on standard error.
fn fit(
    args: &TrainArgs,
    settings: &Settings,
    parts: &Parts,
    network: &mut Network,
) -> Result<History, Failure> {
    let rows = (args.epochs as u64).saturating_mul(parts.train.len() as u64);
    let progress = Progress::new(rows, args.quiet, args.verbose);
    let result = settings
        .trainer(args)
        .on_step(|step| progress.step(step))
        .on_epoch(|epoch| progress.epoch(epoch))
        .fit(network, &parts.train, parts.held_out.as_ref());
    progress.finish();
    Ok(result?)
}

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
    if args.verbose {
        lines.extend(print::entries(told));
        lines.push(format!(
            "  at most {} threads, instruction set {}",
            args.machine.threads(),
            network.isa()
        ));
        lines.push(planned_memory(args, settings, parts, network));
    }
    // Notes are a courtesy: whether anyone reads them is no matter.
    drop(writeln!(io::stderr(), "{}", lines.join("\n")));
}

/// `  memory: 54.9 MB of data; to train 2.9 MB: weights 1.2 MB, ..`.
fn planned_memory(
    args: &TrainArgs,
    settings: &Settings,
    parts: &Parts,
    network: &Network,
) -> String {
    let sets = [
        Some(&parts.train),
        parts.held_out.as_ref(),
        parts.test.as_ref(),
    ];
    let data = sets
        .into_iter()
        .flatten()
        .map(Dataset::size_in_memory)
        .sum();
    let rows = parts.train.len();
    let extent = Extent {
        optimizer: settings.optimizer,
        batch: match args.batch_size {
            BatchSize::Rows(batch) => batch,
            BatchSize::Full => rows,
        },
        rows,
        validation_rows: parts.held_out.as_ref().map_or(0, Dataset::len),
        keeps_best: args.patience.is_some(),
        threads: args.machine.threads(),
    };
    let fit = Memory::of_fit(network, &extent);
    format!(
        "  memory: {} of data; to train at most {}: {}",
        print::bytes(data),
        print::bytes(fit.total()),
        memory::parts(&fit)
    )
}

/// The model file and what goes beside it.
struct Outputs {
    model: Output,
    /// The curves and the history, unless the model goes to a device (`/dev/null`): nothing belongs beside that.
    beside: Option<[Output; 2]>,
}

impl Outputs {
    fn claim(args: &TrainArgs) -> Result<Self, Failure> {
        let model = &args.output;
        if model.as_os_str() == "-" {
            return Err(Failure::usage(
                "-o -: a model goes to a file, with its curves and its history beside it",
            ));
        }
        let beside = |extension| {
            let path = model.with_extension(extension);
            if path == *model {
                return Err(Failure::usage(format!(
                    "-o {}: the .{extension} file is written beside the model and needs this name",
                    model.display()
                )));
            }
            Ok(path)
        };
        let (curves, history) = (beside("svg")?, beside("jsonl")?);
        let mut inputs = vec![Path::new(&args.data)];
        inputs.extend(args.validation_data.as_deref().map(Path::new));
        let model = Output::claim(model, &inputs)?;
        let beside = if model.is_special() {
            None
        } else {
            Some([
                Output::claim(&curves, &inputs)?,
                Output::claim(&history, &inputs)?,
            ])
        };
        Ok(Self { model, beside })
    }

    /// Writes all files or none.
    fn write(
        &self,
        model: &Model,
        title: &str,
        history: &History,
        kept: usize,
    ) -> Result<(), Failure> {
        let staged = model.stage(self.model.path())?;
        if let Some([curves_file, history_file]) = &self.beside {
            let points: Vec<Point> = history.epochs.iter().map(point).collect();
            let curves = curves_svg(title, &points, Some(kept));
            let curves = curves_file.stage(|file| file.write_all(curves.as_bytes()))?;
            let lines = history_file.stage(|file| {
                history
                    .epochs
                    .iter()
                    .try_for_each(|epoch| writeln!(file, "{}", history_line(epoch)))
            })?;
            curves.publish()?;
            lines.publish()?;
        }
        // The model last: where it is, the others are.
        Ok(staged.publish()?)
    }

    /// `wrote model.safetensors, model.svg and model.jsonl`.
    fn wrote(&self) -> String {
        let model = self.model.path().display();
        match &self.beside {
            Some([curves, history]) => format!(
                "wrote {model}, {} and {}",
                curves.path().display(),
                history.path().display()
            ),
            None => format!("wrote {model}"),
        }
    }
}

/// One epoch as a line of the history.
fn history_line(epoch: &Epoch) -> Value {
    json!({
        "epoch": epoch.epoch,
        "loss": epoch.loss,
        "accuracy": epoch.accuracy,
        "validation_loss": epoch.validation_loss,
        "validation_accuracy": epoch.validation_accuracy,
        "seconds": epoch.seconds,
        "rows_per_second": epoch.rows_per_second,
        "best": epoch.best,
    })
}

/// One epoch as a point of the curves.
fn point(epoch: &Epoch) -> Point {
    Point {
        epoch: epoch.epoch,
        loss: epoch.loss,
        accuracy: epoch.accuracy,
        validation_loss: epoch.validation_loss,
        validation_accuracy: epoch.validation_accuracy,
    }
}
