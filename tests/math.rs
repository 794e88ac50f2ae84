//! The vector functions against f64, over the bit patterns of f32, and the same bits from every instruction set.
//!
//! With `MLP_FAST_EXHAUSTIVE=1` every one of the 2^32 arguments is tried, on every instruction set, else every 4099th or
//! fewer; the largest error found is printed:
//! `MLP_FAST_EXHAUSTIVE=1 cargo test --release --package mlp-tests --test math -- --nocapture`

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use mlp_core::Isa;
use mlp_core::isa::pulp::{self, Simd, WithSimd};
use mlp_core::tensor::activation::{Activation, activation_backward, activation_forward};
use mlp_core::tensor::math;
use oracle::ulp::{all_same, ulps};

#[derive(Clone, Copy, Debug)]
enum Function {
    Exp,
    ExpNonpositive,
    Expm1Nonpositive,
    Log,
    Sigmoid,
    SigmoidOfPair,
    Softplus,
    Log1pOfPair,
    Tanh,
    /// An activation that works on each number by itself.
    Forward(Activation),
    /// Its derivative, from the output or from z as it wants.
    Slope(Activation),
}

/// The activations that work on each number by itself and do more than one of the functions above.
const ACTIVATIONS: [Activation; 7] = [
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Relu,
    Activation::LeakyRelu(0.01),
    Activation::Elu(0.7),
    Activation::Gelu,
    Activation::Silu,
];

/// Applies a function to every element.
struct Apply<'a>(Function, &'a mut [f32]);

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(function, xs) = self;
        let len = xs.len();
        match function {
            Function::Forward(activation) => {
                return activation_forward(simd, activation, xs, len);
            }
            Function::Slope(activation) => {
                let saved = xs.to_vec();
                xs.fill(1.0);
                return activation_backward(simd, activation, &saved, xs, len);
            }
            _ => {}
        }
        let (xs, rest) = S::as_mut_simd_f32s(xs);
        assert!(rest.is_empty());
        for x in xs {
            *x = match function {
                Function::Exp => math::exp(simd, *x),
                Function::ExpNonpositive => math::exp_nonpositive(simd, *x),
                Function::Expm1Nonpositive => math::expm1_nonpositive(simd, *x),
                Function::Log => math::log(simd, *x),
                Function::Sigmoid => math::sigmoid(simd, *x),
                Function::SigmoidOfPair => math::sigmoid_log1p(simd, *x).0,
                Function::Softplus => math::softplus(simd, *x),
                Function::Log1pOfPair => math::sigmoid_log1p(simd, *x).1,
                Function::Tanh => math::tanh(simd, *x),
                Function::Forward(_) | Function::Slope(_) => *x,
            }
        }
    }
}

/// The scalar path, compiled where the instruction set has fused multiply-adds: the same operations, each rounded the
/// same, and none of them a call of the C library, which would take an hour over all arguments.
struct ScalarWithin<'a>(Apply<'a>);

impl WithSimd for ScalarWithin<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.with_simd(pulp::Scalar);
    }
}

/// A promise: the function, what it should be, over which arguments, how far off it may be, and whether a result that
/// would be denormal is zero.
struct Promise {
    function: Function,
    exact: fn(f64) -> f64,
    domain: fn(f32) -> bool,
    bound: f64,
    flushes: bool,
}

fn everywhere(_: f32) -> bool {
    true
}

fn nonpositive(x: f32) -> bool {
    x.is_nan() || x <= 0.0
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 {
        x.exp() / (1.0 + x.exp())
    } else {
        1.0 / (1.0 + (-x).exp())
    }
}

fn softplus(x: f64) -> f64 {
    if x.is_nan() {
        x
    } else {
        x.max(0.0) + (-x.abs()).exp().ln_1p()
    }
}

