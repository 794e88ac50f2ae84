//! `mlp-fast evaluate`: a model against known answers.

use std::io::{self, Write};

use crate::args::EvaluateArgs;
use crate::data;
use crate::failure::Failure;
use crate::measured::Measured;

/// Prints the metrics, as tables or as JSON.
pub(crate) fn run(args: &EvaluateArgs) -> Result<(), Failure> {
    let model = data::model(&args.model, &args.machine)?;
    let data = data::with_answers(&model, &args.data, &args.source)?;
    let targets = data.targets().clone();
    let outputs = model.predict_on(data.into_inputs(), args.machine.threads())?;
    let measured = Measured::new(&targets, &outputs)?;
    let text = if args.json {
        format!("{:#}\n", measured.json())
    } else {
        measured.text()
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
