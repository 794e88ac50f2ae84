//! Reading a model file: nothing in it is believed before it is checked.

use std::collections::BTreeSet;
use std::path::Path;

use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde_json::Value;

use super::header::{self, Header};
use super::{
    MAX_HEADER, MAX_OBJECTS, METADATA_KEY, Preprocessing, Saved, SavedLayer, checkpoint, fault,
};
use crate::error::{Error, cut, shown};
use crate::tensor::Matrix;

/// Reads the model at `path`.
///
/// # Errors
/// When the file cannot be read, is not a safetensors file, is truncated, is not a model of ours or of another format
/// version, or when its parts do not fit each other.
pub fn read(path: &Path) -> Result<Saved, Error> {
    let bytes = read_file(path, "model")?;
    from_bytes(&bytes).map_err(|error| error.at(path.display().to_string()))
}

/// The bytes of the file at `path`, which is a `what`.
pub(super) fn read_file(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    let unreadable = |cause| Error::io(&format!("cannot read the {what}"), path, &cause);
    // Reading a device or a pipe to its end may never come to an end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return fault(format!(
            "expected a {what} file, found something that is not a file"
        ))
        .map_err(|error: Error| error.at(path.display().to_string()));
    }
    std::fs::read(path).map_err(unreadable)
}

/// Reads the model in the bytes of a file, such as one compiled into a program.
///
/// # Errors
/// As [`read`]'s, without the place.
pub fn from_bytes(bytes: &[u8]) -> Result<Saved, Error> {
    check_container(bytes)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).or_else(|cause| damaged(&cause))?;
    let entry = |key| metadata.metadata().as_ref()?.get(key);
    let Some(text) = entry(METADATA_KEY) else {
        if entry(checkpoint::METADATA_KEY).is_some() {
            return fault("this is the checkpoint of a run, and its model is the file beside it");
        }
        return fault(format!(
            "the file is a safetensors file but not a model of mlp-fast: expected {METADATA_KEY} in its metadata, found none"
        ));
    };
    let header = header::from_text(text)?;
    let tensors = SafeTensors::deserialize(bytes).or_else(|cause| damaged(&cause))?;
    let saved = join(header, &tensors)?;
    saved.check()?;
    Ok(saved)
}

/// Checks that this is a safetensors file and that it is whole, by its lengths alone.
pub(super) fn check_container(bytes: &[u8]) -> Result<(), Error> {
    let not_ours = "expected a safetensors file, found";
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return match bytes.len() {
            0 => fault(format!("{not_ours} an empty file")),
            n => fault(format!("{not_ours} a file of {n} bytes")),
        };
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER as u64 || rest.first().is_some_and(|&byte| byte != b'{') {
        return fault(format!("{not_ours} a file that does not begin like one"));
    }
    let length = length as usize;
    let Some((header, data)) = rest.split_at_checked(length) else {
        let found = bytes.len();
        let expected = length + 8;
        return fault(format!(
            "the file is truncated: expected more than {expected} bytes, found {found}"
        ));
    };
    let objects = header.split(|&byte| byte == b'{').count() - 1;
    if objects > MAX_OBJECTS {
        return fault(format!(
            "{not_ours} a header of {objects} objects, more than {MAX_OBJECTS}"
        ));
    }
    let header: Value = match serde_json::from_slice(header) {
        Ok(header) => header,
        Err(cause) => return fault(format!("{not_ours} a header that is not JSON: {cause}")),
    };
    let ends = header.as_object().into_iter().flatten();
    let ends = ends.filter_map(|(_, tensor)| tensor.get("data_offsets")?.get(1)?.as_u64());
    let expected = ends.max().unwrap_or(0);
    let found = data.len() as u64;
    if found < expected {
        return fault(format!(
            "the file is truncated: expected {expected} bytes of tensors, found {found}"
        ));
    }
    if found > expected {
        return fault(format!(
            "the file is too long: expected {expected} bytes of tensors, found {found}"
        ));
    }
    Ok(())
}

pub(super) fn damaged<T>(cause: &SafeTensorError) -> Result<T, Error> {
    fault(format!(
        "expected a safetensors file, found a damaged one: {}",
        // It may quote the file.
        cut(&cause.to_string(), 200)
    ))
}

/// The header and the tensors that it speaks of, all of them and no others.
fn join(header: Header, tensors: &SafeTensors<'_>) -> Result<Saved, Error> {
    let mut unread: BTreeSet<&str> = tensors.names().into_iter().collect();
    let mut take = |name: &str, shape: &[usize]| {
        unread.remove(name);
        take_tensor(tensors, name, shape)
    };
    let mut layers = Vec::with_capacity(header.layers.len());
    let mut inputs = header.inputs;
    for (l, layer) in header.layers.into_iter().enumerate() {
        let outputs = layer.outputs;
        let weight = take(&format!("layers.{l}.weight"), &[outputs, inputs])?;
        let bias = if layer.bias {
            Some(take(&format!("layers.{l}.bias"), &[outputs])?)
        } else {
            None
        };
        layers.push(SavedLayer {
            weight: Matrix::from_vec(outputs, inputs, &weight),
            bias,
            activation: layer.activation,
            dropout: layer.dropout,
        });
        inputs = outputs;
    }
    let mut scaling = |name: &str| match tensors.tensor(name) {
        Err(_) => Ok(Vec::new()),
        // A number for each column, or one for all.
        Ok(found) if found.shape() == [1] => take(name, &[1]),
        Ok(_) => take(name, &[header.inputs]),
    };
    let (shift, scale) = (
        scaling("preprocessing.shift")?,
        scaling("preprocessing.scale")?,
    );
    if let Some(name) = unread.first() {
        return fault(format!(
            "found the tensor {}, which the architecture does not speak of",
            shown(name)
        ));
    }
    Ok(Saved {
        layers,
        preprocessing: Preprocessing {
            columns: header.columns,
            scaling: header.scaling,
            shift,
            scale,
        },
        target: header.target,
        record: header.record,
    })
}

/// The values of a tensor of that shape.
pub(super) fn take_tensor(
    tensors: &SafeTensors<'_>,
    name: &str,
    shape: &[usize],
) -> Result<Vec<f32>, Error> {
    let Ok(tensor) = tensors.tensor(name) else {
        return fault(format!(
            "expected a tensor {name} of shape {shape:?}, found none"
        ));
    };
    if tensor.shape() != shape || shape.contains(&0) {
        return fault(format!(
            "expected {name} of shape {shape:?}, found {:?}",
            tensor.shape()
        ));
    }
    if tensor.dtype() != Dtype::F32 {
        return fault(format!(
            "expected {name} of type F32, found {}",
            tensor.dtype()
        ));
    }
    let (words, _) = tensor.data().as_chunks::<4>();
    Ok(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
}
