//! `mlp-fast inspect`: what is in a model file.

use std::io::{self, Write};

use mlp_core::model_file::{Model, Task};
use mlp_core::optim::Optimizer;
use mlp_core::train::{Extent, Memory};
use serde_json::{Value, json};

use crate::args::InspectArgs;
use crate::failure::Failure;
use crate::{memory, print};

/// Names of classes, values or columns are listed up to so many.
const LISTED: usize = 12;

/// Prints the model as tables or as JSON.
pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let model = Model::load(&args.model)?;
    let text = if args.json {
        format!("{}\n", to_json(&model))
    } else {
        to_text(&model)
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

fn to_json(model: &Model) -> Value {
    let network = &model.network;
    let layers: Vec<Value> = network
        .layers()
        .iter()
        .map(|layer| {
            json!({
                "inputs": layer.inputs(),
                "outputs": layer.outputs(),
                "activation": layer.activation().name(),
                "bias": layer.has_bias(),
                "dropout": layer.dropout(),
                "parameters": layer.parameters(),
            })
        })
        .collect();
    json!({
        "inputs": network.inputs(),
        "outputs": network.outputs(),
        "layers": layers,
        "parameters": network.parameters(),
        "flops_per_row": network.flops_per_row(),
        "preprocessing": {
            "scaling": model.scaling.name(),
            "shift": model.scaling.shift(),
            "scale": model.scaling.scale(),
            "columns": model.columns,
        },
        "target": {
            "task": match model.target.task { Task::Classes => "classes", Task::Values => "values" },
            "names": model.target.names,
            "column": model.target.column,
        },
        "memory_of_a_fit": memory_of_a_fit(model).map(|(memory, extent)| json!({
            "weights": memory.weights,
            "moments": memory.moments,
            "activations": memory.activations,
            "rows": memory.rows,
            "total": memory.total(),
            "optimizer": extent.optimizer.name(),
            "batch_size": extent.batch,
        })),
        "record": model.record,
    })
}

fn to_text(model: &Model) -> String {
    let network = &model.network;
    let layers = network.layers();
    let widths = layers.iter().map(mlp_core::nn::Layer::outputs);
    let mut lines = vec![
        format!(
            "network        {}: {} parameters, {} FLOPs per row",
            print::shape(std::iter::once(network.inputs()).chain(widths)),
            print::grouped(network.parameters() as u64),
            print::grouped(network.flops_per_row() as u64),
        ),
        String::new(),
        "layer  inputs  outputs  activation        bias  dropout  parameters".to_owned(),
    ];
    for (i, layer) in layers.iter().enumerate() {
        lines.push(format!(
            "{i:>5}  {:>6}  {:>7}  {:<16}  {:>4}  {:>7}  {:>10}",
            layer.inputs(),
            layer.outputs(),
            layer.activation().name(),
            if layer.has_bias() { "yes" } else { "no" },
            layer.dropout(),
            print::grouped(layer.parameters() as u64),
        ));
    }
    lines.push(String::new());
    lines.push(format!("preprocessing  {}", preprocessing(model)));
    if let Some(columns) = &model.columns {
        lines.push(format!("inputs         {}", listed("columns", columns)));
    }
    lines.push(format!(
        "answers        {}",
        listed(
            match model.target.task {
                Task::Classes => "classes",
                Task::Values if model.target.names.len() == 1 => "value",
                Task::Values => "values",
            },
            &model.target.names
        )
    ));
    if let Some(column) = &model.target.column {
        lines.push(format!("label column   {}", on_one_line(column)));
    }
    if let Some((memory, extent)) = memory_of_a_fit(model) {
        lines.push(format!(
            "to train it    {} beside the data: {} (batches of {}, {})",
            print::bytes(memory.total()),
            memory::parts_of(&memory),
            extent.batch,
            extent.optimizer.name(),
        ));
    }
    if let Value::Object(record) = &model.record {
        lines.push(String::new());
        lines.push("training".to_owned());
        lines.extend(print::entries(record));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What it would take to train this network again, on one thread, as the record says that it was trained.
fn memory_of_a_fit(model: &Model) -> Option<(Memory, Extent)> {
    let recorded = |key: &str| model.record.get(key);
    let count = |key: &str| {
        recorded(key)
            .and_then(Value::as_u64)
            .map(|count| count as usize)
    };
    let rows = count("rows")?;
    let optimizer = recorded("optimizer").and_then(Value::as_str)?;
    let extent = Extent {
        optimizer: Optimizer::parse(optimizer, None).ok()?,
        batch: count("batch_size").unwrap_or(rows),
        rows,
        validation_rows: count("rows_held_out").unwrap_or(0),
        keeps_best: count("patience").is_some(),
        threads: 1,
    };
    Some((Memory::of_fit(&model.network, &extent), extent))
}

fn preprocessing(model: &Model) -> String {
    let (shift, scale) = (model.scaling.shift(), model.scaling.scale());
    let name = model.scaling.name();
    match (shift, scale) {
        _ if model.scaling.is_identity() => "none".to_owned(),
        ([shift], [scale]) => format!("{name}: (x - {shift}) * {scale}"),
        _ => format!("{name}: (x - shift) * scale, of each column its own"),
    }
}

/// A name from a CSV may have line breaks.
fn on_one_line(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `3 classes: a, b, c`, shortened where there are many.
fn listed(what: &str, names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(LISTED)
        .map(|name| on_one_line(name))
        .collect();
    let shown = shown.join(", ");
    let rest = if names.len() > LISTED { ", .." } else { "" };
    format!("{} {what}: {shown}{rest}", names.len())
}
