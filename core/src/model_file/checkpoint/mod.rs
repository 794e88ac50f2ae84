//! The checkpoint as a file: a [`Checkpoint`] and whatever its owner wants to remember beside it.
//!
//! It is a safetensors file, like a model's, of little-endian tensors:
//!
//! | tensor | type, shape | what |
//! | --- | --- | --- |
//! | `layers.0.weight`, .. | f32 `[outputs, inputs]` | the weights |
//! | `layers.0.weight.m`, `.v` | likewise | the optimiser's moments, as many as it keeps |
//! | `layers.0.weight.best` | likewise | the weights of the best epoch, where somebody asked for them |
//! | `layers.0.bias`, `layers.0.bias.m`, .. | f32 `[outputs]` | the same of the biases |
//! | `history` | f64 `[epochs, 7]` | of each epoch done: loss, accuracy, validation loss and accuracy (NaN: none), seconds, rows a second, best (0 or 1) |
//!
//! and of one metadata entry, [`METADATA_KEY`], a JSON text with all else and with `crc32`: the CRC-32 (of IEEE 802.3) of the
//! rest of the text and of every tensor with its name and shape. What it must find is what a dying disk or a torn write does
//! to a file, not what a forger does: every damage of up to 32 neighbouring bits, and all but one in 2^32 of others. It costs
//! a millisecond for ten megabytes, and nothing is needed for it that the readers of gzip do not need.

mod tensors;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use flate2::Crc;
use safetensors::{SafeTensors, View};
use serde_json::{Value, json};

use self::tensors::{history, history_numbers, parameters, tensors};
use super::header::Part;
use super::read::{check_container, damaged, read_file};
use super::{MAX_HEADER, MAX_LAYERS, Staged, Watch, fault, permit, stage_watched};
use crate::error::{Error, Kind};
use crate::train::{Checkpoint, LayerState};

/// The version of the format that this crate writes, and the only one that it reads.
pub const FORMAT: u64 = 1;
/// The key of our entry in the metadata of the safetensors file.
pub const METADATA_KEY: &str = "mlp_fast_checkpoint";

/// Writes a checkpoint with a `record` of any kind to `path`: whole or not at all, the old one kept until the new one is
/// whole.
///
/// # Errors
/// When the file cannot be written, or the record is of megabytes.
pub fn write(path: &Path, checkpoint: &Checkpoint, record: &Value) -> Result<(), Error> {
    stage(path, permit, checkpoint, record)?.publish()
}

/// The first half of [`write`](write()), watched: see [`stage_watched`].
///
/// # Errors
/// As those of [`write`](write()).
pub fn stage(
    path: &Path,
    watch: Watch,
    checkpoint: &Checkpoint,
    record: &Value,
) -> Result<Staged, Error> {
    let bytes = to_bytes(checkpoint, record).map_err(|e| e.at(path.display().to_string()))?;
    stage_watched(path, watch, |file| file.write_all(&bytes))
}

/// Reads the checkpoint at `path` and the record beside it. Whether it fits a run is seen when one goes on from it.
///
/// # Errors
/// Of [`Kind::Checkpoint`], naming the path, when the file is none of ours, of another format version, or damaged in any
/// of its bits; of [`Kind::Io`] when it cannot be read.
pub fn read(path: &Path) -> Result<(Checkpoint, Value), Error> {
    let place = |error: Error| error.at(path.display().to_string());
    let bytes = read_file(path, "checkpoint")?;
    from_bytes(&bytes).map_err(place)
}

/// The bytes of the file.
///
/// # Errors
/// When the record is of megabytes, or the checkpoint's parts are not as long as its layers are wide.
pub fn to_bytes(checkpoint: &Checkpoint, record: &Value) -> Result<Vec<u8>, Error> {
    let history = history_numbers(checkpoint);
    let tensors = tensors(checkpoint, &history);
    if let Some((name, tensor)) = tensors
        .iter()
        .find(|(_, tensor)| tensor.shape.iter().product::<usize>() != tensor.len())
    {
        let (shape, found) = (&tensor.shape, tensor.len());
        return of_checkpoint(fault(format!(
            "expected {name} of shape {shape:?}, found {found} numbers"
        )));
    }
    let mut text = to_json(checkpoint, record);
    let sum = checksum(
        &text,
        tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), &tensor.shape[..], tensor.data())),
    );
    text["crc32"] = json!(format!("{sum:08x}"));
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), text.to_string())]);
    let bytes = safetensors::serialize(tensors, Some(metadata));
    let bytes = of_checkpoint(bytes.or_else(|cause| {
        fault(format!(
            "the checkpoint cannot be put in a safetensors file: {cause}"
        ))
    }))?;
    let length = bytes.first_chunk().map_or(0, |&n| u64::from_le_bytes(n));
    if length > MAX_HEADER as u64 {
        return of_checkpoint(fault(format!(
            "the settings and the record take {length} bytes, expected at most {MAX_HEADER}"
        )));
    }
    Ok(bytes)
}

/// Reads the checkpoint in the bytes of a file.
///
/// # Errors
/// As [`read`](read())'s, without the place.
pub fn from_bytes(bytes: &[u8]) -> Result<(Checkpoint, Value), Error> {
    of_checkpoint(parse(bytes))
}

