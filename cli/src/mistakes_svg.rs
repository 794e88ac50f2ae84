//! A sheet of the images that a model told wrong, with what it said.

use mlp_core::dataset::Inputs;
use mlp_core::metrics::predicted_class;
use mlp_core::tensor::Matrix;

use crate::failure::Failure;
use crate::picture::Picture;
use crate::print;
use crate::svg::{Anchor, Svg, shortened};

/// So many fit a sheet; of more, those that the model was surest of.
const MOST: usize = 100;
const ACROSS: usize = 10;
/// A tile: its image, and the room around it.
const IMAGE: f64 = 64.0;
const TILE: (f64, f64) = (84.0, 98.0);
const MARGIN: f64 = 20.0;
const TITLE: f64 = 64.0;

/// One row told wrong.
struct Mistake {
    row: usize,
    told: usize,
    /// The output of the class that was told.
    sure: f32,
}

/// The sheet, as the text of an SVG file: the surest mistakes first, each with the true class and the one that was told.
pub(crate) fn mistakes_svg(
    title: &str,
    inputs: &Inputs,
    labels: &[u32],
    names: &[String],
    outputs: &Matrix,
) -> Result<String, Failure> {
    let mut mistakes = Vec::new();
    for (row, &label) in labels.iter().enumerate() {
        let told = predicted_class(outputs.row(row));
        if told != label as usize {
            let sure = match *outputs.row(row) {
                [p] if told == 0 => 1.0 - p,
                [p] => p,
                ref row => row[told],
            };
            mistakes.push(Mistake { row, told, sure });
        }
    }
    mistakes.sort_unstable_by(|a, b| b.sure.total_cmp(&a.sure).then(a.row.cmp(&b.row)));
    let wrong = mistakes.len();
    mistakes.truncate(MOST);

    let across = ACROSS as f64;
    let down = mistakes.len().div_ceil(ACROSS) as f64;
    let size = (
        2.0 * MARGIN + across * TILE.0,
        TITLE + down * TILE.1 + MARGIN,
    );
    let mut svg = Svg::new(size.0, size.1, title);
    svg.text(
        "title",
        (MARGIN, 28.0),
        Anchor::Start,
        &shortened(title, 80),
    );
    let surest = if wrong > MOST {
        format!("; the {MOST} that the model was surest of")
    } else {
        String::new()
    };
    let told = format!(
        "{} of {} rows told wrong{surest}",
        print::grouped(wrong as u64),
        print::grouped(labels.len() as u64)
    );
    svg.text("", (MARGIN, 48.0), Anchor::Start, &told);
    for (i, mistake) in mistakes.iter().enumerate() {
        let x = MARGIN + (i % ACROSS) as f64 * TILE.0;
        let y = TITLE + (i / ACROSS) as f64 * TILE.1;
        let (truth, told) = (&names[labels[mistake.row] as usize], &names[mistake.told]);
        let picture = Picture::of_row(inputs, mistake.row)?;
        let hint = format!(
            "row {} is {truth}, told {told} ({:.3})",
            mistake.row, mistake.sure
        );
        let inset = (TILE.0 - IMAGE) / 2.0;
        svg.image((x + inset, y), (IMAGE, IMAGE), &picture.png(1)?, &hint);
        svg.frame("axis", (x + inset, y), (IMAGE, IMAGE));
        let label = format!("{} → {}", shortened(truth, 6), shortened(told, 6));
        svg.text(
            "name",
            (x + TILE.0 / 2.0, y + IMAGE + 16.0),
            Anchor::Middle,
            &label,
        );
    }
    Ok(svg.finish())
}

#[cfg(test)]
mod tests {
    use mlp_core::dataset::Inputs;
    use mlp_core::tensor::Matrix;

    use super::mistakes_svg;
    use crate::svg::assert_well_formed;

    #[test]
    fn the_surest_mistake_comes_first() {
        let inputs = Inputs::from_bytes((0..16).collect(), 4, 4).expect("bytes");
        let names = ["cat", "<dog>"].map(str::to_owned);
        // Rows 1 and 3 are wrong; of a single output, p is the probability of the second class.
        let outputs = Matrix::from_vec(4, 1, &[0.1, 0.9, 0.8, 0.05]);
        let text =
            mistakes_svg("a & b", &inputs, &[0, 0, 1, 1], &names, &outputs).expect("a sheet");
        assert_well_formed(&text);
        assert!(text.contains("2 of 4 rows told wrong"));
        assert_eq!(text.matches("<image").count(), 2);
        let places = ["row 3 is", "row 1 is"].map(|hint| text.find(hint).expect("a hint"));
        assert!(places[0] < places[1]);
        assert!(text.contains("cat → &lt;dog&gt;"));
    }

    #[test]
    fn of_many_mistakes_the_surest_are_shown() {
        let inputs = Inputs::from_bytes(vec![0; 4 * 102], 102, 4).expect("bytes");
        let names = ["cat", "dog"].map(str::to_owned);
        // All are cats told as dogs, the last row the surest.
        let outputs = Matrix::from_fn(102, 2, |row, class| match class {
            0 => 0.4 - row as f32 / 1000.0,
            _ => 0.6 + row as f32 / 1000.0,
        });
        let text = mistakes_svg("cats", &inputs, &[0; 102], &names, &outputs).expect("a sheet");
        assert_well_formed(&text);
        assert!(text.contains("102 of 102 rows told wrong; the 100 that the model was surest of"));
        assert_eq!(text.matches("<image").count(), 100);
        let first = text
            .find("row 101 is cat, told dog (0.701)")
            .expect("a hint");
        assert!(first < text.find("row 2 is cat").expect("a hint"));
        assert!(!text.contains("row 1 is") && !text.contains("row 0 is"));
    }
}
