//! Losses of a row: against f64 formulas and central differences for every loss with every activation, on every
//! instruction set; evaluation gives the bits of training.

#[path = "twin/activation.rs"]
mod exact_activation;
#[path = "twin/loss.rs"]
mod exact_loss;
mod row_loss;

use mlp_core::Isa;
use mlp_core::isa::pulp::{self, Simd, WithSimd};
use mlp_core::nn::loss::{Loss, RowLoss, class_losses_backward, single_losses_backward};
use mlp_core::nn::target::Target;
use mlp_core::rng::Rng;
use mlp_core::tensor::activation::{Activation, activation_forward};
use mlp_core::tensor::{LINE, padded};
use oracle::ulp::{all_same, near, same};
use row_loss::{Run, pairs};

fn outputs(act: Activation, z: &[f64]) -> Vec<f64> {
    exact_activation::of(act).forward(z)
}

/// The loss of a row in f64.
fn exact(loss: Loss, act: Activation, z: &[f64], y: &[f64]) -> f64 {
    exact_loss::of(loss).value(&outputs(act, z), y)
}

fn gradient(loss: Loss, act: Activation, z: &[f64], y: &[f64]) -> Vec<f64> {
    let h = 1e-5;
    (0..z.len())
        .map(|i| {
            let (mut up, mut down) = (z.to_vec(), z.to_vec());
            up[i] += h;
            down[i] -= h;
            (exact(loss, act, &up, y) - exact(loss, act, &down, y)) / (2.0 * h)
        })
        .collect()
}

fn uniform(rng: &mut Rng, cols: usize, low: f64, high: f64) -> Vec<f32> {
    (0..cols)
        .map(|_| (low + rng.uniform() * (high - low)) as f32)
        .collect()
}

/// A padded row of logits, away from the kinks at 0.
fn logits(rng: &mut Rng, cols: usize, size: f64) -> Vec<f32> {
    let mut z = uniform(rng, cols, -size, size);
    for z in &mut z {
        *z += 0.01_f32.copysign(*z);
    }
    z.resize(padded(cols), 0.0);
    z
}

fn widened(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&x| f64::from(x)).collect()
}

/// The targets of a class as values.
fn one_hot(class: u32, cols: usize) -> Vec<f32> {
    if cols == 1 {
        return vec![class as f32];
    }
    (0..cols).map(|j| f32::from(j == class as usize)).collect()
}

#[test]
fn losses_and_gradients_are_their_definitions() {
    let mut rng = Rng::new(11);
    for (loss, act) in pairs() {
        for cols in [1, 2, 3, 10, 16, 17, 40] {
            if act == Activation::Softmax && cols == 1 {
                continue;
            }
            for round in 0..6 {
                let z = logits(&mut rng, cols, 4.0);
                // Soft targets that do not sum to 1, to see the sum in cross-entropy's gradient; and classes.
                let values = uniform(&mut rng, cols, 0.05, 0.95);
                let class = (rng.next_u64() % cols.max(2) as u64) as u32;
                let one_hot = one_hot(class, cols);
                let (target, y) = if round < 3 {
                    (Target::Values(&values), &values)
                } else {
                    (Target::Class(class), &one_hot)
                };
                let (z64, y64) = (widened(&z[..cols]), widened(y));
                let want = exact(loss, act, &z64, &y64);
                let want_d = gradient(loss, act, &z64, &y64);
                for isa in Isa::available() {
                    let op = |train| Run {
                        loss,
                        act,
                        z: &z,
                        cols,
                        target,
                        train,
                    };
                    let (result, d) = isa.dispatch(op(true));
                    let what = format!("{loss:?} of {act:?}, {cols} outputs, {target:?}, {isa}");
                    assert!(
                        near(result.loss, want, 2e-6, 0.1),
                        "{} not {want}: {what}",
                        result.loss
                    );
                    for (i, (&d, &want)) in d.iter().zip(&want_d).enumerate() {
                        // A target that happens to lie on the absolute error's kink has no difference quotient.
                        let on_kink = (outputs(act, &z64)[i] - y64[i]).abs() < 1e-3;
                        assert!(
                            on_kink || near(d, want, 2e-6, 1.0),
                            "{d} not {want} at {i}: {what}"
                        );
                    }
                    assert!(
                        d[cols..].iter().all(|&d| d.to_bits() == 0),
                        "padding: {what}"
                    );
                }
            }
        }
    }
}

