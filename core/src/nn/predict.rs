//! Running a network forward: many rows on several threads, or one row without an allocation.
//!
//! Where most inputs are zero (images, one-hot columns) the first layer skips them. As its weights are finite that changes
//! no bit ([`SparseRowsByPanels`](crate::tensor::gemm::SparseRowsByPanels)), so a row alone, where the choice is made for it, and the same row in a block, where it
//! is made for all rows of the block, give the same outputs.

use super::Network;
use crate::dataset::Inputs;
use crate::team;
use crate::tensor::gemm::{ByPanels, Epilogue, Segment, room_for_rows};
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;
use crate::tensor::{LINE, MatMut, Matrix, padded};

/// Rows that go through the layers together, so that they stay in the second-level cache.
const ROWS: usize = 48;

/// Skipping zeros pays where at most one pair of numbers in so many is other than zero: of one row, which waits for the
/// weights to come from the second-level cache, always; of a block at a quarter, for more rows are looked through in vain
/// where most numbers are not zero.
const ONE_IN_ALONE: usize = 1;
const ONE_IN_BLOCK: usize = 4;

/// Work below which a further thread does not pay, in floating-point operations.
const FLOPS_PER_THREAD: usize = 4 << 20;

/// Room for the activations of a few rows on their way through a network.
#[derive(Clone, Debug)]
pub struct Scratch {
    input: Aligned,
    rooms: [Aligned; 2],
    sparse: SparseRows,
    room: Aligned,
}

impl Scratch {
    /// Takes the first rows of the input without their zeros, if at most one pair of numbers in `one_in` is other than
    /// zero; whether that is so.
    fn without_zeros(&mut self, network: &Network, rows: usize, one_in: usize) -> bool {
        let inputs = network.inputs();
        if !network.layers[0].is_finite() {
            return false;
        }
        self.sparse.clear();
        let mut found = 0;
        for (r, row) in self
            .input
            .chunks_exact(padded(inputs))
            .take(rows)
            .enumerate()
        {
            self.sparse.push(network.isa, &row[..inputs]);
            found += self.sparse.count(r);
            if found * one_in > rows * inputs.div_ceil(2) {
                return false;
            }
        }
        true
    }

    /// Room for one row, for [`Network::predict_into`].
    pub fn new(network: &Network) -> Self {
        Self::of(network, 1)
    }

    fn of(network: &Network, rows: usize) -> Self {
        let width = network.widest() * LINE;
        Self {
            input: Aligned::zeroed(rows * padded(network.inputs())),
            rooms: [Aligned::zeroed(rows * width), Aligned::zeroed(rows * width)],
            sparse: SparseRows::of_floats(rows, network.inputs()),
            room: Aligned::zeroed(room_for_rows(rows)),
        }
    }
}

impl Network {
    /// The outputs for all rows, `[rows, outputs]`, on all threads that pay.
    ///
    /// # Panics
    /// When the rows are not as wide as the network's inputs.
    #[track_caller]
    pub fn predict(&self, inputs: &Inputs) -> Matrix {
        self.predict_on(inputs, team::available_threads())
    }

    /// The outputs for all rows on at most `threads` threads; the same bits for any number of them, and for a row
    /// alone or among others.
    ///
    /// # Panics
    /// When the rows are not as wide as the network's inputs.
    #[track_caller]
    pub fn predict_on(&self, inputs: &Inputs, threads: usize) -> Matrix {
        let (rows, wide) = (inputs.rows(), self.inputs());
        assert_eq!(
            inputs.cols(),
            wide,
            "a network of {wide} inputs was given rows of {}",
            inputs.cols()
        );
        let mut result = Matrix::zeros(rows, self.outputs());
        if rows == 0 {
            return result;
        }
        let stride = result.row_stride();
        let pays = rows.saturating_mul(self.flops_per_row()) / FLOPS_PER_THREAD;
        let share = rows
            .div_ceil(threads.clamp(1, pays.clamp(1, team::MOST_THREADS)))
            .next_multiple_of(4);
        let mut view = result.view_mut();
        std::thread::scope(|scope| {
            for (out, first) in view
                .data()
                .chunks_mut(share * stride)
                .zip((0..rows).step_by(share))
            {
                let mut work = move || self.predict_range(inputs, first, out, stride);
                if first + share < rows {
                    scope.spawn(work);
                } else {
                    work();
                }
            }
        });
        result
    }

    /// The outputs of rows from `first` on, as many as `out` has.
    fn predict_range(&self, inputs: &Inputs, first: usize, out: &mut [f32], stride: usize) {
        let mut scratch = Scratch::of(self, ROWS.min(out.len() / stride));
        let wide = padded(self.inputs());
        for (out, first) in out.chunks_mut(ROWS * stride).zip((first..).step_by(ROWS)) {
            let rows = out.len() / stride;
            let gathered = MatMut::new(&mut scratch.input, rows, self.inputs(), wide);
            inputs.gather_on(self.isa, first..first + rows, gathered);
            out.copy_from_slice(self.forward(&mut scratch, rows, ONE_IN_BLOCK));
        }
    }

    /// The outputs for one row of inputs as the network takes them, written to `out`; allocates nothing.
    ///
    /// # Panics
    /// When `row` or `out` has another length than the network's inputs or outputs, or the scratch, made for another network, has
    /// no room for rows of this one.
    #[track_caller]
    pub fn predict_into(&self, row: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        assert_eq!(
            row.len(),
            inputs,
            "a network of {inputs} inputs was given a row of {}",
            row.len()
        );
        assert_eq!(
            out.len(),
            outputs,
            "a network of {outputs} outputs was given room for {}",
            out.len()
        );
        scratch.input[..inputs].copy_from_slice(row);
        out.copy_from_slice(&self.forward(scratch, 1, ONE_IN_ALONE)[..outputs]);
    }

    /// Takes `rows` rows of the scratch's input through all layers; the outputs, in rows of whole lines. Zeros are skipped
    /// where at most one pair of inputs in `one_in` is other than zero.
    fn forward<'s>(&self, scratch: &'s mut Scratch, rows: usize, one_in: usize) -> &'s [f32] {
        let skip = scratch.without_zeros(self, rows, one_in);
        for (l, layer) in self.layers.iter().enumerate() {
            // The two rooms take turns.
            let [even, odd] = &mut scratch.rooms;
            let (from, to) = if l % 2 == 0 { (odd, even) } else { (even, odd) };
            let (a, a_stride) = (
                if l == 0 { &scratch.input } else { from },
                padded(layer.inputs()),
            );
            let c_stride = padded(layer.outputs());
            let product = ByPanels {
                segments: &[Segment {
                    len: layer.inputs(),
                    lines: layer.panels.lines(),
                }],
                c: &mut to[..rows * c_stride],
                c_stride,
                n: layer.outputs(),
                epilogue: Epilogue {
                    bias: layer.bias.as_deref(),
                    activation: Some(layer.activation()),
                    ..Epilogue::default()
                },
            };
            if l == 0 && skip {
                product.of_sparse(self.isa, (&scratch.sparse, None), &mut scratch.room, None);
            } else {
                product.of_dense(self.isa, a, a_stride, rows);
            }
        }
        &scratch.rooms[(self.layers.len() + 1) % 2][..rows * padded(self.outputs())]
    }
}
