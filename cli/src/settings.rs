//! The options of `train` checked together and turned into what core takes. No file is touched here.

use mlp_core::dataset::{Dataset, ScalingKind, Targets};
use mlp_core::nn::{Init, Loss, Network};
use mlp_core::optim::Optimizer;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Monitor, Reduction, Trainer};
use mlp_core::{Error, Isa};

use crate::args::{BatchSize, Monitored, Reduced, TrainArgs, option_of};
use crate::failure::Failure;

/// One hidden layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HiddenLayer {
    pub(crate) units: usize,
    pub(crate) activation: Activation,
    /// The share of its units that a step drops.
    pub(crate) dropout: f64,
}

/// Everything about a run that the data does not decide. `None` is what the user left to be chosen.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) hidden: Vec<HiddenLayer>,
    pub(crate) output: Option<Activation>,
    pub(crate) loss: Option<Loss>,
    pub(crate) optimizer: Optimizer,
    pub(crate) scaling: ScalingKind,
    pub(crate) isa: Isa,
    init: Init,
    bias: bool,
    input_dropout: f64,
    seed: u64,
}

impl Settings {
    /// Checks what one option alone cannot know.
    pub(crate) fn check(args: &TrainArgs) -> Result<Self, Failure> {
        if args.patience.is_some() && args.validation == 0.0 && args.validation_data.is_none() {
            return Err(Failure::usage(
                "--patience needs rows held out to watch: --validation above 0, or --validation-data",
            ));
        }
        Ok(Self {
            hidden: hidden(args)?,
            output: left_to_core(
                "--output-activation",
                &args.output_activation,
                Activation::parse,
            )?,
            loss: left_to_core("--loss", &args.loss, Loss::parse)?,
            optimizer: optimizer(args)?,
            scaling: args.scale.clone(),
            isa: args.machine.isa()?,
            init: args.init,
            bias: !args.no_bias,
            input_dropout: args.input_dropout,
            seed: args.seed,
        })
    }

    /// The same with another seed of the first weights.
    pub(crate) fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The network for this data, with its first weights.
    pub(crate) fn network(&self, data: &Dataset) -> Result<Network, Failure> {
        let output = self.output_activation(data.targets());
        let outputs = match (output, data.targets()) {
            // One probability tells of two classes.
            (Activation::Sigmoid, Targets::Classes { names, .. }) if names.len() == 2 => 1,
            (_, targets) => targets.width(),
        };
        if let Some(loss) = self.loss {
            let classes = matches!(data.targets(), Targets::Classes { .. });
            loss.check(output, outputs, classes.then(|| data.target_width()))?;
        }
        let mut builder = Network::builder(data.inputs().cols())
            .dropout(self.input_dropout as f32)
            .init(self.init)
            .seed(self.seed)
            .isa(self.isa);
        for layer in &self.hidden {
            builder = if self.bias {
                builder.dense(layer.units, layer.activation)
            } else {
                builder.dense_no_bias(layer.units, layer.activation)
            };
            builder = builder.dropout(layer.dropout as f32);
        }
        builder = if self.bias {
            builder.dense(outputs, output)
        } else {
            builder.dense_no_bias(outputs, output)
        };
        Ok(builder.build()?)
    }

    /// The chosen activation, or the one that goes with the loss, or with the answers.
    fn output_activation(&self, targets: &Targets) -> Activation {
        self.output.unwrap_or(match (self.loss, targets) {
            (Some(Loss::BinaryCrossEntropy), _) => Activation::Sigmoid,
            (_, Targets::Classes { .. }) => Activation::Softmax,
            (_, Targets::Values { .. }) => Activation::Identity,
        })
    }

    /// The trainer, without its callbacks.
    pub(crate) fn trainer<'a>(&self, args: &TrainArgs) -> Trainer<'a> {
        let mut trainer = Trainer::new(self.optimizer)
            .schedule(args.schedule)
            .epochs(args.epochs)
            .seed(args.seed)
            .shuffle(!args.no_shuffle)
            .l1(args.l1)
            .l2(args.l2)
            .reduction(match args.reduction {
                Reduced::Mean => Reduction::Mean,
                Reduced::Sum => Reduction::Sum,
            })
            .monitor(match args.monitor {
                Monitored::Loss => Monitor::Loss,
                Monitored::Accuracy => Monitor::Accuracy,
            });
        trainer = match args.batch_size {
            BatchSize::Rows(rows) => trainer.batch_size(rows),
            BatchSize::Full => trainer.full_batch(),
        };
        if let Some(loss) = self.loss {
            trainer = trainer.loss(loss);
        }
        if let Some(threads) = args.machine.threads {
            trainer = trainer.threads(threads);
        }
        if let Some(patience) = args.patience {
            trainer = trainer.patience(patience);
        }
        trainer
    }
}

/// The value of an option that may be `auto`.
fn left_to_core<T>(
    option: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<Option<T>, Failure> {
    match text {
        "auto" => Ok(None),
        _ => parse(text)
            .map(Some)
            .map_err(|error| Failure::usage(format!("{option} {text}: {error}"))),
    }
}

fn hidden(args: &TrainArgs) -> Result<Vec<HiddenLayer>, Failure> {
    let units = &args.hidden.0;
    if units.is_empty() && args.dropout.iter().any(|&share| share > 0.0) {
        return Err(Failure::usage(
            "--dropout drops hidden units, and --hidden none has none: see --input-dropout",
        ));
    }
    (0..units.len())
        .map(|layer| {
            Ok(HiddenLayer {
                units: units[layer],
                activation: *of_layer("--activation", &args.activation, layer, units.len())?,
                dropout: *of_layer("--dropout", &args.dropout, layer, units.len())?,
            })
        })
        .collect()
}

/// The value for one layer, from a list of one for all or of one for each.
fn of_layer<'a, T>(
    option: &str,
    list: &'a [T],
    layer: usize,
    layers: usize,
) -> Result<&'a T, Failure> {
    match list {
        [one] => Ok(one),
        _ if list.len() == layers => Ok(&list[layer]),
        _ => Err(Failure::usage(format!(
            "{option} has {} values for {layers} hidden layers: one for all or one for each is needed",
            list.len()
        ))),
    }
}

/// The optimiser with those of its settings that were given.
fn optimizer(args: &TrainArgs) -> Result<Optimizer, Failure> {
    let mut optimizer = Optimizer::parse(&args.optimizer, args.lr)
        .map_err(|error| Failure::usage(format!("--optimizer {}: {error}", args.optimizer)))?;
    for (name, given) in [
        ("momentum", args.momentum),
        ("beta1", args.beta1),
        ("beta2", args.beta2),
        ("rho", args.rho),
        ("eps", args.eps),
        ("weight_decay", args.weight_decay),
    ] {
        let Some(given) = given else { continue };
        let settings = optimizer.settings();
        let setting = settings.iter().find(|(key, _)| option_of(key) == name);
        optimizer
            .set(setting.map_or(name, |(key, _)| key), given)
            .map_err(|error| {
                let option = name.replace('_', "-");
                Failure::usage(format!("--{option} {given:?}: {error}"))
            })?;
    }
    Ok(optimizer)
}
