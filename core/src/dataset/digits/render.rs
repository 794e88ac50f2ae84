//! From a glyph to pixels: the hand that distorts it, the pen that inks it, the paper that is not clean.
//!
//! Pixel coordinates: x to the right, y down, the centre of pixel (i, j) at (i + 1/2, j + 1/2). Numbers are drawn from
//! the image's generator in a fixed order; changing that order, or any constant here, changes every image.

use super::glyphs::{GLYPHS, LONGEST, Point, Stroke};
use super::{PIXELS, SIDE};
use crate::rng::Rng;

// How far writers differ. "Up to" means the end of a triangular distribution around zero (see `bell`).

/// Half the height of an undistorted digit, in pixels.
const HALF_HEIGHT: f64 = 9.4;
/// Scale, up to.
const SCALE: f64 = 0.14;
/// Width against height, up to; and the height by itself.
const ASPECT: (f64, f64) = (0.25, 0.15);
/// Tangent of half the angle of rotation, up to (0.13 is 15 degrees).
const TURN: f64 = 0.13;
/// Slant, sideways per upwards: the mean (people lean to the right) and up to how much more or less.
const SLANT: (f64, f64) = (0.1, 0.45);
/// Translation of each coordinate in pixels, up to. This, more than the rest, is what no linear template survives.
const SHIFT: f64 = 3.2;
/// Coefficients of the smooth displacement of the plane, up to.
const WARP: f64 = 0.15;
/// Displacement of each point of a stroke by itself in half heights, up to.
const TREMOR: f64 = 0.09;
/// Radius of the pen in pixels.
const RADIUS: (f64, f64) = (0.75, 1.75);
/// Relative change of the radius along a stroke, up to.
const PRESSURE: f64 = 0.35;
/// Pixels over which the ink fades at its edge: antialiasing at the low end, blur at the high end.
const EDGE: (f64, f64) = (0.8, 2.0);
/// Brightness of full ink.
const INK: (f64, f64) = (170.0, 255.0);
/// Spots where the ink is dry, fewer than; and their radius in pixels.
const DRY: (u64, f64, f64) = (4, 0.8, 1.8);
/// Range of the grain over the whole image, of 256 shades, at most; half of the images have none.
const GRAIN: f64 = 24.0;
/// Single bright pixels, fewer than; and their brightness.
const SALT: (u64, f64, f64) = (5, 60.0, 255.0);

/// Straight pieces a curve between two points is drawn as.
const PIECES: usize = 4;
/// The squared distance of a pixel no stroke has come near.
const FAR: f32 = 1e6;

/// Draws a random digit and returns which.
pub(super) fn render(rng: &mut Rng, pixels: &mut [u8; PIXELS]) -> u8 {
    let digit = rng.below(GLYPHS.len() as u64) as u8;
    let ways = GLYPHS[usize::from(digit)];
    let glyph = ways[rng.below(ways.len() as u64) as usize];
    let hand = Hand::new(rng);
    let pen = Pen::new(rng);
    let mut canvas = Canvas([FAR; PIXELS]);
    for stroke in glyph {
        canvas.stroke(stroke, &hand, &pen, rng);
    }
    let mut shades = canvas.ink(&pen);
    for _ in 0..rng.below(DRY.0) {
        dry_spot(&mut shades, rng);
    }
    print(&shades, rng, pixels);
    digit
}

/// Between -1 and 1, most often near 0 (triangular; standard deviation 0.41).
fn bell(rng: &mut Rng) -> f64 {
    rng.uniform() - rng.uniform()
}

/// A writer: what happens to every point of a glyph.
struct Hand {
    /// Coefficients of the displacement of x and of y: `x^2, x y, y^2, x y^2, x^2 y, y^3 - y`.
    warp: [[f64; 6]; 2],
    /// Scale, aspect, slant and rotation in one matrix: half heights to pixels.
    matrix: [[f64; 2]; 2],
    /// Where the centre of the glyph falls, in pixels.
    centre: [f64; 2],
    /// How far a single point goes astray, in half heights.
    tremor: f64,
}

