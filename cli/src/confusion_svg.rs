//! The confusion matrix as a heat map: a row for each true class, a column for each predicted one.

use mlp_core::metrics::Classification;

use crate::svg::{Anchor, Svg, shortened};

/// Shades of what was told right, and of what was not.
const RIGHT: [f64; 3] = [29.0, 78.0, 216.0];
const WRONG: [f64; 3] = [234.0, 88.0, 12.0];
/// The side of the whole map, about.
const MAP: f64 = 560.0;
/// Names are cut to so many characters.
const NAME: usize = 16;

/// The places and sizes of the picture.
struct Map<'a> {
    of: &'a Classification,
    names: Vec<String>,
    /// The side of a cell.
    cell: f64,
    left: f64,
    top: f64,
}

/// The picture, as the text of an SVG file.
///
/// A cell's shade is its share of its row (its cube root, so that a mistake in a hundred still shows): blue on the
/// diagonal, orange off it. Counts are written if all of them have room.
pub(crate) fn confusion_svg(title: &str, of: &Classification) -> String {
    let names: Vec<String> = of
        .per_class
        .iter()
        .map(|class| shortened(&class.name, NAME))
        .collect();
    let longest = names.iter().map(|name| name.chars().count()).max();
    let label = 8.0 + 7.0 * longest.unwrap_or(0) as f64;
    let classes = names.len().max(1) as f64;
    let cell = (MAP / classes).clamp(2.0, 52.0);
    let mut map = Map {
        of,
        names,
        cell,
        left: 44.0 + label,
        top: 84.0,
    };
    if map.names_are_turned() {
        map.top += label;
    } else {
        map.top += 18.0;
    }
    let side = cell * classes;
    let width = (map.left + side + 28.0).max(360.0);
    let mut svg = Svg::new(width.ceil(), (map.top + side + 44.0).ceil(), title);
    let room = (width / 9.5) as usize;
    svg.text(
        "title",
        (20.0, 32.0),
        Anchor::Start,
        &shortened(title, room),
    );
    let accuracy = format!("{} rows, {:.2} % right", of.rows(), of.accuracy * 100.0);
    svg.text("", (20.0, 52.0), Anchor::Start, &accuracy);
    map.draw_cells(&mut svg);
    map.draw_names(&mut svg);
    let below = (20.0, map.top + side + 26.0);
    svg.text("", below, Anchor::Start, "shade: share of the row");
    svg.finish()
}

impl Map<'_> {
    fn names_are_turned(&self) -> bool {
        let longest = self.names.iter().map(|name| name.chars().count()).max();
        7.0 * longest.unwrap_or(0) as f64 > self.cell - 4.0
    }

    fn side(&self) -> f64 {
        self.cell * self.names.len() as f64
    }

    fn draw_cells(&self, svg: &mut Svg) {
        let gap = if self.cell > 12.0 { 1.0 } else { 0.0 };
        let counts = self.of.confusion_matrix.counts().map(|(_, _, count)| count);
        let digits = counts.max().map_or(0, |most| most.to_string().len());
        let counts_fit = self.cell >= 4.0 + 6.8 * digits as f64;
        let support = self.of.confusion_matrix.support();
        // Cells without rows are left white: of a thousand classes nearly all are.
        for (t, p, count) in self.of.confusion_matrix.counts() {
            let shade = (count as f64 / support[t] as f64).cbrt();
            let corner = (
                self.left + p as f64 * self.cell,
                self.top + t as f64 * self.cell,
            );
            let size = self.cell - gap;
            let hint = format!(
                "true {}, predicted {}: {count}",
                self.names[t], self.names[p]
            );
            let fill = colour(if t == p { RIGHT } else { WRONG }, shade);
            svg.rect(corner, (size, size), &fill, &hint);
            if counts_fit {
                let middle = self.cell / 2.0;
                let at = (corner.0 + middle, corner.1 + middle + 4.0);
                let class = if shade > 0.6 { "light" } else { "dark" };
                svg.text(class, at, Anchor::Middle, &count.to_string());
            }
        }
        let side = self.side();
        svg.frame("axis", (self.left, self.top), (side, side));
    }

    fn draw_names(&self, svg: &mut Svg) {
        let stride = (13.0 / self.cell).ceil().max(1.0) as usize;
        let middle = |k: usize| (k as f64 + 0.5) * self.cell;
        let turned = self.names_are_turned();
        for (k, name) in self.names.iter().enumerate().step_by(stride) {
            let (x, y) = (self.left + middle(k), self.top + middle(k));
            svg.text("name", (self.left - 8.0, y + 4.0), Anchor::End, name);
            if turned {
                let foot = (x + 4.0, self.top - 8.0);
                svg.turned_text("name", foot, -90.0, Anchor::Start, name);
            } else {
                svg.text("name", (x, self.top - 8.0), Anchor::Middle, name);
            }
        }
        let half = self.side() / 2.0;
        let above = (self.left + half, 76.0);
        svg.text("head", above, Anchor::Middle, "predicted");
        let beside = (28.0, self.top + half);
        svg.turned_text("head", beside, -90.0, Anchor::Middle, "true");
    }
}

