//! A row's way through a tiny network in formulas: each number with the letters and the numbers that it is made of.
//!
//! Names are those of school books: inputs x1, x2, hidden units h1, .., outputs o1, .., weights w1, w2, .. counted unit by
//! unit from the first layer on, biases b1, .. likewise, y the answer, f the activation, L the loss.

use mlp_core::nn::walk::{Step, Walk};
use mlp_core::nn::{Loss, Target};

use super::measure::one_row;
use super::perform::Trained;
use super::recipe_file::Run;
use crate::failure::Failure;

/// One number of the walk.
#[derive(Debug)]
pub(super) struct Line {
    /// `h1`, `L`, `dL/dw1`.
    pub(super) name: String,
    /// What it is made of, in letters and then in numbers.
    pub(super) formula: String,
    pub(super) value: f32,
}

/// More units than this are no walk.
const MOST_UNITS: usize = 8;

/// All numbers of the walk that the run asks for, in order; none if it asks for none.
pub(super) fn lines(run: &Run, trained: &Trained) -> Result<Vec<Line>, Failure> {
    let Some(row) = &run.walk else {
        return Ok(Vec::new());
    };
    let network = &trained.network;
    let layers = network.layers();
    if layers.len() > 2
        || layers
            .iter()
            .any(|l| l.outputs() > MOST_UNITS || l.inputs() > MOST_UNITS)
    {
        return Err(Failure::Failed(format!(
            "a walk is for at most one hidden layer and {MOST_UNITS} units in each"
        )));
    }
    let mut inputs = one_row(&row.input);
    if let Some(scaling) = trained.parts.train.inputs().scaling() {
        inputs = inputs.with_scaling(scaling.clone())?;
    }
    let answer: Vec<f32> = match &row.answer {
        Some(values) => values.iter().map(|&y| y as f32).collect(),
        None => vec![0.0; network.outputs()],
    };
    let loss = match run.args.loss.as_str() {
        "auto" => Loss::default_for(network.output_activation()),
        name => Loss::parse(name)?,
    };
    let walk = network.walk(inputs.to_matrix().row(0), Target::Values(&answer), loss)?;
    let mut told = Told {
        walk: &walk,
        lines: Vec::new(),
    };
    told.forward();
    if row.answer.is_some() {
        told.loss(loss, &answer);
        told.back();
    }
    Ok(told.lines)
}

/// The lines in the making.
struct Told<'a> {
    walk: &'a Walk,
    lines: Vec<Line>,
}

