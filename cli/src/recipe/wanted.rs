//! What is compared: a published value (or several), what it is a measure of, and the band that ours must fall into.

use super::toml_file::{Section, is_matrix};
use crate::failure::Failure;

/// One or more values of one measure.
#[derive(Debug)]
pub(super) struct Wanted {
    /// What the values are, in words.
    pub(super) what: String,
    pub(super) measure: Measure,
    /// As published; empty if nothing was, and our own result is only kept in its band.
    pub(super) published: Vec<f64>,
    /// What the right computation gives, where the published values are those of a bug: the middle of the band.
    expected: Vec<f64>,
    band: Band,
    /// How many of several values may differ from the published ones.
    differ: Option<usize>,
    pub(super) note: Option<String>,
}

/// What is measured.
#[derive(Debug, PartialEq)]
pub(super) enum Measure {
    /// A number of the history after these epochs, from 1.
    Epochs(Series, Vec<usize>),
    /// A number of the finished network on some rows.
    Score(Score, Part),
    /// The rows of a part.
    Rows(Part),
    /// The outputs for one row as it is in the data, before scaling.
    Output(Vec<f64>),
    /// The first rows to train on as the network takes them, so many.
    Inputs(usize),
    /// The outputs for the first rows to train on, so many.
    Probabilities(usize),
    /// The predicted classes of the first rows of the test part, so many.
    Predictions(usize),
    /// Numbers of the walk by their names.
    Walk(Vec<String>),
    /// Weights of the first layer before the training: inputs from..to of the units from..to, input by input.
    FirstWeights([usize; 2], [usize; 2]),
}

/// A number that every epoch has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Series {
    Loss,
    Accuracy,
    ValidationLoss,
    ValidationAccuracy,
}

impl Series {
    /// The name in a recipe.
    pub(super) fn name(self) -> &'static str {
        let found = SERIES.iter().find(|(_, series)| *series == self);
        found.map_or("", |(name, _)| name)
    }
}

/// What a network is worth on some rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Score {
    Accuracy,
    LogLoss,
    Mse,
    /// Rows true, columns predicted.
    Confusion,
    /// Rows predicted, columns true.
    ConfusionByPredicted,
    Precision,
    Recall,
    F1,
    Support,
    /// How often each class was predicted.
    Predicted,
}

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    Train,
    HeldOut,
    Test,
}

#[derive(Debug)]
enum Band {
    /// From..to, for all values.
    Same([f64; 2]),
    /// So far from the expected value, or from the published one.
    Within(f64),
}

/// One value, ours beside the published.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    pub(super) published: Option<f64>,
    pub(super) ours: f64,
    pub(super) band: [f64; 2],
}

impl Compared {
    /// NaN is in no band.
    pub(super) fn holds(&self) -> bool {
        self.band[0] <= self.ours && self.ours <= self.band[1]
    }
}

const SERIES: [(&str, Series); 4] = [
    ("loss", Series::Loss),
    ("accuracy", Series::Accuracy),
    ("validation-loss", Series::ValidationLoss),
    ("validation-accuracy", Series::ValidationAccuracy),
];
impl Score {
    /// The name in a recipe.
    pub(super) fn name(self) -> &'static str {
        let found = SCORES.iter().find(|(_, score)| *score == self);
        found.map_or("", |(name, _)| name)
    }
}

const SCORES: [(&str, Score); 10] = [
    ("final-accuracy", Score::Accuracy),
    ("final-log-loss", Score::LogLoss),
    ("final-mse", Score::Mse),
    ("confusion", Score::Confusion),
    ("confusion-by-predicted", Score::ConfusionByPredicted),
    ("precision", Score::Precision),
    ("recall", Score::Recall),
    ("f1", Score::F1),
    ("support", Score::Support),
    ("predicted", Score::Predicted),
];
const OTHERS: [&str; 7] = [
    "rows",
    "output",
    "inputs",
    "probabilities",
    "predictions",
    "walk",
    "first-weights",
];
const KEYS: [&str; 15] = [
    "what",
    "measure",
    "published",
    "expected",
    "band",
    "within",
    "differ",
    "note",
    "epoch",
    "on",
    "input",
    "first",
    "of",
    "inputs",
    "units",
];