#[rustfmt::skip]
const PROMISES: [Promise; 9] = [
    Promise { function: Function::Exp, exact: f64::exp, domain: everywhere, bound: 1.0, flushes: true },
    Promise { function: Function::ExpNonpositive, exact: f64::exp, domain: nonpositive, bound: 1.0, flushes: true },
    Promise { function: Function::Expm1Nonpositive, exact: f64::exp_m1, domain: nonpositive, bound: 1.0, flushes: false },
    Promise { function: Function::Log, exact: f64::ln, domain: everywhere, bound: 1.0, flushes: false },
    Promise { function: Function::Sigmoid, exact: sigmoid, domain: everywhere, bound: 2.0, flushes: true },
    Promise { function: Function::SigmoidOfPair, exact: sigmoid, domain: everywhere, bound: 2.0, flushes: true },
    Promise { function: Function::Softplus, exact: softplus, domain: everywhere, bound: 2.0, flushes: true },
    Promise { function: Function::Log1pOfPair, exact: |x| (-x.abs()).exp().ln_1p(), domain: everywhere, bound: 2.0, flushes: true },
    Promise { function: Function::Tanh, exact: f64::tanh, domain: everywhere, bound: 3.0, flushes: false },
];

const CHUNK: usize = 4096;

/// The step between the bit patterns that are tried.
fn stride() -> u64 {
    let every = std::env::var("MLP_FAST_EXHAUSTIVE").is_ok_and(|value| value == "1");
    if every {
        return 1;
    }
    println!("every 4099th argument; all 2^32 with MLP_FAST_EXHAUSTIVE=1");
    4099
}

/// The patterns `first`, `first + stride`, .. as floats, one chunk of them; the last is repeated past the end.
fn patterns(first: u64, stride: u64) -> Vec<f32> {
    (0..CHUNK as u64)
        .map(|i| f32::from_bits((first + i * stride).min(u64::from(u32::MAX)) as u32))
        .collect()
}

/// Runs `work` for every chunk of patterns on all cores.
fn for_all_patterns(stride: u64, work: impl Fn(&[f32]) + Sync) {
    let span = CHUNK as u64 * stride;
    let chunks = (1_u64 << 32).div_ceil(span);
    let next = AtomicU32::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let chunk = u64::from(next.fetch_add(1, Ordering::Relaxed));
                    if chunk >= chunks {
                        break;
                    }
                    work(&patterns(chunk * span, stride));
                }
            });
        }
    });
}

/// The largest error of a chunk, and where.
fn worst(promise: &Promise, isa: Isa, xs: &[f32]) -> (f64, f32) {
    let mut ys = xs.to_vec();
    isa.dispatch(Apply(promise.function, &mut ys));
    let mut worst = (0.0, 0.0);
    for (&x, &y) in xs.iter().zip(&ys).filter(|(x, _)| (promise.domain)(**x)) {
        let exact = (promise.exact)(f64::from(x));
        let error = if promise.flushes && exact.abs() < f64::from(f32::MIN_POSITIVE) {
            if y == 0.0 { 0.0 } else { f64::INFINITY }
        } else {
            ulps(y, exact)
        };
        if error > worst.0 {
            worst = (error, x);
        }
    }
    worst
}

