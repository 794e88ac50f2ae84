//! No kernel reads or writes beyond its operands: each lies against a page that ends the program when it is touched,
//! once before and once behind, on every instruction set, at sizes round every tile.
//!
//! That the pages are on guard is shown by a second program that runs into one.
#![cfg(unix)]

mod guard;

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use guard::{Against, Guarded};
use mlp_core::dataset::Inputs;
use mlp_core::isa::pulp::{Simd, WithSimd};
use mlp_core::nn::{Network, Scratch};
use mlp_core::optim::{Adam, Optimizer, Penalty, Sgd, Step};
use mlp_core::tensor::activation::{Activation, activation_backward, activation_forward};
use mlp_core::tensor::gemm::{
    ColumnsByPanels, Epilogue, GROUP, KB, Operand, Output, Rows, RowsByPanels, Segment, Sink,
    SparseColumnsByPanels, SparseRowsByPanels, gemm, room_for_lines, room_for_rows,
};
use mlp_core::tensor::matrix::Aligned;
use mlp_core::tensor::reduce::{dot16, max16, sum16};
use mlp_core::tensor::sparse::SparseRows;
use mlp_core::tensor::{LINE, MatMut, MatRef, padded};
use mlp_core::{Isa, Scaling, ScalingKind};
use oracle::rng::Rng;

const SIDES: [Against; 2] = [Against::Front, Against::Back];

/// m, n, k round the tiles of every instruction set, a panel, and a block of the reduction.
const SHAPES: [[usize; 3]; 15] = [
    [1, 1, 1],
    [1, 10, 784],
    [1, 128, 784],
    [1, 100, 9],
    [1, 250, 513],
    [3, 16, 2],
    [4, 17, 5],
    [6, 15, 511],
    [7, 47, 513],
    [8, 48, 16],
    [9, 49, 3],
    [12, 33, 1025],
    [13, 64, 7],
    [49, 5, 31],
    [97, 193, 20],
];

fn noise(rng: &mut Rng, len: usize, against: Against) -> Guarded {
    Guarded::new(&rng.uniform(len, -1.0, 1.0), against)
}

#[test]
fn products_in_every_form() {
    let mut rng = Rng::new(1);
    for [m, n, k] in SHAPES {
        for against in SIDES {
            for (a_transposed, b_transposed) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                let a = noise(&mut rng, m * k, against);
                let b = noise(&mut rng, k * n, against);
                let bias = noise(&mut rng, n, against);
                let mut c = noise(&mut rng, m * n, against);
                let operand = |data, rows, cols, transposed| {
                    if transposed {
                        Operand::Transposed(MatRef::new(data, cols, rows, rows))
                    } else {
                        Operand::Plain(MatRef::new(data, rows, cols, cols))
                    }
                };
                for isa in Isa::available() {
                    for output in [
                        Output::Overwrite,
                        Output::Accumulate,
                        Output::Activate(&bias, Activation::Relu),
                    ] {
                        gemm(
                            isa,
                            2,
                            operand(&a, m, k, a_transposed),
                            operand(&b, k, n, b_transposed),
                            MatMut::new(&mut c, m, n, n),
                            output,
                        );
                    }
                    assert!(c.iter().all(|c| c.is_finite()), "{isa} {m} x {k} x {n}");
                }
            }
        }
    }
}

/// Rows of A in which every second pair of columns is not zero, turned.
fn sparse_rows(rows: usize, cols: usize) -> SparseRows {
    let row: Vec<f32> = (0..cols).map(|c| [0.5, -0.25, 0.0, 0.0][c % 4]).collect();
    let mut sparse = SparseRows::of_floats(rows, cols);
    for _ in 0..rows {
        sparse.push(Isa::SCALAR, &row);
    }
    sparse.turn(Isa::SCALAR);
    sparse
}

/// Adds the strips up.
struct Total<'a>(&'a mut f32);

impl Sink for Total<'_> {
    fn take<S: Simd>(&mut self, _: S, _: usize, _: usize, strip: &mut [[f32; LINE]]) {
        *self.0 += strip.iter().flatten().sum::<f32>();
    }
}

#[test]
fn tiles_on_packed_panels() {
    let mut rng = Rng::new(2);
    for [m, n, k] in SHAPES {
        for against in SIDES {
            let width = padded(n);
            let lines = noise(&mut rng, k * width, against);
            let lines = lines.as_chunks().0;
            let segments = &[Segment { len: k, lines }];
            let a = noise(&mut rng, m * k, against);
            let bias = noise(&mut rng, width, against);
            let sparse = sparse_rows(m, k);
            for isa in Isa::available() {
                let mut c = noise(&mut rng, m * width, against);
                let mut z = noise(&mut rng, m * width, against);
                isa.dispatch(RowsByPanels {
                    a: &a,
                    a_stride: k,
                    rows: m,
                    segments,
                    c: &mut c,
                    c_stride: width,
                    n,
                    padded: true,
                    add: false,
                    epilogue: Epilogue {
                        bias: Some(&bias),
                        preactivation: Some(&mut z),
                        activation: Some(Activation::Silu),
                        back: None,
                    },
                });
                isa.dispatch(SparseRowsByPanels {
                    a: &sparse,
                    only: None,
                    segments,
                    meanwhile: None,
                    room: &mut Aligned::zeroed(room_for_rows(m)),
                    c: &mut c,
                    c_stride: width,
                    n,
                    epilogue: Epilogue::default(),
                });
                assert!(c.iter().all(|c| c.is_finite()), "{isa} {m} x {k} x {n}");
            }
        }
    }
}

