//! The product of [`gemm`](super::gemm()) on some threads: block by block of B they pack it, part by part, then multiply
//! rows of A by it, each thread taking the next part or the next rows as soon as it is free.

use std::ops::Range;
use std::sync::{Mutex, PoisonError, RwLock};

use super::alone::{NARROW, NEAR_ROWS, TALL, WIDE};
use super::blocking::{Caches, KB, columns_in_l2};
use super::claims::Claims;
use super::columns::{ColumnsByPanels, GROUP, Rows};
use super::epilogue::Epilogue;
use super::macrokernel::{RowsByPanels, Segment};
use super::{IntoMatrix, Operand, Output, activate, pack};
use crate::isa::Isa;
use crate::team::{self, Broken, Member};
use crate::tensor::matrix::{Aligned, LINE, MatMut, padded};

/// Work below which a further thread does not pay: some 50 microseconds pass until it begins.
const MULTIPLY_ADDS_PER_THREAD: usize = 4 << 20;

/// Columns of B in a block for several threads or for large products: 4 MiB, for the third-level cache.
const SHARED_COLUMNS: usize = 2048;

/// Cuts the rows of C into what a thread takes at a time: first many, then fewer and fewer, for none to be waited for long
/// at the end (Polychronopoulos & Kuck 1987).
fn cut(c: MatMut<'_>, threads: usize) -> Vec<Mutex<(Range<usize>, &mut [f32])>> {
    let (m, stride) = (c.rows(), c.row_stride());
    let (mut rest, mut pieces, mut first) = (c.into_data(), Vec::new(), 0);
    while first < m {
        let left = m - first;
        let share = match threads {
            1 => left,
            _ => (left / (2 * threads))
                .next_multiple_of(GROUP)
                .max(GROUP)
                .min(left),
        };
        let (piece, tail) = rest.split_at_mut((share * stride).min(rest.len()));
        pieces.push(Mutex::new((first..first + share, piece)));
        (rest, first) = (tail, first + share);
    }
    pieces
}

/// So many of the threads as have enough to do.
pub(super) fn threads_that_pay(threads: usize, [m, k, n]: [usize; 3]) -> usize {
    let pay = m * k * n / MULTIPLY_ADDS_PER_THREAD;
    threads.min(pay).clamp(1, team::MOST_THREADS)
}

/// C = A B in one of the forms of [`Output`], on `threads` threads.
pub(super) fn multiply(
    isa: Isa,
    threads: usize,
    a: Operand<'_>,
    b: Operand<'_>,
    c: MatMut<'_>,
    output: Output<'_>,
) {
    let (m, n) = (a.rows(), b.cols());
    let alone = threads == 1;
    let stride = c.row_stride();
    let part = columns_in_l2(Caches::of_this_machine());
    let is_large = n > WIDE && m > TALL;
    // Alone with a part of B that it has packed, a thread has it in its second-level cache.
    let across = match a {
        Operand::Plain(_) if alone && !is_large => part,
        _ => SHARED_COLUMNS.next_multiple_of(part),
    };
    let product = Product {
        isa,
        a,
        b,
        output,
        stride,
        is_large,
        part,
        parts: (0..across.min(n).div_ceil(part))
            .map(|_| RwLock::new(Aligned::zeroed(0)))
            .collect(),
        rows: cut(c, threads),
    };
    let blocks = product.blocks(across);
    // A broken team means a panic, which `team::run` passes on.
    let work = |member: Member<'_>| {
        let mut room = Vec::new();
        let _: Result<(), Broken> = blocks
            .iter()
            .try_for_each(|block| product.work(&member, block, &mut room));
    };
    team::run(threads, work, work);
}

/// What the threads of one product share.
struct Product<'a> {
    isa: Isa,
    a: Operand<'a>,
    b: Operand<'a>,
    output: Output<'a>,
    stride: usize,
    /// Whether to bring A near pays even where its rows could be read as they lie. (Where there are few, a part of B that
    /// has just been packed had better stay in the second-level cache.)
    is_large: bool,
    /// Columns in one part of a block of B, and the parts, packed.
    part: usize,
    parts: Vec<RwLock<Aligned>>,
    rows: Vec<Mutex<(Range<usize>, &'a mut [f32])>>,
}

/// A block of B: columns and steps of the reduction; its parts are packed, then rows of A are multiplied by it.
struct Block {
    columns: Range<usize>,
    steps: Range<usize>,
    add: bool,
    is_last: bool,
    packing: Claims,
    multiplying: Claims,
}

