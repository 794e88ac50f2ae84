//! One thread's rows of the batch: their way forward through the layers, the loss, and the gradients back.
//!
//! All activations of the rows stay here until the weight gradients have read them. Row strides are an odd number of
//! lines: the weight gradient runs down columns, and an even stride would send many rows to the same set of the cache.

use std::ops::Range;
use std::sync::RwLockReadGuard;

use super::layer_rows::{Aim, HiddenDelta, LayerRows, OutputDelta, OutputLoss, odd_lines};
use super::mask::{Draw, Mask, MaskRow};
use super::share::Share;
use crate::dataset::{Inputs, NonZeros, Targets};
use crate::isa::Isa;
use crate::nn::{Network, RowLoss};
use crate::team::MOST_THREADS;
use crate::tensor::MatMut;
use crate::tensor::gemm::{
    Epilogue, NonZeroColumns, Rows, RowsByPanels, Segment, SparseRowsByPanels,
};
use crate::tensor::matrix::Aligned;

/// All members' shares, held for reading.
pub(super) type Shares<'a> = [Option<RwLockReadGuard<'a, Share>>; MOST_THREADS];

/// Rows of the training data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) targets: &'a Targets,
    /// Where the inputs are not zero, if they mostly are.
    pub(super) non_zeros: Option<&'a NonZeros>,
    pub(super) indices: &'a [u32],
}

/// The lists of a batch's rows.
struct Lists<'a> {
    non_zeros: &'a NonZeros,
    indices: &'a [u32],
}

impl NonZeroColumns for Lists<'_> {
    #[inline(always)]
    fn row(&self, r: usize) -> &[u16] {
        self.non_zeros.row(self.indices[r] as usize)
    }
}

/// One thread's rows of the batch.
#[derive(Debug)]
pub(super) struct Block {
    isa: Isa,
    aim: Aim,
    rows: usize,
    input: Aligned,
    input_stride: usize,
    input_dropout: f32,
    layers: Vec<LayerRows>,
    results: Vec<RowLoss>,
}

