//! The product of [`gemm`](super::gemm()) on some threads: each owns rows of C; they pack a block of B together, then each
//! multiplies its rows of A by it.

use std::ops::Range;
use std::sync::{Mutex, PoisonError, RwLock};

use pulp::Simd;

use super::blocking::{Caches, KB, columns_in_l2};
use super::epilogue::Epilogue;
use super::macrokernel::{ColumnsByPanels, GROUP, Rows, RowsByPanels, Segment, Sink};
use super::{BiasActivation, Operand, Output, pack};
use crate::isa::Isa;
use crate::team::{self, Broken, Member};
use crate::tensor::matrix::{Aligned, LINE, MatMut, padded};

/// Work below which a further thread does not pay: it takes some 20 microseconds to start one.
const MULTIPLY_ADDS_PER_THREAD: usize = 3 << 19;

/// Columns of B that several threads pack together before each multiplies its rows: 4 MiB, for the third-level cache.
const SHARED_COLUMNS: usize = 2048;

/// Up to this many columns of B a transposed A is read where it lies: to bring it into rows costs a cycle a number, the
/// product n / 16.
const NARROW: usize = 128;

/// From more columns of B on, some rows of A at a time are brought near, KB steps of each: they are read once for every
/// 16 columns, and far apart they contend for the same places in the caches.
const WIDE: usize = 512;

/// And this many rows.
const TALL: usize = 256;

/// So many rows, which then lie in the second-level cache.
const NEAR_ROWS: usize = 96;

/// C = A B in one of the forms of [`Output`], on at most `threads` threads.
pub(super) fn multiply(
    isa: Isa,
    threads: usize,
    a: Operand<'_>,
    b: Operand<'_>,
    c: MatMut<'_>,
    output: Output<'_>,
) {
    let (m, k, n) = (a.rows(), a.cols(), b.cols());
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
            .map(|_| RwLock::new(Aligned::zeroed(0)))
            .collect(),
    };
    // A broken team means a panic, which `team::run` passes on.
    let work = |member: Member<'_>| {
        let _: Result<(), Broken> = product.work(&member);
    };
    team::run(product.parts.len(), work, work);
}

/// What the threads of one product share: each owns some rows of C and packs a part of each block of B.
struct Product<'a> {
    isa: Isa,
    a: Operand<'a>,
    b: Operand<'a>,
    output: Output<'a>,
    stride: usize,
    rows: Vec<Mutex<(Range<usize>, &'a mut [f32])>>,
    parts: Vec<RwLock<Aligned>>,
}

/// A block of B, packed: steps of the reduction; and by parts, columns of C.
struct Block<'a> {
    steps: Range<usize>,
    parts: Vec<(Range<usize>, &'a [[f32; LINE]])>,
    add: bool,
}

impl Product<'_> {
    fn work(&self, member: &Member<'_>) -> Result<(), Broken> {
        let (k, n) = (self.b.rows(), self.b.cols());
        let mut own = self.rows[member.index()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (rows, c) = &mut *own;
        let accumulate = matches!(self.output, Output::Accumulate);
        let mut room = Vec::new();
        let nc = match self.a {
            // Alone with its block of B, a thread has it in its second-level cache.
            Operand::Plain(_) if member.size() == 1 && !self.is_large() => {
                columns_in_l2(Caches::of_this_machine())
            }
            _ => SHARED_COLUMNS,
        };
        for jc in (0..n).step_by(nc) {
            let part = |index| {
                let share = team::share(nc.min(n - jc), LINE, index, member.size());
                jc + share.start..jc + share.end
            };
            // Without a reduction the product is zero, and is still to be written.
            for pc in (0..k.max(1)).step_by(KB) {
                let steps = pc..k.min(pc + KB);
                self.pack(member.index(), steps.clone(), part(member.index()));
                member.wait()?;
                let locks: Vec<_> = self
                    .parts
                    .iter()
                    .map(|part| part.read().unwrap_or_else(PoisonError::into_inner))
                    .collect();
                let parts = locks.iter().enumerate();
                let block = Block {
                    parts: parts
                        .map(|(i, lock)| (part(i), lock.as_chunks().0))
                        .collect(),
                    steps,
                    add: accumulate || pc > 0,
                };
                self.multiply(rows, c, &block, &mut room);
                drop(locks);
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

    /// Packs a part of B.
    fn pack(&self, index: usize, steps: Range<usize>, columns: Range<usize>) {
        let mut lines = self.parts[index]
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let len = padded(columns.len()) * steps.len();
        if lines.len() < len {
            *lines = Aligned::zeroed(len);
        }
        pack::pack_into(self.b, steps, columns, lines.as_chunks_mut().0);
    }

    /// These rows of A times a block of B, into or onto these rows of C.
    fn multiply(&self, rows: &Range<usize>, c: &mut [f32], block: &Block<'_>, room: &mut Vec<f32>) {
        let steps = &block.steps;
        match self.a {
            Operand::Plain(a) if !self.is_large() => {
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

    /// Whether to bring A near pays even where its rows could be read as they lie. (Where there are few, a block of B
    /// that has just been packed had better stay in the second-level cache.)
    fn is_large(&self) -> bool {
        self.b.cols() > WIDE && self.a.rows() > TALL
    }

    /// So many rows of A, a stride apart.
    fn by_rows(
        &self,
        (a, a_stride): (&[f32], usize),
        rows: usize,
        c: &mut [f32],
        block: &Block<'_>,
    ) {
        for (columns, lines) in &block.parts {
            if columns.is_empty() {
                continue;
            }
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
        }
    }

    /// Rows of A that are columns of what lies there, rows a stride apart.
    fn by_columns(
        &self,
        (a, stride): (&[f32], usize),
        rows: &Range<usize>,
        c: &mut [f32],
        block: &Block<'_>,
        packed: &mut [f32],
    ) {
        for (columns, lines) in &block.parts {
            if columns.is_empty() {
                continue;
            }
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
        }
    }
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
