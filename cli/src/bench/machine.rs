//! The short table of `mlp-fast bench`: the peak, products, epochs and predictions of this machine, in under a minute.

use std::io::{self, Write};
use std::time::Instant;

use indicatif::ProgressBar;
use mlp_core::dataset::source::{self, SourceOptions};
use mlp_core::dataset::{Dataset, Scaling, ScalingKind};
use mlp_core::team::available_threads;
use mlp_core::tensor::peak::{fma_peak, memory_bandwidth};
use mlp_core::{Error, Isa, Kind};
use serde_json::json;

use super::epochs::{WORKS, predictions};
use super::products::{SHAPES, product};
use super::table::{Line, Unit, header};
use crate::args::TableArgs;
use crate::failure::Failure;
use crate::{print, progress};

/// Measures everything and prints it line by line, or as one JSON object.
pub(crate) fn run(args: &TableArgs) -> Result<(), Failure> {
    let start = Instant::now();
    let (isa, threads) = (args.machine.isa()?, args.machine.threads());
    let (name, data) = images(args)?;
    let mut report = Report::new(args);
    report.begin(isa, threads)?;

    let peak = [fma_peak(isa, 1), fma_peak(isa, threads)];
    report.take(Line {
        what: "multiply-adds in registers, the peak".to_owned(),
        unit: Unit::Flops,
        one: peak[0],
        all: (threads > 1).then_some(peak[1]),
        naive: None,
        peak: None,
    })?;
    let bandwidth = memory_bandwidth(isa);
    for (what, one) in [
        ("memory read", bandwidth.read),
        ("memory read and written", bandwidth.update),
    ] {
        report.take(Line {
            what: what.to_owned(),
            unit: Unit::Bytes,
            one,
            all: None,
            naive: None,
            peak: None,
        })?;
    }
    for shape in SHAPES {
        report.take(product(isa, threads, peak, shape)?)?;
    }
    report.note(&format!(
        "{} rows of {name}:",
        print::grouped(data.len() as u64)
    ))?;
    for work in WORKS {
        report.take(work.line(isa, threads, &data)?)?;
    }
    for line in predictions(isa, threads, &data)? {
        report.take(line)?;
    }
    report.finish(isa, threads, (&name, data.len()), start)
}

/// MNIST's training images if they are here, else the built-in digits.
fn images(args: &TableArgs) -> Result<(String, Dataset), Failure> {
    let options = SourceOptions {
        data_dir: args.data_dir.clone(),
        seed: 1,
        ..SourceOptions::default()
    };
    let (name, loaded) = match source::open("mnist", &options) {
        Ok(loaded) => ("MNIST", loaded),
        // A folder that was named must be right; that MNIST is nowhere is no fault.
        Err(error) if args.data_dir.is_some() || error.kind() != Kind::Io => {
            return Err(error.into());
        }
        Err(_) => ("the built-in digits", source::open("digits", &options)?),
    };
    let scaled = |data: Dataset| -> Result<Dataset, Error> {
        let scaling = Scaling::fit(&ScalingKind::Unit, data.inputs())?;
        data.scaled(scaling)
    };
    Ok((name.to_owned(), scaled(loaded.train)?))
}

/// What has been measured, told as it comes.
struct Report<'a> {
    args: &'a TableArgs,
    bar: Option<ProgressBar>,
    lines: Vec<Line>,
}

impl<'a> Report<'a> {
    fn new(args: &'a TableArgs) -> Self {
        let lines = 3 + SHAPES.len() + WORKS.len() + 2;
        let bar = progress::bar(lines as u64, args.quiet).map(|bar| bar.with_message("measuring"));
        Self {
            args,
            bar,
            lines: Vec::new(),
        }
    }

    fn begin(&self, isa: Isa, threads: usize) -> Result<(), Failure> {
        self.print(&format!(
            "instruction set {isa}, {} cores; the best of some runs of each\n{}",
            available_threads(),
            header(threads)
        ))
    }

    fn take(&mut self, line: Line) -> Result<(), Failure> {
        self.print(&line.text())?;
        self.lines.push(line);
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        Ok(())
    }

    /// A line between others.
    fn note(&self, text: &str) -> Result<(), Failure> {
        self.print(text)
    }

    fn print(&self, text: &str) -> Result<(), Failure> {
        if self.args.json {
            return Ok(());
        }
        let print = || writeln!(io::stdout(), "{text}");
        match &self.bar {
            Some(bar) => bar.suspend(print)?,
            None => print()?,
        }
        Ok(())
    }

    fn finish(
        self,
        isa: Isa,
        threads: usize,
        (data, rows): (&str, usize),
        start: Instant,
    ) -> Result<(), Failure> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = start.elapsed().as_secs_f64();
        if !self.args.json {
            return self.print(&format!("measured in {}", print::duration(seconds)));
        }
        let lines: Vec<_> = self.lines.iter().map(Line::json).collect();
        let report = json!({
            "isa": isa.name(),
            "cores": available_threads(),
            "threads": threads,
            "data": data,
            "rows": rows,
            "measured": lines,
            "seconds": seconds,
        });
        writeln!(io::stdout(), "{report}")?;
        Ok(())
    }
}
