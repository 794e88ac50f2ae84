//! What the rows of one layer leave behind in a training step, and the loss's gradient by its pre-activations.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::mask::{Mask, MaskRow};
use super::skipped::{Skipped, skips};
use crate::dataset::Targets;
use crate::isa::{Isa, prefetch};
use crate::nn::loss::{class_losses_backward, loss_backward, loss_forward, single_losses_backward};
use crate::nn::{Layer, Loss, Network, RowLoss, Target};
use crate::tensor::activation::Activation;
use crate::tensor::gemm::{Back, ByPanels, Epilogue, Finish, Segment, spread};
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;
use crate::tensor::{LINE, padded};

/// An odd number of lines that holds `n` floats.
pub(super) fn odd_lines(n: usize) -> usize {
    (n.div_ceil(LINE) | 1) * LINE
}

/// What is minimised, and what is reported in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim {
    pub(super) loss: Loss,
    /// The loss reported in place of the one minimised; it takes the final outputs.
    pub(super) reported: Option<Loss>,
}

impl Aim {
    /// With the loss reported only where it is another.
    pub(super) fn new(loss: Loss, reported: Option<Loss>) -> Self {
        Self {
            loss,
            reported: reported.filter(|&reported| reported != loss),
        }
    }
}

/// What the rows of one layer leave behind.
#[derive(Debug)]
pub(super) struct LayerRows {
    pub(super) outputs: usize,
    pub(super) activation: Activation,
    has_below: bool,
    /// The distance between rows of all that follows.
    pub(super) stride: usize,
    pub(super) output: Aligned,
    /// z, where f' is computed from it; else empty.
    pub(super) preactivation: Aligned,
    /// The rate at which the next layer drops this one's outputs, and the outputs after that; empty at rate 0.
    pub(super) dropout: f32,
    pub(super) dropped: Aligned,
    /// dL/dz, row by row,
    pub(super) delta: Aligned,
    /// and in panels, `[panel, row, 16]`; empty where one panel is the same as the rows.
    pub(super) delta_panels: Aligned,
    /// What the next layer was given, where many of it are zero and there is much to do with them,
    pub(super) skipped_output: Option<Skipped>,
    /// and the same of dL/dz.
    pub(super) skipped_delta: Option<Skipped>,
}

impl LayerRows {
    /// Room for `capacity` rows of layer `l`, of batches of `batch`.
    pub(super) fn new(network: &Network, l: usize, capacity: usize, batch: usize) -> Self {
        let layer = &network.layers()[l];
        let next_dropout = network.layers().get(l + 1).map_or(0.0, Layer::dropout);
        let stride = odd_lines(layer.outputs());
        let room = |wanted: bool| Aligned::zeroed(if wanted { capacity * stride } else { 0 });
        let panels = padded(layer.outputs());
        let skipped = |of| {
            let skips = skips(network, l, of, batch);
            skips.then(|| Skipped::new(layer.outputs(), capacity))
        };
        Self {
            skipped_output: skipped(l + 1),
            skipped_delta: if l == 0 { None } else { skipped(l) },
            outputs: layer.outputs(),
            has_below: l > 0,
            activation: layer.activation(),
            stride,
            output: room(true),
            preactivation: room(layer.activation().needs_preactivation()),
            dropout: next_dropout,
            dropped: room(next_dropout > 0.0),
            delta: room(true),
            delta_panels: Aligned::zeroed(if panels > LINE { capacity * panels } else { 0 }),
        }
    }

