//! Handwritten-like digits, drawn by the program itself: data to learn from when there is none at hand.
//!
//! # How an image is drawn
//! 1. A digit is drawn by lot, then one of five or six ways of writing it (open and closed fours, sevens with and
//!    without a bar, ones with a foot, looped twos, ...). The skeletons (`glyphs`) are our own points, no one's data.
//! 2. A writer is drawn by lot (`render`): rotation, slant, scale, aspect, translation, a smooth cubic displacement of
//!    the plane, and a tremor that moves each point by itself. Catmull-Rom curves run through the moved points.
//! 3. A pen: radius, pressure that changes along the stroke, brightness, and how softly its edge fades. Each pixel is
//!    inked by its distance to the nearest stroke.
//! 4. The paper: dry spots (gaps in strokes), grain, and a few bright pixels.
//!
//! Only `+ - * /`, square roots and integers are used, and one generator per row: the same bytes on every platform,
//! for any number of rows or threads. One core draws some 120 000 rows a second (AMD EPYC, 2 shared cores;
//! CPU time of 66 000 rows).
//!
//! # How hard they are
//! The places and slants of the strokes vary too much for one template per class, and a small network learns them all
//! the same. Held-out accuracy on rows 54 000..66 000 of seed 1, pixels / 255, scikit-learn 1.9: multinomial logistic
//! regression (lbfgs, 80 iterations, the best C tried of 0.05 to 1) against a 784-128-10 relu network (Adam, lr 1e-3,
//! batches of 128, no penalty; the lowest of three initialisations):
//!
//! | training rows | linear | 128 units, 10 epochs | 12 epochs | 15 epochs |
//! |---|---|---|---|---|
//! | 0..18 000 | 89.1 % | 98.1 % | 98.3 % | 98.5 % |
//! | 0..27 000 | 89.6 % | 98.7 % | | |
//! | 0..54 000 | 90.2 % | | | |
//!
//! The network takes 4 and 9 for each other most often, then 7 or 8 for 1, and 3 for 8 (18 000 rows, 15 epochs).

mod glyphs;
mod render;

use std::num::NonZero;
use std::thread;

use crate::dataset::{Dataset, Inputs};
use crate::error::{Error, Kind};
use crate::rng::{Rng, cell_key};

/// Width and height of an image in pixels.
pub const SIDE: usize = 28;

/// Rows of the data set when nothing else is asked for.
pub const ROWS: usize = 30_000;

/// The most rows that are drawn at a time: 7.8 GB.
pub const MOST_ROWS: usize = 10_000_000;

/// The names of the classes: class i is the digit i.
pub const NAMES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

const PIXELS: usize = SIDE * SIDE;

/// Draws image `row` of that seed (row-major, 0 the paper, 255 the strongest ink) and returns its class.
///
/// It depends on nothing but (seed, row), so row i is the same however many rows are drawn, and by whom.
pub fn draw(seed: u64, row: u64, pixels: &mut [u8; PIXELS]) -> u8 {
    // "digits" in ASCII keeps these streams apart from those of other purposes.
    let mut rng = Rng::new(cell_key(seed, 0x6469_6769_7473, row, 0));
    render::render(&mut rng, pixels)
}

/// The data set of that many rows.
///
/// # Errors
/// When no rows are asked for, or more than [`MOST_ROWS`].
pub fn digits(rows: usize, seed: u64) -> Result<Dataset, Error> {
    if rows == 0 || rows > MOST_ROWS {
        return Err(Error::new(
            Kind::Setting,
            format!("digits come in 1 to {MOST_ROWS} rows, not {rows}"),
        ));
    }
    Error::unless_room_for(rows * (PIXELS + size_of::<u32>()), "so many digits")?;
    let (pixels, labels) = images(rows, seed);
    let inputs = Inputs::from_bytes(pixels, rows, PIXELS)?;
    let names = NAMES.map(String::from).to_vec();
    Dataset::classes(inputs, labels, names)
}

/// Images 0..rows of that seed, one after the other (rows x 784), and their classes, on all the machine's threads.
///
/// # Panics
/// When so many rows do not fit into memory.
pub fn images(rows: usize, seed: u64) -> (Vec<u8>, Vec<u32>) {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    images_on(threads, rows, seed)
}

/// [`images`] on that many threads (at least one).
fn images_on(threads: usize, rows: usize, seed: u64) -> (Vec<u8>, Vec<u32>) {
    let mut pixels = vec![0; rows.saturating_mul(PIXELS)];
    let mut labels = vec![0; rows];
    let share = rows.div_ceil(threads).max(1);
    let (images, _) = pixels.as_chunks_mut();
    thread::scope(|scope| {
        let shares = images.chunks_mut(share).zip(labels.chunks_mut(share));
        for (first, (images, labels)) in (0..rows).step_by(share).zip(shares) {
            scope.spawn(move || {
                for (row, (image, label)) in (first as u64..).zip(images.iter_mut().zip(labels)) {
                    *label = u32::from(draw(seed, row, image));
                }
            });
        }
    });
    (pixels, labels)
}

#[cfg(test)]
mod tests {
    use super::glyphs::{GLYPHS, LONGEST};
    use super::{PIXELS, SIDE, draw, images, images_on};

