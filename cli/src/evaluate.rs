//! `mlp-fast evaluate`: a model against known answers.

use std::io::{self, Write};

use mlp_core::model_file::Model;

use crate::args::EvaluateArgs;
use crate::data;
use crate::failure::Failure;
use crate::measured::Measured;

/// Prints the metrics, as tables or as JSON.
pub(crate) fn run(args: &EvaluateArgs) -> Result<(), Failure> {
    let model = Model::load(&args.model)?;
    let data = data::with_answers(&model, &args.data, &args.source)?;
    let outputs = model.predict(data.inputs(), args.machine.isa()?, args.machine.threads())?;
    let measured = Measured::new(data.targets(), &outputs)?;
    let text = if args.json {
        format!("{:#}\n", measured.json())
    } else {
        measured.text()
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
