//! One thread's rows of the batch: their way forward through the layers, the loss, and the gradients back.
//!
//! All activations of the rows stay here until the weight gradients have read them. Row strides are an odd number of
//! lines: the weight gradient runs down columns, and an even stride would send many rows to the same set of the cache.

use std::ops::Range;
use std::sync::RwLockReadGuard;

use pulp::{Simd, WithSimd};

use super::share::Share;
use crate::dataset::{Inputs, Targets};
use crate::isa::Isa;
use crate::nn::loss::{loss_backward, loss_forward};
use crate::nn::{Loss, Network, RowLoss, Target};
use crate::rng::{cell_hash, cell_key};
use crate::team::MOST_THREADS;
use crate::tensor::activation::{Activation, activation_backward};
use crate::tensor::gemm::{Epilogue, Rows, RowsByPanels, Segment};
use crate::tensor::matrix::Aligned;
use crate::tensor::{LINE, MatMut, padded};

/// All members' shares, held for reading.
pub(super) type Shares<'a> = [Option<RwLockReadGuard<'a, Share>>; MOST_THREADS];

/// An odd number of lines that holds `n` floats.
fn odd_lines(n: usize) -> usize {
    (n.div_ceil(LINE) | 1) * LINE
}

/// What the rows of one layer leave behind.
#[derive(Debug)]
struct LayerRows {
    outputs: usize,
    activation: Activation,
    /// The distance between rows of all that follows.
    stride: usize,
    output: Aligned,
    /// z, where f' is computed from it; else empty.
    preactivation: Aligned,
    /// The rate at which the next layer drops this one's outputs, and the outputs after that; empty at rate 0.
    dropout: f32,
    dropped: Aligned,
    /// dL/dz, row by row,
    delta: Aligned,
    /// and in panels, `[panel, row, 16]`; empty where one panel is the same as the rows.
    delta_panels: Aligned,
}

/// Which rows of the data, and how they are met in training.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    /// The seed and the epoch, for dropout.
    pub(super) seed: u64,
    pub(super) epoch: usize,
    /// Where in the epoch's order the first row stands.
    pub(super) position: usize,
}

/// One thread's rows of the batch.
#[derive(Debug)]
pub(super) struct Block {
    isa: Isa,
    loss: Loss,
    rows: usize,
    input: Aligned,
    input_stride: usize,
    input_dropout: f32,
    layers: Vec<LayerRows>,
    results: Vec<RowLoss>,
}

