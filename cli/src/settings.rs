//! The options of `train` checked together and turned into what core takes. No file is touched here.

use mlp_core::dataset::{Dataset, ScalingKind, Targets};
use mlp_core::nn::{Init, Loss, Network};
use mlp_core::optim::Optimizer;
use mlp_core::rng::LegacyRandom;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Monitor, Reduction, Trainer};
use mlp_core::{Error, Isa};

use crate::args::{BatchSize, Monitored, Random, Reduced, TrainArgs, having, option_of};
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
    /// Of the hidden layers and the last.
    init: Vec<Init>,
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
        if args.min_delta.is_some() && args.patience.is_none() {
            return Err(Failure::usage(
                "--min-delta says what makes an epoch better for --patience, which is not given",
            ));
        }
        let hidden = hidden(args)?;
        let layers = hidden.len() + 1;
        let init = (0..layers)
            .map(|layer| of_layer("--init", &args.init, layer, (layers, "layers")).copied());
        Ok(Self {
            init: init.collect::<Result<_, _>>()?,
            hidden,
            output: left_to_core(
                "--output-activation",
                &args.output_activation,
                Activation::parse,
            )?,
            loss: left_to_core("--loss", &args.loss, Loss::parse)?,
            optimizer: optimizer(args)?,
            scaling: args.scale.clone(),
            isa: args.machine.isa()?,
            bias: !args.no_bias,
            input_dropout: args.input_dropout.unwrap_or(0.0),
            seed: args.seed,
        })
    }

    /// The same with another seed of the first weights.
    pub(crate) fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The network for this data, with its first weights.
    pub(crate) fn network(
        &self,
        args: &TrainArgs,
        data: &Dataset,
        random: Option<&mut LegacyRandom>,
    ) -> Result<Network, Failure> {
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
            .bias_init(args.fine.bias_init)
            .draw_order(args.fine.draw_order.of_core())
            .seed(self.seed)
            .isa(self.isa);
        for (layer, &init) in self.hidden.iter().zip(&self.init) {
            builder = builder.next_init(init);
            builder = if self.bias {
                builder.dense(layer.units, layer.activation)
            } else {
                builder.dense_no_bias(layer.units, layer.activation)
            };
            builder = builder.dropout(layer.dropout as f32);
        }
        if let Some(&init) = self.init.last() {
            builder = builder.next_init(init);
        }
        builder = if self.bias {
            builder.dense(outputs, output)
        } else {
            builder.dense_no_bias(outputs, output)
        };
        Ok(match random {
            Some(random) => builder.build_from(random)?,
            None => builder.build()?,
        })
    }

    /// A network that was trained before, dropping what this run drops.
    pub(crate) fn go_on(args: &TrainArgs, mut network: Network) -> Result<Network, Failure> {
        if let Some(share) = args.input_dropout {
            network.set_dropout(0, share as f32)?;
        }
        let hidden = network.layers().len() - 1;
        if hidden == 0 && !args.dropout.is_empty() {
            return Err(Failure::usage(
                "--dropout drops hidden units, and the model of --from has none: see --input-dropout",
            ));
        }
        for layer in (0..hidden).take_while(|_| !args.dropout.is_empty()) {
            let share = of_layer("--dropout", &args.dropout, layer, (hidden, "hidden layers"))?;
            network.set_dropout(layer + 1, *share as f32)?;
        }
        Ok(network)
    }

    /// The legacy generator, if the run draws from it.
    pub(crate) fn legacy_random(args: &TrainArgs) -> Result<Option<LegacyRandom>, Failure> {
        match (args.fine.random, u32::try_from(args.seed)) {
            (Random::Own, _) => Ok(None),
            (Random::Numpy, Ok(seed)) => Ok(Some(LegacyRandom::new(seed))),
            (Random::Numpy, Err(_)) => Err(Failure::usage(format!(
                "--seed {}: NumPy's generator takes seeds up to {}",
                args.seed,
                u32::MAX
            ))),
        }
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
            .drop_last(args.fine.drop_last)
            .layer_rates(&args.fine.layer_rates)
            .l1(args.l1)
            .l2(args.l2)
            .min_delta(args.min_delta.unwrap_or(0.0))
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
        if let Some(loss) = args.fine.report {
            trainer = trainer.report(loss);
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
    if args.from.is_some() {
        return Ok(Vec::new());
    }
    let units = &args.hidden.0;
    if units.is_empty() && args.dropout.iter().any(|&share| share > 0.0) {
        return Err(Failure::usage(
            "--dropout drops hidden units, and --hidden none has none: see --input-dropout",
        ));
    }
    let layers = (units.len(), "hidden layers");
    (0..units.len())
        .map(|layer| {
            Ok(HiddenLayer {
                units: units[layer],
                activation: *of_layer("--activation", &args.activation, layer, layers)?,
                dropout: match args.dropout[..] {
                    [] => 0.0,
                    _ => *of_layer("--dropout", &args.dropout, layer, layers)?,
                },
            })
        })
        .collect()
}

/// The value for one layer, from a list of one for all or of one for each.
fn of_layer<'a, T>(
    option: &str,
    list: &'a [T],
    layer: usize,
    (layers, what): (usize, &str),
) -> Result<&'a T, Failure> {
    match list {
        [one] => Ok(one),
        _ if list.len() == layers => Ok(&list[layer]),
        _ => Err(Failure::usage(format!(
            "{option} has {} values for {layers} {what}: one for all or one for each is needed",
            list.len()
        ))),
    }
}

/// The optimiser with those of its settings that were given.
fn optimizer(args: &TrainArgs) -> Result<Optimizer, Failure> {
    let mut optimizer = Optimizer::parse(&args.optimizer, None)
        .map_err(|error| Failure::usage(format!("--optimizer {}: {error}", args.optimizer)))?;
    for (name, given) in [
        ("lr", args.lr),
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
        let option = format!("--{}", name.replace('_', "-"));
        let Some((key, _)) = setting else {
            return Err(Failure::usage(format!(
                "{option} is a setting of {}, and --optimizer is {}",
                having(name).0,
                optimizer.name()
            )));
        };
        optimizer
            .set(key, given)
            .map_err(|error| error.at(option))?;
    }
    Ok(optimizer)
}
