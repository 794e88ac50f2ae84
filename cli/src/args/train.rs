//! The options of `train`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mlp_core::nn::{Activation, Init, Loss};
use mlp_core::optim::Optimizer;

use super::value::{BatchSize, Hidden, count, not_negative, positive, share};
use super::{DataArgs, MachineArgs};

/// Train a network and write its model, learning curves and history.
#[derive(Debug, Args)]
#[command(after_help = "Example: mlp-fast train mnist --hidden 256,128 --dropout 0.2 --patience 5 -o mnist.safetensors")]
pub(crate) struct TrainArgs {
    /// Data set: digits, mnist, fashion-mnist, a CSV file, IDX images or a folder of IDX files
    #[arg(default_value = "digits")]
    pub(crate) data: String,

    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// What the answers are: auto, classes, values
    #[arg(long, value_enum, default_value_t = Task::Auto, hide_possible_values = true, help_heading = "Data")]
    pub(crate) task: Task,
    /// Scaling, fitted on the training rows: auto, none, standard, min-max, unit, unit-shift, shift:X
    #[arg(long, value_name = "NAME", default_value = "auto", help_heading = "Data")]
    pub(crate) scale: String,
    /// Share of the rows held out of training to watch it
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.1", help_heading = "Data")]
    pub(crate) validation: f32,
    /// Hold out the rows of this file instead
    #[arg(long, value_name = "FILE", conflicts_with = "validation", help_heading = "Data")]
    pub(crate) validation_data: Option<String>,
    /// How rows are held out: auto, stratified (each class alike), random
    #[arg(long, value_enum, default_value_t = Split::Auto, hide_possible_values = true, help_heading = "Data")]
    pub(crate) split: Split,

    /// Units of the hidden layers, `none` for a linear model
    #[arg(long, value_name = "UNITS,..", default_value = "128", help_heading = "Network")]
    pub(crate) hidden: Hidden,
    /// Activation of all hidden layers, or one for each
    #[arg(long, value_name = "NAME,..", default_value = "relu", help_heading = "Network")]
    #[arg(value_delimiter = ',', value_parser = Activation::parse)]
    pub(crate) activation: Vec<Activation>,
    /// Activation of the output: auto (softmax for classes, identity for values) or one of the above
    #[arg(long, value_name = "NAME", default_value = "auto", help_heading = "Network")]
    pub(crate) output_activation: String,
    /// First weights
    #[arg(long, value_name = "NAME", default_value = "auto", help_heading = "Network")]
    #[arg(value_parser = Init::parse)]
    pub(crate) init: Init,
    /// Layers without bias
    #[arg(long, help_heading = "Network")]
    pub(crate) no_bias: bool,
    /// Share of the hidden units dropped in a step, for all layers or for each
    #[arg(long, value_name = "P,..", default_value = "0", help_heading = "Network")]
    #[arg(value_delimiter = ',', value_parser = share)]
    pub(crate) dropout: Vec<f32>,
    /// Share of the inputs dropped in a step
    #[arg(long, value_name = "P", default_value = "0", value_parser = share, help_heading = "Network")]
    pub(crate) input_dropout: f32,

    /// Loss
    #[arg(long, value_name = "NAME", default_value = "auto", help_heading = "Training")]
    pub(crate) loss: String,
    /// Optimiser
    #[arg(long, value_name = "NAME", default_value = "adam", help_heading = "Training")]
    pub(crate) optimizer: String,
    /// Learning rate
    #[arg(long, value_name = "X", default_value = "1e-3", value_parser = positive, allow_negative_numbers = true)]
    #[arg(help_heading = "Training")]
    pub(crate) lr: f32,
    /// Momentum [default: 0.9; of ema-momentum, momentum, nesterov]
    #[arg(long, value_name = "X", value_parser = share, help_heading = "Training")]
    pub(crate) momentum: Option<f32>,
    /// Decay of the mean of gradients [default: 0.9; of adam, adamw]
    #[arg(long, value_name = "X", value_parser = share, help_heading = "Training")]
    pub(crate) beta1: Option<f32>,
    /// Decay of the mean of squares [default: 0.999; of adam, adamw]
    #[arg(long, value_name = "X", value_parser = share, help_heading = "Training")]
    pub(crate) beta2: Option<f32>,
    /// Decay of the mean of squares [default: 0.9; of rms-prop]
    #[arg(long, value_name = "X", value_parser = share, help_heading = "Training")]
    pub(crate) rho: Option<f32>,
    /// Added to the root of the mean square [default: 1e-8; of rms-prop, adam, adamw]
    #[arg(long, value_name = "X", value_parser = positive, help_heading = "Training")]
    pub(crate) eps: Option<f32>,
    /// Decoupled weight decay [default: 0.01; of adamw]
    #[arg(long, value_name = "X", value_parser = not_negative, help_heading = "Training")]
    pub(crate) weight_decay: Option<f32>,
    /// Penalty on the absolute weights
    #[arg(long, value_name = "X", default_value = "0", value_parser = not_negative, help_heading = "Training")]
    pub(crate) l1: f32,
    /// Penalty on the squared weights
    #[arg(long, value_name = "X", default_value = "0", value_parser = not_negative, help_heading = "Training")]
    pub(crate) l2: f32,
    /// Rows of a step, `full` for all
    #[arg(short, long, value_name = "N", default_value = "128", help_heading = "Training")]
    pub(crate) batch_size: BatchSize,
    /// Passes over the data
    #[arg(short, long, value_name = "N", default_value = "10", value_parser = count, help_heading = "Training")]
    pub(crate) epochs: usize,
    /// Gradient of a batch: mean or sum of its rows
    #[arg(long, value_enum, default_value_t = Reduced::Mean, hide_possible_values = true, help_heading = "Training")]
    pub(crate) reduction: Reduced,
    /// Keep the order of the file
    #[arg(long, help_heading = "Training")]
    pub(crate) no_shuffle: bool,
    /// Stop after N epochs without a better one and keep the best weights [default: never]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub(crate) patience: Option<usize>,
    /// What makes an epoch better: loss or accuracy on the rows held out
    #[arg(long, value_enum, default_value_t = Monitored::Loss, hide_possible_values = true, help_heading = "Training")]
    pub(crate) monitor: Monitored,
    /// Seed of the first weights, the split, the order and dropout
    #[arg(short, long, value_name = "N", default_value_t = 1, help_heading = "Training")]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Model file; the curves (.svg) and the history (.jsonl) go beside it
    #[arg(short, long, value_name = "FILE", default_value = "model.safetensors")]
    pub(crate) output: PathBuf,
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