/// Reads the `[[run.value]]` tables of a run.
pub(super) struct WantedReader;

impl WantedReader {
    /// All values of a run of so many epochs.
    pub(super) fn read_all(
        sections: Vec<Section<'_, '_>>,
        epochs: usize,
    ) -> Result<Vec<Wanted>, Failure> {
        sections
            .into_iter()
            .map(|section| Wanted::read(section, epochs))
            .collect()
    }
}

impl Wanted {
    fn read(mut section: Section<'_, '_>, epochs: usize) -> Result<Self, Failure> {
        let (file, place) = (section.file, section.place.clone());
        let fault = |sentence: String| Err(file.fault(&place, sentence));
        let what = section
            .text("what")?
            .ok_or_else(|| section.missing("what"))?;
        let measure = Measure::read(&mut section, epochs)?;
        let published = values(&mut section, "published")?;
        let expected = values(&mut section, "expected")?;
        let differ = section
            .counts("differ")?
            .and_then(|list| list.first().copied());
        let note = section.text("note")?;
        let band = match (section.numbers("band")?, section.numbers("within")?) {
            (Some(band), None) => match band[..] {
                [low, high] if low <= high => Band::Same([low, high]),
                _ => return fault("`band` is two numbers, the lower first".to_owned()),
            },
            (None, Some(within)) => match within[..] {
                [within] if within >= 0.0 && published.len() + expected.len() > 0 => {
                    Band::Within(within)
                }
                _ => {
                    return fault(
                        "`within` is how far a value may lie from the `expected` or the `published` one"
                            .to_owned(),
                    );
                }
            },
            _ => return fault("a value needs either a `band` or a `within`".to_owned()),
        };
        for (what, list) in [("published", &published), ("expected", &expected)] {
            let count = measure.count().unwrap_or(list.len());
            if !list.is_empty() && count != list.len() {
                return fault(format!("{} {what} values for {count} measured", list.len()));
            }
        }
        section.close(&KEYS)?;
        Ok(Self {
            what,
            measure,
            published,
            expected,
            band,
            differ,
            note,
        })
    }

    /// Our values beside the published ones.
    pub(super) fn compare(&self, ours: &[f64]) -> Result<Vec<Compared>, Failure> {
        for list in [&self.published, &self.expected] {
            if !list.is_empty() && ours.len() != list.len() {
                return Err(Failure::Failed(format!(
                    "{}: {} values are given, but {} were measured",
                    self.what,
                    list.len(),
                    ours.len()
                )));
            }
        }
        let compared = ours.iter().enumerate().map(|(i, &ours)| {
            let published = self.published.get(i).copied();
            let middle = self.expected.get(i).copied().or(published);
            let band = match (&self.band, middle) {
                (Band::Same(band), _) => *band,
                (Band::Within(within), Some(p)) => [p - within, p + within],
                (Band::Within(_), None) => [f64::NAN; 2],
            };
            Compared {
                published,
                ours,
                band,
            }
        });
        Ok(compared.collect())
    }

    /// Whether all are in their bands, and not too many differ.
    pub(super) fn holds(&self, compared: &[Compared]) -> bool {
        let different = compared
            .iter()
            .filter(|c| c.published.is_some_and(|p| p != c.ours));
        compared.iter().all(Compared::holds)
            && self.differ.is_none_or(|most| different.count() <= most)
    }

    /// The band in words, for the table of what is wanted.
    pub(super) fn band_text(&self) -> String {
        let band = match &self.band {
            Band::Same([low, high]) => format!("{low} .. {high}"),
            Band::Within(within) if self.expected.is_empty() => format!("+-{within}"),
            Band::Within(within) => match self.expected[..] {
                [middle] => format!("{middle} +-{within}"),
                _ => format!("what is right +-{within}"),
            },
        };
        match self.differ {
            Some(most) => format!("{band}, at most {most} differ"),
            None => band,
        }
    }
}

