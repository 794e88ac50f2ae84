//! Whether the settings of a run make sense, and go with the network and the data.

use super::{Monitor, Threads, Trainer};
use crate::dataset::{Dataset, Targets};
use crate::error::{Error, Kind};
use crate::nn::{Loss, Network};

impl Trainer<'_> {
    pub(super) fn check(
        &self,
        network: &Network,
        train: &Dataset,
        validation: Option<&Dataset>,
        loss: Loss,
    ) -> Result<(), Error> {
        let fault = |kind, message: String| Err(Error::new(kind, message));
        self.optimizer.check()?;
        self.penalty.check()?;
        let (Threads::AtMost(threads) | Threads::Exactly(threads)) = self.threads;
        for (value, what) in [
            (self.epochs, "epochs"),
            (self.batch_size.unwrap_or(1), "the batch size"),
            (threads, "threads"),
            (self.patience.unwrap_or(1), "the patience"),
        ] {
            if value == 0 {
                return fault(Kind::Setting, format!("{what} must be at least 1, not 0"));
            }
        }
        self.check_ends()?;
        if let Some(reported) = self
            .reported
            .filter(|&reported| reported != loss && reported.from_logits())
        {
            let (reported, loss) = (reported.name(), loss.name());
            return fault(
                Kind::Setting,
                format!(
                    "loss `{reported}` takes logits and can be reported only where it is minimised, not beside `{loss}`"
                ),
            );
        }
        if !self.layer_rates.is_empty() {
            let (rates, layers) = (self.layer_rates.len(), network.layers().len());
            if rates != layers {
                return fault(
                    Kind::Setting,
                    format!("{rates} rates of layers are given for {layers} layers"),
                );
            }
            for (l, &rate) in self.layer_rates.iter().enumerate() {
                if !(rate >= 0.0 && rate.is_finite()) {
                    let l = l + 1;
                    return fault(
                        Kind::Setting,
                        format!(
                            "the rate of layer {l} is {rate:?}, and must be a number of 0 or more"
                        ),
                    );
                }
                self.optimizer.slowed(rate).check()?;
            }
        }
        for data in [Some(train), validation].into_iter().flatten() {
            if data.is_empty() {
                return fault(
                    Kind::Data,
                    "there are no rows to train or validate on".into(),
                );
            }
            if u32::try_from(data.len()).is_err() {
                return fault(
                    Kind::Data,
                    format!("{} rows are more than 2^32 - 1", data.len()),
                );
            }
            if data.inputs().cols() != network.inputs() {
                let (cols, inputs) = (data.inputs().cols(), network.inputs());
                return fault(
                    Kind::Data,
                    format!("the data has {cols} columns, the network {inputs} inputs"),
                );
            }
            let classes = match data.targets() {
                Targets::Classes { names, .. } => Some(names.len()),
                Targets::Values { .. } => {
                    let (width, outputs) = (data.target_width(), network.outputs());
                    if width != outputs {
                        return fault(
                            Kind::Data,
                            format!("{width} target values need {width} outputs, not {outputs}"),
                        );
                    }
                    None
                }
            };
            for loss in [loss, self.reported.unwrap_or(loss)] {
                loss.check(network.output_activation(), network.outputs(), classes)?;
            }
        }
        if let Some(validation) = validation {
            check_likeness(train.targets(), validation.targets())?;
        }
        if self.monitor == Monitor::Accuracy && matches!(train.targets(), Targets::Values { .. }) {
            return fault(
                Kind::Setting,
                "values have no accuracy to monitor: monitor the loss".into(),
            );
        }
        Ok(())
    }

    /// What has to do with the end of a run, early or late.
    fn check_ends(&self) -> Result<(), Error> {
        let fault = |message: String| Err(Error::new(Kind::Setting, message));
        if !(self.min_delta >= 0.0 && self.min_delta.is_finite()) {
            let min_delta = self.min_delta;
            return fault(format!(
                "the least improvement must be a number of 0 or more, not {min_delta:?}"
            ));
        }
        let often = self.checkpoints.as_ref().map(|(every, _)| every);
        if often.is_some_and(|every| !every.is_sound()) {
            return fault(
                "between two checkpoints there must be some epochs, steps or seconds".into(),
            );
        }
        Ok(())
    }
}

/// Whether what is to be validated on has the targets that are trained on.
fn check_likeness(train: &Targets, validation: &Targets) -> Result<(), Error> {
    let of_classes = |targets| matches!(targets, &Targets::Classes { .. });
    let message = match (of_classes(train), of_classes(validation)) {
        (true, true) if train.names() != validation.names() => {
            "the classes of the validation data are not those of the training data, in their order"
        }
        (true, false) => "the validation data has values, the training data classes",
        (false, true) => "the validation data has classes, the training data values",
        _ => return Ok(()),
    };
    Err(Error::new(Kind::Data, message))
}
