//! Each optimiser against its steps written by hand in f64, with and without penalties; moments that vanish; the same
//! bits on every instruction set and split.

use mlp_core::isa::pulp::{self, Simd};
use mlp_core::optim::{Adam, AdamW, Optimizer, Penalty, RmsProp, Sgd, Step, Update};
use mlp_core::rng::Rng;
use mlp_core::{Isa, Kind};
use oracle::ulp::{all_same, near};

/// What becomes of numbers that vanish.
#[path = "optim/vanishing.rs"]
mod vanishing;

const LEN: usize = 48;
const STEPS: u64 = 12;
const PENALTIES: [Penalty; 4] = [
    Penalty { l1: 0.0, l2: 0.0 },
    Penalty { l1: 0.01, l2: 0.0 },
    Penalty { l1: 0.0, l2: 0.1 },
    Penalty {
        l1: 0.003,
        l2: 0.02,
    },
];

fn optimizers() -> Vec<Optimizer> {
    vec![
        Sgd::new(0.1).into(),
        Sgd::new(0.05).ema(0.9).into(),
        Sgd::new(0.05).momentum(0.9).into(),
        Sgd::new(0.05).nesterov(0.8).into(),
        RmsProp::new(0.01).into(),
        RmsProp::new(0.01).rho(0.9).eps(1e-6).into(),
        Adam::new(0.01).into(),
        Adam::new(0.01).betas(0.8, 0.99).eps(1e-4).into(),
        AdamW::new(0.01).weight_decay(0.3).into(),
    ]
}

/// Weights and moments of one run.
#[derive(Clone)]
struct State {
    w: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl State {
    fn new(optimizer: &Optimizer, w: Vec<f32>) -> Self {
        let moment = |kept: bool| if kept { vec![0.0; w.len()] } else { Vec::new() };
        Self {
            m: moment(optimizer.moments() > 0),
            v: moment(optimizer.moments() > 1),
            w,
        }
    }

    fn step(&mut self, isa: Isa, update: Update, g: &[f32]) {
        let (w, m, v) = (&mut self.w, &mut self.m, &mut self.v);
        let update = &update;
        isa.dispatch(Step { update, w, g, m, v });
    }
}

fn uniform(rng: &mut Rng, size: f64) -> Vec<f32> {
    (0..LEN)
        .map(|_| ((rng.uniform() * 2.0 - 1.0) * size) as f32)
        .collect()
}

/// One weight in f64: w, first moment, second moment.
struct Exact {
    w: f64,
    m: f64,
    v: f64,
}

impl Exact {
    /// The textbook's step `t` for the gradient g.
    fn step(&mut self, optimizer: Optimizer, penalty: Penalty, t: u64, g: f64) {
        let sign = if self.w == 0.0 { 0.0 } else { self.w.signum() };
        let g = g + penalty.l2 * self.w + penalty.l1 * sign;
        match optimizer {
            Optimizer::Sgd { lr } => self.w -= lr * g,
            Optimizer::EmaMomentum { lr, beta } => {
                self.m = beta * self.m + (1.0 - beta) * g;
                self.w -= lr * self.m;
            }
            Optimizer::Momentum { lr, momentum } => {
                self.m = momentum * self.m + g;
                self.w -= lr * self.m;
            }
            Optimizer::Nesterov { lr, momentum } => {
                self.m = momentum * self.m + g;
                self.w -= lr * (g + momentum * self.m);
            }
            Optimizer::RmsProp { lr, rho, eps } => {
                self.v = rho * self.v + (1.0 - rho) * g * g;
                self.w -= lr * g / (self.v.sqrt() + eps);
            }
            Optimizer::Adam {
                lr,
                beta1,
                beta2,
                eps,
            } => self.adam(lr, (beta1, beta2), eps, t, g),
            Optimizer::AdamW {
                lr,
                beta1,
                beta2,
                eps,
                weight_decay,
            } => {
                self.w -= lr * weight_decay * self.w;
                self.adam(lr, (beta1, beta2), eps, t, g);
            }
        }
    }