impl Block {
    /// Room for `capacity` rows; `results` is how many rows' losses it can hold.
    pub(super) fn new(network: &Network, loss: Loss, capacity: usize, results: usize) -> Self {
        let layer = |l: usize| {
            let layer = &network.layers()[l];
            let next_dropout = network
                .layers()
                .get(l + 1)
                .map_or(0.0, |next| next.dropout());
            let stride = odd_lines(layer.outputs());
            let room = |wanted: bool| Aligned::zeroed(if wanted { capacity * stride } else { 0 });
            let panels = padded(layer.outputs());
            LayerRows {
                outputs: layer.outputs(),
                activation: layer.activation(),
                stride,
                output: room(true),
                preactivation: room(layer.activation().needs_preactivation()),
                dropout: next_dropout,
                dropped: room(next_dropout > 0.0),
                delta: room(true),
                delta_panels: Aligned::zeroed(if panels > LINE { capacity * panels } else { 0 }),
            }
        };
        let input_stride = odd_lines(network.inputs());
        Self {
            isa: network.isa(),
            loss,
            rows: 0,
            input: Aligned::zeroed(capacity * input_stride),
            input_stride,
            input_dropout: network.layers()[0].dropout(),
            layers: (0..network.layers().len()).map(layer).collect(),
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
    pub(super) fn meet(
        &mut self,
        shares: &Shares<'_>,
        data: (&Inputs, &Targets),
        indices: &[u32],
        draw: Draw,
    ) {
        self.rows = indices.len();
        if self.rows == 0 {
            return;
        }
        let inputs = data.0.cols();
        data.0.gather_on(
            self.isa,
            indices,
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
        self.forward(shares, Some(draw));
        let last = self.layers.len() - 1;
        let layer = &mut self.layers[last];
        self.isa.dispatch(OutputDelta {
            loss: self.loss,
            rows: self.rows,
            targets: data.1,
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
            loss: self.loss,
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

    fn forward(&mut self, shares: &Shares<'_>, draw: Option<Draw>) {
        let last = self.layers.len() - 1;
        for l in 0..=last {
            let (below, layers) = self.layers.split_at_mut(l);
            let layer = &mut layers[0];
            let (a, a_stride) = match below.last() {
                None => (&self.input[..], self.input_stride),
                Some(below) if draw.is_some() => (below.given(), below.stride),
                Some(below) => (&below.output[..], below.stride),
            };
            let mut segments = [Segment { len: 0, lines: &[] }; MOST_THREADS];
            let mut count = 0;
            for share in shares.iter().flatten() {
                segments[count] = share.segment(l);
                count += 1;
            }
            let by_loss = l == last && self.loss.from_logits();
            let keep = layer.activation.needs_preactivation();
            self.isa.dispatch(RowsByPanels {
                a,
                a_stride,
                rows: self.rows,
                segments: &segments[..count],
                c: &mut layer.output,
                c_stride: layer.stride,
                n: layer.outputs,
                padded: true,
                add: false,
                epilogue: Epilogue {
                    bias: shares.iter().flatten().find_map(|share| share.bias(l)),
                    preactivation: keep.then_some(&mut layer.preactivation[..]),
                    activation: (!by_loss).then_some(layer.activation),
                },
            });
            if let Some(draw) = draw.filter(|_| layer.dropout > 0.0) {
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

impl LayerRows {
    /// What the next layer was given in training.
    fn given(&self) -> &[f32] {
        if self.dropped.is_empty() {
            &self.output
        } else {
            &self.dropped
        }
    }

    /// Row r of the gradient as lines of the panels.
    #[inline(always)]
    fn spread(&mut self, r: usize, rows: usize) {
        let lines = self.delta_panels.as_chunks_mut::<LINE>().0;
        let row = self.delta[r * self.stride..][..padded(self.outputs)]
            .as_chunks::<LINE>()
            .0;
        for (line, panel) in row.iter().zip(lines.chunks_exact_mut(rows)) {
            panel[r] = *line;
        }
    }
}

/// Which outputs of a layer are dropped: a hash of seed, epoch, row and unit, so that no split can change it.
#[derive(Clone, Copy, Debug)]
struct Mask {
    draw: Draw,
    layer: usize,
    /// Hashes below are dropped.
    threshold: u32,
    scale: f32,
}

impl Mask {
    fn new(draw: Draw, layer: usize, rate: f32) -> Self {
        Self {
            draw,
            layer,
            threshold: (f64::from(rate) * 4_294_967_296.0) as u32,
            scale: 1.0 / (1.0 - rate),
        }
    }

    /// x = 0 where dropped, else x / (1 - rate), for the r-th row.
    #[inline(always)]
    fn apply(&self, r: usize, row: &mut [f32]) {
        let Draw {
            seed,
            epoch,
            position,
        } = self.draw;
        let key = cell_key(seed, self.layer as u64, epoch as u64, (position + r) as u64);
        for (unit, x) in row.iter_mut().enumerate() {
            *x = if cell_hash(key, unit as u32) < self.threshold {
                0.0
            } else {
                *x * self.scale
            };
        }
    }
}

/// [`Mask::apply`].
struct MaskRow<'a> {
    mask: Mask,
    r: usize,
    row: &'a mut [f32],
}

impl WithSimd for MaskRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.mask.apply(self.r, self.row);
    }
}

/// The target of row `i` of the data.
#[inline(always)]
fn target(targets: &Targets, i: usize) -> Target<'_> {
    match targets {
        Targets::Classes { labels, .. } => Target::Class(labels[i]),
        Targets::Values { values, .. } => Target::Values(values.row(i)),
    }
}

/// Losses and dL/dz of the last layer.
struct OutputDelta<'a> {
    loss: Loss,
    rows: usize,
    targets: &'a Targets,
    indices: &'a [u32],
    layer: &'a mut LayerRows,
    results: &'a mut [RowLoss],
}

impl WithSimd for OutputDelta<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            loss,
            rows,
            targets,
            indices,
            layer,
            results,
        } = self;
        let (n, width) = (layer.outputs, padded(layer.outputs));
        let kept = layer.activation.needs_preactivation();
        for (r, (&index, result)) in indices.iter().zip(results).enumerate() {
            let at = r * layer.stride..r * layer.stride + width;
            layer.delta[at.clone()].copy_from_slice(&layer.output[at.clone()]);
            let saved = if kept {
                &mut layer.preactivation
            } else {
                &mut layer.output
            };
            let (row, saved) = (&mut layer.delta[at.clone()], &mut saved[at]);
            let target = target(targets, index as usize);
            *result = loss_backward(simd, loss, layer.activation, row, n, target, saved);
            layer.spread(r, rows);
        }
    }
}

/// Losses of the last layer.
struct OutputLoss<'a> {
    loss: Loss,
    targets: &'a Targets,
    first: usize,
    layer: &'a mut LayerRows,
    results: &'a mut [RowLoss],
}

impl WithSimd for OutputLoss<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (n, stride) = (self.layer.outputs, self.layer.stride);
        for (r, result) in self.results.iter_mut().enumerate() {
            let row = &mut self.layer.output[r * stride..][..padded(n)];
            *result = loss_forward(
                simd,
                self.loss,
                row,
                n,
                target(self.targets, self.first + r),
            );
        }
    }
}

/// dL/dz of a hidden layer from dL/d(what the next layer was given).
struct HiddenDelta<'a> {
    rows: usize,
    mask: Option<Mask>,
    layer: &'a mut LayerRows,
}

impl WithSimd for HiddenDelta<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let layer = self.layer;
        let (n, width) = (layer.outputs, padded(layer.outputs));
        let saved = if layer.activation.needs_preactivation() {
            &layer.preactivation
        } else {
            &layer.output
        };
        for r in 0..self.rows {
            let at = r * layer.stride..r * layer.stride + width;
            let row = &mut layer.delta[at.clone()];
            if let Some(mask) = self.mask {
                mask.apply(r, &mut row[..n]);
            }
            activation_backward(simd, layer.activation, &saved[at], row, n);
        }
        for r in 0..self.rows {
            layer.spread(r, self.rows);
        }
    }
}
