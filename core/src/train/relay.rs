//! The products of the first layer for all rows of a part of the batch, as a relay: a thread has some inputs, and adds what
//! they make to the sums that the one before it hands on.
//!
//! Neither weights nor inputs then ever leave their core, only sums, which are few where the rows are. A sum is one chain
//! of additions for each block of the reduction, in the order of the inputs: what of a block is a thread's own beginning
//! it adds up at once; where its inputs begin within a block, it goes on from what it is handed. The last thread has
//! what all make together. It is found out for the next rows right after the step, before the threads meet. Who has
//! handed on is done before the last, and looks ahead to its inputs of the rows after the next.

use std::ops::Range;
use std::sync::atomic::AtomicUsize;

use super::given::Source;
use super::layer_rows::{LayerRows, odd_lines};
use super::sharing::STRIP;
use crate::isa::Isa;
use crate::nn::Network;
use crate::tensor::activation::Activation;
use crate::tensor::gemm::{
    ByPanels, Epilogue, Finish, KB, Meanwhile, Segment, Span, room_for_rows,
};
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;

/// The inputs that a leg will be given next, taken in while others go on from what it has handed on.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Ahead {
    isa: Isa,
    columns: Range<usize>,
    given: SparseRows,
    is_there: bool,
}

impl Ahead {
    /// Room for these inputs of rows, which come as `given` is made for.
    pub(super) fn new(isa: Isa, columns: Range<usize>, given: SparseRows) -> Self {
        Self {
            isa,
            columns,
            given,
            is_there: false,
        }
    }

    /// Takes in the rows `indices` of the data.
    pub(super) fn look(&mut self, source: &Source<'_>, indices: &[u32]) {
        take_in(self.isa, &mut self.given, &self.columns, source, indices);
        self.is_there = true;
    }
}

/// Makes `given` these columns of the rows `indices` of the data.
fn take_in(
    isa: Isa,
    given: &mut SparseRows,
    columns: &Range<usize>,
    source: &Source<'_>,
    indices: &[u32],
) {
    let rows = indices.iter().map(|&i| i as usize);
    let inputs = source.inputs;
    inputs.gather_sparse_on(isa, rows, columns.clone(), given);
    given.turn(isa);
}

/// How often sums were handed on. (In cache lines of its own, as are all that threads write: else who looks at one waits for
/// those who write others.)
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct HandedOn(pub(super) AtomicUsize);

/// One thread's part of the way.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Leg {
    isa: Isa,
    /// Which inputs, and whether they are the last.
    columns: Range<usize>,
    is_last: bool,
    /// They, of all rows.
    given: SparseRows,
    /// For the product.
    room: Aligned,
    units: usize,
    /// The distance between rows of sums.
    stride: usize,
    /// Sums of every block of the reduction that the inputs are part of; once handed on, those that end here are added up
    /// in the first.
    sums: Vec<Aligned>,
    /// How often rows were met.
    met: usize,
}

impl Leg {
    /// Room for these inputs of `capacity` rows, which come as `given` is made for.
    pub(super) fn new(
        network: &Network,
        columns: Range<usize>,
        capacity: usize,
        given: SparseRows,
    ) -> Self {
        let layer = &network.layers()[0];
        let stride = odd_lines(layer.outputs());
        let blocks = columns.end.div_ceil(KB) - columns.start / KB;
        Self {
            isa: network.isa(),
            is_last: columns.end == layer.inputs(),
            columns,
            given,
            room: Aligned::zeroed(room_for_rows(capacity)),
            units: layer.outputs(),
            stride,
            sums: (0..blocks)
                .map(|_| Aligned::zeroed(capacity * stride))
                .collect(),
            met: 0,
        }
    }

    /// The inputs of all rows.
    pub(super) fn given(&self) -> &SparseRows {
        &self.given
    }

    /// How often rows were met.
    pub(super) fn met(&self) -> usize {
        self.met
    }

    /// Whether it goes on from what it is handed.
    fn goes_on(&self) -> bool {
        !self.columns.start.is_multiple_of(KB)
    }

    /// How many blocks end here.
    fn ended(&self) -> usize {
        let is_open = !self.is_last && !self.columns.end.is_multiple_of(KB);
        self.sums.len() - usize::from(is_open)
    }

    /// Takes in the rows `indices` of the data, if that was not done ahead, and adds up what needs nothing of others; `next`
    /// will be met next.
    pub(super) fn set_out(
        &mut self,
        segment: Segment<'_>,
        ahead: Option<&mut Ahead>,
        source: &Source<'_>,
        [indices, next]: [&[u32]; 2],
    ) {
        match ahead.filter(|ahead| ahead.is_there) {
            Some(ahead) => {
                std::mem::swap(&mut self.given, &mut ahead.given);
                ahead.is_there = false;
            }
            None => take_in(self.isa, &mut self.given, &self.columns, source, indices),
        }
        for block in usize::from(self.goes_on())..self.sums.len() {
            self.add_up(block, segment, source, next);
        }
        self.met += 1;
    }

    /// Goes on from what those before hand on.
    pub(super) fn arrive<'a>(
        &mut self,
        segment: Segment<'_>,
        before: impl DoubleEndedIterator<Item = &'a Self> + Clone,
        source: &Source<'_>,
        next: &[u32],
    ) {
        let rows = ..self.given.rows() * self.stride;
        if self.goes_on()
            && let Some(handed) = before.clone().next_back().and_then(|leg| leg.sums.last())
        {
            self.sums[0][rows].copy_from_slice(&handed[rows]);
            self.add_up(0, segment, source, next);
        }
        let ended = self.ended();
        let Some((sum, others)) = self.sums[..ended].split_first_mut() else {
            return;
        };
        let mut before = before.rev();
        let handed = before.find(|leg| leg.ended() > 0).map(|leg| &leg.sums[0]);
        for other in handed.into_iter().chain(&*others) {
            for (sum, x) in sum[rows].iter_mut().zip(&other[rows]) {
                *sum += x;
            }
        }
    }

    /// The sums of what lies here of a block.
    fn add_up(&mut self, block: usize, segment: Segment<'_>, source: &Source<'_>, next: &[u32]) {
        let first = self.columns.start;
        let from = ((first / KB + block) * KB).max(first) - first;
        let to = ((first / KB + block + 1) * KB).min(self.columns.end) - first;
        let fetch = |r: usize, strip: usize| source.fetch(next, r, first / STRIP + strip);
        let only = Span {
            columns: from..to,
            goes_on: block == 0 && self.goes_on(),
        };
        let forward = ByPanels {
            segments: &[segment],
            c: &mut self.sums[block],
            c_stride: self.stride,
            n: self.units,
            epilogue: Epilogue::default(),
        };
        let (given, room) = ((&self.given, Some(only)), &mut self.room);
        forward.of_sparse(self.isa, given, room, Some(Meanwhile(&fetch)));
    }

    /// Makes the outputs of `rows` of what was added up, if this is the last.
    pub(super) fn give(
        &self,
        rows: Range<usize>,
        bias: Option<&[f32]>,
        activation: Option<Activation>,
        layer: &mut LayerRows,
    ) {
        let all = rows.start * self.stride..rows.end * self.stride;
        layer.output[..all.len()].copy_from_slice(&self.sums[0][all]);
        let keeps = layer.activation.needs_preactivation();
        self.isa.dispatch(Finish {
            rows: rows.len(),
            c: &mut layer.output,
            c_stride: layer.stride,
            n: self.units,
            epilogue: Epilogue {
                bias,
                preactivation: keeps.then_some(&mut layer.preactivation),
                activation,
                back: None,
            },
        });
    }
}