impl Told<'_> {
    fn push(&mut self, name: String, formula: String, value: f32) {
        self.lines.push(Line {
            name,
            formula,
            value,
        });
    }

    /// `h1 = f(w1 x1 + w2 x2 + b1) = f(0 * 2 + 1 * 3 + 0) = f(3)`
    fn forward(&mut self) {
        let walk = self.walk;
        for (l, step) in walk.layers.iter().enumerate() {
            for unit in 0..step.z.len() {
                let letters = (0..step.inputs.len()).map(|input| {
                    format!("{} {}", self.weight(l, unit, input), self.input(l, input))
                });
                let numbers = (0..step.inputs.len()).map(|input| {
                    format!(
                        "{} * {}",
                        number(step.weight.row(unit)[input]),
                        number(step.inputs[input])
                    )
                });
                let mut letters: Vec<String> = letters.collect();
                let mut numbers: Vec<String> = numbers.collect();
                if let Some(&bias) = step.bias.get(unit) {
                    letters.push(self.bias(l, unit));
                    numbers.push(number(bias));
                }
                let formula = format!(
                    "f({}) = f({}) = f({})",
                    letters.join(" + "),
                    numbers.join(" + "),
                    number(step.z[unit])
                );
                self.push(self.unit(l, unit), formula, step.y[unit]);
            }
        }
    }

    fn loss(&mut self, loss: Loss, answer: &[f32]) {
        let answers: Vec<String> = answer.iter().map(|&y| number(y)).collect();
        let outputs = &self.walk.layers[self.walk.layers.len() - 1].y;
        let outputs: Vec<String> = outputs.iter().map(|&p| number(p)).collect();
        let told = format!(
            "{} of y = {}, o = {}",
            loss.name(),
            answers.join(", "),
            outputs.join(", ")
        );
        let formula = match (loss, answer, &outputs[..]) {
            (Loss::Mse, &[y], [o]) => format!("(y - o1)^2 = ({} - {o})^2", number(y)),
            _ => told,
        };
        self.push("L".to_owned(), formula, self.walk.loss);
        for (k, &d) in self.walk.d_output.iter().enumerate() {
            let formula = match (loss, answer, &outputs[..]) {
                (Loss::Mse, &[y], [o]) => format!("-2 (y - o1) = -2 ({} - {o})", number(y)),
                _ => format!("the slope of {}", loss.name()),
            };
            self.push(format!("dL/do{}", k + 1), formula, d);
        }
    }

    /// The links of the chain rule, then what they come to for each parameter.
    fn back(&mut self) {
        let walk = self.walk;
        let last = walk.layers.len() - 1;
        for (l, step) in walk.layers.iter().enumerate().rev() {
            for unit in 0..step.z.len() {
                for input in 0..step.inputs.len() {
                    self.links(l, step, unit, input, l == last && l > 0);
                }
            }
        }
        for (l, step) in walk.layers.iter().enumerate() {
            for unit in 0..step.z.len() {
                for input in 0..step.inputs.len() {
                    let weight = self.weight(l, unit, input);
                    let formula = self.chain(l, unit, &weight);
                    self.push(
                        format!("dL/d{weight}"),
                        formula,
                        step.d_weight.row(unit)[input],
                    );
                }
                if let Some(&d) = step.d_bias.get(unit) {
                    let bias = self.bias(l, unit);
                    let formula = self.chain(l, unit, &bias);
                    self.push(format!("dL/d{bias}"), formula, d);
                }
            }
        }
    }

    /// How a unit follows one of its inputs, if that is a unit itself, and the weight of that input.
    fn links(&mut self, l: usize, step: &Step, unit: usize, input: usize, from_hidden: bool) {
        let (y, z) = (self.unit(l, unit), number(step.z[unit]));
        let (weight, a) = (self.weight(l, unit, input), self.input(l, input));
        if let (true, Some(value)) = (from_hidden, step.by_input(unit, input)) {
            let formula = format!(
                "{weight} f'({z}) = {} * {}",
                number(step.weight.row(unit)[input]),
                number(step.slope[unit])
            );
            self.push(format!("d{y}/d{a}"), formula, value);
        }
        if let Some(value) = step.by_weight(unit, input) {
            let formula = format!(
                "{a} f'({z}) = {} * {}",
                number(step.inputs[input]),
                number(step.slope[unit])
            );
            self.push(format!("d{y}/d{weight}"), formula, value);
        }
    }

    /// `dL/do1 do1/dh1 dh1/dw1`, summed over the outputs.
    fn chain(&self, l: usize, unit: usize, parameter: &str) -> String {
        let y = self.unit(l, unit);
        if l + 1 == self.walk.layers.len() {
            return format!("dL/d{y} * d{y}/d{parameter}");
        }
        let outputs = self.walk.layers[l + 1].z.len();
        let paths = (1..=outputs).map(|o| format!("dL/do{o} * do{o}/d{y}"));
        let paths = paths.collect::<Vec<_>>().join(" + ");
        if outputs == 1 {
            format!("{paths} * d{y}/d{parameter}")
        } else {
            format!("({paths}) * d{y}/d{parameter}")
        }
    }

    fn unit(&self, l: usize, unit: usize) -> String {
        let letter = if l + 1 == self.walk.layers.len() {
            'o'
        } else {
            'h'
        };
        format!("{letter}{}", unit + 1)
    }

    fn input(&self, l: usize, input: usize) -> String {
        match l.checked_sub(1) {
            None => format!("x{}", input + 1),
            Some(before) => self.unit(before, input),
        }
    }

    fn weight(&self, l: usize, unit: usize, input: usize) -> String {
        let before: usize = self.walk.layers[..l]
            .iter()
            .map(|s| s.z.len() * s.inputs.len())
            .sum();
        format!(
            "w{}",
            before + unit * self.walk.layers[l].inputs.len() + input + 1
        )
    }

    fn bias(&self, l: usize, unit: usize) -> String {
        let before: usize = self.walk.layers[..l].iter().map(|s| s.z.len()).sum();
        format!("b{}", before + unit + 1)
    }
}

/// Up to six digits after the point.
pub(super) fn number(x: f32) -> String {
    let text = format!("{x:.6}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
