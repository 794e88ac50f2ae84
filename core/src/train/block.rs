//! One thread's rows of the batch: their way forward through the layers, the loss, and the gradients back.
//!
//! All activations of the rows stay here until the weight gradients have read them. Row strides are an odd number of
//! lines: the weight gradient runs down columns, and an even stride would send many rows to the same set of the cache.

use std::ops::Range;
use std::sync::RwLockReadGuard;

use super::first::First;
use super::given::{Given, Source};
use super::layer_rows::{Aim, LayerRows, OutputDelta, OutputLoss};
use super::mask::{Draw, Mask, MaskRow};
use super::relay::Leg;
use super::segments::with_segments;
use super::share::Share;
use super::skipped::Skipped;
use crate::isa::Isa;
use crate::nn::{Network, RowLoss};
use crate::tensor::activation::Activation;
use crate::tensor::gemm::Rows;
use crate::tensor::sparse::SparseRows;

/// All members' shares, held for reading.
pub(super) type Shares<'a> = [Option<RwLockReadGuard<'a, Share>>];

/// What others have made of the first layer, for all rows of a part of the batch.
pub(super) struct Begun<'a> {
    /// All units, if it is shared out by units.
    pub(super) firsts: &'a [Option<RwLockReadGuard<'a, First>>],
    /// All sums, if it is shared out by sums.
    pub(super) leg: Option<&'a Leg>,
    /// Which of the rows are this block's.
    pub(super) part: Range<usize>,
}

/// One thread's rows of the batch.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Block {
    isa: Isa,
    aim: Aim,
    rows: usize,
    capacity: usize,
    given: Given,
    input_dropout: f32,
    layers: Vec<LayerRows>,
    results: Vec<RowLoss>,
}

impl Block {
    /// Room for `capacity` rows of batches of `batch`, with what the first layer is given; `results` is how many rows'
    /// losses it can hold.
    pub(super) fn new(
        network: &Network,
        aim: Aim,
        [capacity, batch]: [usize; 2],
        given: Given,
        results: usize,
    ) -> Self {
        Self {
            isa: network.isa(),
            aim,
            rows: 0,
            capacity,
            given,
            input_dropout: network.layers()[0].dropout(),
            layers: (0..network.layers().len())
                .map(|l| LayerRows::new(network, l, capacity, batch))
                .collect(),
            results: vec![
                RowLoss {
                    loss: 0.0,
                    correct: false
                };
                results.max(capacity)
            ],
        }
    }

    /// The losses of the rows last met.
    pub(super) fn results(&self) -> &[RowLoss] {
        &self.results[..self.rows]
    }

    /// The losses of the first `n` rows measured.
    pub(super) fn measured(&self, n: usize) -> &[RowLoss] {
        &self.results[..n]
    }

    /// The first layer, from 0, whose outputs for the rows last met are not all finite.
    pub(super) fn not_finite(&self) -> Option<usize> {
        self.layers.iter().position(|layer| {
            let mut rows = layer.output.chunks(layer.stride).take(self.rows);
            !rows.all(|row| row[..layer.outputs].iter().all(|x| x.is_finite()))
        })
    }

    /// Takes the rows `indices` of the data forward, then their gradients back to every layer's z; `next` will be met next.
    pub(super) fn meet(
        &mut self,
        shares: &Shares<'_>,
        begun: Begun<'_>,
        source: &Source<'_>,
        [indices, next]: [&[u32]; 2],
        draw: Draw<'_>,
    ) {
        self.rows = indices.len();
        if self.rows == 0 {
            self.given.gather(self.isa, source, std::iter::empty());
            self.layers.iter_mut().for_each(LayerRows::clear);
            return;
        }
        let Begun { firsts, leg, part } = begun;
        if let Some(leg) = leg {
            let bias = shares.iter().flatten().find_map(|share| share.bias(0));
            let activation = self.activation(0);
            leg.give(part.clone(), bias, activation, &mut self.layers[0]);
        } else if firsts.iter().all(Option::is_none) {
            let rows = indices.iter().map(|&i| i as usize);
            self.given.gather(self.isa, source, rows);
            self.given.turn(self.isa);
            if self.input_dropout > 0.0 {
                let mask = Mask::new(draw, 0, self.input_dropout);
                self.given
                    .drop(self.isa, mask, self.rows, source.inputs.cols());
            }
            self.begin(shares, Some(&|r, strip| source.fetch(next, r, strip)));
        }
        for first in firsts.iter().flatten() {
            first.give(part.clone(), &mut self.layers[0]);
        }
        self.forward(shares, Some(draw));
        let last = self.layers.len() - 1;
        let layer = &mut self.layers[last];
        if self.aim.reported.is_some() {
            layer.delta.copy_from_slice(&layer.output);
            self.isa.dispatch(OutputLoss {
                aim: self.aim,
                targets: source.targets,
                rows: &mut layer.delta,
                outputs: layer.outputs,
                stride: layer.stride,
                results: &mut self.results[..self.rows],
                indices: Some(indices),
                first: 0,
            });
        }
        self.isa.dispatch(OutputDelta {
            aim: self.aim,
            rows: self.rows,
            targets: source.targets,
            indices,
            layer,
            results: &mut self.results,
        });
        for l in (1..=last).rev() {
            let [below, layer] = &mut self.layers[l - 1..=l] else {
                return;
            };
            for share in shares.iter().flatten() {
                let (columns, panels) = share.transposed(l);
                if columns.is_empty() {
                    continue;
                }
                let segments = [panels];
                let product = below.backward(columns, &segments, self.rows);
                match &mut layer.skipped_delta {
                    Some(Skipped { rows, room }) => {
                        product.of_sparse(self.isa, (rows, None), room, None);
                    }
                    None => product.of_dense(self.isa, &layer.delta, layer.stride, self.rows),
                }
            }
            if below.dropout > 0.0 {
                let mask = Mask::new(draw, l, below.dropout);
                below.finish_masked(self.isa, self.rows, mask);
            }
            below.take_in_delta(self.isa, self.rows);
        }
    }

