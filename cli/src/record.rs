//! What a model file remembers of its training: the settings, and how it went. No times, no machine, no threads: the
//! same training gives the same file.

use mlp_core::dataset::Dataset;
use mlp_core::nn::{Loss, Network};
use mlp_core::train::{History, Stop};
use serde_json::{Map, Value, json};

use crate::args::{BatchSize, TrainArgs};
use crate::data::Parts;
use crate::settings::Settings;
use crate::targets::Scaled;

/// The settings, those left to be chosen as they were chosen.
pub(crate) fn settings(
    args: &TrainArgs,
    settings: &Settings,
    parts: &Parts,
    network: &Network,
) -> Map<String, Value> {
    let loss = settings
        .loss
        .unwrap_or_else(|| Loss::default_for(network.output_activation()));
    let optimizer: Map<_, _> = settings
        .optimizer
        .settings()
        .into_iter()
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect();
    let init: Vec<String> = args.init.iter().map(|init| init.name()).collect();
    let rows = |rows: &Option<Dataset>| rows.as_ref().map_or(0, Dataset::len);
    let entries = [
        ("data", json!(args.data)),
        ("rows", json!(parts.train.len())),
        ("rows_held_out", json!(rows(&parts.held_out))),
        ("split", json!(name(&args.split))),
        ("scale", json!(settings.scaling.name())),
        ("loss", json!(loss.name())),
        ("report", json!(args.fine.report.unwrap_or(loss).name())),
        ("optimizer", json!(settings.optimizer.name())),
        ("optimizer_settings", Value::Object(optimizer)),
        ("schedule", json!(args.schedule.name())),
        (
            "batch_size",
            match args.batch_size {
                BatchSize::Rows(rows) => json!(rows),
                BatchSize::Full => json!("full"),
            },
        ),
        ("epochs", json!(args.epochs)),
        ("shuffle_once", json!(args.fine.shuffle_once)),
        ("drop_last", json!(args.fine.drop_last)),
        ("layer_rates", json!(args.fine.layer_rates)),
        ("reduction", json!(name(&args.reduction))),
        ("shuffle", json!(!args.no_shuffle)),
        ("l1", json!(args.l1)),
        ("l2", json!(args.l2)),
        ("patience", json!(args.patience)),
        ("min_delta", json!(args.min_delta.unwrap_or(0.0))),
        ("monitor", json!(name(&args.monitor))),
        ("init", json!(init.join(","))),
        ("bias_init", json!(args.fine.bias_init.name())),
        ("random", json!(name(&args.fine.random))),
        ("draw_order", json!(name(&args.fine.draw_order))),
        ("from", json!(args.from)),
        ("seed", json!(args.seed)),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
    ];
    let targets = parts.targets.as_ref().map(|Scaled { scaling, .. }| {
        let (mean, deviation) = (scaling.mean(), scaling.deviation());
        ("targets", json!({ "mean": mean, "deviation": deviation }))
    });
    entries
        .into_iter()
        .chain(targets)
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// The settings and how it went: the numbers of the epoch whose weights were kept.
pub(crate) fn finished(mut settings: Map<String, Value>, history: &History, kept: usize) -> Value {
    settings.insert("epochs_run".to_owned(), json!(history.epochs.len()));
    settings.insert("epoch_kept".to_owned(), json!(kept));
    if history.stopped == Stop::Callback {
        settings.insert("interrupted".to_owned(), json!(true));
    }
    if let Some(epoch) = history.epochs.iter().find(|epoch| epoch.epoch == kept) {
        for (key, value) in [
            ("final_loss", Some(epoch.loss)),
            ("final_accuracy", epoch.accuracy),
            ("final_validation_loss", epoch.validation_loss),
            ("final_validation_accuracy", epoch.validation_accuracy),
        ] {
            settings.insert(key.to_owned(), json!(value));
        }
    }
    Value::Object(settings)
}

/// What the settings of the run in a checkpoint have that these have not, as a sentence; the number of epochs is not
/// compared, nor is what an older program did not write down.
pub(crate) fn difference(kept: &Value, settings: &Map<String, Value>) -> Option<String> {
    settings.iter().find_map(|(key, value)| {
        let kept = kept.get(key).filter(|_| key != "epochs")?;
        match value {
            Value::Object(values) => difference(kept, values),
            value if kept == value => None,
            value => Some(format!(
                "the run it holds has {} {}, this one {}",
                key.replace('_', " "),
                plain(kept),
                plain(value)
            )),
        }
    })
}

/// A value as it is typed.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The word for a choice on the command line.
fn name(choice: &impl clap::ValueEnum) -> Option<String> {
    Some(choice.to_possible_value()?.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::difference;

    #[test]
    fn a_setting_that_was_not_written_down_is_not_compared() {
        let settings = |scale: &str| Map::from_iter([("scale".to_owned(), json!(scale))]);
        assert_eq!(difference(&json!({"seed": 1}), &settings("auto")), None);
        let told = difference(&json!({"scale": "none"}), &settings("auto"));
        assert_eq!(
            told.as_deref(),
            Some("the run it holds has scale none, this one auto")
        );
    }
}
