//! What a fit takes of memory, by formula: everything that [`Trainer::fit`](super::Trainer::fit) allocates before its
//! first step, in bytes (but the masks that [`legacy_random`](super::Trainer::legacy_random) draws: a byte for each
//! input of a batch that can be dropped).
//!
//! With P the numbers of all layers' weights and biases (outputs padded to whole lines of 16), s the numbers that the
//! optimiser keeps about each (2 for Adam), B the rows of a batch (of a part of 512 rows, where it is longer):
//! ```text
//! weights       2 P: the network's own, and those in training; for all layers but the first once more, transposed
//!               + P where a batch has several parts, + P where the best are kept
//! moments       s P
//! activations   for each row of B: the inputs, and of each layer outputs and gradients, as rows and as panels,
//!               (+ pre-activations, + outputs after dropout, where there are such); at least 4 rows a thread,
//!               96 a thread where there are rows to validate on
//!               where the first layer is shared out by its units (see `first`), all inputs for each thread, and its
//!               outputs once more
//!               where zeros of hidden units are skipped, these outputs and gradients once more, in groups of 64 rows
//! rows          4 bytes each for their order; their losses
//! ```
//! The data come on top. Where most of them are zero, the inputs of a batch are bytes if the data are, and have a mask of a
//! bit for every two; each thread has some 100 kB for the products that skip zeros; and where sums of the first layer are
//! handed on (see `relay`), they are there for each block of the reduction, and once more for each thread but the first,
//! and the inputs of each but the last are there twice.

use crate::nn::{Layer, Network, RowLoss};
use crate::optim::Optimizer;
use crate::team;
use crate::tensor::gemm::{GROUP, KB, room_for_lines};
use crate::tensor::{LINE, padded};

use super::layer_rows::odd_lines;
use super::sharing::Sharing;
use super::skipped::{Skipped, all_skipped};

/// The bytes of a fit, beside its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Weights in every form.
    pub weights: usize,
    /// What the optimiser keeps about them.
    pub moments: usize,
    /// Activations and gradients of one batch, over all threads.
    pub activations: usize,
    /// The order of the rows, and their losses.
    pub rows: usize,
}

/// What a fit is like, as far as its memory depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Rows of a step.
    pub batch: usize,
    /// Rows to train on.
    pub rows: usize,
    /// Rows to validate on.
    pub validation_rows: usize,
    /// Whether the best weights are kept: where there is a patience.
    pub keeps_best: bool,
    /// Threads, at least one; of more than a team can have, as many as that.
    pub threads: usize,
}

impl Memory {
    /// What training that network takes; what no machine can count is the greatest number.
    pub fn of_fit(network: &Network, extent: &Extent) -> Self {
        let extent = Extent {
            threads: extent.threads.clamp(1, team::MOST_THREADS),
            ..*extent
        };
        let float = size_of::<f32>();
        let layers = network.layers();
        let panels = |layer: &Layer| layer.inputs() * padded(layer.outputs());
        let transposed = |layer: &Layer| padded(layer.inputs()) * layer.outputs();
        let weights: usize = layers.iter().map(panels).sum();
        let biases: usize = layers.iter().map(|layer| padded(layer.bias().len())).sum();
        let batch = extent.batch.clamp(1, extent.rows.max(1));
        let kept = weights + biases;
        let forms = 2 + usize::from(batch > KB) + usize::from(extent.keeps_best);
        let transposed: usize = layers.iter().skip(1).map(transposed).sum();

        let part = batch.min(KB);
        let [own, measured] = rows_of_a_member(part, extent.validation_rows, extent.threads);
        let rows = extent.threads * own;
        let results = extent.threads.saturating_mul(measured.max(own));
        let skipped = all_skipped(network, part).map(|units| Skipped::size(units, own));
        let skipped = extent.threads * skipped.sum::<usize>();
        let inputs = odd_lines(network.inputs());
        let by_units = Sharing::of(network, part, extent.threads, false) == Sharing::Units;
        let mut given = 0;
        if !by_units || extent.validation_rows > 0 {
            given += rows * inputs;
        }
        if by_units {
            given += first_layer(network, part, extent.threads);
        }
        let row: usize = (0..layers.len()).map(|l| of_row(layers, l)).sum();
        let packed = extent.threads * part * GROUP;
        let turned = match all_skipped(network, part).next() {
            Some(_) => extent.threads * room_for_lines(part),
            None => 0,
        };
        Self {
            weights: float.saturating_mul(forms * kept + transposed),
            moments: float.saturating_mul(extent.optimizer.moments() * kept),
            activations: float * (given + rows * row + packed + turned) + skipped,
            rows: size_of::<u32>()
                .saturating_mul(extent.rows)
                .saturating_add(size_of::<RowLoss>().saturating_mul(results)),
        }
    }

    /// All of it.
    pub fn total(&self) -> usize {
        [self.moments, self.activations, self.rows]
            .into_iter()
            .fold(self.weights, usize::saturating_add)
    }
}

/// Rows of the validation set that go forward together, at least.
pub(super) const ROWS_TO_MEASURE: usize = 96;

/// Rows that any member of the team can have in hand of such parts of a batch, and of all rows to validate on.
pub(super) fn rows_of_a_member(part: usize, validation: usize, threads: usize) -> [usize; 2] {
    let own = team::largest_share(part, 4, threads);
    match validation {
        0 => [own, 0],
        rows => [
            own.max(ROWS_TO_MEASURE),
            team::largest_share(rows, 4, threads),
        ],
    }
}

/// Floats of the first layer's inputs, for each thread, and outputs, shared out by units.
fn first_layer(network: &Network, rows: usize, threads: usize) -> usize {
    let layer = &network.layers()[0];
    let forms = 1 + usize::from(layer.activation().needs_preactivation());
    let panels = layer.outputs().div_ceil(LINE);
    let own = (0..threads).map(|index| team::share(panels, 1, index, threads).len() * LINE);
    let floats = own.map(|units| odd_lines(network.inputs()) + forms * odd_lines(units));
    rows * floats.sum::<usize>()
}

/// Floats that one row leaves behind in layer `l`.
fn of_row(layers: &[Layer], l: usize) -> usize {
    let layer = &layers[l];
    let dropped = layers.get(l + 1).is_some_and(|next| next.dropout() > 0.0);
    let forms = 2 + usize::from(layer.activation().needs_preactivation()) + usize::from(dropped);
    let panels = padded(layer.outputs());
    forms * odd_lines(layer.outputs()) + if panels > LINE { panels } else { 0 }
}