    /// The losses of rows `range` of the data, put after the first `done` results.
    pub(super) fn measure(
        &mut self,
        shares: &Shares<'_>,
        source: &Source<'_>,
        range: Range<usize>,
        done: usize,
    ) {
        self.rows = range.len();
        self.given.gather(self.isa, source, range.clone());
        self.begin(shares, None);
        self.forward(shares, None);
        let last = self.layers.len() - 1;
        let layer = &mut self.layers[last];
        self.isa.dispatch(OutputLoss {
            aim: self.aim,
            targets: source.targets,
            rows: &mut layer.output,
            outputs: layer.outputs,
            stride: layer.stride,
            results: &mut self.results[done..done + range.len()],
            indices: None,
            first: range.start,
        });
    }

    /// How many rows it has room for at a time.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The function that follows the product of layer `l`, unless the loss has it.
    fn activation(&self, l: usize) -> Option<Activation> {
        let by_loss = l == self.layers.len() - 1 && self.aim.loss.from_logits();
        (!by_loss).then_some(self.layers[l].activation)
    }

    /// The first layer, of the rows given.
    fn begin(&mut self, shares: &Shares<'_>, meanwhile: Option<&dyn Fn(usize, usize)>) {
        let (isa, rows, activation) = (self.isa, self.rows, self.activation(0));
        let (given, layer) = (&mut self.given, &mut self.layers[0]);
        let held = shares.iter().flatten();
        if held
            .clone()
            .any(|share| share.columns(0).len() < layer.outputs)
        {
            for share in held {
                let (columns, segments) = (share.columns(0), [share.segment(0)]);
                let forward = layer.forward(columns, &segments, share.bias(0), activation);
                given.forward(isa, rows, forward, None);
            }
        } else {
            with_segments(shares, 0, |segments| {
                let bias = held.clone().find_map(|share| share.bias(0));
                let forward = layer.forward(0..layer.outputs, segments, bias, activation);
                given.forward(isa, rows, forward, meanwhile);
            });
        }
    }

    /// All layers but the first; in training with dropout after the layers that have it.
    fn forward(&mut self, shares: &Shares<'_>, training: Option<Draw<'_>>) {
        let (isa, count) = (self.isa, self.rows);
        for l in 0..self.layers.len() {
            let activation = self.activation(l);
            if let Some([below, layer]) = l.checked_sub(1).map(|l| &mut self.layers[l..l + 2]) {
                with_segments(shares, l, |segments| {
                    let bias = shares.iter().flatten().find_map(|share| share.bias(l));
                    let forward = layer.forward(0..layer.outputs, segments, bias, activation);
                    if let Some((rows, room)) = below.take_in(isa, count, training.is_some()) {
                        forward.of_sparse(isa, (rows, None), room, None);
                    } else {
                        let given = below.given(training.is_some());
                        forward.of_dense(isa, given, below.stride, count);
                    }
                });
            }
            let layer = &mut self.layers[l];
            if let Some(draw) = training.filter(|_| layer.dropout > 0.0) {
                let mask = Mask::new(draw, l + 1, layer.dropout);
                let (n, stride) = (layer.outputs, layer.stride);
                let rows = layer
                    .dropped
                    .chunks_mut(stride)
                    .zip(layer.output.chunks(stride))
                    .take(count);
                for (r, (dropped, output)) in rows.enumerate() {
                    dropped.copy_from_slice(output);
                    isa.dispatch(MaskRow {
                        mask,
                        r,
                        row: &mut dropped[..n],
                    });
                }
            }
        }
    }

    /// What layer `l`'s weight gradient takes from these rows; of sparse inputs only dL/dz.
    pub(super) fn piece(&self, l: usize) -> Rows<'_> {
        let layer = &self.layers[l];
        let (a, stride) = match l.checked_sub(1).map(|l| &self.layers[l]) {
            None => self.given.dense(),
            Some(below) => (below.given(true), below.stride),
        };
        let panels = if layer.delta_panels.is_empty() {
            &layer.delta
        } else {
            &layer.delta_panels
        };
        Rows {
            a,
            stride,
            len: self.rows,
            lines: panels.as_chunks().0,
        }
    }

    /// The outputs of the layer below `l`, if zeros among them are skipped.
    pub(super) fn skipped(&self, l: usize) -> Option<&SparseRows<1>> {
        let skipped = self.layers[l.checked_sub(1)?].skipped_output.as_ref()?;
        Some(&skipped.rows)
    }

    /// The inputs of the rows.
    pub(super) fn given(&self) -> &Given {
        &self.given
    }
}
