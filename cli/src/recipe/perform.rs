//! A recipe carried out: each run trained as `train` would, then measured.

use std::path::PathBuf;
use std::time::Instant;

use mlp_core::dataset::source::{self, SourceOptions};
use mlp_core::dataset::{Dataset, Inputs};
use mlp_core::model_file::Model;
use mlp_core::nn::Network;
use mlp_core::rng::LegacyRandom;
use mlp_core::tensor::Matrix;
use mlp_core::train::{Epoch, History};
use serde_json::Value;

use super::measure::Measures;
use super::recipe_file::{Recipe, Rows, Run};
use super::report::{Outcome, RunOutcome, Verdict};
use super::wanted::{Measure, Series};
use crate::args::RecipeRunArgs;
use crate::curves::{Point, Published, compared_svg};
use crate::data::Parts;
use crate::failure::Failure;
use crate::output::Output;
use crate::predict::write_kaggle;
use crate::progress::Progress;
use crate::settings::Settings;

/// A run that is done.
pub(super) struct Trained {
    pub(super) parts: Parts,
    /// The network before the first step.
    pub(super) first: Network,
    pub(super) network: Network,
    /// `NumPy`'s generator, if the run drew from it, as the run left it.
    random: Option<LegacyRandom>,
    /// Empty for a network that is looked at as it starts.
    pub(super) epochs: Vec<Epoch>,
    pub(super) seconds: f64,
}

/// Carries out all runs. What the recipe itself comes to is told in the outcome; an error is that of writing.
pub(super) fn perform(recipe: &mut Recipe, args: &RecipeRunArgs) -> Result<Outcome, Failure> {
    let start = Instant::now();
    for run in &mut recipe.runs {
        run.args.machine.threads = args.machine.threads;
        run.args.machine.isa = args.machine.isa;
        run.args.source.data_dir.clone_from(&args.data_dir);
        run.args.quiet = args.quiet;
    }
    let mut outcome = Outcome::new(recipe);
    let options = SourceOptions {
        data_dir: args.data_dir.clone(),
        ..SourceOptions::default()
    };
    for data in recipe.needs() {
        if let Err(error) = source::is_table(data, &options) {
            outcome.verdict = Verdict::Needs(data.to_owned(), error.to_string());
            return Ok(outcome);
        }
    }
    let mut done: Vec<Trained> = Vec::new();
    for run in &recipe.runs {
        match train(recipe.rows.as_ref(), run, &done) {
            Ok(trained) => {
                let mut told = RunOutcome::new(run, trained.seconds);
                told.files = files(recipe, run, &trained, args)?;
                match Measures::new(run, &trained).compare_all() {
                    Ok(compared) => told.compared = compared,
                    Err(failure) => outcome.verdict = Verdict::Failed(failure.to_string()),
                }
                outcome.runs.push(told);
                done.push(trained);
            }
            Err(failure) => {
                let name = run.name.as_deref().unwrap_or(&recipe.name);
                outcome.verdict = Verdict::Failed(format!("{name}: {failure}"));
                break;
            }
        }
    }
    outcome.seconds = start.elapsed().as_secs_f64();
    outcome.judge(recipe);
    Ok(outcome)
}

/// Trains one run.
pub(super) fn train(
    rows: Option<&Rows>,
    run: &Run,
    before: &[Trained],
) -> Result<Trained, Failure> {
    let args = &run.args;
    let settings = Settings::check(args)?;
    let earlier = run.goes_on_from.map(|earlier| &before[earlier]);
    let mut random = match earlier {
        Some(earlier) => earlier.random.clone(),
        None => Settings::legacy_random(args)?,
    };
    let parts = match rows {
        Some(rows) => Parts::of(rows.dataset()?, &settings)?,
        None => Parts::load(args, &settings, None, random.as_mut())?,
    };
    let mut network = match earlier {
        Some(earlier) => Settings::go_on(args, earlier.network.clone())?,
        None => settings.network(args, &parts.train, random.as_mut())?,
    };
    set_weights(&mut network, run)?;
    let first = network.clone();
    let history = if run.untrained {
        None
    } else {
        Some(fit(run, &settings, &parts, random.as_mut(), &mut network)?)
    };
    Ok(Trained {
        parts,
        first,
        network,
        random,
        seconds: history.as_ref().map_or(0.0, |history| history.seconds),
        epochs: history.map_or_else(Vec::new, |history| history.epochs),
    })
}

