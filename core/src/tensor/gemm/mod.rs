//! Matrix products, in single precision, with bits that do not depend on how they are computed.
//!
//! [`gemm`] computes C = A B (or C += A B, or C = f(A B + bias)) for row-major matrices and their transposes.
//!
//! **The contract.** Every element of C is a chain of fused multiply-adds that starts from zero and takes the reduction
//! index in ascending order; after every [`KB`] = 512 steps the chain starts anew, and the sums of the blocks are
//! added in ascending order to zero (or to what C held, where the product is accumulated). No other freedom remains, so tile
//! shapes, packing, threads and instruction sets cannot change a bit. The error of an element is at most
//! (512 + k/512 + 2) 2^-24 sum |a| |b|.
//!
//! **How.** B is packed into panels of 16 columns ([`Panels`]); a register tile of MR rows of A by one or more panels
//! runs down the reduction (`microkernel`); the loops round it keep each operand in the cache it should be read from
//! (`macrokernel`, `blocking`). Overwriting never reads C, which may hold NaN.

mod blocking;
mod epilogue;
mod few;
mod macrokernel;
mod microkernel;
mod pack;
mod sparse;

use blocking::columns_in_l2;
pub use blocking::{Caches, KB};
pub use epilogue::Epilogue;
pub use macrokernel::{ColumnsByPanels, GROUP, Rows, RowsByPanels, Segment, Sink, Sums};
pub use pack::{Operand, Panels};
pub use sparse::{SparseColumnsByPanels, SparsePiece, SparseRowsByPanels, room_for_lines};

use std::ops::Range;
use std::sync::{Mutex, PoisonError, RwLock};

use pulp::Simd;

use super::activation::{Activation, activation_forward};
use super::matrix::{Aligned, LINE, MatMut, MatRef, padded};
use crate::isa::Isa;
use crate::team::{self, Broken, Member};
use few::{FEW, FewRows};

/// What becomes of the product.
#[derive(Clone, Copy, Debug)]
pub enum Output<'a> {
    /// C = A B; C is not read.
    Overwrite,
    /// C += A B.
    Accumulate,
    /// C = f(A B + bias), `bias` having one value a column of C.
    Activate(&'a [f32], Activation),
}

/// C = A B in one of the forms of [`Output`], on at most `threads` threads.
///
/// # Panics
/// When the shapes of A (m x k), B (k x n), C (m x n) or the bias (n) do not fit together.
#[track_caller]
pub fn gemm(
    isa: Isa,
    threads: usize,
    a: Operand<'_>,
    b: Operand<'_>,
    c: MatMut<'_>,
    output: Output<'_>,
) {
    let (m, k, n) = (a.rows(), a.cols(), b.cols());
    assert_eq!(k, b.rows(), "A is {m} x {k}, B is {} x {n}", b.rows());
    assert_eq!(
        (m, n),
        (c.rows(), c.cols()),
        "A B is {m} x {n}, C is {} x {}",
        c.rows(),
        c.cols()
    );
    if let Output::Activate(bias, _) = output {
        assert_eq!(
            bias.len(),
            n,
            "the bias of {n} columns has {} values",
            bias.len()
        );
    }
    if m == 0 || n == 0 {
        return;
    }
    let mut c = c;
    if let (Operand::Plain(a), Operand::Plain(b)) = (a, b)
        && m <= FEW
        && FewRows::can_read(b)
    {
        few_rows(isa, a, b, &mut c, output);
        return;
    }
    let pays = (m * k * n) / MULTIPLY_ADDS_PER_THREAD;
    let threads = threads.min(pays).clamp(1, team::MOST_THREADS);
    // Shares of rows that whole tiles fill.
    let share = m.div_ceil(threads).next_multiple_of(4);
    let stride = c.row_stride();
    let rows = c
        .into_data()
        .chunks_mut(share * stride)
        .zip((0..m).step_by(share));
    let product = Product {
        isa,
        a,
        b,
        output,
        stride,
        rows: rows
            .map(|(c, first)| Mutex::new((first..m.min(first + share), c)))
            .collect(),
        parts: (0..m.div_ceil(share))
            .map(|_| RwLock::new(Vec::new()))
            .collect(),
    };
    // A broken team means a panic, which `team::run` passes on.
    let work = |member: Member<'_>| {
        let _: Result<(), Broken> = product.work(&member);
    };
    team::run(product.parts.len(), work, work);
}

/// The product of a few rows: whole lines of columns from B as it lies, the columns left over from a packed panel.
fn few_rows(isa: Isa, a: MatRef<'_>, b: MatRef<'_>, c: &mut MatMut<'_>, output: Output<'_>) {
    let (k, n, stride) = (b.rows(), b.cols(), c.row_stride());
    let add = matches!(output, Output::Accumulate);
    isa.dispatch(FewRows {
        a,
        b,
        c: c.reborrow(),
        add,
    });
    let whole = n / LINE * LINE;
    if whole < n {
        let mut lines = Vec::new();
        pack::pack_into(Operand::Plain(b), 0..k, whole..n, &mut lines);
        isa.dispatch(RowsByPanels {
            a: a.data(),
            a_stride: a.row_stride(),
            rows: a.rows(),
            segments: &[Segment {
                len: k,
                lines: &lines,
            }],
            c: &mut c.data()[whole..],
            c_stride: stride,
            n: n - whole,
            padded: false,
            add,
            epilogue: Epilogue::default(),
        });
    }
    if let Output::Activate(bias, activation) = output {
        let line = &mut Aligned::zeroed(padded(n));
        isa.dispatch(BiasActivation {
            c: c.reborrow(),
            bias,
            activation,
            line,
        });
    }
}

/// Work below which a further thread does not pay: it takes some 20 microseconds to start one.
const MULTIPLY_ADDS_PER_THREAD: usize = 4 << 20;