impl Hand {
    fn new(rng: &mut Rng) -> Self {
        let warp = [(); 2].map(|()| [(); 6].map(|()| bell(rng) * WARP));
        // A rotation without sine and cosine, which differ from system to system.
        let t = bell(rng) * TURN;
        let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        // y points down: to lean to the right is to go left on the way down.
        let slant = bell(rng) * SLANT.1 - SLANT.0;
        let scale = HALF_HEIGHT * (1.0 + bell(rng) * SCALE);
        let wide = scale * (1.0 + bell(rng) * ASPECT.0);
        let high = scale * (1.0 + bell(rng) * ASPECT.1);
        // (x, y) -> (wide x + slant high y, high y), then the rotation.
        let matrix = [
            [cos * wide, (cos * slant - sin) * high],
            [sin * wide, (sin * slant + cos) * high],
        ];
        let centre = [(); 2].map(|()| SIDE as f64 / 2.0 + bell(rng) * SHIFT);
        let tremor = TREMOR * rng.between(0.4, 1.0);
        Self {
            warp,
            matrix,
            centre,
            tremor,
        }
    }

    /// Where that point of a glyph comes to lie, in pixels.
    fn place(&self, point: Point, rng: &mut Rng) -> [f64; 2] {
        let mut coordinate = |at: i8| (f64::from(at) - 50.0) / 50.0 + bell(rng) * self.tremor;
        let (x, y) = (coordinate(point.0), coordinate(point.1));
        let terms = [x * x, x * y, y * y, x * y * y, x * x * y, y * y * y - y];
        let bend = |warp: &[f64; 6]| (0..6).fold(0.0, |sum, i| sum + warp[i] * terms[i]);
        let (x, y) = (x + bend(&self.warp[0]), y + bend(&self.warp[1]));
        [0, 1].map(|k| self.centre[k] + self.matrix[k][0] * x + self.matrix[k][1] * y)
    }
}

/// What the writer writes with; lengths in pixels.
struct Pen {
    radius: f64,
    pressure: f64,
    edge: f64,
    ink: f64,
}

impl Pen {
    fn new(rng: &mut Rng) -> Self {
        Self {
            radius: rng.between(RADIUS.0, RADIUS.1),
            pressure: rng.between(0.0, PRESSURE),
            edge: rng.between(EDGE.0, EDGE.1),
            ink: rng.between(INK.0, INK.1),
        }
    }

    /// How far from the line any ink is, in radii (see [`Canvas::ink`]).
    fn reach(&self) -> f64 {
        1.0 + self.edge / self.radius / 2.0
    }
}

/// A place the pen runs through, and its radius there.
type Station = ([f64; 2], f64);

/// The drawing surface: of each pixel the squared distance to the nearest stroke, in units of the pen's radius there
/// (so that no square root is needed until all is drawn).
struct Canvas([f32; PIXELS]);

impl Canvas {
    /// A whole stroke: smooth curves, broken where a point is given twice.
    fn stroke(&mut self, stroke: Stroke, hand: &Hand, pen: &Pen, rng: &mut Rng) {
        let mut run = [([0.0; 2], 0.0); LONGEST];
        let mut length = 0;
        for (i, &point) in stroke.iter().enumerate() {
            if i > 0 && stroke[i - 1] == point {
                self.curve(&run[..length], pen);
                run[0] = run[length - 1];
                length = 1;
            } else {
                let radius = pen.radius * (1.0 + bell(rng) * pen.pressure);
                run[length] = (hand.place(point, rng), radius);
                length += 1;
            }
        }
        self.curve(&run[..length], pen);
    }

    /// A Catmull-Rom curve through the stations.
    fn curve(&mut self, run: &[Station], pen: &Pen) {
        for i in 1..run.len() {
            // From b to c, in the direction of a to c at b and of b to d at c.
            let [a, b, c, d] =
                [i.max(2) - 2, i - 1, i, (i + 1).min(run.len() - 1)].map(|i| run[i].0);
            let mut from = b;
            for piece in 1..=PIECES {
                let t = piece as f64 / PIECES as f64;
                let to = [0, 1].map(|k| {
                    let linear = c[k] - a[k];
                    let square = 2.0 * a[k] - 5.0 * b[k] + 4.0 * c[k] - d[k];
                    let cube = 3.0 * (b[k] - c[k]) + d[k] - a[k];
                    b[k] + 0.5 * t * (linear + t * (square + t * cube))
                });
                let radius = run[i - 1].1 + (run[i].1 - run[i - 1].1) * t;
                self.line(from, to, radius, pen);
                from = to;
            }
        }
    }