    fn adam(&mut self, lr: f64, beta: (f64, f64), eps: f64, t: u64, g: f64) {
        self.m = beta.0 * self.m + (1.0 - beta.0) * g;
        self.v = beta.1 * self.v + (1.0 - beta.1) * g * g;
        let m = self.m / (1.0 - beta.0.powi(t as i32));
        let v = self.v / (1.0 - beta.1.powi(t as i32));
        self.w -= lr * m / (v.sqrt() + eps);
    }
}

#[test]
fn steps_are_the_textbooks() {
    for optimizer in optimizers() {
        for penalty in PENALTIES {
            for isa in Isa::available() {
                let mut rng = Rng::new(21);
                let start = uniform(&mut rng, 1.0);
                let mut state = State::new(&optimizer, start.clone());
                let mut exact: Vec<Exact> = start
                    .iter()
                    .map(|&w| Exact {
                        w: f64::from(w),
                        m: 0.0,
                        v: 0.0,
                    })
                    .collect();
                for t in 1..=STEPS {
                    // Gradients of one sign per weight, so that no sum cancels and the bound may be tight.
                    let g: Vec<f32> = uniform(&mut rng, 1.0)
                        .iter()
                        .zip(&start)
                        .map(|(g, &w)| (g.abs() + 0.1).copysign(w))
                        .collect();
                    state.step(isa, optimizer.at_step(t, penalty), &g);
                    for (exact, &g) in exact.iter_mut().zip(&g) {
                        exact.step(optimizer, penalty, t, f64::from(g));
                    }
                    for (&w, exact) in state.w.iter().zip(&exact) {
                        let what = format!("{optimizer:?}, {penalty:?}, step {t}, {isa}");
                        assert!(near(w, exact.w, 1e-6, 1.0), "{w}, not {}: {what}", exact.w);
                    }
                }
            }
        }
    }
}

#[test]
fn a_scaled_step_is_the_step_of_the_scaled_gradient() {
    let mut rng = Rng::new(22);
    let (start, g) = (uniform(&mut rng, 1.0), uniform(&mut rng, 64.0));
    // A power of two, so that the product is exact.
    let smaller: Vec<f32> = g.iter().map(|g| g / 64.0).collect();
    for optimizer in optimizers() {
        for penalty in PENALTIES {
            let update = optimizer.at_step(1, penalty);
            let (mut a, mut b) = (
                State::new(&optimizer, start.clone()),
                State::new(&optimizer, start.clone()),
            );
            a.step(Isa::SCALAR, update.scaled(1.0 / 64.0), &g);
            b.step(Isa::SCALAR, update, &smaller);
            assert_ne!(a.w, start, "{optimizer:?} moves");
            assert!(all_same(&a.w, &b.w), "{optimizer:?}");
        }
    }
}

#[test]
fn every_instruction_set_and_split_gives_the_same_bits() {
    for optimizer in optimizers() {
        for penalty in PENALTIES {
            let mut rng = Rng::new(23);
            let start = State::new(&optimizer, uniform(&mut rng, 1.0));
            let gradients: Vec<_> = (0..STEPS)
                .map(|t| uniform(&mut rng, 10_f64.powi(-3 * t as i32)))
                .collect();
            let run = |step: &dyn Fn(&mut State, Update, &[f32])| {
                let mut state = start.clone();
                for (t, g) in (1..).zip(&gradients) {
                    step(&mut state, optimizer.at_step(t, penalty).scaled(0.1), g);
                }
                state
            };
            let want = run(&|state, u, g| state.step(Isa::SCALAR, u, g));
            let mut all: Vec<State> = Isa::available()
                .into_iter()
                .map(|isa| run(&|state, u, g| state.step(isa, u, g)))
                .collect();
            all.push(run(&|state, update, g| {
                let State { w, m, v } = state;
                pulp::Scalar512b.vectorize(Step {
                    update: &update,
                    w,
                    g,
                    m,
                    v,
                });
            }));
            // The first line alone, then the rest.
            all.push(run(&|state, update, g| {
                for range in [0..16, 16..LEN] {
                    let State { w, m, v } = state;
                    let w = &mut w[range.clone()];
                    let m = m.get_mut(range.clone()).unwrap_or_default();
                    let v = v.get_mut(range.clone()).unwrap_or_default();
                    let g = &g[range];
                    Isa::SCALAR.dispatch(Step {
                        update: &update,
                        w,
                        g,
                        m,
                        v,
                    });
                }
            }));
            for got in all {
                assert!(all_same(&got.w, &want.w), "{optimizer:?}, weights");
                assert!(all_same(&got.m, &want.m), "{optimizer:?}, first moments");
                assert!(all_same(&got.v, &want.v), "{optimizer:?}, second moments");
            }
        }
    }
}

#[test]
fn padding_stays_zero_and_nan_is_not_hidden() {
    for optimizer in optimizers() {
        for penalty in PENALTIES {
            for isa in Isa::available() {
                let mut state = State::new(&optimizer, vec![0.0; 16]);
                for t in 1..=5 {
                    state.step(isa, optimizer.at_step(t, penalty), &[0.0; 16]);
                }
                assert!(
                    state
                        .w
                        .iter()
                        .chain(&state.m)
                        .chain(&state.v)
                        .all(|&x| x == 0.0),
                    "{optimizer:?}, {isa}"
                );
                let mut g = [0.0; 16];
                g[3] = f32::NAN;
                state.step(isa, optimizer.at_step(6, penalty), &g);
                assert!(
                    state.w[3].is_nan() && state.w[4] == 0.0,
                    "{optimizer:?}, {isa}"
                );
            }
        }
    }
}

#[test]
fn bias_corrections_hold_at_any_step() {
    // At step t of a constant gradient both corrected moments are that gradient, so Adam moves by lr.
    let optimizer = Optimizer::from(Adam::new(0.5));
    for t in [1_u64, 2, 1000, 1_000_000_007] {
        let beta = |b: f64| 1.0 - b.powf(t as f64);
        let mut state = State::new(&optimizer, vec![1.0; 16]);
        // The moments before the step, from the closed form.
        let before = |b: f64| 1.0 - b.powf((t - 1) as f64);
        state.m.fill((before(0.9) * 2.0) as f32);
        state.v.fill((before(0.999) * 4.0) as f32);
        state.step(
            Isa::SCALAR,
            optimizer.at_step(t, Penalty::default()),
            &[2.0; 16],
        );
        assert!(near(state.w[0], 0.5, 1e-6, 1.0), "step {t}: {}", state.w[0]);
        assert!(near(state.m[0], beta(0.9) * 2.0, 1e-6, 0.0), "step {t}");
    }
}

#[test]
fn settings_are_checked() {
    let bad = [
        (Sgd::new(-0.1).into(), ("lr", "-0.1")),
        (Sgd::new(f64::NAN).into(), ("lr", "NaN")),
        (Sgd::new(f64::INFINITY).into(), ("lr", "inf")),
        (Sgd::new(1e300).into(), ("lr", "1e300")),
        (Sgd::new(0.1).momentum(1.0).into(), ("momentum", "1.0")),
        (Sgd::new(0.1).nesterov(-0.5).into(), ("momentum", "-0.5")),
        (Sgd::new(0.1).ema(1.5).into(), ("beta", "1.5")),
        (RmsProp::new(0.1).rho(1.0).into(), ("rho", "1.0")),
        (RmsProp::new(0.1).eps(0.0).into(), ("eps", "0.0")),
        (Adam::new(0.1).betas(0.9, 1.0).into(), ("beta2", "1.0")),
        // 1 as an f32.
        (
            Adam::new(0.1).betas(0.999_999_99, 0.9).into(),
            ("beta1", "0.99999999"),
        ),
        (Adam::new(0.1).betas(f64::NAN, 0.9).into(), ("beta1", "NaN")),
        (Adam::new(0.1).eps(1e-60).into(), ("eps", "1e-60")),
        (RmsProp::new(0.1).eps(1e-30).into(), ("eps", "1e-30")),
        (
            AdamW::new(0.1).weight_decay(-1.0).into(),
            ("weight_decay", "-1"),
        ),
        (
            AdamW::new(0.1).betas(0.9, 2.0).eps(1e-6).into(),
            ("beta2", "2"),
        ),
    ];
    for (optimizer, (key, found)) in bad {
        let optimizer: Optimizer = optimizer;
        let error = optimizer.check().expect_err(key);
        assert_eq!(error.kind(), Kind::Setting);
        let place = format!("{key} of {}", optimizer.name());
        assert_eq!(error.place(), Some(&*place));
        assert!(
            error.to_string().contains(&format!("found {found}")),
            "{error}"
        );
    }
    for optimizer in optimizers() {
        optimizer.check().expect("fine");
    }
    for (l1, l2) in [(-1.0, 0.0), (0.0, f64::NAN)] {
        let error = Penalty { l1, l2 }.check().expect_err("bad penalty");
        assert_eq!(error.kind(), Kind::Setting);
    }
}

#[test]
fn names_go_round_and_settings_can_be_changed() {
    for name in Optimizer::NAMES {
        let mut optimizer = Optimizer::parse(name, 0.25).expect(name);
        assert_eq!(optimizer.name(), *name);
        assert_eq!(optimizer.settings()[0], ("lr", 0.25));
        for (key, _) in optimizer.settings() {
            optimizer.set(key, 0.5).expect(key);
        }
        assert!(optimizer.settings().iter().all(|&(_, value)| value == 0.5));
        assert!(optimizer.set("lr", -1.0).is_err());
        let error = optimizer
            .set("foo", 1.0)
            .expect_err("no such setting")
            .to_string();
        assert!(error.contains("foo") && error.contains("lr"), "{error}");
    }
    let usual = |name| Optimizer::parse(name, None).expect("a name").lr();
    assert_eq!(
        Optimizer::NAMES
            .iter()
            .map(|name| usual(name))
            .collect::<Vec<_>>(),
        [0.1, 0.1, 0.03, 0.03, 1e-3, 3e-3, 3e-3]
    );
    let error = Optimizer::parse("adma", 0.1)
        .expect_err("no such name")
        .to_string();
    assert!(
        error.contains("adma") && error.contains("sgd, ema-momentum"),
        "{error}"
    );
    assert!(Optimizer::parse("adam", -1.0).is_err());
}
