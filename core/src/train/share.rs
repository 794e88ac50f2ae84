//! One thread's part of the weights: of every layer a slab, some of its inputs by all of its outputs; of the first layer,
//! where that is the better way, all of its inputs by some of its outputs ([`Sharing`]).
//!
//! A slab holds its weights in panels of outputs, as the forward product reads them, and, but for the first layer,
//! transposed in panels of inputs, as the input gradient's product reads them. The optimiser is elementwise and does not
//! care for the layout: it works on the strips of the weight gradient while they are in the first-level cache, so the
//! gradient of a whole layer never exists. Where a batch is longer than [`KB`](crate::tensor::gemm::KB) rows it comes in
//! several parts, one block of the reduction each, whose gradients are added in order before the step.

mod bias;
mod lesson;
mod lone;
mod parameters;
mod state;

use bias::BiasStep;
pub(super) use lesson::{Lesson, Part, Scratch};
use parameters::Parameters;

use std::ops::Range;

use pulp::Simd;

use super::sharing::Sharing;
use crate::isa::{Isa, prefetch};
use crate::nn::{Layer, Network};
use crate::optim::{Descent, Optimizer, Update};
use crate::tensor::gemm::{
    Caches, ColumnsByOne, ColumnsByPanels, Panels, Rows, Segment, Sink, SparseColumnsByPanels, Sums,
};
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;
use crate::tensor::turn::Turn;
use crate::tensor::{LINE, padded};

/// What is kept beside the values themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    moments: usize,
    parts: bool,
    best: bool,
}

impl Needs {
    pub(super) fn new(optimizer: &Optimizer, parts: bool, best: bool) -> Self {
        Self {
            moments: optimizer.moments(),
            parts,
            best,
        }
    }
}

/// Inputs `rows` of one layer by those outputs that `panels` are of.
#[derive(Debug)]
struct Slab {
    rows: Range<usize>,
    panels: Range<usize>,
    /// How many outputs these are.
    outputs: usize,
    weight: Parameters,
    /// `[panels of inputs, outputs, 16]`; empty for the first layer.
    transposed: Aligned,
}

impl Slab {
    /// The outputs.
    fn columns(&self) -> Range<usize> {
        let first = self.panels.start * LINE;
        first..first + self.outputs
    }

    /// Writes the weights again as panels of inputs.
    fn transpose(&mut self, isa: Isa) {
        if !self.transposed.is_empty() {
            isa.dispatch(Turn {
                by_columns: self.weight.value.as_chunks().0,
                by_rows: self.transposed.as_chunks_mut().0,
                rows: self.rows.len(),
                columns: self.outputs,
            });
        }
    }
}

/// One thread's part of the weights, and the biases of some layers.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Share {
    slabs: Vec<Slab>,
    biases: Vec<Option<Parameters>>,
}

impl Share {
    /// The part of member `index` of a team of `size`; of the first layer as it is shared out.
    pub(super) fn new(
        network: &Network,
        (index, size): (usize, usize),
        sharing: Sharing,
        needs: Needs,
    ) -> Self {
        let slab = |(l, layer): (usize, &Layer)| {
            let panels = layer.outputs().div_ceil(LINE);
            let rows = sharing.inputs(l, layer.inputs(), (index, size));
            let panels = sharing.panels(l, panels, (index, size));
            let mut weight = Aligned::zeroed(rows.len() * panels.len() * LINE);
            let parts = weight.chunks_exact_mut((rows.len() * LINE).max(1));
            let all = layer.panels.lines().chunks_exact(layer.inputs());
            for (part, panel) in parts.zip(all.skip(panels.start)) {
                part.copy_from_slice(panel[rows.clone()].as_flattened());
            }
            let transposed = if l == 0 {
                0
            } else {
                padded(rows.len()) * layer.outputs()
            };
            let mut slab = Slab {
                rows,
                outputs: layer.outputs().min(panels.end * LINE) - panels.start * LINE,
                panels,
                weight: Parameters::new(weight, needs),
                transposed: Aligned::zeroed(transposed),
            };
            slab.transpose(network.isa());
            slab
        };
        let slabs: Vec<_> = network.layers.iter().enumerate().map(slab).collect();
        let bias = |(l, layer): (usize, &Layer)| {
            let all = layer.bias.as_ref()?;
            let is_kept = match sharing {
                Sharing::Units if l == 0 => true,
                // By who has the first of the layer's weights, and reads the same.
                Sharing::Sums { .. } => slabs[l].rows.contains(&0),
                _ => l % size == index,
            };
            let own = is_kept.then(|| &all[slabs[l].columns()])?;
            let mut value = Aligned::zeroed(padded(own.len()));
            value[..own.len()].copy_from_slice(own);
            Some(Parameters::new(value, needs))
        };
        Self {
            biases: network.layers.iter().enumerate().map(bias).collect(),
            slabs,
        }
    }

