//! The program as its user meets it: every test runs the built binary in a directory of its own.

#[path = "cli/room.rs"]
mod room;

#[path = "cli/samples.rs"]
mod samples;

#[path = "cli/written.rs"]
mod written;

/// The main road: train, then evaluate, predict and inspect what was trained.
#[path = "cli/road.rs"]
mod road;

/// Settings: that they are taken, that they matter, that they are remembered.
#[path = "cli/choices.rs"]
mod choices;

/// Kinds of data and of answers: that they are told from each other, and remembered.
#[path = "cli/kinds.rs"]
mod kinds;

/// Which rows are trained on, held out and measured.
#[path = "cli/rows.rs"]
mod rows;

/// What documents ask for: NumPy's numbers, some of the classes, a model to go on from.
#[path = "cli/documents.rs"]
mod documents;

/// Bad input: one sentence, the right exit code, nothing written.
#[path = "cli/faults.rs"]
mod faults;

/// Hostile input: numbers too large, outputs that are no files, models and data that do not go together.
#[path = "cli/limits.rs"]
mod limits;

/// Pictures: images in the terminal and as PNG, activations, the sheet of mistakes.
#[path = "cli/pictures.rs"]
mod pictures;

/// Checkpoints: going on from one, and what is told when that cannot be.
#[path = "cli/resume.rs"]
mod resume;

/// `kill -9` at random moments loses nothing.
#[cfg(unix)]
#[path = "cli/killed.rs"]
mod killed;

/// Ctrl-C, and two runs that write one file.
#[cfg(unix)]
#[path = "cli/interrupted.rs"]
mod interrupted;

/// What `bench to-accuracy` tells, and what it cannot.
#[path = "cli/bench.rs"]
mod bench;

/// `--cache`: data larger than memory.
#[path = "cli/cached.rs"]
mod cached;