    /// FNV-1a of 64 bits.
    fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
        bytes
            .into_iter()
            .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
            })
    }

    /// The images of that class.
    fn of_class<'a>(
        pixels: &'a [u8],
        labels: &'a [u32],
        class: u32,
    ) -> impl Iterator<Item = &'a [u8; PIXELS]> {
        let images = pixels.as_chunks().0.iter().zip(labels);
        images
            .filter(move |(_, label)| **label == class)
            .map(|(image, _)| image)
    }

    #[test]
    fn golden_first_thousand() {
        let (pixels, labels) = images(1000, 1);
        assert_eq!(hash(pixels), 17_003_551_126_370_847_609, "pixels");
        assert_eq!(
            hash(labels.iter().map(|&label| label as u8)),
            13_888_033_083_486_300_385,
            "labels"
        );
    }

    #[test]
    fn rows_do_not_depend_on_their_number_nor_on_the_threads() {
        let (pixels, labels) = images_on(1, 101, 7);
        for threads in [2, 3, 8, 200] {
            assert_eq!(images_on(threads, 101, 7), (pixels.clone(), labels.clone()));
        }
        for rows in [0, 1, 2, 50] {
            let (head, head_labels) = images_on(3, rows, 7);
            assert_eq!(head, pixels[..rows * PIXELS]);
            assert_eq!(head_labels, labels[..rows]);
        }
        let mut image = [77; PIXELS];
        let label = draw(7, 100, &mut image);
        assert_eq!(image, pixels[100 * PIXELS..]);
        assert_eq!(u32::from(label), labels[100]);
    }

    #[test]
    fn rows_and_seeds_differ() {
        let (pixels, _) = images(200, 1);
        let (other, _) = images(200, 2);
        let mut all: Vec<&[u8; PIXELS]> = [&pixels, &other]
            .iter()
            .flat_map(|p| p.as_chunks().0)
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 400);
    }

    #[test]
    fn classes_are_equally_frequent() {
        let (_, labels) = images(10_000, 1);
        for class in 0..10 {
            let count = labels.iter().filter(|label| **label == class).count();
            // 1000, five standard deviations of 30.
            assert!(count.abs_diff(1000) < 150, "{class}: {count}");
        }
    }

    #[test]
    fn digits_are_ink_on_dark_paper_and_inside_the_frame() {
        let (pixels, labels) = images(5000, 3);
        for class in 0..10 {
            let (mut count, mut ink, mut border) = (0.0, 0.0, 0.0);
            for image in of_class(&pixels, &labels, class) {
                let bright = image.iter().filter(|&&pixel| pixel > 85).count();
                assert!((15..=PIXELS / 2).contains(&bright), "{class}: {bright}");
                count += 1.0;
                ink += bright as f64;
                let edge = |k: &usize| {
                    [k % SIDE, k / SIDE]
                        .iter()
                        .any(|&at| at == 0 || at == SIDE - 1)
                };
                border += (0..PIXELS).filter(edge).filter(|&k| image[k] > 85).count() as f64;
            }
            // Means of the class: a one is the least ink; next to nothing is cut off.
            assert!((40.0..220.0).contains(&(ink / count)), "{class}: {ink}");
            assert!(border / count < 1.0, "{class}: {border}");
        }
    }

    /// The nearest class mean, a linear classifier, sees a good part of the classes and is far from seeing all.
    #[test]
    fn one_template_per_class_does_not_do() {
        let (pixels, labels) = images(6000, 5);
        let split = 5000;
        let means = [0_u32, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|class| {
            let mut mean = [0.0; PIXELS];
            let mut count = 0.0;
            for image in of_class(&pixels[..split * PIXELS], &labels[..split], class) {
                for (mean, &pixel) in mean.iter_mut().zip(image) {
                    *mean += f64::from(pixel);
                }
                count += 1.0;
            }
            mean.iter().map(|sum| sum / count).collect::<Vec<f64>>()
        });
        let distance = |image: &[u8; PIXELS], class: usize| -> f64 {
            let pairs = means[class].iter().zip(image);
            pairs
                .map(|(mean, &pixel)| (mean - f64::from(pixel)).powi(2))
                .sum()
        };
        let (tested, _) = pixels[split * PIXELS..].as_chunks();
        let hits = tested
            .iter()
            .zip(&labels[split..])
            .filter(|&(image, &label)| {
                let nearest =
                    (0..10).min_by(|&a, &b| distance(image, a).total_cmp(&distance(image, b)));
                nearest == Some(label as usize)
            });
        let hits = hits.count();
        assert!((400..850).contains(&hits), "{hits} of 1000");
    }

    #[test]
    fn glyphs_are_well_formed() {
        for (digit, ways) in GLYPHS.iter().enumerate() {
            assert!(ways.len() >= 5, "{digit}");
            for stroke in ways.iter().flat_map(|glyph| glyph.iter()) {
                assert!((2..=LONGEST).contains(&stroke.len()), "{digit}");
                assert!(
                    stroke
                        .iter()
                        .all(|(x, y)| (0..=100).contains(x) && (0..=100).contains(y)),
                    "{digit}"
                );
                // A corner is between two lines, and a point is not given three times.
                let corners: Vec<usize> = (1..stroke.len())
                    .filter(|&i| stroke[i] == stroke[i - 1])
                    .collect();
                assert!(
                    corners.iter().all(|&i| i > 1 && i + 1 < stroke.len()),
                    "{digit}"
                );
                assert!(
                    corners.windows(2).all(|pair| pair[1] - pair[0] > 1),
                    "{digit}"
                );
            }
        }
    }
}
