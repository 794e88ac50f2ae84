//! How fast is a matrix product: naive loops, our tiles without SIMD, each instruction set, one thread and two?
//!
//! The throughput is in floating-point operations (two for each multiply-add): Gelem/s are GFLOP/s. What one core and two
//! can do at most is printed first. Shapes are m x n x k, C being m x n; all are A B, "A^T", "B^T" with that operand stored as
//! its transpose. B is packed within the time measured,
//! except where it says "packed": so a network runs, whose weights stay packed; "columns" is the weight gradient's product,
//! of the transpose of what A is to be, B being packed. Two threads are started for each product, except for "a team of 2",
//! which computes one after the other, as a fit does. Every product is compared with the oracle
//! before it is timed: ours to the bit, others within the error that any order of summation may have.
//!
//! `cargo bench --bench gemm --features peers` has the crates gemm, faer and matrixmultiply beside ours.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use mlp_benches::{is_measuring, print_peaks};
use mlp_core::Isa;
use mlp_core::isa::pulp::Simd;
use mlp_core::team::{self, Member};
use mlp_core::tensor::gemm::{
    ColumnsByPanels, Epilogue, GROUP, Operand, Output, Panels, Product, Rows, RowsByPanels,
    Segment, Sink, gemm,
};
use mlp_core::tensor::{LINE, MatRef, Matrix, padded};
use oracle::gemm::{gemm_chain, gemm_f64, gemm_naive, gemm_naive_by_rows};
use oracle::rng::Rng;
use oracle::tolerance::sum_bound;

/// Cubes; the products of small and wide layers, forward, weight gradient and input gradient; narrow ones; few rows.
const SHAPES: [[usize; 3]; 21] = [
    [64, 64, 64],
    [128, 128, 128],
    [256, 256, 256],
    [512, 512, 512],
    [1024, 1024, 1024],
    [2048, 2048, 2048],
    [128, 64, 784],
    [64, 784, 128],
    [32, 64, 784],
    [32, 64, 64],
    [128, 785, 784],
    [785, 784, 128],
    [128, 784, 785],
    [512, 512, 784],
    [256, 2000, 2500],
    [4096, 785, 784],
    [128, 10, 64],
    [5906, 6, 784],
    [1, 128, 784],
    [1, 64, 784],
    [4, 64, 784],
];

/// Multiply-adds up to which the naive loops are timed (256^3), and the true scalar `mul_add` (128^3).
const NAIVE_LIMIT: usize = 1 << 24;
const SCALAR_LIMIT: usize = 1 << 21;

/// Rows of each product that are compared with the oracle.
const CHECKED: usize = 3;

/// The operands of one product, dense and padded.
struct Operands {
    shape: [usize; 3],
    a: Vec<f32>,
    b: Vec<f32>,
    a_padded: Matrix,
    /// The transpose, its rows an odd number of lines apart, as a fit has them.
    a_turned: Matrix,
    b_padded: Matrix,
    b_turned: Matrix,
    b_packed: Panels,
    /// Some rows of the product as the oracle has them.
    rows: Vec<(usize, Vec<f32>)>,
}

impl Operands {
    fn new([m, n, k]: [usize; 3]) -> Self {
        let mut rng = Rng::new(1);
        let (a, b) = (rng.uniform(m * k, -1.0, 1.0), rng.uniform(k * n, -1.0, 1.0));
        let b_padded = Matrix::from_vec(k, n, &b);
        let row = |i| {
            let at_a = |_, p| a[i * k + p];
            (i, gemm_chain([1, n, k], at_a, |p, j| b[p * n + j], None))
        };
        Self {
            rows: (0..m).step_by(m.div_ceil(CHECKED)).map(row).collect(),
            shape: [m, n, k],
            a_padded: Matrix::from_vec(m, k, &a),
            a_turned: Matrix::from_fn(k, (m.div_ceil(LINE) | 1) * LINE, |p, i| {
                if i < m { a[i * k + p] } else { 0.0 }
            }),
            b_turned: Matrix::from_fn(n, k, |j, p| b[p * n + j]),
            b_packed: Panels::pack(Operand::Plain(b_padded.view())),
            b_padded,
            a,
            b,
        }
    }

