//! `mlp-fast predict`: what a model says about each row.

use std::io::{self, Write};
use std::path::Path;

use mlp_core::metrics::predicted_class;
use mlp_core::model_file::{Model, Task};
use mlp_core::nn::Layer;
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;

use crate::args::{Format, PredictArgs};
use crate::data;
use crate::failure::Failure;
use crate::output::Destination;

/// Predicts every row and writes them in the order of the data.
pub(crate) fn run(args: &PredictArgs) -> Result<(), Failure> {
    if args.format == Format::Kaggle && args.probabilities {
        return Err(Failure::usage(
            "--probabilities has no place in --format kaggle, which is `ImageId,Label`",
        ));
    }
    let destination = Destination::claim(&args.output, &[&args.model, Path::new(&args.data)])?;
    let model = data::model(&args.model, &args.machine)?;
    if args.probabilities {
        tells_probabilities(&model)?;
    }
    let inputs = data::inputs(&model, &args.data, &args.source)?;
    let outputs = model.predict_on(inputs, args.machine.threads())?;
    destination.write(|file| match args.format {
        Format::Csv => write_csv(&model, &outputs, args.probabilities, file),
        Format::Kaggle => write_kaggle(&model, &outputs, file),
    })
}

/// Scores of classes that may be negative or above 1 are no probabilities.
fn tells_probabilities(model: &Model) -> Result<(), Failure> {
    if model.target.task == Task::Values {
        return Err(Failure::usage(
            "--probabilities are for models of classes, and this model tells values",
        ));
    }
    match model.network.layers().last().map(Layer::activation) {
        None | Some(Activation::Softmax | Activation::Sigmoid) => Ok(()),
        Some(other) => Err(Failure::usage(format!(
            "--probabilities: the outputs of this model are scores of `{}`, not probabilities",
            other.name()
        ))),
    }
}

/// `prediction`, or a column for each value where there are several; then the probabilities.
fn write_csv(
    model: &Model,
    outputs: &Matrix,
    probabilities: bool,
    file: &mut dyn Write,
) -> io::Result<()> {
    let names = &model.target.names;
    let mut header = match model.target.task {
        Task::Values if names.len() > 1 => names.clone(),
        _ => vec!["prediction".to_owned()],
    };
    if probabilities {
        header.extend(names.iter().map(|name| format!("p_{name}")));
    }
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(&header).map_err(io_error)?;
    let mut cells = Vec::with_capacity(header.len());
    for row in 0..outputs.rows() {
        cells.clear();
        let row = outputs.row(row);
        match model.target.task {
            Task::Values => cells.extend(row.iter().map(f32::to_string)),
            Task::Classes => cells.push(names[predicted_class(row)].clone()),
        }
        if probabilities {
            cells.extend(class_probabilities(row).iter().map(f32::to_string));
        }
        csv.write_record(&cells).map_err(io_error)?;
    }
    csv.flush()
}

/// Kaggle's form: the first row is 1.
pub(crate) fn write_kaggle(
    model: &Model,
    outputs: &Matrix,
    file: &mut dyn Write,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(["ImageId", "Label"]).map_err(io_error)?;
    for row in 0..outputs.rows() {
        let label = match model.target.task {
            Task::Classes => model.target.names[predicted_class(outputs.row(row))].clone(),
            Task::Values => outputs.row(row)[0].to_string(),
        };
        csv.write_record([(row + 1).to_string(), label])
            .map_err(io_error)?;
    }
    csv.flush()
}

/// One for each class, where a single output is the probability of the second of two.
fn class_probabilities(outputs: &[f32]) -> Vec<f32> {
    match *outputs {
        [second] => vec![1.0 - second, second],
        _ => outputs.to_vec(),
    }
}

/// What `csv` has wrapped: whether the reader has gone must stay visible.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause,
        other => io::Error::other(format!("{other:?}")),
    }
}