/// What the threads of one product share: each owns some rows of C and packs a part of each block of B.
struct Product<'a> {
    isa: Isa,
    a: Operand<'a>,
    b: Operand<'a>,
    output: Output<'a>,
    stride: usize,
    rows: Vec<Mutex<(Range<usize>, &'a mut [f32])>>,
    parts: Vec<RwLock<Vec<[f32; LINE]>>>,
}

impl Product<'_> {
    fn work(&self, member: &Member<'_>) -> Result<(), Broken> {
        let (k, n) = (self.b.rows(), self.b.cols());
        let mut own = self.rows[member.index()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (rows, c) = &mut *own;
        let (rows, accumulate) = (rows.clone(), matches!(self.output, Output::Accumulate));
        let mut strip = match self.a {
            Operand::Plain(_) => Aligned::zeroed(0),
            Operand::Transposed(_) => Aligned::zeroed(k.min(KB) * GROUP),
        };
        let nc = columns_in_l2(Caches::of_this_machine());
        for jc in (0..n).step_by(nc) {
            let columns = jc..n.min(jc + nc);
            // Without a reduction the product is zero, and is still to be written.
            for pc in (0..k.max(1)).step_by(KB) {
                let steps = pc..k.min(pc + KB);
                let part = |index| {
                    let share = team::share(columns.len(), LINE, index, member.size());
                    jc + share.start..jc + share.end
                };
                {
                    let mut own = self.parts[member.index()]
                        .write()
                        .unwrap_or_else(PoisonError::into_inner);
                    pack::pack_into(self.b, steps.clone(), part(member.index()), &mut own);
                }
                member.wait()?;
                for (index, lines) in self.parts.iter().enumerate() {
                    let (columns, lines) = (
                        part(index),
                        lines.read().unwrap_or_else(PoisonError::into_inner),
                    );
                    let block = Block {
                        columns,
                        steps: steps.clone(),
                        lines: &lines,
                        add: accumulate || pc > 0,
                    };
                    self.multiply(&rows, c, &block, &mut strip);
                }
                member.wait()?;
            }
        }
        if let Output::Activate(bias, activation) = self.output {
            let c = MatMut::new(c, rows.len(), n, self.stride);
            self.isa.dispatch(BiasActivation {
                c,
                bias,
                activation,
                line: &mut Aligned::zeroed(padded(n)),
            });
        }
        Ok(())
    }

    /// One block of B times these rows of A, into or onto these rows of C.
    fn multiply(&self, rows: &Range<usize>, c: &mut [f32], block: &Block<'_>, strip: &mut [f32]) {
        let Block {
            columns,
            steps,
            lines,
            add,
        } = block;
        if columns.is_empty() {
            return;
        }
        match self.a {
            Operand::Plain(a) => self.isa.dispatch(RowsByPanels {
                a: &a.data()[(rows.start * a.row_stride() + steps.start).min(a.data().len())..],
                a_stride: a.row_stride(),
                rows: rows.len(),
                segments: &[Segment {
                    len: steps.len(),
                    lines,
                }],
                c: &mut c[columns.start..],
                c_stride: self.stride,
                n: columns.len(),
                padded: false,
                add: *add,
                epilogue: Epilogue::default(),
            }),
            Operand::Transposed(a) => self.isa.dispatch(ColumnsByPanels {
                pieces: &[Rows {
                    a: &a.data()[(steps.start * a.row_stride()).min(a.data().len())..],
                    stride: a.row_stride(),
                    len: steps.len(),
                    lines,
                }],
                columns: rows.clone(),
                panels: columns.len().div_ceil(LINE),
                packed: strip,
                sink: IntoMatrix {
                    first: rows.start,
                    c: MatMut::new(
                        &mut c[columns.start..],
                        rows.len(),
                        columns.len(),
                        self.stride,
                    ),
                    add: *add,
                },
            }),
        }
    }
}

/// A block of B, packed: columns of C and steps of the reduction.
struct Block<'a> {
    columns: Range<usize>,
    steps: Range<usize>,
    lines: &'a [[f32; LINE]],
    add: bool,
}

/// Puts the strips into C.
struct IntoMatrix<'a> {
    c: MatMut<'a>,
    first: usize,
    add: bool,
}

impl Sink for IntoMatrix<'_> {
    #[inline(always)]
    fn begin(&mut self, i: usize, j: usize, strip: &mut [[f32; LINE]]) -> bool {
        if self.add {
            let width = LINE.min(self.c.cols() - j * LINE);
            for (r, line) in strip.iter_mut().enumerate() {
                line[..width].copy_from_slice(&self.c.row(i - self.first + r)[j * LINE..][..width]);
            }
        }
        self.add
    }

    #[inline(always)]
    fn take<S: Simd>(&mut self, _: S, i: usize, j: usize, strip: &mut [[f32; LINE]]) {
        let width = LINE.min(self.c.cols() - j * LINE);
        for (r, line) in strip.iter().enumerate() {
            let row = &mut self.c.row(i - self.first + r)[j * LINE..][..width];
            row.copy_from_slice(&line[..width]);
        }
    }
}

/// c = f(c + bias) for rows without padding, by way of one padded line.
struct BiasActivation<'a> {
    c: MatMut<'a>,
    bias: &'a [f32],
    activation: Activation,
    line: &'a mut [f32],
}

impl pulp::WithSimd for BiasActivation<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for r in 0..self.c.rows() {
            let row = self.c.row(r);
            for ((z, c), bias) in self.line.iter_mut().zip(&*row).zip(self.bias) {
                *z = c + bias;
            }
            let n = row.len();
            activation_forward(simd, self.activation, self.line, n);
            row.copy_from_slice(&self.line[..n]);
        }
    }
}