    /// This share's piece of the forward product of layer `l`.
    pub(super) fn segment(&self, l: usize) -> Segment<'_> {
        let slab = &self.slabs[l];
        Segment {
            len: slab.rows.len(),
            lines: slab.weight.value.as_chunks().0,
        }
    }

    /// Which outputs of layer `l` this share's weights are of,
    pub(super) fn columns(&self, l: usize) -> Range<usize> {
        self.slabs[l].columns()
    }

    /// and which panels these make.
    pub(super) fn panels(&self, l: usize) -> Range<usize> {
        self.slabs[l].panels.clone()
    }

    /// This share's columns of the input gradient's product of layer `l`: which inputs, and the panels for them.
    pub(super) fn transposed(&self, l: usize) -> (Range<usize>, Segment<'_>) {
        let slab = &self.slabs[l];
        let segment = Segment {
            len: slab.outputs,
            lines: slab.transposed.as_chunks().0,
        };
        (slab.rows.clone(), segment)
    }

    /// The bias of layer `l`, or of this share's outputs of it, in whole lines, if it is kept here.
    pub(super) fn bias(&self, l: usize) -> Option<&[f32]> {
        self.biases[l].as_ref().map(|bias| &bias.value[..])
    }

    /// The weight and bias gradients of layer `l` over one part of the batch, of which the pieces have the share's panels,
    /// and the step after the last part; `skipping` is there where zeros of the outputs of the layer below are skipped.
    pub(super) fn learn(
        &mut self,
        isa: Isa,
        l: usize,
        (pieces, skipping): (&[Rows<'_>], Option<&[&SparseRows<1>]>),
        lesson: &mut Lesson<'_>,
    ) {
        let slab = &mut self.slabs[l];
        let (panels, part) = (slab.panels.len(), lesson.part);
        if let Some(bias) = &mut self.biases[l] {
            isa.dispatch(BiasStep {
                bias,
                pieces,
                part,
                step: &lesson.bias_step,
            });
        }
        if slab.rows.is_empty() {
            return;
        }
        let descent = lesson.weight_step.descent().filter(|_| part.is_all());
        let sparse = lesson.sparse.filter(|_| l == 0);
        if sparse.is_none() && skipping.is_none() && slab.learn_alone(isa, pieces, descent) {
            return;
        }
        let rows = if sparse.is_some() && lesson.own_inputs {
            0..slab.rows.len()
        } else {
            slab.rows.clone()
        };
        let columns = rows.clone();
        let caches = Caches::of_this_machine();
        let sink = WeightStep {
            far: slab.weight.size() > 2 * caches.l2 && !caches.is_l1_small(),
            weight: &mut slab.weight,
            rows,
            part,
            step: &lesson.weight_step,
            descent,
        };
        let room = &mut lesson.scratch.lines;
        match (sparse, skipping) {
            (Some(a), _) => isa.dispatch(SparseColumnsByPanels {
                a,
                pieces,
                columns,
                panels,
                room,
                sink,
            }),
            (None, Some(a)) => isa.dispatch(SparseColumnsByPanels {
                a,
                pieces,
                columns,
                panels,
                room,
                sink,
            }),
            (None, None) if slab.outputs == 1 => isa.dispatch(ColumnsByOne {
                pieces,
                columns,
                sink,
            }),
            (None, None) => isa.dispatch(ColumnsByPanels {
                pieces,
                columns,
                panels,
                packed: &mut lesson.scratch.packed,
                sink,
            }),
        }
        if part.last {
            slab.transpose(isa);
        }
    }

    /// Keeps the present values as the best.
    pub(super) fn keep(&mut self) {
        for parameters in self.parameters() {
            parameters.best.copy_from_slice(&parameters.value);
        }
    }

    /// Goes back to the best values.
    pub(super) fn restore(&mut self) {
        for parameters in self.parameters() {
            parameters.value.copy_from_slice(&parameters.best);
        }
    }

    fn parameters(&mut self) -> impl Iterator<Item = &mut Parameters> {
        let weights = self.slabs.iter_mut().map(|slab| &mut slab.weight);
        weights.chain(self.biases.iter_mut().flatten())
    }

    /// Whether all values of layer `l` kept here are finite.
    pub(super) fn is_finite(&self, l: usize) -> bool {
        let finite = |values: &[f32]| values.iter().all(|x| x.is_finite());
        finite(&self.slabs[l].weight.value) && self.bias(l).is_none_or(finite)
    }

    /// Puts the values into the network.
    pub(super) fn give_back(&self, network: &mut Network) {
        for (l, (slab, layer)) in self.slabs.iter().zip(&mut network.layers).enumerate() {
            let inputs = layer.inputs();
            let lines = slab.weight.value.as_chunks::<LINE>().0;
            let parts = lines.chunks_exact(slab.rows.len().max(1));
            let all = Panels::lines_mut(&mut layer.panels).chunks_exact_mut(inputs);
            for (part, panel) in parts.zip(all.skip(slab.panels.start)) {
                panel[slab.rows.clone()].copy_from_slice(part);
            }
            if let (Some(bias), Some(kept)) = (&mut layer.bias, self.bias(l)) {
                bias[slab.columns()].copy_from_slice(&kept[..slab.outputs]);
            }
        }
    }
}

/// Takes the strips of a slab's weight gradient.
struct WeightStep<'a> {
    weight: &'a mut Parameters,
    rows: Range<usize>,
    part: Part,
    step: &'a Update,
    /// The step, if it is no more than this.
    descent: Option<Descent>,
    /// Whether the second-level cache has no room for half of the numbers: while sums are made, those to be moved by them
    /// can come from further away, where neighbours make the third-level cache small.
    far: bool,
}

