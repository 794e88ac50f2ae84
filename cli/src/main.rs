//! The command line.

mod axis;
mod confusion_svg;
mod curves;
mod svg;

/// The pictures, until the commands draw them.
const _: fn(&str, &[curves::Point], Option<usize>) -> String = curves::curves_svg;
const _: fn(&str, &mlp_core::metrics::Classification) -> String = confusion_svg::confusion_svg;

fn main() {}
