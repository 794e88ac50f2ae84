//! The options of `show`.

use std::path::PathBuf;

use clap::Args;

use super::DataArgs;
use super::value::whole;

/// Look at an image of a data set, or at the activations.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
#[command(
    after_help = "Examples: mlp-fast show mnist --row 20\n          mlp-fast show digits --row 7 -o seven.png\n          \
                  mlp-fast show activations -o activations.svg"
)]
pub(crate) struct ShowArgs {
    /// A data set of images, or `activations`: every activation and its derivative
    pub(crate) what: String,
    /// Which image, counted from 0
    #[arg(long, value_name = "N", value_parser = whole, default_value = "0")]
    pub(crate) row: usize,
    /// Of the test part
    #[arg(long)]
    pub(crate) test: bool,
    /// File to write: .png for an image, .svg for activations [default: an image is drawn in the terminal]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: DataArgs,
}
