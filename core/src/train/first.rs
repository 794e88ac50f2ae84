//! One thread's units of the first layer, for all rows of a part of the batch.
//!
//! Weights shared out by inputs are all read by every thread in every step, and each thread's have just been changed by it:
//! where they are many and the rows are few, most of a step is their way from core to core. Shared out by units, no other
//! thread ever reads them, though each then gathers all rows. What a thread's units make of the next rows it finds out
//! when it has changed their weights, before it meets the others: there is no barrier more.

use std::ops::Range;

use super::given::{Given, Source};
use super::layer_rows::{LayerRows, odd_lines};
use super::share::Share;
use crate::isa::Isa;
use crate::nn::Network;
use crate::tensor::activation::Activation;
use crate::tensor::gemm::{ByPanels, Epilogue, Rows};
use crate::tensor::matrix::Aligned;
use crate::tensor::padded;

/// Some units of the first layer.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct First {
    isa: Isa,
    activation: Activation,
    given: Given,
    /// Which units.
    columns: Range<usize>,
    panels: Range<usize>,
    /// The distance between rows of what follows.
    stride: usize,
    output: Aligned,
    /// z, where f' is computed from it; else empty.
    preactivation: Aligned,
}

impl First {
    /// Room for the units of `share` of `capacity` rows, which are `given`.
    pub(super) fn new(network: &Network, share: &Share, capacity: usize, given: Given) -> Self {
        let activation = network.layers()[0].activation();
        let columns = share.columns(0);
        let stride = odd_lines(columns.len());
        let room = |wanted: bool| Aligned::zeroed(if wanted { capacity * stride } else { 0 });
        Self {
            isa: network.isa(),
            activation,
            given,
            columns,
            panels: share.panels(0),
            stride,
            output: room(true),
            preactivation: room(activation.needs_preactivation()),
        }
    }

    /// Takes the rows `indices` of the data forward; `next` will be met next.
    pub(super) fn meet(
        &mut self,
        share: &Share,
        source: &Source<'_>,
        [indices, next]: [&[u32]; 2],
    ) {
        let rows = indices.iter().map(|&i| i as usize);
        self.given.gather(self.isa, source, rows);
        self.given.turn(self.isa);
        let keep = self.activation.needs_preactivation();
        let forward = ByPanels {
            segments: &[share.segment(0)],
            c: &mut self.output,
            c_stride: self.stride,
            n: self.columns.len(),
            epilogue: Epilogue {
                bias: share.bias(0),
                preactivation: keep.then_some(&mut self.preactivation),
                activation: Some(self.activation),
                back: None,
            },
        };
        let fetch = |r: usize, strip: usize| source.fetch(next, r, strip);
        self.given
            .forward(self.isa, indices.len(), forward, Some(&fetch));
    }

    /// Copies what there is of `rows` to where the first layer has it.
    pub(super) fn give(&self, rows: Range<usize>, layer: &mut LayerRows) {
        let width = padded(self.columns.len());
        for (from, to) in [
            (&self.output, &mut layer.output),
            (&self.preactivation, &mut layer.preactivation),
        ] {
            let from = from.chunks_exact(self.stride).skip(rows.start);
            let to = to.chunks_exact_mut(layer.stride).take(rows.len());
            for (to, from) in to.zip(from) {
                to[self.columns.start..][..width].copy_from_slice(&from[..width]);
            }
        }
    }

    /// The inputs of all rows.
    pub(super) fn given(&self) -> &Given {
        &self.given
    }

    /// What the weight gradient of these units takes from those rows that begin at `first`, of which `piece` has dL/dz of
    /// all units.
    pub(super) fn piece<'a>(&'a self, first: usize, piece: Rows<'a>) -> Rows<'a> {
        let (a, stride) = self.given.dense();
        Rows {
            a: a.get(first * stride..).unwrap_or_default(),
            stride,
            len: piece.len,
            lines: &piece.lines[self.panels.start * piece.len..self.panels.end * piece.len],
        }
    }
}