#[test]
fn evaluation_gives_the_bits_of_training_and_of_the_activation() {
    let mut rng = Rng::new(12);
    for (loss, act) in pairs() {
        for cols in [2, 10, 50] {
            for round in 0..4 {
                let z = logits(&mut rng, cols, [1.0, 10.0, 100.0, 1e6][round]);
                let values = uniform(&mut rng, cols, 0.0, 1.0);
                for target in [Target::Class(1), Target::Values(&values)] {
                    let op = |train| Run {
                        loss,
                        act,
                        z: &z,
                        cols,
                        target,
                        train,
                    };
                    let (want, want_d) = Isa::SCALAR.dispatch(op(true));
                    let mut want_p = z.clone();
                    Isa::SCALAR.dispatch(Forward(act, &mut want_p, cols));
                    let mut runs: Vec<_> = Isa::available()
                        .into_iter()
                        .map(|isa| (isa.dispatch(op(true)), isa.dispatch(op(false))))
                        .collect();
                    // Sixteen lanes, on any CPU.
                    let wide = pulp::Scalar512b;
                    runs.push((wide.vectorize(op(true)), wide.vectorize(op(false))));
                    for ((trained, d), (evaluated, p)) in runs {
                        assert_eq!(trained.correct, evaluated.correct);
                        assert!(same(trained.loss, want.loss), "{loss:?} of {act:?}");
                        assert!(same(evaluated.loss, want.loss), "{loss:?} of {act:?}");
                        assert!(all_same(&d, &want_d), "{loss:?} of {act:?}, gradient");
                        assert!(all_same(&p, &want_p), "{loss:?} of {act:?}, outputs");
                    }
                }
            }
        }
    }
}

struct Forward<'a>(Activation, &'a mut [f32], usize);

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        activation_forward(simd, self.0, self.1, self.2);
    }
}

/// Several rows at once: what they come to, and their gradients.
struct Several<'a> {
    lines: &'a [[f32; LINE]],
    cols: usize,
    classes: &'a [u32],
}

impl WithSimd for Several<'_> {
    type Output = (Vec<RowLoss>, Vec<[f32; LINE]>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let nothing = RowLoss {
            loss: f32::NAN,
            correct: false,
        };
        let mut lines = self.lines.to_vec();
        let mut results = vec![nothing; lines.len()];
        let class = |row| self.classes[row];
        class_losses_backward(simd, &mut lines, self.cols, class, &mut results);
        (results, lines)
    }
}

#[test]
fn several_rows_give_the_bits_of_each() {
    let mut rng = Rng::new(13);
    let odd = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e38];
    for cols in 2..=LINE {
        for rows in [1, 4, 15, 16, 17, 37] {
            let mut lines: Vec<[f32; LINE]> = (0..rows)
                .map(|row| {
                    let size = [1.0, 10.0, 200.0][row % 3];
                    let z = logits(&mut rng, cols, size);
                    std::array::from_fn(|j| z[j])
                })
                .collect();
            for (row, line) in lines.iter_mut().enumerate() {
                match row % 5 {
                    // Equal ones, and what no row should have.
                    1 => line[1] = line[0],
                    3 => line[row % cols] = odd[row % odd.len()],
                    _ => {}
                }
                // What lies in the padding is of no account.
                line[cols..].fill(3.0);
            }
            let classes: Vec<u32> = (0..rows)
                .map(|_| (rng.uniform() * cols as f64) as u32)
                .collect();
            let wide = pulp::Scalar512b;
            let op = || Several {
                lines: &lines,
                cols,
                classes: &classes,
            };
            let mut runs: Vec<_> = Isa::available()
                .into_iter()
                .map(|isa| isa.dispatch(op()))
                .collect();
            runs.push(wide.vectorize(op()));
            for (row, (z, &class)) in lines.iter().zip(&classes).enumerate() {
                let (want, want_d) = Isa::SCALAR.dispatch(Run {
                    loss: Loss::CrossEntropy,
                    act: Activation::Softmax,
                    z,
                    cols,
                    target: Target::Class(class),
                    train: true,
                });
                for (results, d) in &runs {
                    let got = results[row];
                    let place = format!("row {row} of {rows}, {cols} classes: {z:?}");
                    assert!(same(got.loss, want.loss), "{place}");
                    assert_eq!(got.correct, want.correct, "{place}");
                    assert!(all_same(&d[row], &want_d), "{place}");
                }
            }
        }
    }
}