/// The colour between white (0) and `full` (1).
fn colour(full: [f64; 3], shade: f64) -> String {
    let [r, g, b] = full.map(|c| (255.0 + (c - 255.0) * shade).round() as u8);
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg::assert_well_formed;
    use crate::svg::drawn::{attribute, number, tags, texts};
    use mlp_core::tensor::Matrix;

    /// So many classes of ten rows each, one of ten taken for the next class.
    fn sample(names: &[String]) -> Classification {
        sample_of(names, 10)
    }

    fn sample_of(names: &[String], each: usize) -> Classification {
        let classes = names.len();
        let label = |r: usize| r / each;
        let predicted = |r: usize| (label(r) + usize::from(r.is_multiple_of(10))) % classes;
        let probabilities = Matrix::from_fn(each * classes, classes, |r, c| {
            f32::from(u8::from(c == predicted(r)))
        });
        let labels: Vec<u32> = (0..each * classes).map(|r| label(r) as u32).collect();
        Classification::new(names, &labels, &probabilities).unwrap()
    }

    fn numbered(classes: usize) -> Vec<String> {
        (0..classes).map(|k| format!("n{k}")).collect()
    }

    #[test]
    fn counts_names_and_axes_are_there() {
        let text = confusion_svg("digits & more", &sample(&numbered(10)));
        assert_well_formed(&text);
        for part in [
            ">true<",
            ">predicted<",
            ">n7<",
            "100 rows, 90.00 % right",
            "digits &amp; more",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert_eq!(text.matches(">9</text>").count(), 10);
        assert_eq!(text.matches(">1</text>").count(), 10);
        assert!(text.contains("<title>true n3, predicted n4: 1</title>"));
    }

    #[test]
    fn all_counts_are_written_or_none() {
        for (classes, written) in [(30, 30), (40, 0)] {
            let text = confusion_svg("many", &sample_of(&numbered(classes), 20));
            assert_eq!(text.matches(">18</text>").count(), written);
            assert_eq!(text.matches(">2</text>").count(), written);
        }
    }

    #[test]
    fn shades_run_from_white_to_full() {
        assert_eq!(colour(RIGHT, 0.0), "#ffffff");
        assert_eq!(colour(RIGHT, 1.0), "#1d4ed8");
        assert_eq!(colour(WRONG, 1.0), "#ea580c");
    }

    /// The cell with that hint.
    fn cell<'a>(text: &'a str, hint: &str) -> &'a str {
        let (before, _) = text
            .split_once(&format!("<title>{hint}: "))
            .expect("a cell");
        tags(before, "rect").pop().expect("a cell")
    }

    #[test]
    fn rows_are_true_classes_and_columns_predicted_ones() {
        let text = confusion_svg("map", &sample(&numbered(5)));
        let right = cell(&text, "true n3, predicted n3");
        let wrong = cell(&text, "true n3, predicted n4");
        let below = cell(&text, "true n4, predicted n4");
        assert_eq!(number(wrong, "y"), number(right, "y"));
        assert_eq!(number(wrong, "x"), number(below, "x"));
        assert!(number(wrong, "x") > number(right, "x") && number(below, "y") > number(wrong, "y"));
        // Nine and one of the ten rows of the class, of fifty in all.
        assert_eq!(attribute(right, "fill"), colour(RIGHT, 0.9_f64.cbrt()));
        assert_eq!(attribute(wrong, "fill"), colour(WRONG, 0.1_f64.cbrt()));
    }

    #[test]
    fn names_counts_and_headings_are_at_their_cells() {
        let text = confusion_svg("map", &sample(&numbered(5)));
        let places = |told: &str| -> Vec<(f64, f64)> {
            let found = texts(&text).into_iter().filter(|(_, text)| *text == told);
            found
                .map(|(tag, _)| (number(tag, "x"), number(tag, "y")))
                .collect()
        };
        let wrong = cell(&text, "true n3, predicted n4");
        let [x, y, side] = ["x", "y", "width"].map(|key| number(wrong, key));
        let (across, down) = (x..x + side, y..y + side);
        assert!(down.contains(&places("n3")[0].1), "its row");
        assert!(across.contains(&places("n4")[1].0), "its column");
        // Its count is one of the ones, and no other is in the cell.
        let inside = |&(x, y): &(f64, f64)| across.contains(&x) && down.contains(&y);
        assert_eq!(places("1").iter().filter(|&at| inside(at)).count(), 1);
        assert!(!places("9").iter().any(inside));
        assert!(places("predicted")[0].1 < y && places("true")[0].0 < x);
    }

    #[test]
    fn long_names_are_cut_and_turned() {
        let names = ["a very long name <of> a class", "b"].map(str::to_owned);
        let text = confusion_svg("two", &sample(&names));
        assert_well_formed(&text);
        assert!(text.contains("rotate(-90") && text.contains(">a very long nam…<"));
    }

    #[test]
    fn many_classes_fit() {
        let text = confusion_svg("many", &sample(&numbered(300)));
        assert_well_formed(&text);
        assert!(text.len() < 120_000, "{} bytes", text.len());
        // Too small for counts, and for all names but every seventh.
        assert!(!text.contains(">9</text>"));
        assert!(text.contains(">n0<") && !text.contains(">n1<") && text.contains(">n7<"));
    }
}
