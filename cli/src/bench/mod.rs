//! `mlp-fast bench`: what this machine makes of it, measured with the calls that everything else here makes.

mod clock;
mod epochs;
mod machine;
mod products;
mod table;
mod to_accuracy;

use crate::args::{BenchArgs, BenchCommand};
use crate::failure::Failure;

/// Measures the short table, or what the subcommand says.
pub(crate) fn run(args: &BenchArgs) -> Result<(), Failure> {
    match &args.command {
        Some(BenchCommand::ToAccuracy(args)) => to_accuracy::run(args),
        None => machine::run(&args.table),
    }
}
