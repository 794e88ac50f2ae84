//! The model file: a network with all that it takes to predict from the raw file that it was trained on.
//!
//! A file is a [safetensors](https://github.com/huggingface/safetensors) file of little-endian f32 tensors with `PyTorch`'s
//! names and shapes:
//!
//! | tensor | shape | what |
//! | --- | --- | --- |
//! | `layers.0.weight`, `layers.1.weight`, .. | `[outputs, inputs]` | the weights of a dense layer |
//! | `layers.0.bias`, .. | `[outputs]` | its bias, absent in a layer without |
//! | `preprocessing.shift`, `preprocessing.scale` | `[inputs]` or `[1]` | `x' = (x - shift) * scale`, absent if inputs are taken as they are |
//!
//! and of one metadata entry, [`METADATA_KEY`], a JSON text with `format` (the version, [`FORMAT`]), `architecture` (`inputs`,
//! and `layers` with `outputs`, `activation`, `bias`, `dropout`), `preprocessing` (`columns`, `scaling`), `target` (`task`,
//! `names`, `column`) and `record` (how it was trained).
//!
//! Equal content gives equal bytes: keys are sorted, there is no clock and no machine in the file. What is read is checked
//! before it is used; a fault is told in a sentence that names the file, what was expected and what was found.

mod atomic;
pub mod checkpoint;
mod header;
mod lock;
mod model;
mod read;
mod write;

pub use atomic::{
    Operation, Staged, Watch, check_writable, permit, remove_leftovers, stage, stage_watched,
    write_atomically,
};
pub use lock::Lock;
pub use model::Model;
pub use read::{from_bytes, read};
pub use write::{stage_model, to_bytes, write};

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::{Error, Kind, shown};
use crate::tensor::Matrix;

/// The version of the format that this crate writes, and the only one that it reads.
pub const FORMAT: u64 = 1;
/// The key of our entry in the metadata of the safetensors file.
pub const METADATA_KEY: &str = "mlp_fast";
/// The largest number of layers in a file.
pub const MAX_LAYERS: usize = 1024;
/// The largest header, in bytes: the names of some hundred thousand columns fit in.
const MAX_HEADER: usize = 16 << 20;
/// The most objects in a header: each takes a hundred times the memory of the two bytes that it may be made of.
const MAX_OBJECTS: usize = 100_000;

/// The content of a model file.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// The dense layers, from the inputs to the outputs.
    pub layers: Vec<SavedLayer>,
    /// What is done to a row before the first layer.
    pub preprocessing: Preprocessing,
    /// What the outputs mean.
    pub target: TargetMeta,
    /// How the model was trained: any JSON. To keep equal models equal files, no times and no names of machines belong here.
    pub record: Value,
}

/// One dense layer, `f(x W^T + b)`.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedLayer {
    /// The weights `W`, outputs x inputs.
    pub weight: Matrix,
    /// The bias `b`, one for each output, if the layer has one.
    pub bias: Option<Vec<f32>>,
    /// The name of the activation `f`.
    pub activation: String,
    /// The share of this layer's *inputs* that training drops, from 0 to below 1; predictions do not use it.
    pub dropout: f32,
}

/// What is done to a row before the first layer: `x' = (x - shift) * scale`.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    /// The names of the input columns in their order, if they have names.
    pub columns: Option<Vec<String>>,
    /// The name of the kind of scaling.
    pub scaling: String,
    /// What is subtracted: a number for each column, or one for all, or none where inputs are taken as they are.
    pub shift: Vec<f32>,
    /// What the difference is multiplied by; as many numbers as in `shift`.
    pub scale: Vec<f32>,
}

/// What the outputs of a model mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetMeta {
    /// Whether they tell a class or values.
    pub task: Task,
    /// The names of the classes, or of the values, in the order of the outputs. (Two classes may share one output, the
    /// probability of the second.)
    pub names: Vec<String>,
    /// The column that held the labels, if it is known: its name, or its number, from 1, in a file without names.
    pub column: Option<String>,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// It tells the class of a row.
    Classes,
    /// It tells one or more values.
    Values,
}

