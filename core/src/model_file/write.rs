//! Writing a model file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, View};

use super::{
    METADATA_KEY, Saved, Staged, Watch, check_length, fault, header, permit, stage_watched,
};
use crate::error::Error;
use crate::tensor::Matrix;

/// Writes the model to `path`, whole or not at all: see [`write_atomically`](super::write_atomically).
///
/// # Errors
/// When the parts of the model do not fit each other or hold numbers that are not finite, or when the file cannot be written.
pub fn write(path: &Path, saved: &Saved) -> Result<(), Error> {
    stage_model(path, permit, saved)?.publish()
}

/// The first half of [`write`](write()), watched: see [`stage_watched`](super::stage_watched()).
///
/// # Errors
/// As those of [`write`](write()).
pub fn stage_model(path: &Path, watch: Watch, saved: &Saved) -> Result<Staged, Error> {
    let place = |error: Error| error.at(path.display().to_string());
    let bytes = to_bytes(saved).map_err(place)?;
    stage_watched(path, watch, |file| file.write_all(&bytes))
}

/// The bytes of the file: the same for equal models.
///
/// # Errors
/// When the parts of the model do not fit each other or hold numbers that are not finite.
pub fn to_bytes(saved: &Saved) -> Result<Vec<u8>, Error> {
    saved.check()?;
    let mut tensors = Vec::new();
    for (l, layer) in saved.layers.iter().enumerate() {
        tensors.push((
            format!("layers.{l}.weight"),
            Tensor::of_matrix(&layer.weight),
        ));
        if let Some(bias) = &layer.bias {
            tensors.push((format!("layers.{l}.bias"), Tensor::of_slice(bias)));
        }
    }
    for (name, values) in [
        ("shift", &saved.preprocessing.shift),
        ("scale", &saved.preprocessing.scale),
    ] {
        if !values.is_empty() {
            tensors.push((format!("preprocessing.{name}"), Tensor::of_slice(values)));
        }
    }
    // One entry only: the order of several would be that of a hash map, and differ from run to run.
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), header::to_text(saved))]);
    let bytes = safetensors::serialize(tensors, Some(metadata)).or_else(|cause| {
        fault(format!(
            "the model cannot be put in a safetensors file: {cause}"
        ))
    })?;
    let length = bytes.first_chunk().map_or(0, |&n| u64::from_le_bytes(n));
    check_length(usize::try_from(length).unwrap_or(usize::MAX))?;
    Ok(bytes)
}

/// A tensor in the form that safetensors takes.
struct Tensor {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    fn of_matrix(matrix: &Matrix) -> Self {
        let rows = (0..matrix.rows()).map(|r| matrix.row(r));
        Self {
            shape: vec![matrix.rows(), matrix.cols()],
            bytes: rows.flatten().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    fn of_slice(values: &[f32]) -> Self {
        Self {
            shape: vec![values.len()],
            bytes: values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
