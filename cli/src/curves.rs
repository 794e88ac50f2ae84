//! The learning curves as a picture: loss and accuracy over the epochs, of training and of validation.

use mlp_core::train::Epoch;

use crate::axis::Axis;
use crate::svg::{Anchor, Svg, shortened};

/// The measures of one epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// The number of the epoch, from 1.
    pub(crate) epoch: usize,
    /// The mean training loss.
    pub(crate) loss: f64,
    /// The share of training rows that were told right.
    pub(crate) accuracy: Option<f64>,
    /// The same two of the validation rows.
    pub(crate) validation_loss: Option<f64>,
    pub(crate) validation_accuracy: Option<f64>,
}

impl Point {
    /// One epoch of a history.
    pub(crate) fn of(epoch: &Epoch) -> Self {
        Self {
            epoch: epoch.epoch,
            loss: epoch.loss,
            accuracy: epoch.accuracy,
            validation_loss: epoch.validation_loss,
            validation_accuracy: epoch.validation_accuracy,
        }
    }
}

const TRAIN: &str = "#2563eb";
const VALIDATION: &str = "#ea580c";
/// A panel's width with its margins, and the height of the picture.
const PANEL: f64 = 480.0;
const HEIGHT: f64 = 380.0;
/// The margins of the plot within its panel.
const LEFT: f64 = 68.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 92.0;
const BOTTOM: f64 = 48.0;
/// So many points tell a curve; more only make the file larger.
const MOST_POINTS: usize = 1000;
/// Up to so many epochs each has its dot.
const MOST_DOTS: usize = 30;

/// Epochs and what was measured in them.
pub(crate) type Series = Vec<(usize, f64)>;

/// Values of someone else's run, to be marked beside the curves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    pub(crate) loss: Series,
    pub(crate) accuracy: Series,
    pub(crate) validation_loss: Series,
    pub(crate) validation_accuracy: Series,
}

/// A panel of the picture.
struct Panel<'a> {
    name: &'a str,
    x: f64,
    epochs: Axis,
    /// `None` if there is nothing to show.
    values: Option<Axis>,
    train: Series,
    validation: Series,
    /// Published values, of training and of validation.
    published: [Series; 2],
    kept: Option<usize>,
}

/// The picture, as the text of an SVG file: a panel for the loss and, if there is one, a panel for the accuracy.
///
/// `kept` is the epoch whose weights were kept; it is marked. Values that are not finite leave a gap. The loss has a
/// logarithmic axis where it spans more than a factor of 100.
pub(crate) fn curves_svg(title: &str, epochs: &[Point], kept: Option<usize>) -> String {
    compared_svg(title, epochs, kept, &Published::default())
}

/// [`curves_svg`] with published values as rings beside the curves.
pub(crate) fn compared_svg(
    title: &str,
    epochs: &[Point],
    kept: Option<usize>,
    published: &Published,
) -> String {
    let epochs = thinned(epochs, kept);
    let series = |value: fn(&Point) -> Option<f64>| -> Series {
        let values = epochs.iter().map(|p| (p.epoch, value(p)));
        values.filter_map(|(e, v)| Some((e, v?))).collect()
    };
    let losses = (series(|p| Some(p.loss)), series(|p| p.validation_loss));
    let accuracies = (series(|p| p.accuracy), series(|p| p.validation_accuracy));
    let first = epochs.first().map_or(1, |p| p.epoch);
    let last = epochs.last().map_or(1, |p| p.epoch);
    let rings = |of: [&Series; 2]| of.map(Clone::clone);
    let published = [
        rings([&published.loss, &published.validation_loss]),
        rings([&published.accuracy, &published.validation_accuracy]),
    ];
    let panel = |name, x, values, (train, validation), published: &[Series; 2]| Panel {
        name,
        x,
        epochs: Axis::of_counts(first, last),
        values,
        train,
        validation,
        published: published.clone(),
        kept,
    };
    let all = |series: &(Series, Series), published: &[Series; 2]| -> Vec<f64> {
        let ours = series.0.iter().chain(&series.1);
        let all = ours.chain(published.iter().flatten());
        all.map(|&(_, value)| value).collect()
    };
    let values = Axis::of_values(all(&losses, &published[0]).into_iter());
    let name = if values.as_ref().is_some_and(Axis::is_log) {
        "Loss (logarithmic)"
    } else {
        "Loss"
    };
    let mut panels = vec![panel(name, 0.0, values, losses, &published[0])];
    let values = all(&accuracies, &published[1]);
    if !values.is_empty() {
        let values = Axis::of_shares(values.into_iter());
        panels.push(panel("Accuracy", PANEL, values, accuracies, &published[1]));
    }

    let width = PANEL * panels.len() as f64;
    let mut svg = Svg::new(width, HEIGHT, title);
    let room = ((width - LEFT - RIGHT) / 9.8) as usize;
    svg.text(
        "title",
        (LEFT, 32.0),
        Anchor::Start,
        &shortened(title, room),
    );
    for panel in &panels {
        panel.draw(&mut svg);
    }
    svg.finish()
}