impl Block {
    /// Room for `capacity` rows; `results` is how many rows' losses it can hold.
    pub(super) fn new(network: &Network, aim: Aim, capacity: usize, results: usize) -> Self {
        let input_stride = odd_lines(network.inputs());
        Self {
            isa: network.isa(),
            aim,
            rows: 0,
            input: Aligned::zeroed(capacity * input_stride),
            input_stride,
            input_dropout: network.layers()[0].dropout(),
            layers: (0..network.layers().len())
                .map(|l| LayerRows::new(network, l, capacity))
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

    /// Takes the rows `indices` of the data forward, then their gradients back to every layer's z.
    pub(super) fn meet(&mut self, shares: &Shares<'_>, batch: &Batch<'_>, draw: Draw<'_>) {
        self.rows = batch.indices.len();
        if self.rows == 0 {
            return;
        }
        let inputs = batch.inputs.cols();
        batch.inputs.gather_on(
            self.isa,
            batch.indices,
            MatMut::new(&mut self.input, self.rows, inputs, self.input_stride),
        );
        if self.input_dropout > 0.0 {
            let rows = self
                .input
                .chunks_mut(self.input_stride)
                .take(self.rows)
                .map(|row| &mut row[..inputs]);
            let mask = Mask::new(draw, 0, self.input_dropout);
            for (r, row) in rows.enumerate() {
                self.isa.dispatch(MaskRow { mask, r, row });
            }
        }
        self.forward(shares, Some((batch, draw)));
        let last = self.layers.len() - 1;
        let layer = &mut self.layers[last];
        self.isa.dispatch(OutputDelta {
            aim: self.aim,
            rows: self.rows,
            targets: batch.targets,
            indices: batch.indices,
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
                self.isa.dispatch(RowsByPanels {
                    a: &layer.delta,
                    a_stride: layer.stride,
                    rows: self.rows,
                    segments: &[panels],
                    c: &mut below.delta[columns.start..],
                    c_stride: below.stride,
                    n: columns.len(),
                    padded: true,
                    add: false,
                    epilogue: Epilogue::default(),
                });
            }
            let mask = (below.dropout > 0.0).then(|| Mask::new(draw, l, below.dropout));
            self.isa.dispatch(HiddenDelta {
                rows: self.rows,
                mask,
                layer: below,
            });
        }
    }

    /// The losses of rows `range` of the data, put after the first `done` results.
    pub(super) fn measure(
        &mut self,
        shares: &Shares<'_>,
        data: (&Inputs, &Targets),
        range: Range<usize>,
        done: usize,
    ) {
        self.rows = range.len();
        let inputs = MatMut::new(&mut self.input, self.rows, data.0.cols(), self.input_stride);
        data.0.gather_range_on(self.isa, range.clone(), inputs);
        self.forward(shares, None);
        let last = self.layers.len() - 1;
        self.isa.dispatch(OutputLoss {
            aim: self.aim,
            targets: data.1,
            first: range.start,
            layer: &mut self.layers[last],
            results: &mut self.results[done..done + range.len()],
        });
    }

    /// How many rows it has room for at a time.
    pub(super) fn capacity(&self) -> usize {
        self.input.len() / self.input_stride
    }

    fn forward(&mut self, shares: &Shares<'_>, training: Option<(&Batch<'_>, Draw<'_>)>) {
        let last = self.layers.len() - 1;
        for l in 0..=last {
            let (below, layers) = self.layers.split_at_mut(l);
            let layer = &mut layers[0];
            let (a, a_stride) = match below.last() {
                None => (&self.input[..], self.input_stride),
                Some(below) if training.is_some() => (below.given(), below.stride),
                Some(below) => (&below.output[..], below.stride),
            };
            let mut segments = [Segment { len: 0, lines: &[] }; MOST_THREADS];
            let mut count = 0;
            for share in shares.iter().flatten() {
                segments[count] = share.segment(l);
                count += 1;
            }
            let by_loss = l == last && self.aim.loss.from_logits();
            let keep = layer.activation.needs_preactivation();
            let epilogue = Epilogue {
                bias: shares.iter().flatten().find_map(|share| share.bias(l)),
                preactivation: keep.then_some(&mut layer.preactivation[..]),
                activation: (!by_loss).then_some(layer.activation),
            };
            match training {
                Some((
                    &Batch {
                        non_zeros: Some(non_zeros),
                        indices,
                        ..
                    },
                    _,
                )) if l == 0 => {
                    self.isa.dispatch(SparseRowsByPanels {
                        a,
                        a_stride,
                        rows: self.rows,
                        columns: Lists { non_zeros, indices },
                        segments: &segments[..count],
                        c: &mut layer.output,
                        c_stride: layer.stride,
                        n: layer.outputs,
                        epilogue,
                    });
                }
                _ => self.isa.dispatch(RowsByPanels {
                    a,
                    a_stride,
                    rows: self.rows,
                    segments: &segments[..count],
                    c: &mut layer.output,
                    c_stride: layer.stride,
                    n: layer.outputs,
                    padded: true,
                    add: false,
                    epilogue,
                }),
            }
            if let Some((_, draw)) = training.filter(|_| layer.dropout > 0.0) {
                let mask = Mask::new(draw, l + 1, layer.dropout);
                let (n, stride) = (layer.outputs, layer.stride);
                let rows = layer
                    .dropped
                    .chunks_mut(stride)
                    .zip(layer.output.chunks(stride))
                    .take(self.rows);
                for (r, (dropped, output)) in rows.enumerate() {
                    dropped.copy_from_slice(output);
                    self.isa.dispatch(MaskRow {
                        mask,
                        r,
                        row: &mut dropped[..n],
                    });
                }
            }
        }
    }

    /// Whether dL/dz of the first layer is finite for all rows last met.
    pub(super) fn is_finite(&self) -> bool {
        self.layers[0].finite
    }

    /// What layer `l`'s weight gradient takes from these rows.
    pub(super) fn piece(&self, l: usize) -> Rows<'_> {
        let layer = &self.layers[l];
        let (a, stride) = match l {
            0 => (&self.input[..], self.input_stride),
            _ => (self.layers[l - 1].given(), self.layers[l - 1].stride),
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
}