/// Several rows of one output at once: their z, and what is wanted of them.
struct Singles<'a> {
    way: (Loss, Activation),
    z: &'a [f32],
    targets: &'a [Target<'a>],
}

impl WithSimd for Singles<'_> {
    type Output = (Vec<RowLoss>, Vec<[f32; LINE]>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let (loss, act) = self.way;
        let line = |&z: &f32| {
            let mut line = [0.0; LINE];
            line[0] = z;
            line
        };
        let z: Vec<_> = self.z.iter().map(line).collect();
        let mut lines = z.clone();
        if !loss.from_logits() {
            for line in &mut lines {
                activation_forward(simd, act, line, 1);
            }
        }
        let kept = if act.needs_preactivation() {
            &z[..]
        } else {
            &[]
        };
        let nothing = RowLoss {
            loss: f32::NAN,
            correct: false,
        };
        let mut results = vec![nothing; lines.len()];
        let target = |row: usize| self.targets[row];
        single_losses_backward(simd, self.way, &mut lines, kept, target, &mut results);
        (results, lines)
    }
}

#[test]
fn several_rows_of_one_output_give_the_bits_of_each() {
    let mut rng = Rng::new(14);
    let odd = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e38];
    for way in pairs() {
        if way.1 == Activation::Softmax {
            continue;
        }
        for rows in [1, 4, 15, 16, 17, 37] {
            let z: Vec<f32> = (0..rows)
                .map(|row| match row % 7 {
                    6 => odd[row % odd.len()],
                    _ => logits(&mut rng, 1, [1.0, 20.0][row % 2])[0],
                })
                .collect();
            let values: Vec<f32> = z
                .iter()
                .enumerate()
                .map(|(row, z)| if row % 4 == 3 { *z } else { 0.7 * z + 0.1 })
                .collect();
            for are_classes in [false, true] {
                let targets: Vec<_> = (0..rows)
                    .map(|row| {
                        if are_classes {
                            Target::Class(u32::from(row % 3 == 0))
                        } else {
                            Target::Values(&values[row..=row])
                        }
                    })
                    .collect();
                let op = || Singles {
                    way,
                    z: &z,
                    targets: &targets,
                };
                let mut runs: Vec<_> = Isa::available()
                    .into_iter()
                    .map(|isa| isa.dispatch(op()))
                    .collect();
                runs.push(pulp::Scalar512b.vectorize(op()));
                for (row, (&z, &target)) in z.iter().zip(&targets).enumerate() {
                    let mut line = [0.0; LINE];
                    line[0] = z;
                    let (want, want_d) = Isa::SCALAR.dispatch(Run {
                        loss: way.0,
                        act: way.1,
                        z: &line,
                        cols: 1,
                        target,
                        train: true,
                    });
                    for (results, d) in &runs {
                        let got = results[row];
                        let place = format!("row {row} of {rows}, {way:?}, {target:?}: {z:?}");
                        assert!(same(got.loss, want.loss), "{place}");
                        assert_eq!(got.correct, want.correct, "{place}");
                        assert!(all_same(&d[row], &want_d), "{place}");
                    }
                }
            }
        }
    }
}
