//! How the first layer, which often has most of the weights, is shared out among the threads.

use std::cmp::Ordering;
use std::ops::Range;

use crate::nn::Network;
use crate::team;
use crate::tensor::LINE;
use crate::tensor::sparse::UNITS;

/// Weights of the first layer from which on it is worth a way of its own.
const WEIGHTS: usize = 1 << 15;

/// Inputs in a strip of sparse rows.
pub(super) const STRIP: usize = 2 * UNITS;

/// Who has which weights of the first layer, and what the others see of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sharing {
    /// Each thread some inputs, as of all layers: for its rows it reads the weights of all.
    Inputs,
    /// Each thread some inputs, whose part of the sums of all rows it hands on: a [`Leg`](super::relay::Leg).
    Sums {
        /// The layer from whose inputs the last thread has that part of the weights; of layers after it all, of those before
        /// it, but the first, none.
        last: (usize, f64),
    },
    /// Each thread some units, which it does for all rows: a [`First`](super::first::First).
    Units,
}

impl Sharing {
    /// The best way among so many threads, for parts of a batch of so many rows, of inputs that are sparse or not.
    ///
    /// Weights that all threads read have just been changed by one of them: where they are many and the rows are few,
    /// most of a step is their way from core to core.
    pub(super) fn of(network: &Network, rows: usize, threads: usize, sparse: bool) -> Self {
        let layer = &network.layers()[0];
        let (inputs, outputs) = (layer.inputs(), layer.outputs());
        let panels = outputs.div_ceil(LINE);
        // Sums of all rows are a fraction of the weights, and there are strips enough to be shared out evenly.
        let sums_are_few = rows >= 8 && inputs >= 6 * rows && inputs >= 2 * STRIP * threads;
        // What is dropped is drawn when the rows are met.
        if threads == 1 || inputs * outputs < WEIGHTS || layer.dropout() > 0.0 {
            Self::Inputs
        } else if sparse && sums_are_few && panels < 4 * threads {
            // With so few units for each, products that skip zeros would spend most of their time on finding them.
            Self::Sums {
                last: last(network, rows, threads),
            }
        } else if outputs >= rows && panels >= 2 * threads {
            // Fewer panels for each thread would make the products slow.
            Self::Units
        } else {
            Self::Inputs
        }
    }

    /// Which inputs of layer `l` are member `index`'s, of so many,
    pub(super) fn inputs(
        self,
        l: usize,
        inputs: usize,
        (index, size): (usize, usize),
    ) -> Range<usize> {
        match self {
            Self::Sums { last } if l > 0 => {
                let part = match l.cmp(&last.0) {
                    Ordering::Less => 0.0,
                    Ordering::Equal => last.1,
                    Ordering::Greater => 1.0,
                };
                // The others' part, in whole panels of the transpose.
                let panels = inputs.div_ceil(LINE);
                let own = (panels as f64 * (1.0 - part)).round() as usize;
                let cut = |index: usize| match index {
                    all if all == size => inputs,
                    _ => own * index / (size - 1) * LINE,
                };
                cut(index).min(inputs)..cut(index + 1).min(inputs)
            }
            _ if l > 0 => team::share(inputs, LINE, index, size),
            // Whole tiles.
            Self::Inputs => team::share(inputs, 4, index, size),
            Self::Sums { .. } => {
                let cut = |index: usize| match inputs * index / size {
                    end if end == inputs => end,
                    cut => (cut + STRIP / 2) / STRIP * STRIP,
                };
                cut(index)..cut(index + 1)
            }
            Self::Units => 0..inputs,
        }
    }

    /// and which panels of units.
    pub(super) fn panels(
        self,
        l: usize,
        panels: usize,
        (index, size): (usize, usize),
    ) -> Range<usize> {
        match self {
            Self::Units if l == 0 => team::share(panels, 1, index, size),
            _ => 0..panels,
        }
    }
}

/// What the last thread gets of all layers but the first, where it is also handed sums: to go on from a number that comes
/// from another core takes about as long as the step of one and a half weights. It gets whole layers where that can be: who
/// has a layer's weights reads what comes from its inputs in all rows.
fn last(network: &Network, rows: usize, threads: usize) -> (usize, f64) {
    let (first, others) = (&network.layers()[0], &network.layers()[1..]);
    let weights = others.iter().map(|l| (l.inputs() * l.outputs()) as f64);
    let all: f64 = weights.clone().sum();
    let handed = 1.5 * (rows * first.outputs()) as f64;
    let threads = threads as f64;
    let mut left = ((all - (threads - 1.0) * handed) / threads).max(0.0);
    for (l, weights) in weights.enumerate().rev() {
        if left < weights {
            return (l + 1, left / weights);
        }
        left -= weights;
    }
    (0, 0.0)
}

#[cfg(test)]
mod tests {
    use super::Sharing;
    use crate::error::Error;
    use crate::nn::Network;
    use crate::tensor::activation::Activation;

    fn network(widths: &[usize]) -> Result<Network, Error> {
        let hidden = widths[1..].iter();
        let build = hidden.fold(Network::builder(widths[0]), |builder, &n| {
            builder.dense(n, Activation::Relu)
        });
        build.build()
    }

    #[test]
    fn every_weight_is_somebodys() -> Result<(), Error> {
        let nets: [&[usize]; 4] = [
            &[784, 64, 10],
            &[784, 64, 64, 10],
            &[2000, 64, 300, 20, 3],
            &[784, 100],
        ];
        for widths in nets {
            let network = network(widths)?;
            for threads in [2, 3, 8] {
                let sharing = Sharing::of(&network, 32, threads, true);
                for (l, layer) in network.layers().iter().enumerate() {
                    let mut end = 0;
                    for index in 0..threads {
                        let own = sharing.inputs(l, layer.inputs(), (index, threads));
                        assert_eq!(own.start, end, "{widths:?}, layer {l} of {threads}");
                        end = own.end;
                    }
                    assert_eq!(end, layer.inputs(), "{widths:?}, layer {l} of {threads}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn who_is_handed_sums_has_the_last_weights() -> Result<(), Error> {
        let network = network(&[784, 64, 64, 10])?;
        // 2368 weights would be half; to be handed 32 sums of 64 units counts for 3072 of 4736.
        let sharing = Sharing::of(&network, 32, 2, true);
        let last = |l: usize| sharing.inputs(l, 64, (1, 2)).len();
        assert_eq!([last(1), last(2)], [0, 64]);
        // 16 sums count for half as much, and some of the layer before can be had.
        let sharing = Sharing::of(&network, 16, 2, true);
        let last = |l: usize| sharing.inputs(l, 64, (1, 2)).len();
        assert_eq!([last(1), last(2)], [16, 64]);
        Ok(())
    }
}