    /// The product that makes its outputs `columns`, and what follows.
    pub(super) fn forward<'a>(
        &'a mut self,
        columns: Range<usize>,
        segments: &'a [Segment<'a>],
        bias: Option<&'a [f32]>,
        activation: Option<Activation>,
    ) -> ByPanels<'a> {
        let keep = self.activation.needs_preactivation();
        ByPanels {
            segments,
            c: &mut self.output[columns.start..],
            c_stride: self.stride,
            n: columns.len(),
            epilogue: Epilogue {
                bias,
                preactivation: keep.then(|| &mut self.preactivation[columns.start..]),
                activation,
                back: None,
            },
        }
    }

    /// The product that makes the gradient by its outputs `columns`, and, unless that is to be masked, by z.
    pub(super) fn backward<'a>(
        &'a mut self,
        columns: Range<usize>,
        segments: &'a [Segment<'a>],
        rows: usize,
    ) -> ByPanels<'a> {
        let is_masked = self.dropout > 0.0;
        let (n, c_stride) = (columns.len(), self.stride);
        let (c, back) = self.gradient(columns, rows);
        ByPanels {
            segments,
            c,
            c_stride,
            n,
            epilogue: Epilogue {
                back: (!is_masked).then_some(back),
                ..Epilogue::default()
            },
        }
    }

    /// The gradient by outputs `columns` of so many rows, masked where it has to be, becomes that by z.
    pub(super) fn finish_masked(&mut self, isa: Isa, rows: usize, mask: Mask<'_>) {
        let (n, stride) = (self.outputs, self.stride);
        for (r, row) in self.delta.chunks_mut(stride).take(rows).enumerate() {
            let row = &mut row[..n];
            isa.dispatch(MaskRow { mask, r, row });
        }
        let (c, back) = self.gradient(0..n, rows);
        isa.dispatch(Finish {
            rows,
            c,
            c_stride: stride,
            n,
            epilogue: Epilogue {
                back: Some(back),
                ..Epilogue::default()
            },
        });
    }

    /// The gradient by its outputs from `columns` on, and how that by z is made of it.
    fn gradient(&mut self, columns: Range<usize>, rows: usize) -> (&mut [f32], Back<'_>) {
        let saved = if self.activation.needs_preactivation() {
            &self.preactivation
        } else {
            &self.output
        };
        let panels = self.delta_panels.as_chunks_mut::<LINE>().0;
        let back = Back {
            activation: self.activation,
            saved: &saved[columns.start..],
            panels: panels
                .get_mut(columns.start / LINE * rows..)
                .unwrap_or_default(),
            all: rows,
            rows_too: self.has_below,
        };
        (&mut self.delta[columns.start..], back)
    }

    /// Leaves nothing behind of rows met before.
    pub(super) fn clear(&mut self) {
        let skipped = [&mut self.skipped_output, &mut self.skipped_delta];
        for skipped in skipped.into_iter().flatten() {
            skipped.rows.clear();
        }
    }

    /// What the next layer was given, in training or else.
    pub(super) fn given(&self, training: bool) -> &[f32] {
        if training && !self.dropped.is_empty() {
            &self.dropped
        } else {
            &self.output
        }
    }

    /// Takes in what the next layer is given of so many rows, where zeros of it are skipped, and turns it in training.
    pub(super) fn take_in(
        &mut self,
        isa: Isa,
        rows: usize,
        training: bool,
    ) -> Option<(&SparseRows<1>, &mut Aligned)> {
        let mut skipped = self.skipped_output.take()?;
        let given = self.given(training);
        skipped.take_in(isa, given, self.stride, rows, self.outputs);
        if training {
            skipped.rows.turn(isa);
        }
        let Skipped { rows, room } = self.skipped_output.insert(skipped);
        Some((rows, room))
    }

    /// Takes in dL/dz of so many rows, where zeros of it are skipped.
    pub(super) fn take_in_delta(&mut self, isa: Isa, rows: usize) {
        if let Some(skipped) = &mut self.skipped_delta {
            skipped.take_in(isa, &self.delta, self.stride, rows, self.outputs);
        }
    }

    /// These rows of the gradient, of so many, as lines of the panels.
    #[inline(always)]
    fn spread(&mut self, rows: Range<usize>, all: usize) {
        let panels = self.delta_panels.as_chunks_mut::<LINE>().0;
        spread(
            (&self.delta, self.stride),
            self.outputs,
            rows,
            (panels, all),
        );
    }
}

/// The target of row `i` of the data.
#[inline(always)]
fn target(targets: &Targets, i: usize) -> Target<'_> {
    match targets {
        Targets::Classes { labels, .. } => Target::Class(labels[i]),
        Targets::Values { values, .. } => Target::Values(values.padded_row(i)),
    }
}

