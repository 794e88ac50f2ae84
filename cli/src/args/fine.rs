//! The rarer options of `train`: for those who follow a document to the digit. `--help-all` lists them.

use clap::{Args, ValueEnum};
use mlp_core::nn::{DrawOrder, Init, Loss};

use super::value::not_negative;

/// The rarer options.
#[derive(Debug, Args)]
pub(crate) struct FineArgs {
    /// Where random numbers come from: own, numpy (`RandomState(SEED)`: one stream, in the order of use; not the split)
    #[arg(long, value_enum, default_value_t = Random::Own, hide_possible_values = true)]
    #[arg(hide = true, help_heading = "Training")]
    pub(crate) random: Random,
    /// How the weights of a layer are drawn, as a matrix: out-in, in-out
    #[arg(long, value_enum, default_value_t = Order::OutIn, hide_possible_values = true)]
    #[arg(hide = true, help_heading = "Network")]
    pub(crate) draw_order: Order,
    /// First biases, by the names of --init
    #[arg(long, value_name = "NAME", default_value = "zeros", value_parser = Init::parse)]
    #[arg(hide = true, help_heading = "Network")]
    pub(crate) bias_init: Init,
    /// Loss that is shown, and watched, in place of the one that is minimised [default: that one]
    #[arg(long, value_name = "NAME", value_parser = Loss::parse)]
    #[arg(hide = true, help_heading = "Training")]
    pub(crate) report: Option<Loss>,
    /// Times the learning rate, for each layer from the inputs on; 0 keeps a layer as it is [default: 1]
    #[arg(long, value_name = "X,..", value_delimiter = ',', value_parser = not_negative)]
    #[arg(allow_hyphen_values = true)]
    #[arg(hide = true, help_heading = "Training")]
    pub(crate) layer_rates: Vec<f64>,
    /// Put the rows to train on in a random order once, before all else that is random (see --no-shuffle)
    #[arg(long, hide = true, help_heading = "Training")]
    pub(crate) shuffle_once: bool,
    /// Train on values as they are, and not, where they are far from 0 and 1, on (t - mean) / deviation
    #[arg(long, hide = true, help_heading = "Training")]
    pub(crate) raw_targets: bool,
    /// Leave out the rows of an epoch that do not fill a batch, if there is a whole one
    #[arg(long, hide = true, help_heading = "Training")]
    pub(crate) drop_last: bool,
}

/// Where random numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Random {
    Own,
    Numpy,
}

/// How the weights of a layer are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    OutIn,
    InOut,
}

impl Order {
    /// In core's words.
    pub(crate) fn of_core(self) -> DrawOrder {
        match self {
            Self::OutIn => DrawOrder::OutIn,
            Self::InOut => DrawOrder::InOut,
        }
    }
}
