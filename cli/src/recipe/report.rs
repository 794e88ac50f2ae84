//! What came out: published beside ours, the band, the verdict; as tables and as JSON.

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::recipe_file::{Recipe, Run};
use super::wanted::{Compared, Wanted};
use crate::print;

/// Up to so many values of one measure have a line each.
const LINES: usize = 8;

/// How a recipe ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Every value is in its band.
    Holds,
    /// Some are not.
    Misses,
    /// It could not be run to its end, and why.
    Failed(String),
    /// That data set is not here, and how to get it.
    Needs(String, String),
}

/// What came of a recipe.
#[derive(Debug)]
pub(super) struct Outcome {
    name: String,
    title: String,
    bug: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) seconds: f64,
    pub(super) runs: Vec<RunOutcome>,
    tables: Vec<Vec<Line>>,
}

/// What came of one of its runs.
#[derive(Debug)]
pub(super) struct RunOutcome {
    name: Option<String>,
    /// Of the training alone.
    seconds: f64,
    pub(super) files: Vec<PathBuf>,
    pub(super) compared: Vec<Vec<Compared>>,
}

/// A line of the table.
#[derive(Debug)]
struct Line {
    what: String,
    published: String,
    ours: String,
    band: String,
    holds: bool,
    values: Vec<Compared>,
    note: Option<String>,
}

impl RunOutcome {
    pub(super) fn new(run: &Run, seconds: f64) -> Self {
        Self {
            name: run.name.clone(),
            seconds,
            files: Vec::new(),
            compared: Vec::new(),
        }
    }
}