    /// The product, once; a team would be started for it.
    fn run(&self, isa: Isa, how: How, room: &mut Room) {
        match how {
            How::Packed => self.run_packed(isa, &mut room.c),
            How::Columns => self.run_columns(isa, room),
            How::Team => drop(self.time_of_team(isa, 1, &mut room.c)),
            How::Threads(threads) => {
                let (a, b) = self.operands();
                gemm(isa, threads, a, b, room.c.view_mut(), Output::Overwrite);
            }
            How::TurnedA => {
                let ([m, _, k], a) = (self.shape, &self.a_turned);
                let a = MatRef::new(a.view().data(), k, m, a.row_stride());
                let (a, b) = (Operand::Transposed(a), self.operands().1);
                gemm(isa, 1, a, b, room.c.view_mut(), Output::Overwrite);
            }
            How::TurnedB => {
                let (a, b) = (self.operands().0, Operand::Transposed(self.b_turned.view()));
                gemm(isa, 1, a, b, room.c.view_mut(), Output::Overwrite);
            }
        }
    }

    fn operands(&self) -> (Operand<'_>, Operand<'_>) {
        let (a, b) = (self.a_padded.view(), self.b_padded.view());
        (Operand::Plain(a), Operand::Plain(b))
    }

    /// How long a team of two takes for so many products, after as many that are not counted.
    fn time_of_team(&self, isa: Isa, products: u64, c: &mut Matrix) -> Duration {
        let [m, n, k] = self.shape;
        let product = Product::new(isa, 2, [m, k, n], c.view_mut(), Output::Overwrite);
        let work = |member: &Member<'_>| {
            for _ in 0..products {
                let (a, b) = black_box(self).operands();
                product.work(member, a, b).expect("nobody panics");
            }
        };
        let lead = |member: Member<'_>| {
            work(&member);
            let start = Instant::now();
            work(&member);
            start.elapsed()
        };
        let follow = |member: Member<'_>| {
            work(&member);
            work(&member);
        };
        team::run(2, lead, follow)
    }

    fn run_columns(&self, isa: Isa, room: &mut Room) {
        let [m, n, k] = self.shape;
        isa.dispatch(ColumnsByPanels {
            pieces: &[Rows {
                a: self.a_turned.view().data(),
                stride: self.a_turned.row_stride(),
                len: k,
                lines: self.b_packed.lines(),
            }],
            columns: 0..m,
            panels: n.div_ceil(LINE),
            packed: &mut room.packed,
            sink: Strips {
                lines: &mut room.lines,
                rows: m,
            },
        });
    }

    fn run_packed(&self, isa: Isa, c: &mut Matrix) {
        let [m, n, k] = self.shape;
        let c_stride = c.row_stride();
        isa.dispatch(RowsByPanels {
            a: self.a_padded.view().data(),
            a_stride: self.a_padded.row_stride(),
            rows: m,
            segments: &[Segment {
                len: k,
                lines: self.b_packed.lines(),
            }],
            c: c.view_mut().data(),
            c_stride,
            n,
            padded: true,
            add: false,
            epilogue: Epilogue::default(),
        });
    }

    /// Some rows of somebody else's product: near the exact one.
    fn check_near(&self, name: &str, c: &[f32]) {
        let [m, n, k] = self.shape;
        for i in (0..m).step_by(m.div_ceil(CHECKED)) {
            let a = |_, p| self.a[i * k + p];
            let exact = gemm_f64([1, n, k], a, |p, j| self.b[p * n + j], None);
            for (&have, want) in c[i * n..].iter().zip(exact) {
                let error = (f64::from(have) - want.value).abs();
                assert!(
                    error <= sum_bound(k, want.sum_abs),
                    "{:?}, {name}, row {i}: {have}, not {}",
                    self.shape,
                    want.value
                );
            }
        }
    }

    /// Some rows of the product against the oracle.
    fn check(&self, isa: Isa, how: How) {
        let [m, n, _] = self.shape;
        let mut room = Room::new(self.shape, f32::NAN);
        self.run(isa, how, &mut room);
        for (i, want) in &self.rows {
            let line = |j: usize| room.lines[j / LINE * m + i][j % LINE];
            let have: Vec<f32> = match how {
                How::Columns => (0..n).map(line).collect(),
                _ => room.c.row(*i).to_vec(),
            };
            assert_eq!(&have, want, "{:?} on {isa}, {how:?}, row {i}", self.shape);
        }
    }
}

