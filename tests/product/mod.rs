//! One matrix product in every way that its matrices may lie in memory.

use mlp_core::Isa;
use mlp_core::tensor::gemm::{Operand, Output, gemm};
use mlp_core::tensor::{LINE, MatMut, MatRef, Matrix};
use oracle::gemm::gemm_chain;
use oracle::rng::Rng;
use oracle::ulp::all_same;

/// What lies between the rows of C, and must stay.
const SENTINEL: f32 = 12345.0;

/// A rows x cols matrix whose rows are `gap` further apart than they are long, NaN lying between.
struct Stored {
    data: Vec<f32>,
    /// Where in `data` it begins.
    begin: usize,
    rows: usize,
    cols: usize,
    gap: usize,
}

impl Stored {
    /// As `values` has it row by row, or its transpose so stored. The slice ends with the last element.
    fn new(values: &[f32], rows: usize, cols: usize, transposed: bool, gap: usize) -> Self {
        let (height, width) = if transposed {
            (cols, rows)
        } else {
            (rows, cols)
        };
        let mut data = Vec::new();
        for r in 0..height {
            for c in 0..width {
                data.push(if transposed {
                    values[c * cols + r]
                } else {
                    values[r * cols + c]
                });
            }
            if r + 1 < height {
                data.extend(vec![f32::NAN; gap]);
            }
        }
        Self {
            data,
            begin: 0,
            rows: height,
            cols: width,
            gap,
        }
    }

    /// So stored that it begins with number `at` of a line of memory, NaN lying before.
    fn beginning(self, at: usize) -> Self {
        let mut data = vec![f32::NAN; self.data.len() + 2 * LINE];
        let begin = data.as_ptr().align_offset(size_of::<[f32; LINE]>()) + at;
        data[begin..][..self.data.len()].copy_from_slice(&self.data);
        data.truncate(begin + self.data.len());
        Self {
            data,
            begin,
            ..self
        }
    }

    fn operand(&self, transposed: bool) -> Operand<'_> {
        let data = &self.data[self.begin..];
        let view = MatRef::new(data, self.rows, self.cols, self.cols + self.gap);
        if transposed {
            Operand::Transposed(view)
        } else {
            Operand::Plain(view)
        }
    }
}

/// One product: its shape, its values row by row, how it is stored.
pub(crate) struct Case {
    /// m, n, k.
    pub(crate) shape: [usize; 3],
    pub(crate) a: Vec<f32>,
    pub(crate) b: Vec<f32>,
    /// What C holds before.
    c: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    form: (bool, bool),
    gap: usize,
    /// With which number of a line of memory B begins, if it matters.
    pub(crate) b_begins: Option<usize>,
}

impl Case {
    pub(crate) fn new(
        shape: [usize; 3],
        form: (bool, bool),
        gap: usize,
        fill: impl FnMut(usize) -> Vec<f32>,
    ) -> Self {
        let ([m, n, k], mut fill) = (shape, fill);
        Self {
            shape,
            a: fill(m * k),
            b: fill(k * n),
            c: fill(m * n),
            bias: fill(n),
            form,
            gap,
            b_begins: None,
        }
    }

    pub(crate) fn uniform(shape: [usize; 3], form: (bool, bool), gap: usize) -> Self {
        let [m, n, k] = shape;
        let mut rng = Rng::new((m * 1_000_003 + n * 1009 + k) as u64);
        Self::new(shape, form, gap, |len| rng.uniform(len, -1.0, 1.0))
    }

    /// What the contract says, added to C where `accumulate`.
    pub(crate) fn chain(&self, accumulate: bool) -> Vec<f32> {
        let [_, n, k] = self.shape;
        gemm_chain(
            self.shape,
            |i, p| self.a[i * k + p],
            |p, j| self.b[p * n + j],
            accumulate.then_some(&self.c),
        )
    }

    /// What the core gives, in a C that has something between its rows that must stay, or nothing, where that is no gap:
    /// then in a padded matrix as well.
    pub(crate) fn run(&self, isa: Isa, threads: usize, output: Output<'_>) -> Vec<f32> {
        let [m, n, k] = self.shape;
        let a = Stored::new(&self.a, m, k, self.form.0, self.gap);
        let mut b = Stored::new(&self.b, k, n, self.form.1, self.gap);
        if let Some(at) = self.b_begins {
            b = b.beginning(at);
        }
        let (a, b) = (a.operand(self.form.0), b.operand(self.form.1));
        // What is overwritten must not be read.
        let old = |at: usize| match output {
            Output::Accumulate => self.c[at],
            _ => f32::NAN,
        };
        let stride = n + self.gap;
        let mut data: Vec<f32> = (0..m * stride)
            .map(|at| {
                let (i, j) = (at / stride, at % stride);
                if j < n { old(i * n + j) } else { SENTINEL }
            })
            .collect();
        data.truncate(data.len().saturating_sub(self.gap));
        let view = MatMut::new(&mut data, m, n, stride);
        gemm(isa, threads, a, b, view, output);
        let mut c = Vec::new();
        for row in data.chunks(stride.max(1)) {
            c.extend_from_slice(&row[..n]);
            assert!(
                row[n..].iter().all(|&x| x == SENTINEL),
                "{self} on {isa} wrote between the rows of C"
            );
        }
        if self.gap == 0 {
            let mut padded = Matrix::from_fn(m, n, |i, j| old(i * n + j));
            gemm(isa, threads, a, b, padded.view_mut(), output);
            let padding_is_zero = padded
                .view()
                .data()
                .chunks(padded.row_stride().max(1))
                .all(|row| row[n..].iter().all(|&x| x == 0.0));
            assert!(
                padding_is_zero,
                "{self} on {isa}: the padding of C is not zero"
            );
            assert!(
                all_same(&padded.to_vec(), &c),
                "{self} on {isa}: with padding C is another"
            );
        }
        c
    }

    /// The same bits as `want`, on that instruction set and number of threads.
    pub(crate) fn check(&self, isa: Isa, threads: usize, output: Output<'_>, want: &[f32]) {
        let got = self.run(isa, threads, output);
        for (at, (got, want)) in got.iter().zip(want).enumerate() {
            assert_eq!(
                got.to_bits(),
                want.to_bits(),
                "{self} on {isa}, {threads} threads, {output:?}: element {at} is {got:e}, not {want:e}"
            );
        }
        assert_eq!(got.len(), want.len());
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [m, n, k] = self.shape;
        let name = |transposed| if transposed { "^T" } else { "" };
        write!(
            f,
            "A{} B{} of m {m}, n {n}, k {k}, gap {}",
            name(self.form.0),
            name(self.form.1),
            self.gap
        )
    }
}
