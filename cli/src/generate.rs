//! `mlp-fast generate`: data sets that are drawn, not downloaded.

use std::io::{self, Write};

use mlp_core::dataset::{Dataset, Targets, digits};

use crate::args::{Drawn, GenerateArgs};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Destination;

/// Draws the rows and writes them as `label,pixel0,..`.
pub(crate) fn run(args: &GenerateArgs) -> Result<(), Failure> {
    let interrupt = Interrupt::listen();
    let destination = Destination::claim(&args.output, &[])?;
    let drawn = match args.what {
        Drawn::Digits => digits::digits(args.rows, args.seed)?,
    };
    let written = destination.write(|file| write_pixels(&drawn, &interrupt, file));
    match interrupt.signal() {
        Some(signal) if written.is_err() => Err(Failure::Interrupted {
            signal,
            sentence: "interrupted".to_owned(),
        }),
        _ => written,
    }
}

fn write_pixels(data: &Dataset, interrupt: &Interrupt, file: &mut dyn Write) -> io::Result<()> {
    let (Targets::Classes { labels, names }, Some(pixels)) =
        (data.targets(), data.inputs().bytes())
    else {
        return Err(io::Error::other(
            "what was drawn is not pixels with a class",
        ));
    };
    let columns = data.inputs().cols();
    write!(file, "label")?;
    for column in 0..columns {
        write!(file, ",pixel{column}")?;
    }
    writeln!(file)?;
    // Formatting each of millions of pixels anew takes longer than drawing them.
    let cells: Vec<String> = (0..=u8::MAX).map(|pixel| format!(",{pixel}")).collect();
    for (label, row) in labels.iter().zip(pixels.chunks_exact(columns)) {
        if interrupt.signal().is_some() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        file.write_all(names[*label as usize].as_bytes())?;
        for &pixel in row {
            file.write_all(cells[usize::from(pixel)].as_bytes())?;
        }
        file.write_all(b"\n")?;
    }
    Ok(())
}
