//! The inputs of one thread's rows of the batch: gathered from the data, as they are or with a mask of what is not zero.

use super::layer_rows::odd_lines;
use super::mask::{Mask, MaskRow};
use crate::dataset::{Inputs, Targets};
use crate::isa::Isa;
use crate::tensor::MatMut;
use crate::tensor::gemm::{ByPanels, Meanwhile, room_for_rows};
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;

/// Data whose rows are met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) targets: &'a Targets,
}

impl Source<'_> {
    /// Has a strip of row `r` of those that come next fetched, if there is one.
    pub(super) fn fetch(&self, next: &[u32], r: usize, strip: usize) {
        if let Some(&i) = next.get(r) {
            self.inputs.fetch(i as usize, strip);
        }
    }
}

/// The inputs of the rows.
#[derive(Debug)]
pub(super) enum Given {
    Dense {
        rows: Aligned,
        stride: usize,
    },
    Sparse {
        rows: SparseRows,
        /// For the product that skips zeros.
        room: Aligned,
    },
}

impl Given {
    /// Room for `capacity` rows of `cols` numbers, which are what `sparse` has room for, if they are sparse.
    pub(super) fn new(capacity: usize, cols: usize, sparse: Option<SparseRows>) -> Self {
        let stride = odd_lines(cols);
        match sparse {
            Some(rows) => Self::Sparse {
                rows,
                room: Aligned::zeroed(room_for_rows(capacity)),
            },
            None => Self::Dense {
                rows: Aligned::zeroed(capacity * stride),
                stride,
            },
        }
    }

    /// Takes in rows of the data.
    pub(super) fn gather(
        &mut self,
        isa: Isa,
        source: &Source<'_>,
        indices: impl ExactSizeIterator<Item = usize> + Clone,
    ) {
        match self {
            Self::Sparse { rows, .. } => {
                let columns = 0..source.inputs.cols();
                source.inputs.gather_sparse_on(isa, indices, columns, rows);
            }
            Self::Dense { rows, stride } => {
                let out = MatMut::new(rows, indices.len(), source.inputs.cols(), *stride);
                source.inputs.gather_on(isa, indices, out);
            }
        }
    }

    /// Makes them ready for the weight gradient.
    pub(super) fn turn(&mut self, isa: Isa) {
        if let Self::Sparse { rows, .. } = self {
            rows.turn(isa);
        }
    }

    /// Takes the first `rows` of them forward; meanwhile, something is done for each strip of each, if they are
    /// sparse.
    pub(super) fn forward(
        &mut self,
        isa: Isa,
        rows: usize,
        forward: ByPanels<'_>,
        meanwhile: Option<&dyn Fn(usize, usize)>,
    ) {
        match self {
            Self::Sparse { rows, room } => {
                forward.of_sparse(isa, (rows, None), room, meanwhile.map(Meanwhile));
            }
            Self::Dense { rows: a, stride } => forward.of_dense(isa, a, *stride, rows),
        }
    }

    /// The rows, and the distance between them, if they are dense.
    pub(super) fn dense(&self) -> (&[f32], usize) {
        match self {
            Self::Sparse { .. } => (&[], 1),
            Self::Dense { rows, stride } => (rows, *stride),
        }
    }

    /// The rows, if they are sparse.
    pub(super) fn sparse(&self) -> Option<&SparseRows> {
        match self {
            Self::Sparse { rows, .. } => Some(rows),
            Self::Dense { .. } => None,
        }
    }

    /// Drops what the mask drops of the first `rows` rows of `cols` numbers.
    pub(super) fn drop(&mut self, isa: Isa, mask: Mask<'_>, rows: usize, cols: usize) {
        match self {
            Self::Dense { rows: data, stride } => {
                for (r, row) in data.chunks_mut(*stride).take(rows).enumerate() {
                    let row = &mut row[..cols];
                    isa.dispatch(MaskRow { mask, r, row });
                }
            }
            Self::Sparse { rows: sparse, .. } => {
                for r in 0..rows {
                    mask.apply_to_pairs(r, cols, sparse);
                }
            }
        }
    }
}
