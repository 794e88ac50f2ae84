//! The tensors of a checkpoint: numbers to bytes and back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors, View};

use crate::error::Error;
use crate::model_file::fault;
use crate::model_file::read::take_tensor;
use crate::train::{Checkpoint, Epoch, ParameterState};

/// Numbers of an epoch in the history.
const EPOCH_NUMBERS: usize = 7;

/// The history as numbers.
pub(super) fn history_numbers(checkpoint: &Checkpoint) -> Vec<f64> {
    let numbers = |epoch: &Epoch| -> [f64; EPOCH_NUMBERS] {
        [
            epoch.loss,
            epoch.accuracy.unwrap_or(f64::NAN),
            epoch.validation_loss.unwrap_or(f64::NAN),
            epoch.validation_accuracy.unwrap_or(f64::NAN),
            epoch.seconds,
            epoch.rows_per_second,
            f64::from(u8::from(epoch.best)),
        ]
    };
    checkpoint.history.iter().flat_map(numbers).collect()
}

pub(super) fn history(tensors: &SafeTensors<'_>, epochs: usize) -> Result<Vec<Epoch>, Error> {
    let wrong = |found: String| {
        fault(format!(
            "expected a tensor history of f64, {EPOCH_NUMBERS} for each epoch, found {found}"
        ))
    };
    let Ok(tensor) = tensors.tensor("history") else {
        return wrong("none".to_owned());
    };
    if tensor.dtype() != Dtype::F64 || tensor.shape().get(1..) != Some(&[EPOCH_NUMBERS]) {
        return wrong(format!("{} {:?}", tensor.dtype(), tensor.shape()));
    }
    let words = tensor.data().as_chunks::<8>().0;
    let (lines, _) = words.as_chunks::<EPOCH_NUMBERS>();
    let epoch = |(index, line): (usize, &[[u8; 8]; EPOCH_NUMBERS])| {
        let [
            loss,
            accuracy,
            validation_loss,
            validation_accuracy,
            seconds,
            rows_per_second,
            best,
        ] = line.map(f64::from_le_bytes);
        let some = |x: f64| (!x.is_nan()).then_some(x);
        Epoch {
            epoch: index + 1,
            epochs,
            loss,
            accuracy: some(accuracy),
            validation_loss: some(validation_loss),
            validation_accuracy: some(validation_accuracy),
            seconds,
            rows_per_second,
            best: best != 0.0,
        }
    };
    Ok(lines.iter().enumerate().map(epoch).collect())
}

/// The tensors with their names, in the order of the names.
pub(super) fn tensors<'a>(
    checkpoint: &'a Checkpoint,
    history: &'a [f64],
) -> BTreeMap<String, Tensor<'a>> {
    let mut all = BTreeMap::new();
    for (l, layer) in checkpoint.layers.iter().enumerate() {
        let weight = ("weight", &layer.weight, vec![layer.outputs, layer.inputs]);
        let bias = layer.bias.as_ref();
        let bias = bias.map(|bias| ("bias", bias, vec![layer.outputs]));
        for (what, state, shape) in [Some(weight), bias].into_iter().flatten() {
            for (part, values) in state.parts() {
                let name = match part {
                    "value" => format!("layers.{l}.{what}"),
                    part => format!("layers.{l}.{what}.{part}"),
                };
                if !values.is_empty() || part == "value" {
                    let (shape, values) = (shape.clone(), Values::Singles(values));
                    all.insert(name, Tensor { shape, values });
                }
            }
        }
    }
    let shape = vec![checkpoint.history.len(), EPOCH_NUMBERS];
    let values = Values::Doubles(history);
    all.insert("history".to_owned(), Tensor { shape, values });
    all
}

/// The values of that name and all that is kept about them.
pub(super) fn parameters(
    tensors: &SafeTensors<'_>,
    name: &str,
    shape: &[usize],
) -> Result<ParameterState, Error> {
    let part = |part: &str| {
        let name = format!("{name}.{part}");
        match tensors.tensor(&name) {
            Ok(_) => take_tensor(tensors, &name, shape),
            Err(_) => Ok(Vec::new()),
        }
    };
    Ok(ParameterState {
        value: take_tensor(tensors, name, shape)?,
        m: part("m")?,
        v: part("v")?,
        best: part("best")?,
    })
}

/// A tensor in the form that safetensors takes.
pub(super) struct Tensor<'a> {
    pub(super) shape: Vec<usize>,
    values: Values<'a>,
}

enum Values<'a> {
    Singles(&'a [f32]),
    Doubles(&'a [f64]),
}

impl Tensor<'_> {
    pub(super) fn len(&self) -> usize {
        match self.values {
            Values::Singles(values) => values.len(),
            Values::Doubles(values) => values.len(),
        }
    }
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match self.values {
            Values::Singles(_) => Dtype::F32,
            Values::Doubles(_) => Dtype::F64,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = vec![0; self.data_len()];
        match self.values {
            Values::Singles(values) => {
                for (word, x) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
                    *word = x.to_le_bytes();
                }
            }
            Values::Doubles(values) => {
                for (word, x) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
                    *word = x.to_le_bytes();
                }
            }
        }
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        match self.values {
            Values::Singles(values) => 4 * values.len(),
            Values::Doubles(values) => 8 * values.len(),
        }
    }
}
