//! The options of `train`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mlp_core::dataset::ScalingKind;
use mlp_core::nn::{Init, Loss};
use mlp_core::optim::Optimizer;
use mlp_core::tensor::activation::Activation;
use mlp_core::{Every, Schedule};

use super::value::{BatchSize, Hidden, count, every, not_negative, number, seed, share};
use super::{ClassArgs, DataArgs, FineArgs, MachineArgs};

/// Train a network and write its model, learning curves and history.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
#[command(
    after_help = "Example: mlp-fast train mnist --hidden 256,128 --dropout 0.2 --patience 5 -o mnist.safetensors"
)]
#[command(mut_arg("isa", |arg| arg.hide(true)))]
#[command(mut_arg("header", |arg| arg.hide(true)))]
#[command(mut_arg("skip", |arg| arg.hide(true)))]
#[command(mut_arg("only", |arg| arg.hide(true)))]
#[command(mut_arg("one_vs_rest", |arg| arg.hide(true)))]
pub(crate) struct TrainArgs {
    /// digits, mnist, fashion-mnist, a CSV file, IDX images or a folder of them
    #[arg(default_value = "digits")]
    pub(crate) data: String,

    #[command(flatten)]
    pub(crate) source: DataArgs,
    #[command(flatten)]
    pub(crate) classes: ClassArgs,
    /// Built-in digits to draw, and a fifth as many to test [default: 30000]
    #[arg(long, value_name = "N", value_parser = count, hide = true, help_heading = "Data")]
    pub(crate) rows: Option<usize>,
    /// What the answers are: classes, values, auto (classes if text or at most 100 whole numbers)
    #[arg(long, value_enum, default_value_t = Task::Auto, hide_possible_values = true)]
    #[arg(hide = true, help_heading = "Data")]
    pub(crate) task: Task,
    #[arg(help = names("Fitted on the training rows", ScalingKind::NAMES, &|_| false))]
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = ScalingKind::parse, help_heading = "Data")]
    pub(crate) scale: ScalingKind,
    /// Share of the rows held out of training to watch it
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.1", help_heading = "Data")]
    pub(crate) validation: f64,
    /// Hold out the rows of this file instead
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "validation",
        help_heading = "Data"
    )]
    pub(crate) validation_data: Option<String>,
    /// Read a CSV larger than memory by a copy beside it (FILE.cache)
    #[arg(long, help_heading = "Data")]
    pub(crate) cache: bool,
    /// Rows held out: auto, stratified, random, last
    #[arg(long, value_enum, default_value_t = Split::Auto, hide_possible_values = true, help_heading = "Data")]
    pub(crate) split: Split,

    /// Go on from this model: layers, weights, scaling, columns, classes
    #[arg(long, value_name = "MODEL", help_heading = "Network")]
    #[arg(conflicts_with_all = [
        "hidden", "activation", "output_activation", "init", "bias_init", "draw_order", "no_bias", "scale", "task",
    ])]
    pub(crate) from: Option<PathBuf>,
    /// Units of hidden layers, `none` for a linear model
    #[arg(
        long,
        value_name = "UNITS,..",
        default_value = "128",
        allow_hyphen_values = true,
        help_heading = "Network"
    )]
    pub(crate) hidden: Hidden,
    #[arg(help = names("Of the hidden layers, one for all or for each", Activation::NAMES, &|name| Activation::parse(name).is_ok()))]
    #[arg(
        long,
        value_name = "NAME,..",
        default_value = "relu",
        help_heading = "Network"
    )]
    #[arg(value_delimiter = ',', value_parser = Activation::parse)]
    pub(crate) activation: Vec<Activation>,
    /// As above; auto: softmax for classes, else identity
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        help_heading = "Network"
    )]
    pub(crate) output_activation: String,
    #[arg(help = names("First weights, for all or each layer", Init::NAMES, &|name| Init::parse(name).is_ok()))]
    #[arg(
        long,
        value_name = "NAME,..",
        default_value = "auto",
        help_heading = "Network"
    )]
    #[arg(value_delimiter = ',', value_parser = Init::parse)]
    pub(crate) init: Vec<Init>,
    /// Layers without bias
    #[arg(long, help_heading = "Network")]
    pub(crate) no_bias: bool,
    /// Share of hidden units dropped in a step [default: 0, or --from's]
    #[arg(long, value_name = "P,..", help_heading = "Network")]
    #[arg(value_delimiter = ',', value_parser = share, allow_hyphen_values = true)]
    pub(crate) dropout: Vec<f64>,
    /// Share of the inputs dropped in a step [default: 0, or --from's]
    #[arg(long, value_name = "P", value_parser = share, hide = true, help_heading = "Network")]
    pub(crate) input_dropout: Option<f64>,

    #[arg(help = names("Loss: auto", Loss::NAMES, &|name| Loss::parse(name).is_ok()))]
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        help_heading = "Training"
    )]
    pub(crate) loss: String,
    #[arg(help = names("Optimiser", Optimizer::NAMES, &|_| false))]
    #[arg(
        long,
        value_name = "NAME",
        default_value = "adam",
        help_heading = "Training"
    )]
    pub(crate) optimizer: String,
    #[arg(help = names("How the learning rate goes", Schedule::NAMES, &|_| false))]
    #[arg(
        long,
        value_name = "NAME",
        default_value = "linear",
        value_parser = Schedule::parse,
        help_heading = "Training"
    )]
    pub(crate) schedule: Schedule,
    #[arg(
        help = "Learning rate [default: 3e-3 for adam, adamw; 1e-3 rmsprop;\n0.03 momentum, nesterov; else 0.1]"
    )]
    #[arg(long, value_name = "X", value_parser = not_negative)]
    #[arg(help_heading = "Training")]
    pub(crate) lr: Option<f64>,
    #[arg(long, value_name = "X", value_parser = number)]
    #[arg(help = of_optimizers("Momentum", "momentum"), help_heading = "Training")]
    pub(crate) momentum: Option<f64>,
    #[arg(long, value_name = "X", value_parser = number)]
    #[arg(help = of_optimizers("Decay of the mean of gradients", "beta1"), hide = true, help_heading = "Training")]
    pub(crate) beta1: Option<f64>,
    #[arg(long, value_name = "X", value_parser = number)]
    #[arg(help = of_optimizers("Decay of the mean of squares", "beta2"), hide = true, help_heading = "Training")]
    pub(crate) beta2: Option<f64>,
    #[arg(long, value_name = "X", value_parser = number)]
    #[arg(help = of_optimizers("Decay of the mean of squares", "rho"), hide = true, help_heading = "Training")]
    pub(crate) rho: Option<f64>,
    #[arg(long, value_name = "X", value_parser = number)]
    #[arg(help = of_optimizers("Added to the root of the mean square", "eps"), hide = true, help_heading = "Training")]
    pub(crate) eps: Option<f64>,
    #[arg(long, value_name = "X", value_parser = number)]
    #[arg(help = of_optimizers("Decoupled weight decay, of biases too", "weight_decay"), hide = true, help_heading = "Training")]
    pub(crate) weight_decay: Option<f64>,
    /// Penalty on each weight, l1 |w|, not in the loss that is shown
    #[arg(long, value_name = "X", default_value = "0", value_parser = not_negative, help_heading = "Training")]
    pub(crate) l1: f64,
    /// Likewise, l2/2 w^2: half of what Keras' l2 is
    #[arg(long, value_name = "X", default_value = "0", value_parser = not_negative, help_heading = "Training")]
    pub(crate) l2: f64,
    /// Rows of a step, `full` for all
    #[arg(
        short,
        long,
        value_name = "N",
        default_value = "128",
        help_heading = "Training"
    )]
    pub(crate) batch_size: BatchSize,
    /// Passes over the data
    #[arg(short, long, value_name = "N", default_value = "10", value_parser = count, help_heading = "Training")]
    pub(crate) epochs: usize,
    /// Gradient of a batch: mean or sum of its rows
    #[arg(long, value_enum, default_value_t = Reduced::Mean, hide_possible_values = true)]
    #[arg(hide = true, help_heading = "Training")]
    pub(crate) reduction: Reduced,
    /// Keep the order of the file
    #[arg(long, help_heading = "Training")]
    pub(crate) no_shuffle: bool,
    /// Stop after N epochs without a better one, keep the best [default: never]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub(crate) patience: Option<usize>,
    /// An epoch is better by more than X only [default: 0]
    #[arg(long, value_name = "X", value_parser = not_negative, hide = true, help_heading = "Training")]
    pub(crate) min_delta: Option<f64>,
    /// What makes an epoch better: loss or accuracy on the rows held out
    #[arg(long, value_enum, default_value_t = Monitored::Loss, hide_possible_values = true)]
    #[arg(hide = true, help_heading = "Training")]
    pub(crate) monitor: Monitored,
    /// Seed of the first weights, the split, the order and dropout
    #[arg(
        short,
        long,
        value_name = "N",
        value_parser = seed,
        default_value = "1",
        help_heading = "Training"
    )]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) fine: FineArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Model file; .svg and .jsonl go beside it
    #[arg(short, long, value_name = "FILE", default_value = "model.safetensors")]
    pub(crate) output: PathBuf,
    /// A checkpoint beside the model every 5 (epochs), 10minutes, 1000steps
    #[arg(long, value_name = "N", value_parser = every)]
    pub(crate) checkpoint_every: Option<Every>,
    /// Go on from the checkpoint beside the model, if there is one
    #[arg(long)]
    pub(crate) resume: bool,
    /// Print help, the rarer options too
    #[arg(long)]
    pub(crate) help_all: bool,
    /// No progress and no notes
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Also show the settings, and a line for each epoch
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// What the answers of a data set are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    Auto,
    Classes,
    Values,
}

