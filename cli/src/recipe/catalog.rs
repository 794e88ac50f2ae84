//! The recipes that are built in, in the order of the documents that they are from.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use mlp_core::dataset::suggest::closest;

use super::recipe_file::Recipe;
use super::toml_file::TomlFile;
use crate::failure::Failure;

/// Files of `data/recipes`, by name.
macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../data/recipes/", $name, ".toml")))),*]
    };
}

const BUILT_IN: &[(&str, &str)] = built_in![
    "neuron-4",
    "feedforward-3",
    "mse-4",
    "grad-w1",
    "gender-2-2-1",
    "zero-vs-rest-logistic",
    "zero-vs-rest-64",
    "ten-64-fullbatch",
    "ten-64-momentum",
    "keras-first",
    "tiny10-gd",
    "tiny10-momentum",
    "tiny10-rmsprop",
    "tiny10-adam",
    "first1000-40",
    "first1000-40-dropout",
    "first1000-100-dropout-b100",
    "first1000-100-tanh-softmax",
    "binary01-he",
    "binary01-he-l2",
    "binary01-he-l2-b512",
    "kaggle-one-step",
    "kaggle5000-10",
    "kaggle40000-785",
];

/// All that are built in.
pub(super) fn all() -> Result<Vec<Recipe>, Failure> {
    BUILT_IN
        .iter()
        .map(|&(name, text)| built_in(name, text))
        .collect()
}

fn built_in(name: &str, text: &str) -> Result<Recipe, Failure> {
    let file = format!("data/recipes/{name}.toml");
    Recipe::parse(name, &TomlFile { name: &file, text })
}

/// The longest recipe, in bytes.
const MAX_RECIPE: u64 = 1 << 20;

/// The text of a file, which may be a pipe or a device without an end.
fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?
        .take(MAX_RECIPE + 1)
        .read_to_string(&mut text)?;
    if read as u64 > MAX_RECIPE {
        let told = format!(
            "it is longer than {} MiB: is this a recipe?",
            MAX_RECIPE >> 20
        );
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, told));
    }
    Ok(text)
}

/// The recipe of that name, or of that file.
pub(super) fn find(name: &str) -> Result<Recipe, Failure> {
    if let Some(&(name, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return built_in(name, text);
    }
    let path = Path::new(name);
    let is_file = path.extension().is_some_and(|e| e == "toml") || name.contains(['/', '\\']);
    if !is_file {
        let meant = closest(name, BUILT_IN.iter().map(|(known, _)| *known)).map_or_else(
            || "`mlp-fast recipe list` has them all".to_owned(),
            |known| format!("did you mean `{known}`?"),
        );
        return Err(Failure::usage(format!(
            "no recipe is named `{name}` (a recipe file of your own ends in .toml); {meant}"
        )));
    }
    let text =
        text_of(path).map_err(|cause| Failure::Failed(format!("{name}: cannot read: {cause}")))?;
    let stem = path
        .file_stem()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    Recipe::parse(&stem, &TomlFile { name, text: &text })
}
