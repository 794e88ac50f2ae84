//! Dropout from `NumPy`'s legacy generator: the masks of one step, drawn by the leader before the others need them.
//!
//! A stream has an order, so these masks are not a hash of the row as others are. For each step, layer by layer from the
//! inputs on, one matrix `[rows of the batch, units]` is drawn, row by row, as documents do it:
//!
//! | rate | in `NumPy` | kept where |
//! | --- | --- | --- |
//! | 1/2 | `randint(2, size=(rows, units))` | 1 |
//! | other | `random_sample((rows, units))` | at least the rate |

use crate::nn::{Layer, Network};
use crate::rng::LegacyRandom;

/// The masks of one step.
#[derive(Debug)]
pub(super) struct DrawnMasks {
    /// By whose inputs are dropped: of layer l at place l.
    layers: Vec<LayerMask>,
}

#[derive(Debug)]
struct LayerMask {
    units: usize,
    rate: f32,
    /// `[rows, units]`, 1 where kept; empty at rate 0.
    kept: Vec<u8>,
}

impl DrawnMasks {
    /// Room for the masks of so many rows.
    pub(super) fn new(network: &Network, rows: usize) -> Self {
        let layer = |layer: &Layer| LayerMask {
            units: layer.inputs(),
            rate: layer.dropout(),
            kept: vec![0; bytes(layer, rows)],
        };
        Self {
            layers: network.layers().iter().map(layer).collect(),
        }
    }

    /// How many bytes [`new`](Self::new) takes.
    pub(super) fn size(network: &Network, rows: usize) -> usize {
        let sizes = network.layers().iter().map(|layer| bytes(layer, rows));
        sizes.fold(0, usize::saturating_add)
    }

    /// Draws the masks of the first `rows` rows.
    pub(super) fn draw(&mut self, random: &mut LegacyRandom, rows: usize) {
        for layer in self.layers.iter_mut().filter(|layer| layer.rate > 0.0) {
            for kept in &mut layer.kept[..rows * layer.units] {
                *kept = if layer.rate == 0.5 {
                    random.interval(1) as u8
                } else {
                    u8::from(random.random_sample() >= f64::from(layer.rate))
                };
            }
        }
    }

    /// The masks of the inputs of layer `l`, from that row of the batch on.
    pub(super) fn rows_from(&self, l: usize, row: usize) -> &[u8] {
        let layer = &self.layers[l];
        &layer.kept[row * layer.units..]
    }
}

fn bytes(layer: &Layer, rows: usize) -> usize {
    if layer.dropout() > 0.0 {
        rows.saturating_mul(layer.inputs())
    } else {
        0
    }
}