impl Product<'_> {
    /// The blocks of B, each of so many columns, in the order in which their products are added.
    fn blocks(&self, across: usize) -> Vec<Block> {
        let (k, n) = (self.b.rows(), self.b.cols());
        let accumulate = matches!(self.output, Output::Accumulate);
        let columns = (0..n).step_by(across).map(|jc| jc..n.min(jc + across));
        columns
            .flat_map(|columns| {
                // Without a reduction the product is zero, and is still to be written.
                (0..k.max(1)).step_by(KB).map(move |pc| Block {
                    packing: Claims::new(columns.len().div_ceil(self.part)),
                    multiplying: Claims::new(self.rows.len()),
                    is_last: columns.end == n && pc + KB >= k,
                    columns: columns.clone(),
                    steps: pc..k.min(pc + KB),
                    add: accumulate || pc > 0,
                })
            })
            .collect()
    }

    /// The columns of a part.
    fn columns(&self, block: &Block, index: usize) -> Range<usize> {
        let first = block.columns.start + index * self.part;
        first..block.columns.end.min(first + self.part)
    }

    /// As much of a block as falls to this thread.
    fn work(&self, member: &Member<'_>, block: &Block, room: &mut Vec<f32>) -> Result<(), Broken> {
        block.packing.work(member, |index| {
            let mut lines = self.parts[index]
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            let (steps, columns) = (block.steps.clone(), self.columns(block, index));
            let len = padded(columns.len()) * steps.len();
            if lines.len() < len {
                *lines = Aligned::zeroed(len);
            }
            pack::pack_into(self.b, steps, columns, lines.as_chunks_mut().0);
        })?;
        block.multiplying.work(member, |index| {
            let mut rows = self.rows[index]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let (rows, c) = &mut *rows;
            self.multiply(rows, c, block, room);
            if block.is_last {
                let c = MatMut::new(c, rows.len(), self.b.cols(), self.stride);
                activate(self.isa, c, self.output);
            }
        })
    }

    /// These rows of A times a block of B, into or onto these rows of C.
    fn multiply(&self, rows: &Range<usize>, c: &mut [f32], block: &Block, room: &mut Vec<f32>) {
        let steps = &block.steps;
        match self.a {
            Operand::Plain(a) if !self.is_large => {
                let a = (a.data_from(rows.start, steps.start), a.row_stride());
                self.by_rows(a, rows.len(), c, block);
            }
            Operand::Transposed(a) if self.b.cols() <= NARROW => {
                room.resize(steps.len() * GROUP, 0.0);
                let a = (a.data_from(steps.start, 0), a.row_stride());
                self.by_columns(a, rows, c, block, room);
            }
            a => {
                let firsts = rows.clone().step_by(NEAR_ROWS);
                for (first, c) in firsts.zip(c.chunks_mut(NEAR_ROWS * self.stride)) {
                    let rows = first..rows.end.min(first + NEAR_ROWS);
                    let stride = pack::rows_into(a, rows.clone(), steps.clone(), room);
                    self.by_rows((room, stride), rows.len(), c, block);
                }
            }
        }
    }

    /// The columns and the lines of each part of a block, all of which are packed.
    fn each_part(&self, block: &Block, mut each: impl FnMut(Range<usize>, &[[f32; LINE]])) {
        for (index, lines) in self.parts.iter().enumerate() {
            let columns = self.columns(block, index);
            if columns.is_empty() {
                break;
            }
            let lines = lines.read().unwrap_or_else(PoisonError::into_inner);
            each(columns, lines.as_chunks().0);
        }
    }

    /// So many rows of A, a stride apart.
    fn by_rows(&self, (a, a_stride): (&[f32], usize), rows: usize, c: &mut [f32], block: &Block) {
        self.each_part(block, |columns, lines| {
            self.isa.dispatch(RowsByPanels {
                a,
                a_stride,
                rows,
                segments: &[Segment {
                    len: block.steps.len(),
                    lines,
                }],
                c: &mut c[columns.start..],
                c_stride: self.stride,
                n: columns.len(),
                padded: false,
                add: block.add,
                epilogue: Epilogue::default(),
            });
        });
    }

    /// Rows of A that are columns of what lies there, rows a stride apart.
    fn by_columns(
        &self,
        (a, stride): (&[f32], usize),
        rows: &Range<usize>,
        c: &mut [f32],
        block: &Block,
        packed: &mut [f32],
    ) {
        self.each_part(block, |columns, lines| {
            let (m, n) = (rows.len(), columns.len());
            self.isa.dispatch(ColumnsByPanels {
                pieces: &[Rows {
                    a,
                    stride,
                    len: block.steps.len(),
                    lines,
                }],
                columns: rows.clone(),
                panels: n.div_ceil(LINE),
                packed,
                sink: IntoMatrix {
                    first: rows.start,
                    c: MatMut::new(&mut c[columns.start..], m, n, self.stride),
                    add: block.add,
                },
            });
        });
    }
}