#[test]
fn tiles_down_columns() {
    let mut rng = Rng::new(3);
    for [m, n, k] in SHAPES {
        for against in SIDES {
            // A is k x m, the product A^T B; the sparse one wants at most a block of the reduction.
            let sparse = sparse_rows(k.min(KB), m);
            let a = noise(&mut rng, k * m, against);
            let lines = noise(&mut rng, k * padded(n), against);
            let piece = Rows {
                a: &a,
                stride: m,
                len: k,
                lines: lines.as_chunks().0,
            };
            for isa in Isa::available() {
                let mut packed = noise(&mut rng, k * GROUP, against);
                let mut total = 0.0;
                isa.dispatch(ColumnsByPanels {
                    pieces: &[piece],
                    columns: 0..m,
                    panels: n.div_ceil(LINE),
                    packed: &mut packed,
                    sink: Total(&mut total),
                });
                if k <= KB {
                    isa.dispatch(SparseColumnsByPanels {
                        a: &[&sparse],
                        pieces: &[piece],
                        columns: 0..m,
                        panels: n.div_ceil(LINE),
                        room: &mut Aligned::zeroed(room_for_lines(k)),
                        sink: Total(&mut total),
                    });
                }
                assert!(total.is_finite(), "{isa} {m} x {k} x {n}");
            }
        }
    }
}

/// Everything that works on rows.
struct OnRows<'a> {
    activation: Activation,
    z: &'a mut [f32],
    d: &'a mut [f32],
    cols: usize,
}

impl WithSimd for OnRows<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        activation_forward(simd, self.activation, self.z, self.cols);
        activation_backward(simd, self.activation, self.z, self.d, self.cols);
        dot16(simd, self.z, self.d) + sum16(simd, self.z) + max16(simd, self.d)
    }
}

#[test]
fn activations_and_reductions() {
    let mut rng = Rng::new(4);
    for cols in [1, 10, 15, 16, 17, 33, 64, 1024] {
        for against in SIDES {
            for name in Activation::NAMES {
                let activation = Activation::parse(name).expect("a name of the list");
                for isa in Isa::available() {
                    let mut z = noise(&mut rng, padded(cols), against);
                    let mut d = noise(&mut rng, padded(cols), against);
                    let total = isa.dispatch(OnRows {
                        activation,
                        z: &mut z,
                        d: &mut d,
                        cols,
                    });
                    assert!(total.is_finite(), "{name} on {isa}");
                }
            }
        }
    }
}

#[test]
fn steps_of_the_optimisers() {
    let mut rng = Rng::new(5);
    let penalty = Penalty { l1: 1e-3, l2: 1e-3 };
    let optimizers: [Optimizer; 3] = [
        Sgd::new(0.1).into(),
        Sgd::new(0.1).momentum(0.9).into(),
        Adam::new(0.1).into(),
    ];
    for lines in [1, 2, 3, 7, 64] {
        for against in SIDES {
            for optimizer in optimizers {
                let kept = |moments| {
                    let len = if optimizer.moments() >= moments {
                        lines * LINE
                    } else {
                        0
                    };
                    Guarded::new(&vec![0.0; len], against)
                };
                let (mut m, mut v) = (kept(1), kept(2));
                let mut w = noise(&mut rng, lines * LINE, against);
                let g = noise(&mut rng, lines * LINE, against);
                for isa in Isa::available() {
                    isa.dispatch(Step {
                        update: &optimizer.at_step(1, penalty),
                        w: &mut w,
                        g: &g,
                        m: &mut m,
                        v: &mut v,
                    });
                    assert!(w.iter().all(|w| w.is_finite()), "{optimizer:?} on {isa}");
                }
            }
        }
    }
}

#[test]
fn gathering_and_predicting() {
    let mut rng = Rng::new(6);
    for cols in [1, 15, 16, 17, 65] {
        let bytes: Vec<u8> = (0..5 * cols).map(|_| rng.below(256) as u8).collect();
        let inputs = Inputs::from_bytes(bytes, 5, cols).expect("a table");
        let scaling = Scaling::fit(&ScalingKind::Unit, &inputs).expect("a scaling");
        let inputs = inputs.with_scaling(scaling).expect("as many columns");
        for against in SIDES {
            for isa in Isa::available() {
                let stride = padded(cols);
                let mut batch = noise(&mut rng, 4 * stride, against);
                let out = MatMut::new(&mut batch, 4, cols, stride);
                inputs.gather_on(isa, [4, 0, 2, 4].into_iter(), out);
                assert!(batch.iter().all(|x| (0.0..=1.0).contains(x)), "{isa}");

                let net = Network::builder(cols)
                    .dense(19, Activation::Tanh)
                    .dense(3, Activation::Softmax)
                    .isa(isa)
                    .build()
                    .expect("a network");
                let row = noise(&mut rng, cols, against);
                let mut outputs = noise(&mut rng, 3, against);
                net.predict_into(&row, &mut Scratch::new(&net), &mut outputs);
                assert!((outputs.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{isa}");
            }
        }
    }
}

/// The name of the variable that sends the test below over the edge.
const BEYOND: &str = "MLP_FAST_READ_BEYOND";

#[test]
fn the_pages_are_on_guard() {
    let buffer = Guarded::new(&[1.0; 3], Against::Back);
    if std::env::var_os(BEYOND).is_some() {
        guard::read_behind(&buffer);
        return;
    }
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program)
        .args(["--exact", "the_pages_are_on_guard"])
        .env(BEYOND, "1")
        .output();
    let status = output.expect("it runs").status;
    let signal = status.signal();
    assert!(
        [Some(libc::SIGSEGV), Some(libc::SIGBUS)].contains(&signal),
        "{status}"
    );
}