/// How rows are held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    Auto,
    Stratified,
    Random,
    Last,
}

/// How the gradients of a batch become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reduced {
    Mean,
    Sum,
}

/// What early stopping looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Monitored {
    Loss,
    Accuracy,
}

/// What fits beside the options on a screen of 100 columns.
const LINE: usize = 66;

/// `text: name, name[:X]`, in lines; a name has its `[:X]` if it can be parsed with a number.
fn names(text: &str, names: &[&str], parses: &dyn Fn(&str) -> bool) -> String {
    let mut lines = text.to_owned();
    lines.push(if text.contains(':') { ',' } else { ':' });
    let mut line = lines.len();
    for (at, name) in names.iter().enumerate() {
        let mut word = (*name).to_owned();
        if parses(&format!("{name}:0.5")) {
            word.push_str("[:X]");
        }
        let mut room = LINE - " [default: auto]".len();
        if at + 1 < names.len() {
            word.push(',');
            room = LINE;
        }
        if line + 1 + word.len() > room {
            lines.push('\n');
            line = 0;
        } else {
            lines.push(' ');
            line += 1;
        }
        line += word.len();
        lines.push_str(&word);
    }
    lines
}

/// The text with the default and the names of the optimisers that have this setting.
fn of_optimizers(text: &str, setting: &str) -> String {
    let (names, default) = having(setting);
    format!("{text} [default: {default:?}; of {names}]")
}

/// The names of the optimisers that have this setting, and its default.
pub(crate) fn having(setting: &str) -> (String, f64) {
    let mut default = 0.0;
    let mut names = Vec::new();
    for name in Optimizer::NAMES {
        let settings =
            Optimizer::parse(name, 0.0).map_or_else(|_| Vec::new(), |one| one.settings());
        let found = settings.iter().find(|(key, _)| option_of(key) == setting);
        if let Some((_, value)) = found {
            default = *value;
            names.push(*name);
        }
    }
    (names.join(", "), default)
}

/// The option for a setting of an optimiser: they have the same name, but for the moving average's momentum.
pub(crate) fn option_of(setting: &str) -> &str {
    match setting {
        "beta" => "momentum",
        other => other,
    }
}
