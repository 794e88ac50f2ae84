//! Every activation f and its derivative f' as curves, a panel for each: the numbers are those that training uses.

use mlp_core::tensor::activation::Activation;
use mlp_core::tensor::curve::Curve;

use crate::axis::Axis;
use crate::failure::Failure;
use crate::svg::{Anchor, Svg};

const FUNCTION: &str = "#2563eb";
const SLOPE: &str = "#ea580c";
/// A panel with its margins, and how many stand side by side.
const PANEL: (f64, f64) = (270.0, 230.0);
const ACROSS: usize = 3;
/// The margins of the plot within its panel, and of the title above all.
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 28.0;
const TITLE: f64 = 48.0;
/// From -6 to 6 in steps of 1/20: the bend of relu is on a point.
const STEPS: i32 = 120;
const PER_UNIT: f32 = 20.0;

/// The picture, as the text of an SVG file.
pub(crate) fn activations_svg() -> Result<String, Failure> {
    let mut curves = Vec::new();
    let z: Vec<f32> = (-STEPS..=STEPS).map(|i| i as f32 / PER_UNIT).collect();
    for name in Activation::NAMES {
        let activation = Activation::parse(name)?;
        // A function of all outputs together has no curve.
        if activation != Activation::Softmax {
            curves.push((activation.name(), Curve::of(activation, &z)?));
        }
    }
    let down = curves.len().div_ceil(ACROSS);
    let width = PANEL.0 * ACROSS as f64;
    let mut svg = Svg::new(
        width,
        TITLE + PANEL.1 * down as f64,
        "Activations and their derivatives",
    );
    svg.text("title", (LEFT, 30.0), Anchor::Start, "Activations");
    for (i, (name, colour)) in [("f(z)", FUNCTION), ("f'(z)", SLOPE)]
        .into_iter()
        .enumerate()
    {
        let x = width - RIGHT - 70.0 * (2 - i) as f64;
        svg.curve(&[(x, 26.0), (x + 18.0, 26.0)], colour);
        svg.text("name", (x + 24.0, 30.0), Anchor::Start, name);
    }
    for (i, (name, curve)) in curves.iter().enumerate() {
        let corner = (
            PANEL.0 * (i % ACROSS) as f64,
            TITLE + PANEL.1 * (i / ACROSS) as f64,
        );
        draw(&mut svg, corner, name, &z, curve);
    }
    Ok(svg.finish())
}

fn draw(svg: &mut Svg, (x, y): (f64, f64), name: &str, z: &[f32], curve: &Curve) {
    let (left, right) = (x + LEFT, x + PANEL.0 - RIGHT);
    let (top, bottom) = (y + TOP, y + PANEL.1 - BOTTOM);
    svg.text("head", (left, top - 10.0), Anchor::Start, name);
    let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
    let (across, values) = (wide(z), [wide(&curve.y), wide(&curve.slope)]);
    let all = values.concat();
    // From -5 to 5 the ticks are even numbers, and the ends of the axis those of z.
    let axes =
        Axis::of_even_values([-5.0, 5.0].into_iter()).zip(Axis::of_even_values(all.into_iter()));
    let Some((horizontal, vertical)) = axes else {
        return;
    };
    let place = |z: f64, v: f64| {
        (
            left + horizontal.position(z) * (right - left),
            bottom - vertical.position(v) * (bottom - top),
        )
    };
    for (value, label) in vertical.ticks() {
        let (_, y) = place(0.0, *value);
        svg.line(
            if *value == 0.0 { "axis" } else { "grid" },
            (left, y),
            (right, y),
        );
        svg.text("", (left - 6.0, y + 4.0), Anchor::End, label);
    }
    for (value, label) in horizontal.ticks() {
        let (x, _) = place(*value, 0.0);
        svg.line(
            if *value == 0.0 { "axis" } else { "grid" },
            (x, top),
            (x, bottom),
        );
        svg.text("", (x, bottom + 16.0), Anchor::Middle, label);
    }
    for (values, colour) in values.iter().zip([FUNCTION, SLOPE]) {
        let points = across.iter().zip(values).map(|(&z, &v)| place(z, v));
        svg.curve(&points.collect::<Vec<_>>(), colour);
    }
}

#[cfg(test)]
mod tests {
    use mlp_core::tensor::activation::Activation;

    use super::activations_svg;
    use crate::svg::assert_well_formed;
    use crate::svg::drawn::{attribute, points, tags, texts};

    #[test]
    fn every_activation_has_its_two_curves() {
        let text = activations_svg().expect("a picture");
        assert_well_formed(&text);
        for name in Activation::NAMES.iter().filter(|name| **name != "softmax") {
            let shown = Activation::parse(name).expect("a name").name();
            assert!(text.contains(&format!(">{shown}<")), "no {shown}");
        }
        let panels = Activation::NAMES.len() - 1;
        assert_eq!(text.matches("<path").count(), 2 * panels + 2);
    }

    #[test]
    fn a_function_and_its_slope_have_the_colours_of_the_legend() {
        let text = activations_svg().expect("a picture");
        let names: Vec<&str> = texts(&text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names[1..3], ["f(z)", "f'(z)"]);
        let legend = [0, 1].map(|at| attribute(tags(&text, "path")[at], "stroke"));
        assert_ne!(legend[0], legend[1]);

        let (_, panel) = text.split_once(">sigmoid<").expect("a panel");
        let paths = tags(panel, "path");
        assert_eq!([0, 1].map(|at| attribute(paths[at], "stroke")), legend);
        let [function, slope] = [0, 1].map(|at| points(paths[at]));
        for curve in [&function, &slope] {
            assert!(curve.is_sorted_by(|a, b| a.0 < b.0));
        }
        // The function rises; its slope is steepest in the middle, where the function is above it.
        let middle = function.len() / 2;
        assert!(function.is_sorted_by(|a, b| a.1 >= b.1));
        assert!(function[middle].1 < slope[middle].1);
        let least = slope
            .iter()
            .map(|point| point.1)
            .fold(f64::INFINITY, f64::min);
        assert_eq!(slope[middle].1, least);
    }
}
