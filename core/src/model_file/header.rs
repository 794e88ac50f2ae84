//! The JSON text in the metadata of a model file: everything that is not a tensor.

use serde_json::{Map, Value, json};

use super::{FORMAT, Saved, TargetMeta, Task, check_layers, fault};
use crate::error::{Error, shown};

/// What the JSON text says, before it is joined with the tensors.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) inputs: usize,
    pub(super) layers: Vec<LayerHeader>,
    pub(super) columns: Option<Vec<String>>,
    pub(super) scaling: String,
    pub(super) target: TargetMeta,
    pub(super) record: Value,
}

/// What it says of one layer.
#[derive(Debug)]
pub(super) struct LayerHeader {
    pub(super) outputs: usize,
    pub(super) activation: String,
    pub(super) bias: bool,
    pub(super) dropout: f32,
}

/// The JSON text of a model.
pub(super) fn to_text(saved: &Saved) -> String {
    let layers: Vec<Value> = saved
        .layers
        .iter()
        .map(|layer| {
            json!({
                "outputs": layer.weight.rows(),
                "activation": layer.activation,
                "bias": layer.bias.is_some(),
                "dropout": shortest(layer.dropout),
            })
        })
        .collect();
    let task = match saved.target.task {
        Task::Classes => "classes",
        Task::Values => "values",
    };
    json!({
        "format": FORMAT,
        "architecture": {"inputs": saved.inputs(), "layers": layers},
        "preprocessing": {"columns": saved.preprocessing.columns, "scaling": saved.preprocessing.scaling},
        "target": {"task": task, "names": saved.target.names, "column": saved.target.column},
        "record": saved.record,
    })
    .to_string()
}

/// The f64 that prints like the f32: 0.2, where a plain conversion would give 0.20000000298023224.
fn shortest(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

/// Reads the JSON text, its version first.
pub(super) fn from_text(text: &str) -> Result<Header, Error> {
    let root: Value = match serde_json::from_str(text) {
        Ok(root) => root,
        Err(cause) => {
            return fault(format!(
                "expected JSON in the metadata entry, found: {cause}"
            ));
        }
    };
    let root = Part::root(&root)?;
    let format = root.count("format")? as u64;
    if format != FORMAT {
        return fault(format!(
            "the model is of format version {format}, this program reads version {FORMAT}"
        ));
    }
    let architecture = root.part("architecture")?;
    let preprocessing = root.part("preprocessing")?;
    let target = root.part("target")?;
    let layers = architecture.list("layers")?;
    check_layers(layers.len())?;
    let task = target.text("task")?;
    Ok(Header {
        inputs: architecture.count("inputs")?,
        layers: layers
            .iter()
            .enumerate()
            .map(|(l, layer)| layer_header(&Part::of(format!("architecture.layers.{l}"), layer)?))
            .collect::<Result<_, _>>()?,
        columns: preprocessing.optional("columns", Part::texts)?,
        scaling: preprocessing.text("scaling")?,
        target: TargetMeta {
            task: match task.as_str() {
                "classes" => Task::Classes,
                "values" => Task::Values,
                _ => {
                    return fault(format!(
                        "expected target.task to be classes or values, found {}",
                        shown(&task)
                    ));
                }
            },
            names: target.texts("names")?,
            column: target.optional("column", Part::text)?,
        },
        record: root.get("record")?.clone(),
    })
}

fn layer_header(layer: &Part<'_>) -> Result<LayerHeader, Error> {
    Ok(LayerHeader {
        outputs: layer.count("outputs")?,
        activation: layer.text("activation")?,
        bias: layer.read("bias", "true or false", Value::as_bool)?,
        dropout: layer.read("dropout", "a number", Value::as_f64)? as f32,
    })
}

/// An object within the JSON text, and the path to it for messages.
pub(super) struct Part<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Part<'a> {
    pub(super) fn root(value: &'a Value) -> Result<Self, Error> {
        Self::of(String::new(), value)
    }

    pub(super) fn of(path: String, value: &'a Value) -> Result<Self, Error> {
        match value.as_object() {
            Some(map) => Ok(Self { path, map }),
            None => fault(format!(
                "expected an object at {}, found {}",
                named(&path),
                brief(value)
            )),
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn get(&self, key: &str) -> Result<&'a Value, Error> {
        match self.map.get(key) {
            Some(value) => Ok(value),
            None => fault(format!(
                "expected {} in the metadata, found none",
                self.path_of(key)
            )),
        }
    }

    /// The value at the key as `parse` sees it; `what` says what was expected.
    pub(super) fn read<T>(
        &self,
        key: &str,
        what: &str,
        parse: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, Error> {
        let value = self.get(key)?;
        match parse(value) {
            Some(parsed) => Ok(parsed),
            None => fault(format!(
                "expected {} to be {what}, found {}",
                self.path_of(key),
                brief(value)
            )),
        }
    }

    fn part(&self, key: &str) -> Result<Self, Error> {
        Self::of(self.path_of(key), self.get(key)?)
    }

    pub(super) fn count(&self, key: &str) -> Result<usize, Error> {
        self.read(key, "a whole number", |v| {
            v.as_u64().and_then(|n| usize::try_from(n).ok())
        })
    }

    pub(super) fn text(&self, key: &str) -> Result<String, Error> {
        self.read(key, "a text", |v| v.as_str().map(str::to_owned))
    }

    pub(super) fn list(&self, key: &str) -> Result<&'a Vec<Value>, Error> {
        self.read(key, "a list", Value::as_array)
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, Error> {
        let all = |v: &Value| {
            v.as_array()?
                .iter()
                .map(|x| x.as_str().map(str::to_owned))
                .collect()
        };
        self.read(key, "a list of texts", all)
    }

    /// What `read` finds at the key, or `None` where there is null.
    pub(super) fn optional<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match self.get(key)? {
            Value::Null => Ok(None),
            _ => read(self, key).map(Some),
        }
    }
}

fn named(path: &str) -> &str {
    if path.is_empty() {
        "the top of the metadata"
    } else {
        path
    }
}

/// A value as a message shows it.
fn brief(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > 40 => "a long text".to_owned(),
        other => other.to_string(),
    }
}
