//! A recipe as a file: what was done, with which settings, what was published, and the band that ours must fall into.
//!
//! The keys are told in `data/recipes/README.md`. A recipe is data: whatever it asks for is an option of `train`.

use std::iter;
use std::ops::Range;

use super::options::{self, Setting};
use super::toml_file::{Section, TomlFile};
use super::wanted::{Wanted, WantedReader};
use crate::args::TrainArgs;
use crate::failure::Failure;

/// An experiment.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) name: String,
    pub(super) title: String,
    /// Where it was published.
    pub(super) document: String,
    pub(super) about: Option<String>,
    /// What is wrong in the original.
    pub(super) bug: Option<String>,
    /// Whether it takes a few seconds at most: such recipes are among the tests.
    pub(super) quick: bool,
    /// About how long it takes on two cores: for the time that is left, nothing else.
    pub(super) seconds: f64,
    /// Rows written in the recipe itself.
    pub(super) rows: Option<Rows>,
    pub(super) runs: Vec<Run>,
}

/// A few rows with the values that they should lead to.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) columns: Option<Vec<String>>,
    pub(super) inputs: Vec<Vec<f64>>,
    pub(super) answers: Vec<Vec<f64>>,
}

/// One training within an experiment.
#[derive(Debug)]
pub(super) struct Run {
    /// What tells it from the others, if there are others.
    pub(super) name: Option<String>,
    pub(super) note: Option<String>,
    pub(super) settings: Vec<Setting>,
    pub(super) args: TrainArgs,
    /// The network is looked at as it starts.
    pub(super) untrained: bool,
    /// The run, of those before, whose weights and random numbers this one goes on with.
    pub(super) goes_on_from: Option<usize>,
    /// Weights to start with, `[outputs, inputs]` of each layer, and biases.
    pub(super) weights: Vec<Vec<Vec<f64>>>,
    pub(super) biases: Vec<Vec<f64>>,
    /// The row whose way is shown.
    pub(super) walk: Option<WalkRow>,
    /// Whether the test rows are predicted into a file as Kaggle takes it.
    pub(super) submission: bool,
    pub(super) wanted: Vec<Wanted>,
}

/// A row to be taken through the network step by step.
#[derive(Debug)]
pub(super) struct WalkRow {
    pub(super) input: Vec<f64>,
    pub(super) answer: Option<Vec<f64>>,
}

const KEYS: [&str; 9] = [
    "title", "document", "about", "bug", "quick", "seconds", "data", "train", "run",
];
const DATA_KEYS: [&str; 3] = ["columns", "inputs", "answers"];
const RUN_KEYS: [&str; 10] = [
    "name",
    "note",
    "train",
    "untrained",
    "goes-on-from",
    "weights",
    "biases",
    "walk",
    "submission",
    "value",
];

impl Recipe {
    /// Reads the text of a recipe; faults are told with the file and the line.
    pub(super) fn parse(name: &str, file: &TomlFile<'_>) -> Result<Self, Failure> {
        let mut top = file.parse()?;
        let title = top.text("title")?.ok_or_else(|| top.missing("title"))?;
        let document = top
            .text("document")?
            .ok_or_else(|| top.missing("document"))?;
        let (about, bug, quick) = (top.text("about")?, top.text("bug")?, top.switch("quick")?);
        let seconds = top
            .numbers("seconds")?
            .map_or(1.0, |list| list.iter().sum());
        let rows = match top.sections("data")?.pop() {
            Some(section) => Some(Rows::read(section)?),
            None => None,
        };
        let common = match top.sections("train")?.pop() {
            Some(section) => options::read(section, &[])?,
            None => Vec::new(),
        };
        let sections = top.sections("run")?;
        if sections.is_empty() {
            return Err(top.missing("[[run]]"));
        }
        top.close(&KEYS)?;
        let mut runs: Vec<Run> = Vec::new();
        for section in sections {
            let place = section.place.clone();
            let run = Run::read(section, &common, &runs)?;
            run.check(file, &place, rows.is_some(), &runs)?;
            runs.push(run);
        }
        Ok(Self {
            name: name.to_owned(),
            title,
            document,
            about,
            bug,
            quick,
            seconds,
            rows,
            runs,
        })
    }