impl Saved {
    /// The number of inputs, 0 if there are no layers.
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.weight.cols())
    }

    /// The number of outputs, 0 if there are no layers.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.weight.rows())
    }

    /// Checks that the parts fit each other and that all numbers are finite: what holds of every file read or written.
    ///
    /// # Errors
    /// Of [`Kind::Model`], naming the part, what was expected and what was found.
    pub fn check(&self) -> Result<(), Error> {
        check_layers(self.layers.len())?;
        let mut inputs = self.inputs();
        for (l, layer) in self.layers.iter().enumerate() {
            layer.check(l, inputs)?;
            inputs = layer.weight.rows();
        }
        self.preprocessing.check(self.inputs())?;
        self.target.check(self.outputs())
    }
}

impl SavedLayer {
    fn check(&self, l: usize, inputs: usize) -> Result<(), Error> {
        let (rows, cols) = (self.weight.rows(), self.weight.cols());
        if rows == 0 || cols == 0 {
            return fault(format!(
                "layers.{l}.weight is empty: its shape is [{rows}, {cols}]"
            ));
        }
        if cols != inputs {
            return fault(format!(
                "expected layers.{l}.weight to have {inputs} inputs, the outputs of the layer before, found {cols}"
            ));
        }
        for r in 0..rows {
            check_finite(&format!("layers.{l}.weight"), self.weight.row(r))?;
        }
        if let Some(bias) = &self.bias {
            if bias.len() != rows {
                let found = bias.len();
                return fault(format!(
                    "expected layers.{l}.bias to have {rows} elements, found {found}"
                ));
            }
            check_finite(&format!("layers.{l}.bias"), bias)?;
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let found = self.dropout;
            return fault(format!(
                "expected the dropout of layer {l} to be from 0 to below 1, found {found}"
            ));
        }
        Ok(())
    }
}

impl Preprocessing {
    fn check(&self, inputs: usize) -> Result<(), Error> {
        if let Some(columns) = &self.columns
            && columns.len() != inputs
        {
            let found = columns.len();
            return fault(format!(
                "expected the names of {inputs} input columns, found {found}"
            ));
        }
        for (name, values) in [("shift", &self.shift), ("scale", &self.scale)] {
            let found = values.len();
            if found > 1 && found != inputs {
                return fault(format!(
                    "expected preprocessing.{name} to have {inputs} elements or 1, found {found}"
                ));
            }
            check_finite(&format!("preprocessing.{name}"), values)?;
        }
        let (shifts, scales) = (self.shift.len(), self.scale.len());
        if shifts != scales {
            return fault(format!(
                "preprocessing.shift has {shifts} elements and preprocessing.scale has {scales}: expected as many"
            ));
        }
        Ok(())
    }
}

impl TargetMeta {
    fn check(&self, outputs: usize) -> Result<(), Error> {
        let names = self.names.len();
        let fits = names == outputs || self.task == Task::Classes && outputs == 1 && names == 2;
        if fits {
            return self.check_names();
        }
        let what = match self.task {
            Task::Classes => "classes",
            Task::Values => "values",
        };
        fault(format!(
            "expected the names of {outputs} {what}, one for each output, found {names}"
        ))
    }

    /// A prediction is told by the name of its class, which must therefore be no other's.
    fn check_names(&self) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        match self.names.iter().find(|&name| !seen.insert(name)) {
            Some(name) if self.task == Task::Classes => fault(format!(
                "expected each class to have a name of its own, found two classes `{}`",
                shown(name)
            )),
            _ => Ok(()),
        }
    }
}

fn check_layers(count: usize) -> Result<(), Error> {
    if (1..=MAX_LAYERS).contains(&count) {
        return Ok(());
    }
    fault(format!("expected 1 to {MAX_LAYERS} layers, found {count}"))
}

/// Whether the header is not too long.
fn check_length(length: usize) -> Result<(), Error> {
    if length <= MAX_HEADER {
        return Ok(());
    }
    fault(format!(
        "the names and the record take {length} bytes, expected at most {MAX_HEADER}"
    ))
}

fn check_finite(name: &str, values: &[f32]) -> Result<(), Error> {
    match values.iter().find(|x| !x.is_finite()) {
        Some(x) => fault(format!("expected finite numbers in {name}, found {x}")),
        None => Ok(()),
    }
}

fn fault<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::new(Kind::Model, message))
}
