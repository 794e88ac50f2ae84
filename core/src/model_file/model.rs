//! A trained network with all that it takes to predict from raw rows: a model file in memory.

use std::path::Path;

use serde_json::{Value, json};

use super::{Preprocessing, Saved, SavedLayer, Staged, TargetMeta, Task, Watch};
use crate::dataset::options::Expected;
use crate::dataset::{Dataset, Inputs, Scaling, Targets};
use crate::error::{Error, Kind};
use crate::isa::Isa;
use crate::nn::{Init, Network};
use crate::tensor::Matrix;
use crate::tensor::activation::Activation;

/// A network, what is done to a row before it, and what its outputs mean.
#[derive(Clone, Debug)]
pub struct Model {
    /// The network.
    pub network: Network,
    /// What is done to a raw row before the first layer.
    pub scaling: Scaling,
    /// The names of the input columns in their order, if they have names.
    pub columns: Option<Vec<String>>,
    /// What the outputs mean.
    pub target: TargetMeta,
    /// How it was trained: any JSON.
    pub record: Value,
}

impl Model {
    /// A network that was trained on this data, with the scaling through which it saw it; `label` is the
    /// column that held the answers, by its name or else its number, if it is known.
    pub fn new(network: Network, data: &Dataset, label: Option<String>, record: Value) -> Self {
        let inputs = data.inputs();
        let scaling = inputs.scaling().cloned();
        Self {
            scaling: scaling.unwrap_or_else(|| Scaling::none(inputs.cols())),
            columns: inputs.columns().map(<[String]>::to_vec),
            target: TargetMeta {
                task: match data.targets() {
                    Targets::Classes { .. } => Task::Classes,
                    Targets::Values { .. } => Task::Values,
                },
                names: data.targets().names().to_vec(),
                column: label,
            },
            network,
            record,
        }
    }

    /// Whether a file will have room for such a network, trained on this data: what would otherwise be found out when that
    /// is done. (The names and the record are nearly all of a header; the rest is left to the writing.)
    ///
    /// # Errors
    /// When it has too many layers, or the names and the record are too long.
    pub fn check_room(network: &Network, data: &Dataset, record: &Value) -> Result<(), Error> {
        super::check_layers(network.layers().len())?;
        let names = [
            data.inputs().columns().unwrap_or(&[]),
            data.targets().names(),
        ];
        // The header is a text, and this a text in it.
        let text = json!([names, record]).to_string();
        super::check_length(Value::String(text).to_string().len())
    }

    /// Reads the model at `path`.
    ///
    /// # Errors
    /// As [`read`](super::read()), when the file names an activation or a scaling that this version does not have, and when
    /// `MLP_FAST_ISA` names no instruction set of this CPU.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let isa = Isa::detect()?;
        Self::from_saved(super::read(path)?, isa).map_err(|error| {
            Error::new(Kind::Model, error.to_string()).at(path.display().to_string())
        })
    }

    /// The model that these bytes are the file of, such as one compiled into a program.
    ///
    /// # Errors
    /// As [`load`](Self::load)'s, without the place.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_saved(super::from_bytes(bytes)?, Isa::detect()?)
    }

    /// The bytes of the model's file.
    ///
    /// # Errors
    /// As [`to_bytes`](super::to_bytes())'s.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        super::to_bytes(&self.to_saved())
    }

    /// Writes the model to `path`, whole or not at all.
    ///
    /// # Errors
    /// As [`write`](super::write()).
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        super::write(path, &self.to_saved())
    }

    /// The first half of [`save`](Self::save), with a watch: see [`stage_watched`](super::stage_watched()).
    ///
    /// # Errors
    /// As those of [`save`](Self::save).
    pub fn stage_watched(&self, path: &Path, watch: Watch) -> Result<Staged, Error> {
        super::stage_model(path, watch, &self.to_saved())
    }

    /// What data must be like for this model to predict from it or to be measured on it.
    pub fn expected(&self) -> Expected {
        Expected {
            inputs: self.network.inputs(),
            columns: self.columns.clone(),
            label: self.target.column.clone(),
            classes: match self.target.task {
                Task::Classes => Some(self.target.names.clone()),
                Task::Values => None,
            },
        }
    }

    /// The outputs for raw rows on at most `threads` threads, `[rows, outputs]`.
    ///
    /// # Errors
    /// When the rows are not as wide as the network's inputs.
    pub fn predict_on(&self, inputs: Inputs, threads: usize) -> Result<Matrix, Error> {
        let (expected, found) = (self.network.inputs(), inputs.cols());
        if expected != found {
            return Err(Error::new(
                Kind::Model,
                format!("the model takes {expected} inputs, the data has {found} columns"),
            ));
        }
        let inputs = inputs.with_scaling(self.scaling.clone())?;
        Ok(self.network.predict_on(&inputs, threads))
    }

    fn from_saved(saved: Saved, isa: Isa) -> Result<Self, Error> {
        let mut builder = Network::builder(saved.inputs()).isa(isa).init(Init::Zeros);
        for layer in &saved.layers {
            let activation = Activation::parse(&layer.activation)?;
            let units = layer.weight.rows();
            builder = builder.dropout(layer.dropout);
            builder = match layer.bias {
                Some(_) => builder.dense(units, activation),
                None => builder.dense_no_bias(units, activation),
            };
        }
        let mut network = builder.build()?;
        for (l, layer) in saved.layers.iter().enumerate() {
            network.set_weight(l, &layer.weight);
            if let Some(bias) = &layer.bias {
                network.set_bias(l, bias);
            }
        }
        let Preprocessing {
            columns,
            scaling,
            shift,
            scale,
        } = saved.preprocessing;
        let scaling = if shift.is_empty() {
            Scaling::none(network.inputs())
        } else {
            Scaling::from_parts(&scaling, network.inputs(), shift, scale)?
        };
        Ok(Self {
            network,
            scaling,
            columns,
            target: saved.target,
            record: saved.record,
        })
    }

    fn to_saved(&self) -> Saved {
        let layers = self.network.layers().iter().map(|layer| SavedLayer {
            weight: layer.weight(),
            bias: layer.has_bias().then(|| layer.bias().to_vec()),
            activation: layer.activation().name(),
            dropout: layer.dropout(),
        });
        let (shift, scale) = if self.scaling.is_identity() {
            (Vec::new(), Vec::new())
        } else {
            (self.scaling.shift().to_vec(), self.scaling.scale().to_vec())
        };
        Saved {
            layers: layers.collect(),
            preprocessing: Preprocessing {
                columns: self.columns.clone(),
                scaling: self.scaling.name().to_owned(),
                shift,
                scale,
            },
            target: self.target.clone(),
            record: self.record.clone(),
        }
    }
}
