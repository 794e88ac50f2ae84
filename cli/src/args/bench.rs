//! The options of `bench`.

use std::path::PathBuf;

use clap::builder::ArgPredicate;
use clap::{Args, Subcommand};

use super::value::{count, share};
use super::{MachineArgs, TrainArgs};

/// Measure what this machine makes of it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Example: mlp-fast bench to-accuracy mnist 0.98 --threads 2")]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) command: Option<BenchCommand>,
    #[command(flatten)]
    pub(crate) table: TableArgs,
}

/// What else can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// How many seconds of training until a share of the test rows is told right
    ToAccuracy(Box<ToAccuracyArgs>),
}

/// The short table: products, epochs and predictions beside the peak and naive loops, in under a minute.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// Print one JSON object instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    #[arg(help = "Folder that holds mnist/ [default: $MLP_FAST_DATA, else data]")]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// No progress and no notes
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

/// How long training takes to that accuracy, for several seeds. All settings of `train` can be given; the defaults are
/// those that were found to reach 98 % of MNIST soonest.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
#[command(mut_arg("data", |arg| arg.index(1).required(true).default_value(None)))]
#[command(mut_arg("hidden", |arg| arg.default_value("160")))]
#[command(mut_arg("batch_size", |arg| arg.default_value("64")))]
#[command(mut_arg("epochs", |arg| arg.default_value("3")))]
#[command(mut_arg("lr", |arg| arg
    .default_value_ifs([
        ("optimizer", ArgPredicate::Equals("adam".into()), Some("6e-3")),
        ("optimizer", ArgPredicate::IsPresent, None),
    ])
    .default_value("6e-3")
    .hide_default_value(true)
    .help("Learning rate [default: 6e-3 for adam; else that of train]")))]
#[command(mut_arg("output", |arg| arg.hide(true)))]
#[command(mut_arg("from", |arg| arg.hide(true)))]
#[command(mut_arg("checkpoint_every", |arg| arg.hide(true)))]
#[command(mut_arg("resume", |arg| arg.hide(true)))]
#[command(mut_arg("help_all", |arg| arg.hide(true)))]
#[command(
    after_help = "Counted is training alone: preparing weights and lists, shuffling, forward, backward, update; not \
    counted are reading the data and the evaluation after each epoch, whose time is told.\n\
    Example: mlp-fast bench to-accuracy mnist 0.98 --threads 2"
)]
pub(crate) struct ToAccuracyArgs {
    #[command(flatten)]
    pub(crate) train: TrainArgs,
    /// Share of the test rows (of the rows held out, where there is no test) to be told right: 0.98
    #[arg(index = 2, value_parser = share)]
    pub(crate) accuracy: f64,
    /// Seeds to run, from --seed on
    #[arg(long, value_name = "N", value_parser = count, default_value = "5")]
    pub(crate) seeds: usize,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}