    /// A straight piece, looking only at the pixels its ink can reach.
    fn line(&mut self, from: [f64; 2], to: [f64; 2], radius: f64, pen: &Pen) {
        // Half a pixel more: from the edge of a pixel to its centre.
        let reach = radius * pen.reach() + 0.5;
        let [(left, right), (top, bottom)] = [0, 1].map(|k| {
            let low = (from[k].min(to[k]) - reach).max(0.0) as usize;
            let high = (from[k].max(to[k]) + reach).max(0.0) as usize;
            (low.min(SIDE), high.min(SIDE))
        });
        let (x0, y0) = (from[0] as f32 - 0.5, from[1] as f32 - 0.5);
        let (dx, dy) = ((to[0] - from[0]) as f32, (to[1] - from[1]) as f32);
        let per_length2 = 1.0 / (dx * dx + dy * dy).max(1e-6);
        let per_radius2 = 1.0 / (radius * radius) as f32;
        for j in top..bottom {
            let y = j as f32 - y0;
            for (i, nearest) in (left..).zip(&mut self.0[j * SIDE..][left..right.max(left)]) {
                let x = i as f32 - x0;
                // The nearest point of the piece, then the way from there.
                let t = ((x * dx + y * dy) * per_length2).clamp(0.0, 1.0);
                let (x, y) = (x - t * dx, y - t * dy);
                let distance2 = (x * x + y * y) * per_radius2;
                if distance2 < *nearest {
                    *nearest = distance2;
                }
            }
        }
    }

    /// Distances to brightness: full inside, falling over `edge` pixels around the radius.
    fn ink(&self, pen: &Pen) -> [f32; PIXELS] {
        let steepness = (pen.radius / pen.edge) as f32;
        let ink = pen.ink as f32;
        self.0.map(|distance2| {
            let coverage = (1.0 - distance2.sqrt()) * steepness + 0.5;
            coverage.clamp(0.0, 1.0) * ink
        })
    }
}

/// Takes away up to three quarters of the ink around some place: a gap, if a stroke goes by there.
fn dry_spot(shades: &mut [f32; PIXELS], rng: &mut Rng) {
    let margin = 5.0;
    let [x, y] = [(); 2].map(|()| rng.between(margin, SIDE as f64 - margin) as f32);
    let radius = rng.between(DRY.1, DRY.2) as f32;
    for j in (y - radius) as usize..=(y + radius) as usize {
        for i in (x - radius) as usize..=(x + radius) as usize {
            let (dx, dy) = (i as f32 + 0.5 - x, j as f32 + 0.5 - y);
            let inside = (dx * dx + dy * dy) / (radius * radius);
            shades[j * SIDE + i] *= 0.25 + 0.75 * inside.min(1.0);
        }
    }
}

/// Puts the shades on paper that has grain and salt, and rounds them down to bytes.
fn print(shades: &[f32; PIXELS], rng: &mut Rng, pixels: &mut [u8; PIXELS]) {
    let coarse = rng.between(0.0, GRAIN) as f32;
    let grain = if rng.below(2) == 0 {
        coarse / 255.0
    } else {
        0.0
    };
    // Eight pixels' grain from one draw.
    for (shades, pixels) in shades.chunks(8).zip(pixels.chunks_mut(8)) {
        let noise = rng.next_u64().to_le_bytes();
        for ((shade, noise), pixel) in shades.iter().zip(noise).zip(pixels) {
            *pixel = (shade + (f32::from(noise) - 127.5) * grain).clamp(0.0, 255.0) as u8;
        }
    }
    for _ in 0..rng.below(SALT.0) {
        let pixel = &mut pixels[rng.below(PIXELS as u64) as usize];
        *pixel = (*pixel).max(rng.between(SALT.1, SALT.2) as u8);
    }
}
