//! Checkpoints, with and without a checksum that fits, and what a run does that is told to go on from them.

use std::fs;

use mlp_core::dataset::{Dataset, Inputs};
use mlp_core::model_file::checkpoint;
use mlp_core::nn::Network;
use mlp_core::optim::Adam;
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::Trainer;

use super::{Reading, written};

/// What is said before and between the checksum that was told and the one that was found.
const TOLD: &str = "to have the checksum ";
const FOUND: &str = ", found ";

pub(crate) fn read_checkpoint(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    one(bytes, &mut reading);
    let refusal = reading.refusals.last().cloned().unwrap_or_default();
    let sums = refusal
        .split_once(TOLD)
        .and_then(|(_, sums)| sums.split_once(FOUND));
    if let Some((told, found)) = sums
        && told.len() == found.len()
        && let Some(at) = position(bytes, told.as_bytes())
    {
        let mut sealed = bytes.to_vec();
        sealed[at..at + found.len()].copy_from_slice(found.as_bytes());
        one(&sealed, &mut reading);
    }
    reading
}

fn position(bytes: &[u8], piece: &[u8]) -> Option<usize> {
    bytes
        .windows(piece.len().max(1))
        .position(|found| found == piece)
}

fn one(bytes: &[u8], reading: &mut Reading) {
    if let Some((found, record)) = reading.note(checkpoint::from_bytes(bytes), "") {
        // A loss that is not a number is not kept as one.
        if let Ok(written) = checkpoint::to_bytes(&found, &record)
            && let Ok((again, record)) = checkpoint::from_bytes(&written)
        {
            let twice = checkpoint::to_bytes(&again, &record).expect("what was written once");
            assert!(twice == written, "written, read and written again");
        }
        let (net, data) = (&mut network(), data());
        let result = trainer().resume(found).fit(net, &data, None);
        if let Some(history) = reading.note(result, "") {
            assert!(history.epochs.len() <= EPOCHS);
            assert_eq!(net.predict(data.inputs()).rows(), data.len());
        }
    }
    let path = written(bytes);
    let _ = reading.note(checkpoint::read(&path), &path.display().to_string());
    fs::remove_file(&path).expect("the temporary file");
}

const EPOCHS: usize = 3;

fn network() -> Network {
    Network::builder(2)
        .dense(3, Activation::Tanh)
        .dropout(0.25)
        .dense(2, Activation::Softmax)
        .build()
        .expect("a network")
}

fn data() -> Dataset {
    let inputs = Matrix::from_fn(12, 2, |r, c| ((r * 5 + c * 3) % 7) as f32);
    let labels = (0..12).map(|r| r % 2).collect();
    let names = ["no", "yes"].map(str::to_owned).to_vec();
    Dataset::classes(Inputs::from_matrix(inputs), labels, names).expect("a data set")
}

/// The run whose checkpoints, one every two steps, `corpus/checkpoint` has.
fn trainer() -> Trainer<'static> {
    Trainer::new(Adam::new(0.01))
        .epochs(EPOCHS)
        .batch_size(5)
        .patience(2)
        .threads_exactly(1)
}
