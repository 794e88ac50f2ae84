//! A number that tells one data set from another.

use crate::dataset::{Dataset, Inputs, Targets};
use crate::rng::mix;

/// Words folded into 64 bits, their order included: h = rotl((h ^ word) * odd, 29). No defence against someone who
/// looks for two data sets of the same number; chance finds them once in 2^64.
struct Fingerprint(u64);

impl Fingerprint {
    #[inline(always)]
    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29);
    }

    fn floats(&mut self, values: &[f32]) {
        self.word(values.len() as u64);
        let (pairs, rest) = values.as_chunks::<2>();
        for [a, b] in pairs {
            self.word(u64::from(a.to_bits()) << 32 | u64::from(b.to_bits()));
        }
        for x in rest {
            self.word(u64::from(x.to_bits()));
        }
    }

    fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        for byte in text.bytes() {
            self.word(u64::from(byte));
        }
    }

    fn texts(&mut self, texts: &[String]) {
        self.word(texts.len() as u64);
        for text in texts {
            self.text(text);
        }
    }

    fn inputs(&mut self, inputs: &Inputs) {
        self.word(inputs.rows() as u64);
        self.texts(inputs.columns().unwrap_or_default());
        if let Some(scaling) = inputs.scaling().filter(|scaling| !scaling.is_identity()) {
            self.floats(scaling.shift());
            self.floats(scaling.scale());
        }
        let mut row = vec![0.0; inputs.cols()];
        for r in 0..inputs.rows() {
            inputs.raw_row(r, &mut row);
            self.floats(&row);
        }
    }
}

impl Dataset {
    /// A number made of all rows, targets and names and of the scaling, in their order: equal for equal data, whether
    /// they are kept as f32 or as bytes, and different for different data but for one case in 2^64. It reads everything
    /// once: some 30 ms for MNIST.
    pub fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint(0);
        fingerprint.inputs(self.inputs());
        fingerprint.texts(self.targets().names());
        match self.targets() {
            Targets::Classes { labels, .. } => {
                for &label in labels {
                    fingerprint.word(u64::from(label));
                }
            }
            Targets::Values { values, .. } => {
                for r in 0..values.rows() {
                    fingerprint.floats(values.row(r));
                }
            }
        }
        mix(fingerprint.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::dataset::{Dataset, Inputs, Scaling, ScalingKind};
    use crate::tensor::Matrix;

    fn bytes(values: &[u8]) -> Inputs {
        Inputs::from_bytes(values.to_vec(), values.len() / 2, 2).expect("as many bytes")
    }

    fn classes(inputs: Inputs, labels: &[u32], names: [&str; 2]) -> Dataset {
        Dataset::classes(inputs, labels.to_vec(), names.map(str::to_owned).to_vec()).expect("data")
    }

    #[test]
    fn tells_data_apart_and_knows_them_again() {
        let values = [1, 2, 3, 4, 5, 6];
        let own = classes(bytes(&values), &[0, 1, 0], ["a", "b"]).fingerprint();
        let floats = Matrix::from_vec(3, 2, &values.map(f32::from));
        let others = [
            classes(bytes(&[1, 2, 3, 4, 6, 5]), &[0, 1, 0], ["a", "b"]),
            classes(bytes(&[3, 4, 1, 2, 5, 6]), &[0, 1, 0], ["a", "b"]),
            classes(bytes(&values), &[0, 1, 1], ["a", "b"]),
            classes(bytes(&values), &[0, 1, 0], ["b", "a"]),
            classes(bytes(&values[..4]), &[0, 1], ["a", "b"]),
            {
                let scaling = Scaling::fit(&ScalingKind::Unit, &bytes(&values)).expect("a scaling");
                let scaled = bytes(&values)
                    .with_scaling(scaling)
                    .expect("of two columns");
                classes(scaled, &[0, 1, 0], ["a", "b"])
            },
            Dataset::values(
                floats.clone().into(),
                Matrix::from_vec(3, 1, &[0.0, 1.0, 0.0]),
            )
            .expect("data"),
        ];
        for (i, other) in others.iter().enumerate() {
            assert_ne!(other.fingerprint(), own, "case {i}");
        }
        let same = [classes(floats.into(), &[0, 1, 0], ["a", "b"]), {
            let none = Scaling::none(2);
            classes(
                bytes(&values).with_scaling(none).expect("of two columns"),
                &[0, 1, 0],
                ["a", "b"],
            )
        }];
        for other in &same {
            assert_eq!(other.fingerprint(), own);
        }
    }
}