/// At most [`MOST_POINTS`] epochs evenly chosen, among them the last and the one kept.
fn thinned(epochs: &[Point], kept: Option<usize>) -> Vec<Point> {
    let stride = epochs.len().div_ceil(MOST_POINTS).max(1);
    let last = epochs.len().saturating_sub(1);
    let keep = |&(i, p): &(usize, &Point)| i % stride == 0 || i == last || kept == Some(p.epoch);
    let kept = epochs.iter().enumerate().filter(keep);
    kept.map(|(_, point)| *point).collect()
}

impl Panel<'_> {
    fn draw(&self, svg: &mut Svg) {
        let left = self.x + LEFT;
        svg.text("head", (left, 62.0), Anchor::Start, self.name);
        self.draw_legend(svg);
        let size = (PANEL - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
        let Some(values) = &self.values else {
            let middle = (left + size.0 / 2.0, TOP + size.1 / 2.0);
            svg.frame("axis", (left, TOP), size);
            svg.text("", middle, Anchor::Middle, "no finite values");
            return;
        };
        self.draw_axes(svg, values);
        for (series, colour) in [(&self.train, TRAIN), (&self.validation, VALIDATION)] {
            self.draw_series(svg, values, series, colour);
        }
        for (series, colour) in self.published.iter().zip([TRAIN, VALIDATION]) {
            for &(epoch, value) in series {
                let place = (self.across(epoch as f64), height_of(values, value));
                svg.disc(place, 3.5, "#ffffff", colour);
            }
        }
        self.draw_kept(svg, values);
    }

    /// What the colours mean, from the right end of the panel's head.
    fn draw_legend(&self, svg: &mut Svg) {
        let mut right = self.x + PANEL - RIGHT;
        if self.published.iter().any(|series| !series.is_empty()) {
            svg.text("name", (right, 62.0), Anchor::End, "published");
            svg.disc((right - 66.0, 58.0), 3.5, "#ffffff", "#4b5563");
            right -= 84.0;
        }
        let entries = [
            ("validation", 60.0, VALIDATION, &self.validation),
            ("train", 30.0, TRAIN, &self.train),
        ];
        for (name, width, colour, series) in entries {
            if series.is_empty() {
                continue;
            }
            svg.text("name", (right, 62.0), Anchor::End, name);
            let end = right - width - 6.0;
            svg.curve(&[(end - 18.0, 58.0), (end, 58.0)], colour);
            right = end - 34.0;
        }
    }

    fn draw_axes(&self, svg: &mut Svg, values: &Axis) {
        let (left, right) = (self.x + LEFT, self.x + PANEL - RIGHT);
        let (top, bottom) = (TOP, HEIGHT - BOTTOM);
        for (value, label) in values.ticks() {
            let y = height_of(values, *value);
            svg.line("grid", (left, y), (right, y));
            svg.text("", (left - 8.0, y + 4.0), Anchor::End, label);
        }
        for (epoch, label) in self.epochs.ticks() {
            let x = self.across(*epoch);
            svg.line("grid", (x, top), (x, bottom));
            svg.line("axis", (x, bottom), (x, bottom + 4.0));
            svg.text("", (x, bottom + 18.0), Anchor::Middle, label);
        }
        svg.line("axis", (left, bottom), (right, bottom));
        let middle = f64::midpoint(left, right);
        svg.text("", (middle, bottom + 38.0), Anchor::Middle, "epoch");
    }

    fn draw_series(&self, svg: &mut Svg, values: &Axis, series: &[(usize, f64)], colour: &str) {
        let dots = self.train.len().max(self.validation.len()) <= MOST_DOTS;
        for run in series.split(|(_, value)| !value.is_finite()) {
            let place = |&(epoch, value): &(usize, f64)| {
                (self.across(epoch as f64), height_of(values, value))
            };
            let points: Vec<(f64, f64)> = run.iter().map(place).collect();
            if points.len() > 1 {
                svg.curve(&points, colour);
            }
            if dots || points.len() == 1 {
                let radius = if points.len() == 1 { 3.0 } else { 1.5 };
                for &point in &points {
                    svg.disc(point, radius, colour, colour);
                }
            }
        }
    }

    /// The epoch whose weights were kept: a dashed line, its number and value above, a ring on the curve that was watched.
    fn draw_kept(&self, svg: &mut Svg, values: &Axis) {
        let (series, colour) = if self.validation.is_empty() {
            (&self.train, TRAIN)
        } else {
            (&self.validation, VALIDATION)
        };
        let found = series.iter().find(|(epoch, _)| self.kept == Some(*epoch));
        let Some(&(epoch, value)) = found.filter(|(_, value)| value.is_finite()) else {
            return;
        };
        let x = self.across(epoch as f64);
        svg.line("kept", (x, TOP), (x, HEIGHT - BOTTOM));
        svg.disc((x, height_of(values, value)), 4.5, "#ffffff", colour);
        let value = if self.name == "Accuracy" {
            format!("{:.2} %", value * 100.0)
        } else if (1e-3..1e5).contains(&value.abs()) {
            format!("{value:.4}")
        } else {
            format!("{value:.3e}")
        };
        let anchor = match self.epochs.position(epoch as f64) {
            at if at < 0.25 => Anchor::Start,
            at if at > 0.75 => Anchor::End,
            _ => Anchor::Middle,
        };
        let label = format!("kept: epoch {epoch}, {value}");
        svg.text("", (x, TOP - 8.0), anchor, &label);
    }

    fn across(&self, epoch: f64) -> f64 {
        self.x + LEFT + self.epochs.position(epoch) * (PANEL - LEFT - RIGHT)
    }
}