impl Outcome {
    pub(super) fn new(recipe: &Recipe) -> Self {
        Self {
            name: recipe.name.clone(),
            title: recipe.title.clone(),
            bug: recipe.bug.clone(),
            verdict: Verdict::Misses,
            seconds: 0.0,
            runs: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// Makes the tables, and from them the verdict, unless something went wrong before.
    pub(super) fn judge(&mut self, recipe: &Recipe) {
        for (run, told) in recipe.runs.iter().zip(&self.runs) {
            let pairs = run.wanted.iter().zip(&told.compared);
            self.tables.push(
                pairs
                    .flat_map(|(wanted, compared)| lines(wanted, compared))
                    .collect(),
            );
        }
        if matches!(self.verdict, Verdict::Misses)
            && self.tables.iter().flatten().all(|line| line.holds)
        {
            self.verdict = Verdict::Holds;
        }
    }

    fn held(&self) -> (usize, usize) {
        let lines = || self.tables.iter().flatten();
        (lines().filter(|line| line.holds).count(), lines().count())
    }

    fn training(&self) -> f64 {
        self.runs.iter().map(|run| run.seconds).sum()
    }

    /// The table of this recipe.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.name, self.title);
        let all = || self.tables.iter().flatten();
        let width = |of: fn(&Line) -> &str, least: usize| {
            all()
                .map(|line| of(line).chars().count())
                .max()
                .unwrap_or(0)
                .max(least)
        };
        let (a, b) = (width(|l| &l.what, 4), width(|l| &l.published, 9));
        let (c, d) = (width(|l| &l.ours, 4), width(|l| &l.band, 4));
        for (i, (run, lines)) in self.runs.iter().zip(&self.tables).enumerate() {
            if i == 0 {
                let _ = writeln!(
                    text,
                    "  {:<a$}  {:>b$}  {:>c$}  {:<d$}  verdict",
                    "", "published", "ours", "band"
                );
            }
            if let Some(name) = &run.name {
                let _ = writeln!(text, "  {name}: {}", print::duration(run.seconds));
            }
            for line in lines {
                let verdict = if line.holds { "holds" } else { "MISSES" };
                let _ = writeln!(
                    text,
                    "  {:<a$}  {:>b$}  {:>c$}  {:<d$}  {verdict}",
                    line.what, line.published, line.ours, line.band
                );
                if let (false, Some(note)) = (line.holds, &line.note) {
                    let _ = writeln!(text, "    {note}");
                }
            }
        }
        if let (Some(bug), false) = (&self.bug, self.runs.is_empty()) {
            print::paragraph(&mut text, "  known bug", bug);
        }
        let files: Vec<String> = self
            .runs
            .iter()
            .flat_map(|run| run.files.iter().map(|path| path.display().to_string()))
            .collect();
        if !files.is_empty() {
            let _ = writeln!(text, "  wrote {}", files.join(", "));
        }
        let _ = writeln!(text, "  {}", self.summary());
        text
    }

    /// `holds: 24 of 24 values, 3.2 s, of which 2.9 s training`.
    fn summary(&self) -> String {
        let (held, all) = self.held();
        let times = format!(
            "{}, of which {} training",
            print::duration(self.seconds),
            print::duration(self.training())
        );
        match &self.verdict {
            Verdict::Holds => format!("holds: {held} of {all} values, {times}"),
            Verdict::Misses => format!("MISSES: {held} of {all} values in their bands, {times}"),
            Verdict::Failed(why) => format!("FAILED: {why}"),
            Verdict::Needs(data, how) => format!("needs {data}: {how}"),
        }
    }

    /// The same for machines.
    pub(super) fn json(&self) -> Value {
        let (word, why) = match &self.verdict {
            Verdict::Holds => ("holds", None),
            Verdict::Misses => ("misses", None),
            Verdict::Failed(why) => ("failed", Some(why)),
            Verdict::Needs(_, how) => ("needs data", Some(how)),
        };
        let value = |compared: &Compared| {
            json!({
                "published": compared.published,
                "ours": compared.ours,
                "band": compared.band,
                "holds": compared.holds(),
            })
        };
        let line = |line: &Line| {
            json!({
                "what": line.what,
                "holds": line.holds,
                "values": line.values.iter().map(value).collect::<Vec<_>>(),
            })
        };
        let runs: Vec<Value> = self
            .runs
            .iter()
            .zip(&self.tables)
            .map(|(run, lines)| {
                json!({
                    "name": run.name,
                    "training_seconds": run.seconds,
                    "files": run.files,
                    "measured": lines.iter().map(line).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({
            "name": self.name,
            "title": self.title,
            "verdict": word,
            "why": why,
            "seconds": self.seconds,
            "training_seconds": self.training(),
            "runs": runs,
        })
    }
}

/// A line for each value, or one for many.
fn lines(wanted: &Wanted, compared: &[Compared]) -> Vec<Line> {
    let holds_together = wanted.holds(compared);
    if compared.len() > LINES {
        return vec![Line {
            what: format!("{} ({} values)", wanted.what, compared.len()),
            published: ends(compared, |c| c.published),
            ours: ends(compared, |c| Some(c.ours)),
            band: wanted.band_text(),
            holds: holds_together,
            values: compared.to_vec(),
            note: wanted.note.clone(),
        }];
    }
    let too_many = !holds_together && compared.iter().all(Compared::holds);
    compared
        .iter()
        .enumerate()
        .map(|(i, one)| Line {
            what: match wanted.measure.place(i) {
                Some(place) if compared.len() > 1 => format!("{}, {place}", wanted.what),
                _ if compared.len() > 1 => format!("{}, {}", wanted.what, i + 1),
                _ => wanted.what.clone(),
            },
            published: one
                .published
                .map_or_else(|| "-".to_owned(), |p| p.to_string()),
            ours: like(one.ours, one.published),
            band: format!("{} .. {}", bound(one.band[0]), bound(one.band[1])),
            holds: one.holds() && !too_many,
            values: vec![one.clone()],
            note: wanted.note.clone(),
        })
        .collect()
}

/// `1.683 .. 1.031`: the first and the last of many.
fn ends(compared: &[Compared], of: fn(&Compared) -> Option<f64>) -> String {
    let values: Vec<f64> = compared.iter().filter_map(of).collect();
    match (values.first(), values.last()) {
        (Some(first), Some(last)) => format!("{} .. {}", like(*first, None), like(*last, None)),
        _ => "-".to_owned(),
    }
}

/// A number with as many decimals as the published one, and at least four digits of its own.
fn like(ours: f64, published: Option<f64>) -> String {
    if ours.fract() == 0.0 && ours.abs() < 1e15 {
        return ours.to_string();
    }
    let decimals = published.map_or(4, |p| {
        let text = p.to_string();
        text.split_once('.')
            .map_or(0, |(_, decimals)| decimals.len())
    });
    // An f32 has seven digits.
    let places = decimals.clamp(3, 7);
    format!("{ours:.places$}")
}

/// A bound of a band, without what the addition of binary fractions leaves behind.
fn bound(x: f64) -> String {
    let text = format!("{x:.7}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// One line for each recipe.
pub(super) fn table(outcomes: &[Outcome]) -> String {
    let width = outcomes.iter().map(|o| o.name.len()).max().unwrap_or(0);
    let mut text = String::from("\n");
    for outcome in outcomes {
        let _ = writeln!(text, "{:<width$}  {}", outcome.name, outcome.summary());
    }
    text
}

/// The sentence for the end of a run in which not all is well.
pub(super) fn what_is_wrong(outcomes: &[Outcome]) -> String {
    let count = |of: fn(&Verdict) -> bool| outcomes.iter().filter(|o| of(&o.verdict)).count();
    let parts = [
        (count(|v| *v == Verdict::Misses), "outside their bands"),
        (count(|v| matches!(v, Verdict::Failed(_))), "failed"),
        (
            count(|v| matches!(v, Verdict::Needs(..))),
            "not run for want of their data",
        ),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("of {} recipes {}", outcomes.len(), parts.join(", "))
}
