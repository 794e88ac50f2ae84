use mlp_core::Isa;
use mlp_core::optim::{Adam, Optimizer, Penalty, RmsProp, TINY};
use oracle::fused::mul_add;
use oracle::ulp::same;

use super::{LEN, State, optimizers};

/// The mean of squares, which `rmsprop` keeps in m's place.
fn squares<'s>(optimizer: &Optimizer, state: &'s mut State) -> &'s mut [f32] {
    match optimizer {
        Optimizer::RmsProp { .. } => &mut state.m,
        _ => &mut state.v,
    }
}

#[test]
fn of_squares_only_what_is_denormal_is_given_up() {
    let adam = |beta2: f64| (Adam::new(0.01).betas(0.9, beta2).into(), beta2);
    let rmsprop = |rho: f64| (RmsProp::new(0.01).rho(rho).into(), rho);
    for (optimizer, keep) in [
        adam(0.999),
        adam(0.999_999),
        adam(0.0),
        rmsprop(0.99),
        rmsprop(0.0),
    ] {
        let (keep, add) = (keep as f32, (1.0 - keep) as f32);
        let least = (f64::from(f32::MIN_POSITIVE) / f64::from(add)).sqrt();
        // A line of zeros and a lone one, then from below that to above it.
        let of = |i: usize| least * (1.0 + 0.02 * (i as f64 - 24.5)) * [1.0, -1.0][i % 2];
        let is_zero = |i: usize| i < 16 || i == 40;
        let g: Vec<f32> = (0..LEN)
            .map(|i| if is_zero(i) { 0.0 } else { of(i) as f32 })
            .collect();
        for isa in Isa::available() {
            for old in [0.0, f32::MIN_POSITIVE, 1e-33, 1.0, f32::INFINITY] {
                let mut state = State::new(&optimizer, vec![1.0; LEN]);
                squares(&optimizer, &mut state).fill(old);
                state.step(isa, optimizer.at_step(1, Penalty::default()), &g);
                for (i, (v, g)) in squares(&optimizer, &mut state).iter().zip(&g).enumerate() {
                    let what = format!("{optimizer:?}, {old:e}, {g:e}, {isa}");
                    let square = if i < 25 { 0.0 } else { add * g * g };
                    // Nothing of what is not kept, be it infinite.
                    let next = mul_add(keep, if keep > 0.0 { old } else { 0.0 }, square);
                    let next = if next < f32::MIN_POSITIVE { 0.0 } else { next };
                    assert!(same(*v, next), "{v:e}, not {next:e}: {what}");
                }
                for (w, g) in state.w.iter().zip(&g) {
                    let is_right = w.is_finite() && (*g != 0.0 || *w == 1.0);
                    assert!(is_right, "{optimizer:?}, {old:e}, {g:e}, {isa}: {w}");
                }
            }
        }
    }
}

#[test]
fn vanishing_moments_become_zero_and_never_denormal() {
    for optimizer in optimizers().into_iter().filter(|o| o.moments() > 0) {
        for isa in Isa::available() {
            let mut state = State::new(&optimizer, vec![1.0; LEN]);
            let first: Vec<f32> = (0..LEN).map(|i| 10_f32.powi(-(i as i32) / 2)).collect();
            let none = vec![0.0; LEN];
            for t in 1..=3000 {
                let g = if t == 1 { &first } else { &none };
                state.step(isa, optimizer.at_step(t, Penalty::default()), g);
                let is_rmsprop = matches!(optimizer, Optimizer::RmsProp { .. });
                let least_m = if is_rmsprop { f32::MIN_POSITIVE } else { TINY };
                assert!(
                    state.m.iter().all(|&m| m == 0.0 || m.abs() >= least_m),
                    "{optimizer:?}, first moments, step {t}, {isa}"
                );
                assert!(
                    state.v.iter().all(|&v| v == 0.0 || v >= f32::MIN_POSITIVE),
                    "{optimizer:?}, second moments, step {t}, {isa}"
                );
            }
            assert!(
                state.w.iter().all(|w| w.is_finite()),
                "{optimizer:?}, {isa}"
            );
            // 0.9^3000 is far below any float: nothing is left, where nothing holds it up.
            if !matches!(optimizer, Optimizer::RmsProp { rho: 0.99.., .. }) {
                assert!(state.m.iter().all(|&m| m == 0.0), "{optimizer:?}, {isa}");
            }
        }
    }
}

#[test]
fn weights_that_a_penalty_takes_away_are_never_denormal() {
    let penalty = Penalty { l1: 0.0, l2: 1.0 };
    for optimizer in optimizers() {
        for isa in Isa::available() {
            let start: Vec<f32> = (0..LEN).map(|i| 0.1_f32.powi(i as i32 / 2)).collect();
            let mut state = State::new(&optimizer, start.clone());
            let none = vec![0.0; LEN];
            for t in 1..=2000 {
                state.step(isa, optimizer.at_step(t, penalty), &none);
                for (w, first) in state.w.iter().zip(&start) {
                    assert!(w.is_normal(), "{w:e}: {optimizer:?}, step {t}, {isa}");
                    // The steps of the others are as long as the learning rate at first, however small the gradient.
                    if matches!(optimizer, Optimizer::Sgd { .. }) {
                        let least = first.min(TINY);
                        assert!(*w >= 0.89 * least, "{w:e}: step {t}, {isa}");
                    }
                }
            }
            if matches!(optimizer, Optimizer::Sgd { .. }) {
                assert!(state.w.iter().all(|&w| w < TINY), "{:?}, {isa}", state.w);
            }
        }
    }
}
