//! `mlp-fast show`: an image of a data set, or the activations, to be looked at.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use mlp_core::dataset::Targets;

use crate::activations_svg::activations_svg;
use crate::args::ShowArgs;
use crate::data;
use crate::failure::Failure;
use crate::output::{Destination, Output};
use crate::picture::Picture;

/// A PNG shows each pixel so many times as wide and as high.
const ENLARGED: usize = 10;

/// Draws in the terminal or into a file.
pub(crate) fn run(args: &ShowArgs) -> Result<(), Failure> {
    if args.what == "activations" {
        return activations(args);
    }
    let output = match &args.output {
        Some(path) => {
            ends_in(path, "png", "an image is written as PNG")?;
            Some(Output::claim(path, &[Path::new(&args.what)])?)
        }
        None => None,
    };
    let rows = data::to_look_at(&args.what, &args.source, args.test)?;
    if args.row >= rows.len() {
        return Err(Failure::usage(format!(
            "--row {}: {} has {} rows, counted from 0",
            args.row,
            args.what,
            rows.len()
        )));
    }
    let picture = Picture::of_row(rows.inputs(), args.row)
        .map_err(|failure| Failure::Failed(format!("{}: {failure}", args.what)))?;
    let told = match rows.targets() {
        Targets::Classes { labels, names } => names[labels[args.row] as usize].clone(),
        Targets::Values { values, .. } => {
            let values = values.row(args.row).iter().map(f32::to_string);
            values.collect::<Vec<_>>().join(", ")
        }
    };
    let mut stdout = io::stdout().lock();
    if let Some(output) = output {
        let png = picture.png(ENLARGED)?;
        output.write(|file| file.write_all(&png))?;
        writeln!(
            stdout,
            "row {} is `{told}`; wrote {}",
            args.row,
            output.path().display()
        )?;
        return Ok(());
    }
    let colours = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let drawn = if colours {
        picture.half_blocks()
    } else {
        picture.shades()
    };
    writeln!(stdout, "row {} is `{told}`\n{drawn}", args.row)?;
    Ok(())
}

/// A picture of all activations goes to a file, or to standard output.
fn activations(args: &ShowArgs) -> Result<(), Failure> {
    let path = args.output.as_deref().unwrap_or(Path::new("-"));
    if path != Path::new("-") {
        ends_in(path, "svg", "activations are drawn as SVG")?;
    }
    let destination = Destination::claim(path, &[])?;
    let drawn = activations_svg()?;
    destination.write(|file| file.write_all(drawn.as_bytes()))
}

/// Pictures have one format each; a name that promises another is a mistake.
pub(crate) fn ends_in(path: &Path, ending: &str, sentence: &str) -> Result<(), Failure> {
    if path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case(ending))
    {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{}: {sentence}, so the name must end in .{ending}",
        path.display()
    )))
}
