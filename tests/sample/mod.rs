//! A small table that can be learned, and a network's weights as bits.

use mlp_core::dataset::{Dataset, Inputs};
use mlp_core::nn::Network;
use mlp_core::tensor::Matrix;
use oracle::rng::Rng;

/// "0", "1", ..
pub(crate) fn names(count: u32) -> Vec<String> {
    (0..count).map(|class| class.to_string()).collect()
}

/// Rows of random numbers whose class is the greatest of the first `classes` of them.
pub(crate) fn greatest_of(rows: usize, cols: usize, classes: u32, seed: u64) -> Dataset {
    let inputs = Matrix::from_vec(rows, cols, &Rng::new(seed).uniform(rows * cols, -1.0, 1.0));
    let labels = (0..rows).map(|r| {
        let row = &inputs.row(r)[..classes as usize];
        (0..classes)
            .max_by(|&a, &b| row[a as usize].total_cmp(&row[b as usize]))
            .unwrap_or(0)
    });
    let labels = labels.collect();
    Dataset::classes(Inputs::from_matrix(inputs), labels, names(classes)).expect("a data set")
}

/// Every parameter, to be compared as it is.
pub(crate) fn bits(net: &Network) -> Vec<u32> {
    net.layers()
        .iter()
        .flat_map(|layer| [layer.weight().to_vec(), layer.bias().to_vec()])
        .flatten()
        .map(f32::to_bits)
        .collect()
}