fn fit(
    run: &Run,
    settings: &Settings,
    parts: &Parts,
    random: Option<&mut LegacyRandom>,
    network: &mut Network,
) -> Result<History, Failure> {
    let args = &run.args;
    let rows = (args.epochs as u64).saturating_mul(parts.train.len() as u64);
    let progress = Progress::sparse(rows, args.quiet);
    let mut trainer = settings.trainer(args);
    if let Some(random) = random {
        trainer = trainer.legacy_random(random);
    }
    let result = trainer
        .on_step(|step| progress.step(step))
        .on_epoch(|epoch| progress.epoch(epoch))
        .fit(network, &parts.train, parts.held_out.as_ref());
    progress.finish();
    Ok(result?)
}

/// Puts the weights that the recipe gives into the network.
fn set_weights(network: &mut Network, run: &Run) -> Result<(), Failure> {
    for (l, rows) in run.weights.iter().enumerate() {
        let layer = &network.layers()[l];
        let (outputs, inputs) = (layer.outputs(), layer.inputs());
        if rows.len() != outputs || rows.iter().any(|row| row.len() != inputs) {
            return Err(Failure::Failed(format!(
                "the weights of layer {} must be {outputs} rows of {inputs}",
                l + 1
            )));
        }
        let weight = Matrix::from_fn(outputs, inputs, |unit, input| rows[unit][input] as f32);
        network.set_weight(l, &weight);
    }
    for (l, bias) in run.biases.iter().enumerate() {
        let expected = network.layers()[l].bias().len();
        if bias.len() != expected {
            return Err(Failure::Failed(format!(
                "layer {} has {expected} biases, and {} are given",
                l + 1,
                bias.len()
            )));
        }
        let bias: Vec<f32> = bias.iter().map(|&b| b as f32).collect();
        network.set_bias(l, &bias);
    }
    Ok(())
}

impl Rows {
    /// The rows as data, their answers being values.
    fn dataset(&self) -> Result<Dataset, Failure> {
        let matrix = |rows: &[Vec<f64>]| {
            let columns = rows.first().map_or(0, Vec::len);
            Matrix::from_fn(rows.len(), columns, |r, c| rows[r][c] as f32)
        };
        let mut inputs = Inputs::from_matrix(matrix(&self.inputs));
        if let Some(names) = &self.columns {
            inputs = inputs.with_columns(names.clone())?;
        }
        Ok(Dataset::values(inputs, matrix(&self.answers))?)
    }
}

/// What was published of the course of a run.
fn published(run: &Run) -> Published {
    let mut published = Published::default();
    for wanted in &run.wanted {
        let Measure::Epochs(series, at) = &wanted.measure else {
            continue;
        };
        let series = match series {
            Series::Loss => &mut published.loss,
            Series::Accuracy => &mut published.accuracy,
            Series::ValidationLoss => &mut published.validation_loss,
            Series::ValidationAccuracy => &mut published.validation_accuracy,
        };
        series.extend(at.iter().copied().zip(wanted.published.iter().copied()));
    }
    published
}

/// Writes the curves, and the submission if there is to be one; their paths.
fn files(
    recipe: &Recipe,
    run: &Run,
    trained: &Trained,
    args: &RecipeRunArgs,
) -> Result<Vec<PathBuf>, Failure> {
    let stem = match &run.name {
        Some(name) if recipe.runs.len() > 1 => {
            let words = name.split(|c: char| !c.is_alphanumeric());
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            format!("{}-{}", recipe.name, words.join("-"))
        }
        _ => recipe.name.clone(),
    };
    let mut written = Vec::new();
    if trained.epochs.len() > 1 {
        let points: Vec<Point> = trained.epochs.iter().map(Point::of).collect();
        let picture = compared_svg(&stem, &points, None, &published(run));
        let output = Output::claim(&args.output.join(format!("{stem}.svg")), &[])?;
        output.write(|file| file.write_all(picture.as_bytes()))?;
        written.push(output.path().to_path_buf());
    }
    if run.submission {
        let Some(test) = &trained.parts.test else {
            return Err(Failure::Failed(format!(
                "{stem}: there are no test rows to submit"
            )));
        };
        let outputs = trained
            .network
            .predict_on(test.inputs(), run.args.machine.threads());
        let model = Model::new(trained.network.clone(), test, None, Value::Null);
        let output = Output::claim(&args.output.join(format!("{stem}-submission.csv")), &[])?;
        output.write(|file| write_kaggle(&model, &outputs, file))?;
        written.push(output.path().to_path_buf());
    }
    Ok(written)
}
