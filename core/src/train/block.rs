//! One thread's rows of the batch: their way forward through the layers, the loss, and the gradients back.
//!
//! All activations of the rows stay here until the weight gradients have read them. Row strides are an odd number of
//! lines: the weight gradient runs down columns, and an even stride would send many rows to the same set of the cache.

use std::ops::Range;
use std::sync::RwLockReadGuard;

use super::given::{Given, Source};
use super::layer_rows::{Aim, HiddenDelta, LayerRows, OutputDelta, OutputLoss, odd_lines};
use super::mask::{Draw, Mask, MaskRow};
use super::share::Share;
use super::skipped::Skipped;
use crate::isa::Isa;
use crate::nn::{Network, RowLoss};
use crate::team::MOST_THREADS;
use crate::tensor::gemm::{
    Epilogue, Meanwhile, Rows, RowsByPanels, Segment, SparsePiece, SparseRowsByPanels,
    room_for_rows,
};
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;

/// All members' shares, held for reading.
pub(super) type Shares<'a> = [Option<RwLockReadGuard<'a, Share>>];

/// One thread's rows of the batch.
#[derive(Debug)]
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
    /// Room for `capacity` rows of batches of `batch`, with what the first layer takes in if its inputs are sparse;
    /// `results` is how many rows' losses it can hold.
    pub(super) fn new(
        network: &Network,
        aim: Aim,
        [capacity, batch]: [usize; 2],
        sparse: Option<SparseRows>,
        results: usize,
    ) -> Self {
        let stride = odd_lines(network.inputs());
        Self {
            isa: network.isa(),
            aim,
            rows: 0,
            capacity,
            given: match sparse {
                Some(rows) => Given::Sparse {
                    rows,
                    room: Aligned::zeroed(room_for_rows(capacity)),
                },
                None => Given::Dense {
                    rows: Aligned::zeroed(capacity * stride),
                    stride,
                },
            },
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
        source: &Source<'_>,
        [indices, next]: [&[u32]; 2],
        draw: Draw<'_>,
    ) {
        self.rows = indices.len();
        let rows = indices.iter().map(|&i| i as usize);
        self.given.gather(self.isa, source, rows);
        if self.rows == 0 {
            self.layers.iter_mut().for_each(LayerRows::clear);
            return;
        }
        if let Given::Sparse { rows, .. } = &mut self.given {
            rows.turn(self.isa);
        }
        if self.input_dropout > 0.0 {
            let mask = Mask::new(draw, 0, self.input_dropout);
            self.given
                .drop(self.isa, mask, self.rows, source.inputs.cols());
        }
        let fetch = |r: usize| {
            if let Some(&i) = next.get(r) {
                source.inputs.fetch(i as usize);
            }
        };
        self.forward(shares, Some(draw), Some(Meanwhile(&fetch)));
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
                let (c, n) = (&mut below.delta[columns.start..], columns.len());
                match &mut layer.skipped_delta {
                    Some(Skipped { rows, room, .. }) => self.isa.dispatch(SparseRowsByPanels {
                        a: rows,
                        segments: &[panels],
                        meanwhile: None,
                        room,
                        c,
                        c_stride: below.stride,
                        n,
                        epilogue: Epilogue::default(),
                    }),
                    None => self.isa.dispatch(RowsByPanels {
                        a: &layer.delta,
                        a_stride: layer.stride,
                        rows: self.rows,
                        segments: &[panels],
                        c,
                        c_stride: below.stride,
                        n,
                        padded: true,
                        add: false,
                        epilogue: Epilogue::default(),
                    }),
                }
            }
            let mask = (below.dropout > 0.0).then(|| Mask::new(draw, l, below.dropout));
            self.isa.dispatch(HiddenDelta {
                rows: self.rows,
                mask,
                layer: below,
            });
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
        self.forward(shares, None, None);
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

    /// All layers; in training with dropout after the layers that have it.
    fn forward(
        &mut self,
        shares: &Shares<'_>,
        training: Option<Draw<'_>>,
        meanwhile: Option<Meanwhile<'_>>,
    ) {
        let last = self.layers.len() - 1;
        for l in 0..=last {
            let (below, layers) = self.layers.split_at_mut(l);
            let layer = &mut layers[0];
            let (one, mut many);
            let segments = if let [Some(share)] = shares {
                one = [share.segment(l)];
                &one[..]
            } else {
                many = [Segment { len: 0, lines: &[] }; MOST_THREADS];
                let held = shares.iter().flatten();
                let count = held.clone().count();
                for (segment, share) in many.iter_mut().zip(held) {
                    *segment = share.segment(l);
                }
                &many[..count]
            };
            let by_loss = l == last && self.aim.loss.from_logits();
            let keep = layer.activation.needs_preactivation();
            let epilogue = Epilogue {
                bias: shares.iter().flatten().find_map(|share| share.bias(l)),
                preactivation: keep.then_some(&mut layer.preactivation[..]),
                activation: (!by_loss).then_some(layer.activation),
            };
            let (c, c_stride, n) = (&mut layer.output[..], layer.stride, layer.outputs);
            let dense = match (below.last_mut(), &mut self.given) {
                (None, Given::Sparse { rows, room }) => {
                    self.isa.dispatch(SparseRowsByPanels {
                        a: rows,
                        segments,
                        meanwhile,
                        room,
                        c,
                        c_stride,
                        n,
                        epilogue,
                    });
                    None
                }
                (None, Given::Dense { rows, stride }) => Some((&rows[..], *stride, epilogue)),
                (Some(below), _) => match below.take_in(self.isa, self.rows, training.is_some()) {
                    Some((a, room)) => {
                        self.isa.dispatch(SparseRowsByPanels {
                            a,
                            segments,
                            meanwhile: None,
                            room,
                            c,
                            c_stride,
                            n,
                            epilogue,
                        });
                        None
                    }
                    None => Some((below.given(training.is_some()), below.stride, epilogue)),
                },
            };
            if let Some((a, a_stride, epilogue)) = dense {
                self.isa.dispatch(RowsByPanels {
                    a,
                    a_stride,
                    rows: self.rows,
                    segments,
                    c,
                    c_stride,
                    n,
                    padded: true,
                    add: false,
                    epilogue,
                });
            }
            if let Some(draw) = training.filter(|_| layer.dropout > 0.0) {
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

    /// What layer `l`'s weight gradient takes from these rows; of sparse inputs only dL/dz.
    pub(super) fn piece(&self, l: usize) -> Rows<'_> {
        let layer = &self.layers[l];
        let (a, stride) = match (l, &self.given) {
            (0, Given::Sparse { .. }) => (&[][..], 1),
            (0, Given::Dense { rows, stride }) => (&rows[..], *stride),
            _ => (self.layers[l - 1].given(true), self.layers[l - 1].stride),
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

    /// What the weight gradient of layer `l` takes from these rows, if zeros among the outputs of the one below are skipped.
    pub(super) fn skipping_piece(&self, l: usize) -> Option<SparsePiece<'_, 1>> {
        let skipped = self.layers[l.checked_sub(1)?].skipped_output.as_ref()?;
        Some(SparsePiece {
            a: &skipped.rows,
            lines: self.piece(l).lines,
        })
    }

    /// What the first layer's weight gradient takes from these rows, if their inputs are sparse.
    pub(super) fn sparse_piece(&self) -> Option<SparsePiece<'_>> {
        match &self.given {
            Given::Dense { .. } => None,
            Given::Sparse { rows, .. } => Some(SparsePiece {
                a: rows,
                lines: self.piece(0).lines,
            }),
        }
    }
}
