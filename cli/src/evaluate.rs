//! `mlp-fast evaluate`: a model against known answers.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mlp_core::dataset::Targets;

use crate::args::EvaluateArgs;
use crate::confusion_svg::confusion_svg;
use crate::data;
use crate::failure::Failure;
use crate::measured::Measured;
use crate::mistakes_svg::mistakes_svg;
use crate::output::Output;
use crate::show::ends_in;

/// Prints the metrics, as tables or as JSON.
pub(crate) fn run(args: &EvaluateArgs) -> Result<(), Failure> {
    let claim = |path: &Option<PathBuf>, sentence| match path {
        Some(path) => {
            ends_in(path, "svg", sentence)?;
            Output::claim(path, &[&args.model, Path::new(&args.data)]).map(Some)
        }
        None => Ok(None),
    };
    let picture = claim(&args.svg, "the confusion matrix is an SVG")?;
    let sheet = claim(&args.mistakes, "the sheet of mistakes is an SVG")?;
    let model = data::model(&args.model, &args.machine)?;
    let data = data::with_answers(&model, &args.data, &args.source, args.classes.choice())?;
    let targets = data.targets().clone();
    let images = sheet.is_some().then(|| data.inputs().clone());
    let outputs = model.predict_on(data.into_inputs(), args.machine.threads())?;
    let measured = Measured::new(&targets, &outputs)?;
    if let Some(picture) = picture {
        let Measured::Classes(classes) = &measured else {
            return Err(Failure::usage(
                "--svg draws the confusion matrix of classes, and this model tells values",
            ));
        };
        let drawn = confusion_svg(&args.data, classes);
        picture.write(|file| file.write_all(drawn.as_bytes()))?;
    }
    if let (Some(sheet), Some(images)) = (sheet, images) {
        let Targets::Classes { labels, names } = &targets else {
            return Err(Failure::usage(
                "--mistakes shows images told wrong, and this model tells values",
            ));
        };
        let drawn = mistakes_svg(&args.data, &images, labels, names, &outputs)?;
        sheet.write(|file| file.write_all(drawn.as_bytes()))?;
    }
    let text = if args.json {
        format!("{}\n", measured.json())
    } else {
        format!("{}\n", measured.text())
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
