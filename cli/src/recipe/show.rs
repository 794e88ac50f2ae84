//! `mlp-fast recipe show`: what a recipe is made of, and, of a tiny network, every number on a row's way.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::catalog;
use super::options::Setting;
use super::perform;
use super::recipe_file::{Recipe, Run};
use super::walk::{self, number};
use crate::failure::Failure;
use crate::print::paragraph;

/// Prints the recipe.
pub(super) fn run(name: &str) -> Result<(), Failure> {
    let recipe = catalog::find(name)?;
    let mut text = format!("{}: {}\n", recipe.name, recipe.title);
    paragraph(&mut text, "document  ", &recipe.document);
    if let Some(about) = &recipe.about {
        paragraph(&mut text, "about     ", about);
    }
    if let Some(bug) = &recipe.bug {
        paragraph(&mut text, "known bug ", bug);
    }
    for run in &recipe.runs {
        text.push('\n');
        // What only the network's making finds wrong does not know the file.
        run_text(&mut text, &recipe, run)
            .map_err(|failure| Failure::Failed(format!("{name}: {failure}")))?;
    }
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

fn run_text(text: &mut String, recipe: &Recipe, run: &Run) -> Result<(), Failure> {
    if let Some(name) = &run.name {
        let _ = writeln!(text, "run \"{name}\"");
    }
    if let Some(note) = &run.note {
        paragraph(text, "note      ", note);
    }
    if let Some(rows) = &recipe.rows {
        for (inputs, answers) in rows.inputs.iter().zip(&rows.answers) {
            let list = |values: &[f64]| {
                values
                    .iter()
                    .map(f64::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let _ = writeln!(text, "row         {} -> {}", list(inputs), list(answers));
        }
    }
    let (data, options): (Vec<&Setting>, Vec<&Setting>) = run
        .settings
        .iter()
        .partition(|setting| setting.key == "data");
    let words = data
        .into_iter()
        .chain(options)
        .map(Setting::on_command_line);
    let words = words.collect::<Vec<_>>().join(" ");
    if run.is_plain() && recipe.rows.is_none() {
        paragraph(text, "the same  ", &format!("mlp-fast train {words}"));
    } else if !words.is_empty() {
        paragraph(text, "settings  ", &words);
    }
    for (l, weights) in run.weights.iter().enumerate() {
        let biases = run
            .biases
            .get(l)
            .map_or_else(String::new, |b| format!(", biases {b:?}"));
        let _ = writeln!(text, "layer {}     weights {weights:?}{biases}", l + 1);
    }
    // What goes on from another run begins with weights that are there once that run is trained.
    if run.untrained && run.goes_on_from.is_none() && run.walk.is_some() {
        let trained = perform::train(recipe.rows.as_ref(), run, &[])?;
        for line in walk::lines(run, &trained)? {
            let _ = writeln!(
                text,
                "  {:<8} = {} = {}",
                line.name,
                line.formula,
                number_of(line.value)
            );
        }
    }
    text.push_str("wanted\n");
    for wanted in &run.wanted {
        let published: Vec<String> = wanted.published.iter().map(f64::to_string).collect();
        let published = match published.len() {
            0 => String::new(),
            1..=12 => format!("published {}; ", published.join(", ")),
            many => format!(
                "published {many} values from {} to {}; ",
                published[0],
                published[many - 1]
            ),
        };
        let _ = writeln!(
            text,
            "  {}: {published}band {}",
            wanted.what,
            wanted.band_text()
        );
        if let Some(note) = &wanted.note {
            let _ = writeln!(text, "    {note}");
        }
    }
    Ok(())
}

/// Seven digits, as many as an f32 has.
fn number_of(x: f32) -> String {
    let size = x.abs();
    if size >= 1e-4 || size == 0.0 {
        let places = (6.0 - size.max(1e-4).log10().floor()).clamp(0.0, 10.0) as usize;
        let text = format!("{x:.places$}");
        if x.fract() == 0.0 { number(x) } else { text }
    } else {
        format!("{x:.6e}")
    }
}

impl Run {
    /// Whether `mlp-fast train` with these settings does all of it.
    fn is_plain(&self) -> bool {
        !self.untrained
            && self.goes_on_from.is_none()
            && self.weights.is_empty()
            && self.biases.is_empty()
    }
}
