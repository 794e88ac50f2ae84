//! Where each thing stands in the picture, and in which colour.

use super::{Point, Published, compared_svg, curves_svg};
use crate::svg::drawn::{attribute, number, points, tags, texts};

type Place = (f64, f64);

/// The right edges of the two plots.
const RIGHT: [f64; 2] = [460.0, 940.0];
/// Values that have ticks of their own, so that their heights are known: training above, validation below.
const LOSSES: [[f64; 3]; 2] = [[1.0, 0.6, 0.2], [0.8, 0.6, 0.4]];
const ACCURACIES: [[f64; 3]; 2] = [[0.5, 0.7, 0.9], [0.6, 0.8, 0.7]];

fn epochs() -> Vec<Point> {
    let point = |i: usize| Point {
        epoch: i + 1,
        loss: LOSSES[0][i],
        accuracy: Some(ACCURACIES[0][i]),
        validation_loss: Some(LOSSES[1][i]),
        validation_accuracy: Some(ACCURACIES[1][i]),
    };
    (0..3).map(point).collect()
}

/// The parts of the picture that are about the loss and about the accuracy.
fn panels(picture: &str) -> [&str; 2] {
    picture.split_once(">Accuracy<").expect("two panels").into()
}

/// The colour that a panel's legend has for a name.
fn colour<'a>(panel: &'a str, name: &str) -> &'a str {
    let (_, after) = panel.split_once(&format!(">{name}<")).expect("a legend");
    attribute(tags(after, "path")[0], "stroke")
}

/// The curve of that colour: the last, since the legend's own line is drawn before.
fn curve(panel: &str, colour: &str) -> Vec<Place> {
    let paths = tags(panel, "path");
    let found = paths
        .iter()
        .rfind(|path| attribute(path, "stroke") == colour);
    points(found.expect("a curve"))
}

/// The centres of the circles of that colour and radius.
fn rings(panel: &str, colour: &str, radius: f64) -> Vec<Place> {
    tags(panel, "circle")
        .into_iter()
        .filter(|circle| attribute(circle, "fill") == "#ffffff")
        .filter(|circle| attribute(circle, "stroke") == colour && number(circle, "r") == radius)
        .map(|circle| (number(circle, "cx"), number(circle, "cy")))
        .collect()
}

/// Where a text of a panel stands.
fn place(panel: &str, text: &str) -> Place {
    let found = texts(panel).into_iter().find(|(_, told)| *told == text);
    let (tag, _) = found.unwrap_or_else(|| panic!("no {text} in {panel}"));
    (number(tag, "x"), number(tag, "y"))
}

#[test]
fn a_curve_goes_through_its_values_in_the_colour_of_the_legend() {
    let picture = curves_svg("places", &epochs(), None);
    let label = [
        |loss: f64| format!("{loss:.1}"),
        |share: f64| format!("{:.0} %", 100.0 * share),
    ];
    for (i, (panel, values)) in panels(&picture)
        .into_iter()
        .zip([LOSSES, ACCURACIES])
        .enumerate()
    {
        assert_ne!(colour(panel, "train"), colour(panel, "validation"));
        for (name, values) in ["train", "validation"].into_iter().zip(values) {
            let curve = curve(panel, colour(panel, name));
            assert_eq!(curve.len(), 3, "{name}");
            assert!(curve.is_sorted_by(|a, b| a.0 < b.0), "{name}: {curve:?}");
            assert_eq!(curve[2].0, RIGHT[i], "{name}");
            for (epoch, (&(x, y), value)) in curve.iter().zip(values).enumerate() {
                assert_eq!(x, place(panel, &(epoch + 1).to_string()).0, "{name}");
                // Beside its tick, whose text stands a little below the line.
                let tick = place(panel, &label[i](value)).1;
                assert!((y - tick).abs() < 5.0, "{name} {value} at {y}, not {tick}");
            }
        }
        // A larger value is higher on the page.
        let [low, high] = [
            values[0][0].min(values[0][2]),
            values[0][0].max(values[0][2]),
        ];
        let [low, high] = [low, high].map(|value| place(panel, &label[i](value)).1);
        assert!(high < low - 100.0, "{high} {low}");
    }
}

#[test]
fn published_values_are_beside_their_curves() {
    let published = Published {
        loss: vec![(1, 1.0)],
        validation_loss: vec![(2, 0.6), (3, 0.4)],
        accuracy: vec![(3, 0.9)],
        validation_accuracy: vec![(2, 0.8)],
    };
    let picture = compared_svg("places", &epochs(), None, &published);
    let [loss, accuracy] = panels(&picture);
    for (panel, name, at) in [
        (loss, "train", &[0][..]),
        (loss, "validation", &[1, 2]),
        (accuracy, "train", &[2]),
        (accuracy, "validation", &[1]),
    ] {
        let colour = colour(panel, name);
        let curve = curve(panel, colour);
        let expected: Vec<Place> = at.iter().map(|&at| curve[at]).collect();
        assert_eq!(rings(panel, colour, 3.5), expected, "{name}");
    }
}

#[test]
fn the_kept_epoch_is_marked_on_the_curve_that_was_watched() {
    let picture = curves_svg("places", &epochs(), Some(2));
    for panel in panels(&picture) {
        let colour = colour(panel, "validation");
        let kept = curve(panel, colour)[1];
        assert_eq!(rings(panel, colour, 4.5), [kept]);
        let lines = tags(panel, "line");
        let marks: Vec<_> = lines
            .iter()
            .filter(|line| attribute(line, "class") == "kept")
            .collect();
        assert_eq!(marks.len(), 1);
        assert_eq!(["x1", "x2"].map(|key| number(marks[0], key)), [kept.0; 2]);
    }
    // Nothing is watched but the training rows, where no others are.
    let alone: Vec<Point> = epochs()
        .into_iter()
        .map(|point| Point {
            validation_loss: None,
            validation_accuracy: None,
            ..point
        })
        .collect();
    let picture = curves_svg("places", &alone, Some(2));
    for panel in panels(&picture) {
        let colour = colour(panel, "train");
        assert_eq!(rings(panel, colour, 4.5), [curve(panel, colour)[1]]);
    }
}

#[test]
fn the_last_of_many_epochs_is_drawn() {
    // No multiple of the stride, and the only one with another loss.
    let epochs: Vec<Point> = (1..=2501)
        .map(|epoch| Point {
            epoch,
            loss: if epoch == 2501 { 0.5 } else { 1.0 },
            accuracy: None,
            validation_loss: None,
            validation_accuracy: None,
        })
        .collect();
    let picture = curves_svg("places", &epochs, None);
    let curve = curve(&picture, colour(&picture, "train"));
    assert!(curve.len() <= 1001, "{}", curve.len());
    let last = curve[curve.len() - 1];
    assert_eq!(last.0, RIGHT[0]);
    assert!(last.1 > curve[0].1 + 100.0, "{last:?} {:?}", curve[0]);
}