impl WeightStep<'_> {
    /// Asks for the numbers of these rows and panels. (Apart: the same for all kernels.)
    #[inline(never)]
    fn fetch(&self, i: Range<usize>, j: Range<usize>) {
        let Parameters { value, m, v, .. } = &*self.weight;
        for j in j {
            for i in i.clone() {
                let at = (j * self.rows.len() + i - self.rows.start) * LINE;
                for numbers in [value, m, v] {
                    prefetch(numbers.get(at..).unwrap_or_default());
                }
            }
        }
    }
}

impl Sink for WeightStep<'_> {
    #[inline(always)]
    fn in_place(&mut self) -> Option<Sums<'_>> {
        let Descent { lr, scale } = self.descent?;
        Some(Sums {
            lines: self.weight.value.as_chunks_mut().0,
            rows: self.rows.clone(),
            scale,
            factor: -lr,
        })
    }

    #[inline(always)]
    fn expect(&self, i: Range<usize>, j: Range<usize>) {
        if self.far {
            self.fetch(i, j);
        }
    }

    #[inline(always)]
    fn take<S: Simd>(&mut self, simd: S, i: usize, j: usize, strip: &mut [[f32; LINE]]) {
        let at = (j * self.rows.len() + i - self.rows.start) * LINE;
        self.weight
            .step(simd, at, strip.as_flattened_mut(), self.part, self.step);
    }
}
