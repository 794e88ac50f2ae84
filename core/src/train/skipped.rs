//! Outputs of hidden units, and their gradients, without their zeros: the products skip these as they do those of inputs.

use crate::isa::Isa;
use crate::nn::Network;
use crate::tensor::activation::Activation;
use crate::tensor::gemm::room_for_rows;
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;

/// Rows of hidden units of which many are zero, and room for the product that skips these.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) rows: SparseRows<1>,
    pub(super) room: Aligned,
}

impl Skipped {
    pub(super) fn new(units: usize, capacity: usize) -> Self {
        Self {
            rows: SparseRows::of_floats(capacity, units),
            room: Aligned::zeroed(room_for_rows(capacity)),
        }
    }

    /// The bytes that [`new`](Self::new) takes.
    pub(super) fn size(units: usize, capacity: usize) -> usize {
        SparseRows::<1>::size_of_floats(capacity, units)
            + room_for_rows(capacity) * size_of::<f32>()
    }

    /// Takes in the first `rows` rows of so many units, `stride` apart.
    pub(super) fn take_in(
        &mut self,
        isa: Isa,
        all: &[f32],
        stride: usize,
        rows: usize,
        units: usize,
    ) {
        self.rows.clear();
        for row in all.chunks(stride).take(rows) {
            self.rows.push(isa, &row[..units]);
        }
    }
}

/// Weights of a layer from which on to skip zeros of its inputs and of its gradient pays.
const SKIPPING: usize = 1 << 15;

/// Rows of a batch from which on it does.
const ROWS_FOR_SKIPPING: usize = 32;

/// Whether zeros among the outputs of layer `l`, and of their gradient, are skipped in the products with the weights of
/// layer `of`, for batches of so many rows: half of the units of a `ReLU` are zero to begin with, and more later.
pub(super) fn skips(network: &Network, l: usize, of: usize, rows: usize) -> bool {
    let layers = network.layers();
    layers[l].activation() == Activation::Relu
        && layers
            .get(of)
            .is_some_and(|of| of.inputs() * of.outputs() >= SKIPPING)
        && rows >= ROWS_FOR_SKIPPING
}

/// Of which layers the outputs are taken in, and of which the gradients, for batches of so many rows: so many units each.
pub(super) fn all_skipped(network: &Network, rows: usize) -> impl Iterator<Item = usize> {
    let layers = network.layers().iter().enumerate();
    layers.flat_map(move |(l, layer)| {
        let of_output = skips(network, l, l + 1, rows);
        let of_delta = l > 0 && skips(network, l, l, rows);
        std::iter::repeat_n(
            layer.outputs(),
            usize::from(of_output) + usize::from(of_delta),
        )
    })
}