fn height_of(values: &Axis, value: f64) -> f64 {
    let bottom = HEIGHT - BOTTOM;
    bottom - values.position(value) * (bottom - TOP)
}

#[cfg(test)]
mod geometry;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg::assert_well_formed;

    fn point(epoch: usize, loss: f64, accuracy: Option<f64>) -> Point {
        Point {
            epoch,
            loss,
            accuracy,
            validation_loss: Some(loss * 1.1),
            validation_accuracy: accuracy.map(|a| a - 0.01),
        }
    }

    /// The picture, its coordinates being within it.
    fn drawn(epochs: &[Point], kept: Option<usize>) -> String {
        let text = curves_svg("a < b", epochs, kept);
        assert_well_formed(&text);
        for word in text.split(['"', ' ', 'M', 'L']) {
            if let Ok(number) = word.parse::<f64>() {
                assert!((-90.0..=960.0).contains(&number), "{number} in {text}");
            }
        }
        text
    }

    #[test]
    fn two_panels_with_ticks_legend_and_the_kept_epoch() {
        let epochs: Vec<Point> = (1..=10)
            .map(|e| point(e, 1.0 / e as f64, Some(1.0 - 0.3 / e as f64)))
            .collect();
        let text = drawn(&epochs, Some(7));
        for part in [
            ">Loss<",
            ">Accuracy<",
            ">train<",
            ">validation<",
            ">epoch<",
            ">10<",
            ">0.6<",
            ">80 %<",
            ">kept: epoch 7, 0.1571<",
            ">kept: epoch 7, 94.71 %<",
            "fill=\"#ffffff\"",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert_eq!(text.matches("class=\"kept\"").count(), 2);
    }

    #[test]
    fn published_values_are_rings_within_the_picture() {
        let epochs: Vec<Point> = (1..=50).map(|e| point(e, 0.5, Some(0.9))).collect();
        let published = Published {
            loss: vec![(1, 2.0), (50, 0.4)],
            validation_accuracy: vec![(50, 0.3)],
            ..Published::default()
        };
        let text = compared_svg("a", &epochs, None, &published);
        assert_well_formed(&text);
        // Three rings, and one in the legend of each panel.
        assert_eq!(text.matches("fill=\"#ffffff\" stroke").count(), 3 + 2);
        assert!(text.contains(">published<") && text.contains(">2.0<") && text.contains(">20 %<"));
    }

    #[test]
    fn loss_over_many_decades_is_logarithmic() {
        let epochs: Vec<Point> = (1..=50)
            .map(|e| point(e, 10_f64.powi(3 - e as i32 / 5), None))
            .collect();
        let text = drawn(&epochs, None);
        assert!(text.contains(">Loss (logarithmic)<") && text.contains(">1e-6<"));
        assert!(!text.contains(">Accuracy<") && !text.contains("kept:"));
    }

    #[test]
    fn odd_histories_are_drawn_too() {
        let nothing = drawn(&[], None);
        assert!(nothing.contains("no finite values"));
        let one = drawn(&[point(1, 0.5, Some(1.0))], Some(1));
        assert!(one.contains("<circle"));
        let constant: Vec<Point> = (1..=5).map(|e| point(e, 0.0, Some(0.0))).collect();
        drawn(&constant, Some(5));
        let nan = drawn(&[point(1, f64::NAN, None)], Some(1));
        assert!(nan.contains("no finite values"));
        let gap = [1.0, f64::NAN, 0.5, 0.4, f64::INFINITY];
        let gap: Vec<Point> = (1..)
            .zip(gap)
            .map(|(e, loss)| point(e, loss, None))
            .collect();
        // Two runs of each curve, the first of a single point: a dot.
        let legend = 2;
        assert_eq!(drawn(&gap, Some(4)).matches("<path").count(), legend + 2);
    }

    #[test]
    fn long_histories_are_thinned() {
        let epochs: Vec<Point> = (1..=100_000)
            .map(|e| point(e, 1.0 / e as f64, None))
            .collect();
        let text = drawn_size(&epochs, 77_777);
        assert!(text < 100_000, "{text} bytes");
    }

    fn drawn_size(epochs: &[Point], kept: usize) -> usize {
        let text = curves_svg("long", epochs, Some(kept));
        assert_well_formed(&text);
        assert!(text.contains(&format!("kept: epoch {kept},")));
        text.len()
    }
}
