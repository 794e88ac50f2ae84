//! `mlp-fast bench to-accuracy`: seconds of training until a share of the test rows is told right, for several seeds.

use std::io::{self, Write};

use mlp_core::dataset::{Dataset, Targets};
use mlp_core::nn::Layer;
use mlp_core::train::Flow;
use serde_json::{Map, Value, json};

use crate::args::{BatchSize, Random, ToAccuracyArgs, TrainArgs};
use crate::data::Parts;
use crate::failure::Failure;
use crate::print;
use crate::progress::Progress;
use crate::record;
use crate::settings::Settings;

/// How one seed went.
#[derive(Clone, Copy, Debug)]
struct Run {
    seed: u64,
    /// Seconds of training: all of it but the evaluations.
    seconds: f64,
    evaluations: f64,
    epochs: usize,
    /// Of the last evaluation where the mark was reached, else the best.
    accuracy: f64,
    reached: bool,
    threads: usize,
}

/// Trains once for each seed, and tells the least, the median and the greatest time.
pub(crate) fn run(args: &ToAccuracyArgs) -> Result<(), Failure> {
    let train = &args.train;
    has_a_place(train)?;
    let mut settings = Settings::check(train)?;
    let parts = Parts::load_to_test(train, &settings)?;
    if matches!(parts.train.targets(), Targets::Values { .. }) {
        return Err(Failure::usage(format!(
            "bench to-accuracy: an accuracy is one of classes, and the answers of {} are values",
            train.data
        )));
    }
    let (judge, rows_of) = match (&parts.test, &parts.held_out) {
        (_, Some(rows)) => (rows, "held-out rows"),
        (Some(rows), None) => (rows, "test rows"),
        (None, None) => {
            return Err(Failure::usage(
                "bench to-accuracy needs rows that are not trained on: --validation above 0, or --validation-data",
            ));
        }
    };
    let network = settings.network(train, &parts.train, None)?;
    let told = record::settings(train, &settings, &parts, &network);
    let widths = network.layers().iter().map(Layer::outputs);
    let shape = print::shape(std::iter::once(network.inputs()).chain(widths));
    if !args.json {
        let mut stdout = io::stdout().lock();
        writeln!(
            stdout,
            "{} to {} of its {} {rows_of}, trained on {} rows",
            train.data,
            print::percent(args.accuracy),
            print::grouped(judge.len() as u64),
            print::grouped(parts.train.len() as u64),
        )?;
        writeln!(stdout, "{}", chosen(args, &settings, &shape))?;
        if train.verbose {
            writeln!(stdout, "{}", print::entries(&told).join("\n"))?;
        }
    }
    let mut runs = Vec::new();
    for seed in (0..args.seeds as u64).map(|i| train.seed.wrapping_add(i)) {
        settings = settings.with_seed(seed);
        let run = one(args, &settings, &parts.train, judge, seed)?;
        if !args.json {
            writeln!(io::stdout(), "{}", line(&run))?;
        }
        runs.push(run);
    }
    let text = if args.json {
        to_json(args, &shape, &told, &runs).to_string()
    } else {
        summary(args.accuracy, &runs)
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Options of `train` that mean nothing where every seed begins anew and nothing is written.
fn has_a_place(train: &TrainArgs) -> Result<(), Failure> {
    for (given, option) in [
        (train.from.is_some(), "--from"),
        (train.checkpoint_every.is_some(), "--checkpoint-every"),
        (train.resume, "--resume"),
        (train.help_all, "--help-all"),
        (train.fine.random == Random::Numpy, "--random numpy"),
    ] {
        if given {
            return Err(Failure::usage(format!(
                "{option} has no place in bench to-accuracy: every seed begins anew, and nothing is written"
            )));
        }
    }
    Ok(())
}

/// `network 784-160-10 of relu; adam, lr 0.006, linear; batch 64; at most 3 epochs`.
fn chosen(args: &ToAccuracyArgs, settings: &Settings, shape: &str) -> String {
    let names: Vec<String> = settings
        .hidden
        .iter()
        .map(|layer| layer.activation.name())
        .collect();
    let same = names.windows(2).all(|pair| pair[0] == pair[1]);
    let activations = match (names.first(), same) {
        (None, _) => String::new(),
        (Some(name), true) => format!(" of {name}"),
        (Some(_), false) => format!(" of {}", names.join(", ")),
    };
    format!(
        "network {shape}{activations}; {}, lr {:?}, {}; batch {}; at most {} epochs",
        settings.optimizer.name(),
        settings.optimizer.lr(),
        args.train.schedule.name(),
        match args.train.batch_size {
            BatchSize::Rows(rows) => rows.to_string(),
            BatchSize::Full => "of all rows".to_owned(),
        },
        args.train.epochs
    )
}

fn one(
    args: &ToAccuracyArgs,
    settings: &Settings,
    train: &Dataset,
    judge: &Dataset,
    seed: u64,
) -> Result<Run, Failure> {
    let mut network = settings.network(&args.train, train, None)?;
    let rows = (args.train.epochs as u64).saturating_mul(train.len() as u64);
    let progress = Progress::new(rows, args.train.quiet || !args.train.verbose, false);
    let (mut best, mut reached) = (0.0_f64, false);
    let mut rows_of_an_epoch = 0;
    let history = settings
        .trainer(&args.train)
        .seed(seed)
        .on_step(|step| {
            rows_of_an_epoch = step.rows;
            progress.step(step);
        })
        .on_epoch(|epoch| {
            progress.epoch(epoch);
            let accuracy = epoch.validation_accuracy.unwrap_or_default();
            best = best.max(accuracy);
            reached = accuracy >= args.accuracy;
            if reached { Flow::Stop } else { Flow::Continue }
        })
        .fit(&mut network, train, Some(judge));
    progress.finish();
    let history = history?;
    let evaluations = history
        .epochs
        .iter()
        .map(|epoch| epoch.seconds - rows_of_an_epoch as f64 / epoch.rows_per_second)
        .sum();
    Ok(Run {
        seed,
        seconds: history.seconds - evaluations,
        evaluations,
        epochs: history.epochs.len(),
        accuracy: best,
        reached,
        threads: history.threads,
    })
}

/// `seed 1: 0.412 s, 3 epochs, 98.12 %`.
fn line(run: &Run) -> String {
    format!(
        "seed {}: {:.3} s, {}, {}{}",
        run.seed,
        run.seconds,
        match run.epochs {
            1 => "1 epoch".to_owned(),
            epochs => format!("{epochs} epochs"),
        },
        if run.reached {
            ""
        } else {
            "not reached, best "
        },
        print::percent(run.accuracy),
    )
}

/// The least, the median and the greatest time; a run that did not get there takes for ever.
fn spread(runs: &[Run]) -> [Option<f64>; 3] {
    let mut seconds: Vec<f64> = runs
        .iter()
        .map(|run| {
            if run.reached {
                run.seconds
            } else {
                f64::INFINITY
            }
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let last = seconds.len().saturating_sub(1);
    [0, last / 2, last].map(|i| {
        seconds
            .get(i)
            .copied()
            .filter(|seconds| seconds.is_finite())
    })
}

fn summary(accuracy: f64, runs: &[Run]) -> String {
    let told = |seconds: Option<f64>| {
        seconds.map_or_else(|| "never".to_owned(), |seconds| format!("{seconds:.3} s"))
    };
    let [least, median, greatest] = spread(runs).map(told);
    let reached = runs.iter().filter(|run| run.reached).count();
    let threads = runs.iter().map(|run| run.threads).max().unwrap_or(1);
    let evaluation = runs.iter().map(|run| run.evaluations).sum::<f64>()
        / runs.iter().map(|run| run.epochs).sum::<usize>().max(1) as f64;
    let mut text = format!(
        "training to {}, {threads} thread{}: min {least}, median {median}, max {greatest}; {reached} of {} seeds got there\n\
         not counted: reading the data, and evaluating, {:.1} ms after each epoch",
        print::percent(accuracy),
        if threads == 1 { "" } else { "s" },
        runs.len(),
        1e3 * evaluation,
    );
    if reached < runs.len() {
        text.push_str("\nmore --epochs or more --hidden units get further");
    }
    text
}

fn to_json(args: &ToAccuracyArgs, shape: &str, told: &Map<String, Value>, runs: &[Run]) -> Value {
    let [least, median, greatest] = spread(runs);
    let runs: Vec<Value> = runs
        .iter()
        .map(|run| {
            json!({
                "seed": run.seed,
                "reached": run.reached,
                "seconds": run.seconds,
                "evaluation_seconds": run.evaluations,
                "epochs": run.epochs,
                "accuracy": run.accuracy,
                "threads": run.threads,
            })
        })
        .collect();
    json!({
        "data": args.train.data,
        "accuracy": args.accuracy,
        "network": shape,
        "settings": told,
        "runs": runs,
        "seconds": { "min": least, "median": median, "max": greatest },
    })
}

#[cfg(test)]
mod tests {
    use super::{Run, spread, summary};

    fn runs(seconds: &[(f64, bool)]) -> Vec<Run> {
        let run = |&(seconds, reached)| Run {
            seed: 1,
            seconds,
            evaluations: 0.1,
            epochs: 2,
            accuracy: 0.9,
            reached,
            threads: 1,
        };
        seconds.iter().map(run).collect()
    }

    #[test]
    fn what_is_not_reached_takes_for_ever() {
        let all = runs(&[(3.0, true), (1.0, true), (2.0, true)]);
        assert_eq!(spread(&all), [Some(1.0), Some(2.0), Some(3.0)]);
        let some = runs(&[(0.5, false), (1.0, true), (2.0, true)]);
        assert_eq!(spread(&some), [Some(1.0), Some(2.0), None]);
        let text = summary(0.9, &some);
        assert!(text.contains("max never; 2 of 3 seeds"), "{text}");
        assert!(text.contains("50.0 ms after each epoch"), "{text}");
    }
}
