//! The command line as it is typed: every option with its help, its default and the check of its own value.
//!
//! What depends on more than one option is checked in [`crate::settings`]; nothing here reads a file.

mod bench;
mod fine;
mod recipe;
mod show;
mod train;
mod value;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mlp_core::dataset::options::ClassChoice;
use mlp_core::team::{MOST_THREADS, available_threads};
use mlp_core::{Error, Isa};

pub(crate) use bench::{BenchArgs, BenchCommand, TableArgs, ToAccuracyArgs};
pub(crate) use fine::{FineArgs, Random};
pub(crate) use recipe::{RecipeArgs, RecipeCommand, RecipeListArgs, RecipeRunArgs};
pub(crate) use show::ShowArgs;
pub(crate) use train::{Monitored, Reduced, Split, Task, TrainArgs, having, option_of};
pub(crate) use value::BatchSize;
use value::{count, seed, whole};

/// Train and run multi-layer perceptrons on the CPU: a data file in, a model and a picture of how it learned out.
#[derive(Debug, Parser)]
#[command(name = "mlp-fast", version, arg_required_else_help = false)]
#[command(
    after_help = "DATA is `digits` (built in), `mnist`, `fashion-mnist`, a CSV file, an IDX file of images \
    or a folder of IDX files.\nResults go to standard output, progress and notes to standard error. \
    Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted, 143 terminated.\nLimits: a CSV row has at most 64 MB and 1000000 columns, a packed IDX file \
     4 GiB; data/README.md has all."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a network and write its model, learning curves and history
    Train(Box<TrainArgs>),
    /// Measure a model on data whose answers are known
    Evaluate(EvaluateArgs),
    /// Write what a model says about each row
    Predict(PredictArgs),
    /// Show what is in a model file
    Inspect(InspectArgs),
    /// Write a data set that is drawn, not downloaded
    Generate(GenerateArgs),
    /// Run experiments whose results were published, and compare
    Recipe(RecipeArgs),
    /// Look at an image of a data set, or at the activations
    Show(ShowArgs),
    /// Measure this machine: products, epochs, predictions; training time to an accuracy
    Bench(BenchArgs),
}

/// How DATA is found and read.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[arg(
        help = "Answers: a column's name, or number from 1 (-1: last)\n[default: label, target, class, y, or the last]"
    )]
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) label: Option<String>,
    /// Whether the CSV has a header line
    #[arg(long, value_enum, default_value_t = Header::Auto, help_heading = "Data")]
    pub(crate) header: Header,
    #[arg(help = "Folder that holds mnist/ etc. [default: $MLP_FAST_DATA, else data]")]
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Pass over the first N rows
    #[arg(
        long,
        value_name = "N",
        value_parser = whole,
        default_value = "0",
        hide_default_value = true,
        help_heading = "Data"
    )]
    pub(crate) skip: usize,
    /// Use the first N rows only, of those not passed over
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Data")]
    pub(crate) take: Option<usize>,
}

/// Which classes are used. Rows are passed over and taken of what is left.
#[derive(Debug, Args)]
pub(crate) struct ClassArgs {
    /// Use the rows of these classes only
    #[arg(
        long,
        value_name = "CLASS,..",
        value_delimiter = ',',
        help_heading = "Data"
    )]
    only: Vec<String>,
    /// Tell this class from all others
    #[arg(
        long,
        value_name = "CLASS",
        conflicts_with = "only",
        help_heading = "Data"
    )]
    one_vs_rest: Option<String>,
}

impl ClassArgs {
    /// In core's words.
    pub(crate) fn choice(&self) -> ClassChoice {
        match (&self.one_vs_rest, &self.only[..]) {
            (Some(class), _) => ClassChoice::OneVsRest(class.clone()),
            (None, []) => ClassChoice::All,
            (None, only) => ClassChoice::Only(only.to_vec()),
        }
    }
}

/// The machine's share in the work.
#[derive(Debug, Args)]
pub(crate) struct MachineArgs {
    /// Threads; the result does not depend on them [default: all cores]
    #[arg(short, long, value_name = "N", value_parser = count)]
    pub(crate) threads: Option<usize>,
    /// Instruction set: scalar, v3 (AVX2), v4 (AVX-512), neon [default: the fastest here]
    #[arg(long, value_name = "NAME", value_parser = Isa::by_name)]
    pub(crate) isa: Option<Isa>,
}

impl MachineArgs {
    /// The threads that may run.
    pub(crate) fn threads(&self) -> usize {
        let threads = self.threads.unwrap_or_else(available_threads);
        threads.min(MOST_THREADS)
    }

    /// The instruction set to run on.
    pub(crate) fn isa(&self) -> Result<Isa, Error> {
        self.isa.map_or_else(Isa::detect, Ok)
    }
}

/// Measure a model on data whose answers are known.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
#[command(after_help = "Example: mlp-fast evaluate model.safetensors mnist --json")]
pub(crate) struct EvaluateArgs {
    /// Model file
    pub(crate) model: PathBuf,
    /// Data set; `mnist` and `fashion-mnist` mean their test part
    pub(crate) data: String,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Also draw the confusion matrix (.svg)
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Also draw the images that were told wrong (.svg)
    #[arg(long, value_name = "FILE")]
    pub(crate) mistakes: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: DataArgs,
    #[command(flatten)]
    pub(crate) classes: ClassArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

/// Write what a model says about each row.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
#[command(
    after_help = "Example: mlp-fast predict model.safetensors test.csv --format kaggle -o submission.csv"
)]
pub(crate) struct PredictArgs {
    /// Model file
    pub(crate) model: PathBuf,
    /// Data set, with or without its answers; `mnist` and `fashion-mnist` mean their test part
    pub(crate) data: String,
    /// File to write, `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
    /// csv: a header and one line per row; kaggle: `ImageId,Label` counted from 1
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub(crate) format: Format,
    /// Also write the probability of each class
    #[arg(long)]
    pub(crate) probabilities: bool,
    #[command(flatten)]
    pub(crate) source: DataArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

/// Show what is in a model file.
#[derive(Debug, Args)]
#[command(after_help = "Example: mlp-fast inspect model.safetensors")]
pub(crate) struct InspectArgs {
    /// Model file
    pub(crate) model: PathBuf,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write a data set that is drawn, not downloaded.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
#[command(after_help = "Example: mlp-fast generate digits --rows 42000 --seed 7 -o digits.csv")]
pub(crate) struct GenerateArgs {
    /// What to draw: 28x28 grey digits as `label,pixel0..pixel783`
    #[arg(value_enum)]
    pub(crate) what: Drawn,
    /// Rows to draw
    #[arg(long, value_name = "N", value_parser = count, default_value = "10000")]
    pub(crate) rows: usize,
    /// Seed: the same seed gives the same file everywhere
    #[arg(long, value_name = "N", value_parser = seed, default_value = "1")]
    pub(crate) seed: u64,
    /// File to write, `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "digits.csv")]
    pub(crate) output: PathBuf,
}

/// Whether a CSV file has a header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Header {
    Auto,
    Yes,
    No,
}

/// What `predict` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Csv,
    Kaggle,
}

/// What `generate` draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawn {
    Digits,
}
