//! The options of `recipe`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::MachineArgs;

/// Experiments with published results, to be run again and compared.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = false,
    after_help = "Example: mlp-fast recipe run first1000-40"
)]
pub(crate) struct RecipeArgs {
    #[command(subcommand)]
    pub(crate) command: RecipeCommand,
}

/// What is to be done with recipes.
#[derive(Debug, Subcommand)]
pub(crate) enum RecipeCommand {
    /// List the recipes that are built in
    List(RecipeListArgs),
    /// Show a recipe: settings, published values, known bug; of a tiny network, every number on a row's way
    Show(RecipeShowArgs),
    /// Run recipes and compare with what was published
    Run(RecipeRunArgs),
}

/// List the recipes that are built in.
#[derive(Debug, Args)]
pub(crate) struct RecipeListArgs {
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show a recipe.
#[derive(Debug, Args)]
#[command(after_help = "Example: mlp-fast recipe show grad-w1")]
pub(crate) struct RecipeShowArgs {
    /// A recipe's name, or a recipe file of your own
    pub(crate) name: String,
}

/// Run recipes and compare with what was published: exit code 0 if all values are in their bands.
#[derive(Debug, Args)]
#[command(after_help = "Example: mlp-fast recipe run --all --threads 2 --json")]
pub(crate) struct RecipeRunArgs {
    /// Names of recipes, or recipe files of your own (NAME.toml)
    #[arg(
        value_name = "NAME",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub(crate) names: Vec<String>,
    /// All that are built in
    #[arg(long)]
    pub(crate) all: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Folder for the curves (.svg) and the submissions (.csv); made if it is not there
    #[arg(short, long, value_name = "DIR", default_value = "recipe-results")]
    pub(crate) output: PathBuf,
    #[arg(help = "Folder that holds mnist/ etc. [default: $MLP_FAST_DATA, else data]")]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// No progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
