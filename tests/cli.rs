//! The program as its user meets it: every test runs the built binary in a directory of its own.

#[path = "cli/room.rs"]
mod room;

/// The main road: train, then evaluate, predict and inspect what was trained.
#[path = "cli/road.rs"]
mod road;

/// Settings and kinds of data: that they are taken, that they matter, that they are remembered.
#[path = "cli/choices.rs"]
mod choices;

/// Bad input: one sentence, the right exit code, nothing written.
#[path = "cli/faults.rs"]
mod faults;

/// Hostile input: numbers too large, outputs that are no files, models and data that do not go together.
#[path = "cli/limits.rs"]
mod limits;

/// What `bench to-accuracy` tells, and what it cannot.
#[path = "cli/bench.rs"]
mod bench;