#[test]
fn errors_are_within_their_bounds() {
    let stride = stride();
    let isa = Isa::detect().expect("an instruction set");
    for promise in &PROMISES {
        let top = std::sync::Mutex::new((0.0, 0.0));
        for_all_patterns(stride, |xs| {
            let found = worst(promise, isa, xs);
            let mut top = top.lock().expect("no thread panicked");
            if found.0 > top.0 {
                *top = found;
            }
        });
        let (error, x) = *top.lock().expect("no thread panicked");
        println!("{:?} on {isa}: {error:.4} ULP at {x:e}", promise.function);
        assert!(
            error <= promise.bound,
            "{:?} on {isa} is {error} ULP off at {x:e} ({:#x}), more than {}",
            promise.function,
            x.to_bits(),
            promise.bound
        );
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    // Coarser than the error test, since the scalar reference calls the C library for every fused multiply-add.
    let stride = if stride() == 1 { 1 } else { 16_411 };
    let fastest = Isa::detect().expect("an instruction set");
    let functions = PROMISES.iter().map(|promise| promise.function);
    let activations = ACTIVATIONS
        .iter()
        .flat_map(|&activation| [Function::Forward(activation), Function::Slope(activation)]);
    for function in functions.chain(activations) {
        let begin = Instant::now();
        for_all_patterns(stride, |xs| {
            let near = xs[0];
            let mut want = xs.to_vec();
            fastest.dispatch(ScalarWithin(Apply(function, &mut want)));
            for isa in Isa::available() {
                if stride == 1 && isa == Isa::SCALAR {
                    continue;
                }
                let mut got = xs.to_vec();
                isa.dispatch(Apply(function, &mut got));
                assert!(all_same(&got, &want), "{function:?} on {isa} near {near:e}");
            }
            if stride > 1 {
                // Sixteen lanes, on any CPU.
                let mut got = xs.to_vec();
                pulp::Scalar512b.vectorize(Apply(function, &mut got));
                assert!(all_same(&got, &want), "{function:?}, 512 bits");
            }
        });
        let seconds = begin.elapsed().as_secs();
        println!("{function:?}: the same bits on every instruction set, {seconds} s");
    }
}

/// One value through a function on an instruction set.
fn one(function: Function, isa: Isa, x: f32) -> f32 {
    let mut line = [x; 16];
    isa.dispatch(Apply(function, &mut line));
    line[0]
}

#[test]
fn special_arguments_are_exact() {
    let inf = f32::INFINITY;
    let largest_exp = f32::from_bits(0x42B1_7217);
    let least_exp = f32::from_bits(0xC2AE_AC4F);
    let table: &[(Function, f32, f32)] = &[
        (Function::Exp, 0.0, 1.0),
        (Function::Exp, -0.0, 1.0),
        (Function::Exp, inf, inf),
        (Function::Exp, -inf, 0.0),
        (Function::Exp, largest_exp.next_up(), inf),
        (Function::Exp, least_exp.next_down(), 0.0),
        (Function::ExpNonpositive, 0.0, 1.0),
        (Function::ExpNonpositive, -inf, 0.0),
        (Function::Expm1Nonpositive, -inf, -1.0),
        (Function::Expm1Nonpositive, 0.0, 0.0),
        (Function::Log, 1.0, 0.0),
        (Function::Log, 0.0, -inf),
        (Function::Log, -0.0, -inf),
        (Function::Log, inf, inf),
        (Function::Log, -1.0, f32::NAN),
        (Function::Log, -inf, f32::NAN),
        (Function::Sigmoid, 0.0, 0.5),
        (Function::Sigmoid, inf, 1.0),
        (Function::Sigmoid, -inf, 0.0),
        (Function::Softplus, inf, inf),
        (Function::Softplus, -inf, 0.0),
        (Function::Softplus, f32::MAX, f32::MAX),
        (Function::Tanh, inf, 1.0),
        (Function::Tanh, -inf, -1.0),
        (Function::Tanh, 0.0, 0.0),
        (Function::Tanh, -0.0, -0.0),
    ];
    for isa in Isa::available() {
        for &(function, x, want) in table {
            let got = one(function, isa, x);
            assert!(
                all_same(&[got], &[want]),
                "{function:?}({x:e}) = {got:e} on {isa}"
            );
        }
        for promise in &PROMISES {
            for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7FC1_2345)] {
                let got = one(promise.function, isa, nan);
                assert!(got.is_nan(), "{:?}(NaN) = {got} on {isa}", promise.function);
            }
        }
        assert!(one(Function::Exp, isa, largest_exp).is_finite());
        assert!(one(Function::Exp, isa, least_exp).is_normal());
    }
}

#[test]
fn tanh_is_odd_and_both_squashers_stay_in_range() {
    let isa = Isa::detect().expect("an instruction set");
    for_all_patterns(stride(), |xs| {
        let mut ys = xs.to_vec();
        let mut mirrored: Vec<f32> = xs.iter().map(|x| -x).collect();
        isa.dispatch(Apply(Function::Tanh, &mut ys));
        isa.dispatch(Apply(Function::Tanh, &mut mirrored));
        for y in &mut mirrored {
            *y = -*y;
        }
        assert!(all_same(&ys, &mirrored), "odd near {:e}", xs[0]);
        assert!(ys.iter().all(|y| y.is_nan() || y.abs() <= 1.0));
        let mut ys = xs.to_vec();
        isa.dispatch(Apply(Function::Sigmoid, &mut ys));
        assert!(ys.iter().all(|y| y.is_nan() || (0.0..=1.0).contains(y)));
    });
}