/// In which way ours is computed.
#[derive(Clone, Copy, Debug)]
enum How {
    Packed,
    Columns,
    Threads(usize),
    TurnedA,
    TurnedB,
    Team,
}

const WAYS: [(How, &str); 7] = [
    (How::Packed, "packed"),
    (How::Columns, "columns"),
    (How::Threads(1), "1 thread"),
    (How::TurnedA, "1 thread, A^T"),
    (How::TurnedB, "1 thread, B^T"),
    (How::Threads(2), "2 threads"),
    (How::Team, "a team of 2"),
];

/// Where products go.
struct Room {
    c: Matrix,
    /// C by panels.
    lines: Vec<[f32; LINE]>,
    packed: Vec<f32>,
}

impl Room {
    fn new([m, n, k]: [usize; 3], value: f32) -> Self {
        Self {
            c: Matrix::from_fn(m, n, |_, _| value),
            lines: vec![[value; LINE]; m * padded(n) / LINE],
            packed: vec![0.0; k * GROUP],
        }
    }
}

/// Puts the strips into panels, as weights lie.
struct Strips<'a> {
    lines: &'a mut [[f32; LINE]],
    rows: usize,
}

impl Sink for Strips<'_> {
    #[inline(always)]
    fn take<S: Simd>(&mut self, _: S, i: usize, j: usize, strip: &mut [[f32; LINE]]) {
        self.lines[j * self.rows + i..][..strip.len()].copy_from_slice(strip);
    }
}

fn bench(criterion: &mut Criterion) {
    for shape in SHAPES {
        let [m, n, k] = shape;
        let work = m * n * k;
        let operands = Operands::new(shape);
        let mut group = criterion.benchmark_group(format!("gemm {m}x{n}x{k}"));
        group.throughput(Throughput::Elements(2 * work as u64));
        if work >= NAIVE_LIMIT >> 3 {
            group.sampling_mode(SamplingMode::Flat);
        }
        if work <= NAIVE_LIMIT && (is_measuring() || work <= SCALAR_LIMIT) {
            let Operands { a, b, .. } = &operands;
            let mut c = vec![f32::NAN; m * n];
            let dot_products = |a: &[f32], b: &[f32], c: &mut [f32]| {
                gemm_naive(shape, |i, p| a[i * k + p], |p, j| b[p * n + j], c);
            };
            let along_rows = |a: &[f32], b: &[f32], c: &mut [f32]| {
                gemm_naive_by_rows(shape, |i, p| a[i * k + p], |p| &b[p * n..][..n], c);
            };
            dot_products(a, b, &mut c);
            operands.check_near("naive, dot products", &c);
            group.bench_function("naive, dot products", |bencher| {
                bencher.iter(|| dot_products(black_box(a), black_box(b), &mut c));
            });
            along_rows(a, b, &mut c);
            operands.check_near("naive, along rows", &c);
            group.bench_function("naive, along rows", |bencher| {
                bencher.iter(|| along_rows(black_box(a), black_box(b), &mut c));
            });
        }
        let mut room = Room::new(shape, 0.0);
        for isa in Isa::available() {
            if isa == Isa::SCALAR && work > SCALAR_LIMIT {
                continue;
            }
            for (how, name) in WAYS {
                operands.check(isa, how);
                let id = BenchmarkId::new(isa.name(), name);
                group.bench_function(id, |bencher| match how {
                    How::Team => bencher
                        .iter_custom(|products| operands.time_of_team(isa, products, &mut room.c)),
                    _ => bencher.iter(|| black_box(&operands).run(isa, how, &mut room)),
                });
            }
        }
        #[cfg(feature = "peers")]
        for threads in [1, 2] {
            for (name, product) in mlp_benches::peers::peers(threads) {
                let Operands { a, b, .. } = &operands;
                let mut c = vec![f32::NAN; m * n];
                product(shape, a, b, &mut c, threads);
                operands.check_near(name, &c);
                let id = BenchmarkId::new(name, format!("{threads} threads"));
                group.bench_function(id, |bencher| {
                    bencher.iter(|| product(shape, black_box(a), black_box(b), &mut c, threads));
                });
            }
        }
        group.finish();
    }
}

fn main() {
    print_peaks();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(600))
        .configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}
