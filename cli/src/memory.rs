//! Memory as it is told: what a fit was planned to take, and the most that the process has held.

use mlp_core::dataset::Dataset;
use mlp_core::nn::Network;
use mlp_core::train::{Extent, Memory};

use crate::args::{BatchSize, TrainArgs};
use crate::data::Parts;
use crate::print;
use crate::settings::Settings;

/// `  memory: 54.9 MB of data; to train at most 2.9 MB: weights 1.2 MB, ..`.
pub(crate) fn plan(
    args: &TrainArgs,
    settings: &Settings,
    parts: &Parts,
    network: &Network,
) -> String {
    let sets = [
        Some(&parts.train),
        parts.held_out.as_ref(),
        parts.test.as_ref(),
    ];
    let of_all = |size: fn(&Dataset) -> usize| sets.into_iter().flatten().map(size).sum();
    let cached = match of_all(Dataset::size_elsewhere) {
        0 => String::new(),
        bytes => format!(" and {} in the cache", print::bytes(bytes)),
    };
    let rows = parts.train.len();
    let extent = Extent {
        optimizer: settings.optimizer,
        batch: match args.batch_size {
            BatchSize::Rows(batch) => batch,
            BatchSize::Full => rows,
        },
        rows,
        validation_rows: parts.held_out.as_ref().map_or(0, Dataset::len),
        keeps_best: args.patience.is_some(),
        threads: args.machine.threads(),
    };
    let fit = Memory::of_fit(network, &extent);
    format!(
        "  memory: {} of data{cached}; to train at most {}: {}",
        print::bytes(of_all(Dataset::size_in_memory)),
        print::bytes(fit.total()),
        parts_of(&fit)
    )
}

/// `weights 1.2 MB, moments 0.8 MB, activations 1.1 MB, rows 0.2 MB`.
pub(crate) fn parts_of(memory: &Memory) -> String {
    [
        ("weights", memory.weights),
        ("moments", memory.moments),
        ("activations", memory.activations),
        ("rows", memory.rows),
    ]
    .map(|(what, bytes)| format!("{what} {}", print::bytes(bytes)))
    .join(", ")
}

/// The most bytes of memory that this process has held so far, where the system tells.
pub(crate) fn most_held() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    most_held_in(&status)
}

fn most_held_in(status: &str) -> Option<usize> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::most_held_in;

    #[test]
    fn the_line_of_the_system_is_read() {
        let status = "Name:\tmlp-fast\nVmPeak:\t  200000 kB\nVmHWM:\t   79048 kB\nThreads:\t1\n";
        assert_eq!(most_held_in(status), Some(79048 * 1024));
        assert_eq!(most_held_in("Name:\tmlp-fast\n"), None);
    }
}
