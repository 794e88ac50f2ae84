//! What a run is: the names and values of all that its bits depend on, in the words of the settings.

use super::{Every, Monitor, Reduction, Threads, Trainer};
use crate::dataset::Dataset;
use crate::nn::{Layer, Loss, Network};
use crate::rng::{LegacyRandom, mix};

/// The settings of a run on this network and data: two runs with equal ones (and as many epochs) have equal results.
/// The first weights are not among them, for a checkpoint brings its own.
pub(super) fn settings(
    trainer: &Trainer<'_>,
    loss: Loss,
    network: &Network,
    train: &Dataset,
    validation: Option<&Dataset>,
) -> Vec<(String, String)> {
    // Every field by its name, so that none that comes later is forgotten.
    let Trainer {
        optimizer,
        schedule,
        layer_rates,
        loss: _,
        reported,
        batch_size,
        drop_last,
        epochs: _,
        threads: Threads::AtMost(_) | Threads::Exactly(_),
        seed,
        legacy_random,
        shuffle,
        reduction,
        penalty,
        patience,
        min_delta,
        monitor,
        on_epoch: _,
        on_step: _,
        stop_when: _,
        checkpoints: _,
        resume: _,
    } = trainer;
    let mut list = vec![
        ("network", network_text(network)),
        ("training data", data_text(Some(train))),
        ("validation data", data_text(validation)),
        ("seed", seed.to_string()),
        ("random numbers", random_text(legacy_random.as_deref())),
        ("loss", loss.name()),
        ("reported loss", reported.unwrap_or(loss).name()),
        ("optimizer", optimizer.name().to_owned()),
    ];
    let optimizer = optimizer.settings();
    // {:?} writes 1e-8 as such, and every f64 so that it can be read back.
    list.extend(
        optimizer
            .iter()
            .map(|(key, value)| (*key, format!("{value:?}"))),
    );
    let or_none =
        |number: Option<usize>, none: &str| number.map_or(none.to_owned(), |n| n.to_string());
    list.extend([
        ("schedule", schedule.name().to_owned()),
        ("rates of layers", format!("{layer_rates:?}")),
        ("batch size", or_none(*batch_size, "full")),
        ("whole batches only", drop_last.to_string()),
        (
            "reduction",
            match reduction {
                Reduction::Mean => "mean",
                Reduction::Sum => "sum",
            }
            .to_owned(),
        ),
        ("shuffle", if *shuffle { "on" } else { "off" }.to_owned()),
        ("l1", format!("{:?}", penalty.l1)),
        ("l2", format!("{:?}", penalty.l2)),
        ("patience", or_none(*patience, "none")),
        ("min delta", format!("{min_delta:?}")),
        (
            "monitor",
            match monitor {
                Monitor::Loss => "loss",
                Monitor::Accuracy => "accuracy",
            }
            .to_owned(),
        ),
    ]);
    list.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// `784 -> 128 relu -> 10 softmax (inputs dropped: 0.2)`: widths, activations, and what else a layer is told.
fn network_text(network: &Network) -> String {
    let layer = |layer: &Layer| {
        let dropped = match layer.dropout() {
            0.0 => String::new(),
            share => format!(" (inputs dropped: {share})"),
        };
        let bias = if layer.has_bias() { "" } else { " (no bias)" };
        let (units, activation) = (layer.outputs(), layer.activation().name());
        format!(" -> {units} {activation}{dropped}{bias}")
    };
    let layers: String = network.layers().iter().map(layer).collect();
    format!("{}{layers}", network.inputs())
}

/// Where the order of the rows comes from; of the legacy generator, its state before the run.
fn random_text(legacy: Option<&LegacyRandom>) -> String {
    legacy.map_or("by seed".to_owned(), |random| {
        let (key, position, gauss) = random.state();
        let words = key.iter().map(|&word| u64::from(word));
        let rest = [position as u64, gauss.map_or(u64::MAX, f64::to_bits)];
        let state = words.chain(rest).fold(0, |sum, word| mix(sum ^ word));
        format!("from NumPy's generator in state {state:016x}")
    })
}

fn data_text(data: Option<&Dataset>) -> String {
    data.map_or("none".to_owned(), |data| {
        format!(
            "of {} rows, fingerprint {:016x}",
            data.len(),
            data.fingerprint()
        )
    })
}

impl Every {
    /// Whether the number is one that makes sense.
    pub(super) fn is_sound(self) -> bool {
        match self {
            Self::Epochs(n) | Self::Steps(n) => n > 0,
            Self::Seconds(seconds) => seconds.is_finite() && seconds > 0.0,
            Self::Run => true,
        }
    }
}