/// The faults that models and checkpoints have in common, as a checkpoint's.
fn of_checkpoint<T>(result: Result<T, Error>) -> Result<T, Error> {
    result.map_err(|error| Error::new(Kind::Checkpoint, error.to_string()))
}

fn parse(bytes: &[u8]) -> Result<(Checkpoint, Value), Error> {
    check_container(bytes)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).or_else(|cause| damaged(&cause))?;
    let entry = metadata
        .metadata()
        .as_ref()
        .and_then(|map| map.get(METADATA_KEY));
    let Some(text) = entry else {
        return fault(format!(
            "the file is a safetensors file but no checkpoint: expected {METADATA_KEY} in its metadata, \
             found none"
        ));
    };
    let mut root: Value = match serde_json::from_str(text) {
        Ok(root) => root,
        Err(cause) => {
            return fault(format!(
                "expected JSON in the metadata entry, found: {cause}"
            ));
        }
    };
    let format = Part::root(&root)?.count("format")? as u64;
    if format != FORMAT {
        return fault(format!(
            "the checkpoint is of format version {format}, this program reads version {FORMAT}"
        ));
    }
    let told = Part::root(&root)?.text("crc32")?;
    if let Some(map) = root.as_object_mut() {
        map.remove("crc32");
    }
    let tensors = SafeTensors::deserialize(bytes).or_else(|cause| damaged(&cause))?;
    let by_name: BTreeMap<&str, _> = tensors.iter().collect();
    let sum = checksum(
        &root,
        by_name
            .iter()
            .map(|(name, tensor)| (*name, tensor.shape(), Cow::Borrowed(tensor.data()))),
    );
    let found = format!("{sum:08x}");
    if found != told {
        return fault(format!(
            "the file is damaged: expected its bytes to have the checksum {told}, found {found}"
        ));
    }
    let root = Part::root(&root)?;
    Ok((from_json(&root, &tensors)?, root.get("record")?.clone()))
}

/// The CRC-32 of a file's content; the tensors come in the order of their names.
fn checksum<'a>(
    text: &Value,
    tensors: impl Iterator<Item = (&'a str, &'a [usize], Cow<'a, [u8]>)>,
) -> u32 {
    let mut crc = Crc::new();
    crc.update(text.to_string().as_bytes());
    for (name, shape, data) in tensors {
        crc.update(format!("{name} {shape:?} ").as_bytes());
        crc.update(&data);
    }
    crc.sum()
}

fn to_json(checkpoint: &Checkpoint, record: &Value) -> Value {
    let layers = checkpoint.layers.iter().map(|layer| {
        json!({"outputs": layer.outputs, "inputs": layer.inputs, "bias": layer.bias.is_some()})
    });
    json!({
        "format": FORMAT,
        "settings": checkpoint.settings,
        "epochs": checkpoint.epochs,
        "epoch": checkpoint.epoch,
        "step": checkpoint.step,
        "loss_sum": checkpoint.loss_sum,
        "hits": checkpoint.hits,
        "best_score": checkpoint.best_score,
        "best_epoch": checkpoint.best_epoch,
        "seconds": checkpoint.seconds,
        "epoch_seconds": checkpoint.epoch_seconds,
        "finished": checkpoint.finished,
        "layers": layers.collect::<Vec<_>>(),
        "record": record,
    })
}

fn from_json(root: &Part<'_>, tensors: &SafeTensors<'_>) -> Result<Checkpoint, Error> {
    let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
        Some([Value::String(name), Value::String(value)]) => Ok((name.clone(), value.clone())),
        _ => fault("expected settings to be pairs of a name and a value"),
    };
    let epochs = root.count("epochs")?;
    let layers = root.list("layers")?;
    if layers.len() > MAX_LAYERS {
        let found = layers.len();
        return fault(format!(
            "expected at most {MAX_LAYERS} layers, found {found}"
        ));
    }
    let layer = |(l, layer)| {
        let layer = Part::of(format!("layers.{l}"), layer)?;
        let (outputs, inputs) = (layer.count("outputs")?, layer.count("inputs")?);
        let name = |what| format!("layers.{l}.{what}");
        let bias = layer.read("bias", "true or false", Value::as_bool)?;
        Ok(LayerState {
            outputs,
            inputs,
            weight: parameters(tensors, &name("weight"), &[outputs, inputs])?,
            bias: if bias {
                Some(parameters(tensors, &name("bias"), &[outputs])?)
            } else {
                None
            },
        })
    };
    let number = |key| root.read(key, "a number", Value::as_f64);
    Ok(Checkpoint {
        settings: root
            .list("settings")?
            .iter()
            .map(pair)
            .collect::<Result<_, _>>()?,
        epochs,
        epoch: root.count("epoch")?,
        step: root.count("step")?,
        loss_sum: number("loss_sum")?,
        hits: root.count("hits")?,
        best_score: root.optional("best_score", |root, key| {
            root.read(key, "a number", Value::as_f64)
        })?,
        best_epoch: root.count("best_epoch")?,
        history: history(tensors, epochs)?,
        seconds: number("seconds")?,
        epoch_seconds: number("epoch_seconds")?,
        finished: root.read("finished", "true or false", Value::as_bool)?,
        layers: layers
            .iter()
            .enumerate()
            .map(layer)
            .collect::<Result<_, Error>>()?,
    })
}
