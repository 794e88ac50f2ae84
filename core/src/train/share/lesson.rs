//! What a share is told to learn.

use crate::optim::Update;
use crate::tensor::gemm::{GROUP, room_for_lines};
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;

/// Which part of a batch a gradient comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::train) struct Part {
    pub(in crate::train) first: bool,
    pub(in crate::train) last: bool,
}

impl Part {
    pub(in crate::train) fn is_all(self) -> bool {
        self.first && self.last
    }
}

/// How a share learns from one part of a batch.
#[derive(Debug)]
pub(in crate::train) struct Lesson<'a> {
    pub(in crate::train) part: Part,
    pub(in crate::train) weight_step: Update,
    pub(in crate::train) bias_step: Update,
    /// The inputs, where they are sparse,
    pub(in crate::train) sparse: Option<&'a [&'a SparseRows]>,
    /// all, or none but those that the share has weights of.
    pub(in crate::train) own_inputs: bool,
    pub(in crate::train) scratch: &'a mut Scratch,
}

/// Room that learning needs.
#[derive(Debug)]
pub(in crate::train) struct Scratch {
    /// For a strip of a layer's inputs.
    pub(in crate::train) packed: Aligned,
    /// For the dL/dz of a layer, where zeros of its inputs are skipped.
    pub(in crate::train) lines: Aligned,
}

impl Scratch {
    /// For parts of at most `rows` rows.
    pub(in crate::train) fn new(rows: usize, sparse: bool) -> Self {
        let lines = if sparse { room_for_lines(rows) } else { 0 };
        Self {
            packed: Aligned::zeroed(rows * GROUP),
            lines: Aligned::zeroed(lines),
        }
    }
}
