//! `mlp-fast recipe`: experiments with published results, run again by the ordinary trainer and compared.
//!
//! A recipe is data ([`recipe_file`]), read from a file of the user's or from those that are built in ([`catalog`]). Its
//! settings are the options of `train` ([`options`]); [`perform`] trains and measures, [`report`] tells.

mod catalog;
mod measure;
mod options;
mod perform;
mod recipe_file;
mod report;
mod show;
mod toml_file;
mod walk;
mod wanted;

use std::fs;
use std::io::{self, Write};
use std::time::Instant;

use serde_json::json;

use crate::args::{RecipeArgs, RecipeCommand, RecipeListArgs, RecipeRunArgs};
use crate::failure::Failure;
use crate::print;
use report::{Outcome, Verdict};

/// Lists, shows or runs.
pub(crate) fn run(args: &RecipeArgs) -> Result<(), Failure> {
    match &args.command {
        RecipeCommand::List(args) => list(args),
        RecipeCommand::Show(args) => show::run(&args.name),
        RecipeCommand::Run(args) => run_all(args),
    }
}

fn list(args: &RecipeListArgs) -> Result<(), Failure> {
    let recipes = catalog::all()?;
    let mut out = io::stdout().lock();
    if args.json {
        let list: Vec<_> = recipes
            .iter()
            .map(|recipe| {
                json!({
                    "name": recipe.name,
                    "title": recipe.title,
                    "document": recipe.document,
                    "quick": recipe.quick,
                    "needs": recipe.needs().next(),
                    "seconds_about": recipe.seconds,
                })
            })
            .collect();
        writeln!(out, "{}", json!({ "recipes": list }))?;
        return Ok(());
    }
    let width = recipes.iter().map(|r| r.name.len()).max().unwrap_or(0);
    for recipe in &recipes {
        let needs = recipe
            .needs()
            .next()
            .map_or_else(String::new, |data| format!(" ({data})"));
        writeln!(out, "{:<width$}  {}{needs}", recipe.name, recipe.title)?;
    }
    Ok(())
}

/// Runs what was asked for. The exit code tells whether every value of every recipe is in its band.
fn run_all(args: &RecipeRunArgs) -> Result<(), Failure> {
    let recipes = if args.all {
        catalog::all()?
    } else {
        let found: Result<Vec<_>, _> = args.names.iter().map(|name| catalog::find(name)).collect();
        found?
    };
    fs::create_dir_all(&args.output).map_err(|cause| {
        Failure::Failed(format!(
            "{}: cannot make the folder: {cause}",
            args.output.display()
        ))
    })?;
    let count = recipes.len();
    let several = count > 1;
    let expected: f64 = recipes.iter().map(|recipe| recipe.seconds).sum();
    let (mut done, start) = (0.0, Instant::now());
    let mut outcomes = Vec::new();
    for (i, mut recipe) in recipes.into_iter().enumerate() {
        if !args.quiet && several {
            let spent = start.elapsed().as_secs_f64();
            let left = if spent > 1.0 && done > 0.0 {
                format!(
                    ", about {} left",
                    print::duration(spent / done * (expected - done))
                )
            } else {
                String::new()
            };
            drop(writeln!(
                io::stderr(),
                "{} ({} of {count}){left}",
                recipe.name,
                i + 1
            ));
        }
        done += recipe.seconds;
        let outcome = perform::perform(&mut recipe, args)?;
        if !args.json {
            io::stdout().lock().write_all(outcome.text().as_bytes())?;
        }
        outcomes.push(outcome);
    }
    let all_hold = outcomes
        .iter()
        .all(|outcome| outcome.verdict == Verdict::Holds);
    let mut out = io::stdout().lock();
    if args.json {
        let list: Vec<_> = outcomes.iter().map(Outcome::json).collect();
        writeln!(out, "{}", json!({ "recipes": list, "all_hold": all_hold }))?;
    } else if several {
        out.write_all(report::table(&outcomes).as_bytes())?;
    }
    if all_hold {
        return Ok(());
    }
    Err(Failure::Failed(report::what_is_wrong(&outcomes)))
}