/// A list of numbers; a matrix is given as rows.
fn values(section: &mut Section<'_, '_>, key: &str) -> Result<Vec<f64>, Failure> {
    let values = match section.table.get(key) {
        Some(value) if is_matrix(value) => section.rows(key)?.map(|rows| rows.concat()),
        _ => section.numbers(key)?,
    };
    Ok(values.unwrap_or_default())
}

impl Measure {
    fn read(section: &mut Section<'_, '_>, epochs: usize) -> Result<Self, Failure> {
        let name = section
            .text("measure")?
            .ok_or_else(|| section.missing("measure"))?;
        let (file, place) = (section.file, section.place.clone());
        let fault = |sentence: String| Err(file.fault(&place, sentence));
        let part = |section: &mut Section<'_, '_>| match section.text("on")?.as_deref() {
            Some("train") => Ok(Part::Train),
            Some("held-out") => Ok(Part::HeldOut),
            Some("test") | None => Ok(Part::Test),
            Some(other) => Err(file.fault(
                &place,
                format!("`on` is train, held-out or test, not `{other}`"),
            )),
        };
        if let Some((_, series)) = SERIES.iter().find(|(known, _)| *known == name) {
            let at = section.counts("epoch")?.unwrap_or_else(|| vec![epochs]);
            if let Some(wrong) = at.iter().find(|&&epoch| epoch == 0 || epoch > epochs) {
                return fault(format!("epoch {wrong} is not one of 1 to {epochs}"));
            }
            return Ok(Self::Epochs(*series, at));
        }
        if let Some((_, score)) = SCORES.iter().find(|(known, _)| *known == name) {
            return Ok(Self::Score(*score, part(section)?));
        }
        match name.as_str() {
            "rows" => Ok(Self::Rows(part(section)?)),
            "output" => match section.numbers("input")? {
                Some(input) => Ok(Self::Output(input)),
                None => Err(section.missing("input")),
            },
            "inputs" | "probabilities" | "predictions" => {
                let first = match section.counts("first")?.as_deref() {
                    Some(&[count]) if count > 0 => count,
                    _ => return Err(section.missing("first")),
                };
                Ok(match name.as_str() {
                    "inputs" => Self::Inputs(first),
                    "probabilities" => Self::Probabilities(first),
                    _ => Self::Predictions(first),
                })
            }
            "walk" => match section.text("of")? {
                Some(names) => Ok(Self::Walk(
                    names.split(',').map(|n| n.trim().to_owned()).collect(),
                )),
                None => Err(section.missing("of")),
            },
            "first-weights" => match (
                section.counts("inputs")?.as_deref(),
                section.counts("units")?.as_deref(),
            ) {
                (Some(&[a, b]), Some(&[c, d])) if a < b && c < d => {
                    Ok(Self::FirstWeights([a, b], [c, d]))
                }
                _ => {
                    fault("`first-weights` needs `inputs` and `units`, each from and to".to_owned())
                }
            },
            _ => {
                let known = SERIES.iter().map(|(name, _)| *name);
                let known = known
                    .chain(SCORES.iter().map(|(name, _)| *name))
                    .chain(OTHERS);
                let known: Vec<&str> = known.collect();
                fault(format!(
                    "unknown measure `{name}`; there are: {}",
                    known.join(", ")
                ))
            }
        }
    }

    /// How many values it has, if that does not depend on the data.
    fn count(&self) -> Option<usize> {
        match self {
            Self::Epochs(_, at) => Some(at.len()),
            Self::Rows(_) | Self::Score(Score::Accuracy | Score::LogLoss | Score::Mse, _) => {
                Some(1)
            }
            Self::Score(..) | Self::Output(_) | Self::Inputs(_) | Self::Probabilities(_) => None,
            Self::Predictions(count) => Some(*count),
            Self::Walk(names) => Some(names.len()),
            Self::FirstWeights([a, b], [c, d]) => Some((b - a) * (d - c)),
        }
    }

    /// What tells value `i` of several from the others.
    pub(super) fn place(&self, i: usize) -> Option<String> {
        match self {
            Self::Epochs(_, at) => Some(format!("epoch {}", at[i])),
            Self::Walk(names) => Some(names[i].clone()),
            _ => None,
        }
    }
}