/// How many rows before its turn a target is asked for.
const AHEAD: usize = 8;

/// Has the cache fetch the values for row `i` of the data, which are far from those of others.
#[inline(always)]
fn fetch(targets: &Targets, i: usize) {
    if let Targets::Values { values, .. } = targets {
        prefetch(values.row(i));
    }
}

/// Losses and dL/dz of the last layer.
pub(super) struct OutputDelta<'a> {
    pub(super) aim: Aim,
    pub(super) rows: usize,
    pub(super) targets: &'a Targets,
    pub(super) indices: &'a [u32],
    pub(super) layer: &'a mut LayerRows,
    pub(super) results: &'a mut [RowLoss],
}

impl WithSimd for OutputDelta<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            aim: Aim { loss, reported },
            rows,
            targets,
            indices,
            layer,
            results,
        } = self;
        let (n, width) = (layer.outputs, padded(layer.outputs));
        let kept = layer.activation.needs_preactivation();
        // Of one line, all rows lie side by side: a copy of each is a call.
        let at_once = layer.stride == LINE;
        if at_once {
            let all = ..rows * LINE;
            layer.delta[all].copy_from_slice(&layer.output[all]);
        }
        // Fewer than four rows are not worth the room for sixteen.
        if let (Loss::CrossEntropy, None, LINE, Targets::Classes { labels, .. }, 4..) =
            (loss, reported, layer.stride, targets, rows)
        {
            let lines = layer.delta[..rows * LINE].as_chunks_mut().0;
            let class = |r| labels[indices[r] as usize];
            return class_losses_backward(simd, lines, n, class, &mut results[..rows]);
        }
        let target = |r: usize| {
            if let Some(&next) = indices.get(r + AHEAD) {
                fetch(targets, next as usize);
            }
            target(targets, indices[r] as usize)
        };
        if let (1, None, 4..) = (n, reported, rows) {
            let way = (loss, layer.activation);
            let lines = layer.delta[..rows * LINE].as_chunks_mut().0;
            let kept = layer.preactivation.as_chunks().0;
            let results = &mut results[..rows];
            return single_losses_backward(simd, way, lines, kept, target, results);
        }
        for (r, result) in results[..rows].iter_mut().enumerate() {
            let at = r * layer.stride..r * layer.stride + width;
            if !at_once {
                layer.delta[at.clone()].copy_from_slice(&layer.output[at.clone()]);
            }
            let saved = if kept {
                &mut layer.preactivation
            } else {
                &mut layer.output
            };
            let (row, saved) = (&mut layer.delta[at.clone()], &mut saved[at]);
            let trained = loss_backward(simd, loss, layer.activation, row, n, target(r), saved);
            if reported.is_none() {
                *result = trained;
            }
            layer.spread(r..r + 1, rows);
        }
    }
}

/// Losses of the last layer: of the outputs in `rows`, which become the final ones.
pub(super) struct OutputLoss<'a> {
    pub(super) aim: Aim,
    pub(super) targets: &'a Targets,
    /// Which rows of the data they are, unless those from `first` on.
    pub(super) indices: Option<&'a [u32]>,
    pub(super) first: usize,
    pub(super) rows: &'a mut [f32],
    /// The numbers of a row, and the distance between rows.
    pub(super) outputs: usize,
    pub(super) stride: usize,
    pub(super) results: &'a mut [RowLoss],
}

impl WithSimd for OutputLoss<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.outputs;
        let Aim { loss, reported } = self.aim;
        // The trained loss makes the final outputs; the reported one takes them.
        let losses = [loss, reported.unwrap_or(loss)];
        let losses = &losses[..=usize::from(reported.is_some())];
        let rows = self.rows.chunks_mut(self.stride).zip(self.results);
        for (r, (row, result)) in rows.enumerate() {
            let index = match self.indices {
                Some(indices) => indices[r] as usize,
                None => self.first + r,
            };
            let target = target(self.targets, index);
            for &loss in losses {
                *result = loss_forward(simd, loss, &mut row[..padded(n)], n, target);
            }
        }
    }
}
