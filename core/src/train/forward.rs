//! One product of the forward pass: the outputs of a layer, or of some of its units, from all its inputs.

use super::block::Shares;
use crate::isa::Isa;
use crate::team::MOST_THREADS;
use crate::tensor::gemm::{Epilogue, Meanwhile, RowsByPanels, Segment, Span, SparseRowsByPanels};
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;

/// What is made of rows that are yet to be told.
#[derive(Debug)]
pub(super) struct Forward<'a> {
    pub(super) segments: &'a [Segment<'a>],
    /// Rows of outputs, and the distance between them.
    pub(super) c: &'a mut [f32],
    pub(super) c_stride: usize,
    /// How many outputs there are.
    pub(super) n: usize,
    pub(super) epilogue: Epilogue<'a>,
}

impl Forward<'_> {
    /// Of the first `rows` rows of `a`.
    pub(super) fn of_dense(self, isa: Isa, a: &[f32], a_stride: usize, rows: usize) {
        isa.dispatch(RowsByPanels {
            a,
            a_stride,
            rows,
            segments: self.segments,
            c: self.c,
            c_stride: self.c_stride,
            n: self.n,
            padded: true,
            add: false,
            epilogue: self.epilogue,
        });
    }

    /// Of sparse rows, or of some of their columns.
    pub(super) fn of_sparse<const U: usize>(
        self,
        isa: Isa,
        (a, only): (&SparseRows<U>, Option<Span>),
        room: &mut Aligned,
        meanwhile: Option<Meanwhile<'_>>,
    ) {
        isa.dispatch(SparseRowsByPanels {
            a,
            only,
            segments: self.segments,
            meanwhile,
            room,
            c: self.c,
            c_stride: self.c_stride,
            n: self.n,
            epilogue: self.epilogue,
        });
    }
}

/// Calls `f` with the pieces of layer `l`'s weights, where they are shared out by inputs.
pub(super) fn with_segments<T>(
    shares: &Shares<'_>,
    l: usize,
    f: impl FnOnce(&[Segment<'_>]) -> T,
) -> T {
    // One thread has no need of room for many.
    if let [Some(share)] = shares {
        return f(&[share.segment(l)]);
    }
    let mut segments = [Segment { len: 0, lines: &[] }; MOST_THREADS];
    let held = shares.iter().flatten();
    let count = held.clone().count();
    for (segment, share) in segments.iter_mut().zip(held) {
        *segment = share.segment(l);
    }
    f(&segments[..count])
}