    /// The data sets that must be at hand.
    pub(super) fn needs(&self) -> impl Iterator<Item = &str> {
        let runs = self.runs.iter().map(|run| &run.args);
        let named = runs.flat_map(|args| iter::once(&args.data).chain(&args.validation_data));
        named
            .map(String::as_str)
            .filter(|name| self.rows.is_none() && *name != "digits")
    }
}

impl Rows {
    fn read(mut section: Section<'_, '_>) -> Result<Self, Failure> {
        let inputs = section
            .rows("inputs")?
            .ok_or_else(|| section.missing("inputs"))?;
        let answers = section
            .rows("answers")?
            .ok_or_else(|| section.missing("answers"))?;
        let columns = section.text("columns")?;
        let columns = columns.map(|names| names.split(',').map(|n| n.trim().to_owned()).collect());
        if inputs.is_empty() || inputs.len() != answers.len() {
            let told = format!(
                "{} rows of inputs have {} answers",
                inputs.len(),
                answers.len()
            );
            return Err(section.file.fault(&section.place, told));
        }
        section.close(&DATA_KEYS)?;
        Ok(Self {
            columns,
            inputs,
            answers,
        })
    }
}

impl Run {
    fn read(
        mut section: Section<'_, '_>,
        common: &[Setting],
        before: &[Self],
    ) -> Result<Self, Failure> {
        let file = section.file;
        let place = section.place.clone();
        let settings = match section.sections("train")?.pop() {
            Some(own) => options::read(own, common)?,
            None => common.to_vec(),
        };
        let args = options::parse(file, &settings)?;
        let goes_on_from = match section.text("goes-on-from")? {
            None => None,
            Some(name) => {
                let found = before
                    .iter()
                    .position(|run| run.name.as_ref() == Some(&name));
                let fault =
                    || file.fault(&place, format!("no run before this one is named `{name}`"));
                Some(found.ok_or_else(fault)?)
            }
        };
        let walk = match section.sections("walk")?.pop() {
            Some(mut walk) => {
                let input = walk
                    .numbers("input")?
                    .ok_or_else(|| walk.missing("input"))?;
                let answer = walk.numbers("answer")?;
                walk.close(&["input", "answer"])?;
                Some(WalkRow { input, answer })
            }
            None => None,
        };
        let weights = section.matrices("weights")?.unwrap_or_default();
        let biases = section.lists("biases")?.unwrap_or_default();
        let run = Self {
            name: section.text("name")?,
            note: section.text("note")?,
            untrained: section.switch("untrained")?,
            submission: section.switch("submission")?,
            wanted: WantedReader::read_all(section.sections("value")?, args.epochs)?,
            weights,
            biases,
            settings,
            args,
            goes_on_from,
            walk,
        };
        section.close(&RUN_KEYS)?;
        Ok(run)
    }

    /// What one key alone cannot know.
    fn check(
        &self,
        file: &TomlFile<'_>,
        place: &Range<usize>,
        rows: bool,
        before: &[Self],
    ) -> Result<(), Failure> {
        // The network is that of the run with which it all began.
        let mut first = self;
        while let Some(earlier) = first.goes_on_from {
            first = &before[earlier];
        }
        let layers = first.args.hidden.0.len() + 1;
        for (what, list) in [
            ("weights", self.weights.len()),
            ("biases", self.biases.len()),
        ] {
            if list != 0 && list != layers {
                return Err(file.fault(
                    place,
                    format!("{list} layers of {what} for {layers} layers"),
                ));
            }
        }
        if rows && self.settings.iter().any(|setting| setting.key == "data") {
            return Err(file.fault(
                place,
                "the rows are in the recipe itself, so `data` cannot be set",
            ));
        }
        Ok(())
    }
}
