//! From a glyph to pixels: the hand that distorts it, the pen that inks it, the paper that is not clean.

use super::glyphs::{GLYPHS, LONGEST, Stroke};
use super::{PIXELS, SIDE};
use crate::rng::Rng;

/// Straight pieces a curve between two points is drawn as.
const PIECES: usize = 4;
/// Squared distance, in squared pen radii, of a pixel no stroke has come near.
const FAR: f32 = 1e6;

/// How this image's writer distorts every glyph point (in units of half the height, from the centre).
struct Hand {
    /// Quadratic and cubic displacement of x and of y.
    warp: [[f64; 6]; 2],
    /// Rotation, slant, scale and aspect in one matrix, pixels per unit.
    matrix: [[f64; 2]; 2],
    /// Where the centre falls, in pixels.
    centre: [f64; 2],
    /// The most a single point goes astray, in units.
    tremor: f64,
}

impl Hand {
    fn new(rng: &mut Rng) -> Self {
        let mut around = |most: f64| bell(rng) * most;
        let warp = [(); 2].map(|()| [around(WARP2), around(WARP2), around(WARP2), around(WARP3), around(WARP3), around(WARP3)]);
        // A rotation without sine and cosine: t = tan(angle / 2).
        let t = around(TURN);
        let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        let slant = around(SLANT) - SLANT_MEAN;
        let scale = 9.4 * (1.0 + around(SCALE));
        let (wide, high) = (scale * (1.0 + around(ASPECT)), scale * (1.0 + 0.6*around(ASPECT)));
        // Slant after stretch: (x, y) -> (wide x + slant high y, high y), then turn.
        let matrix = [
            [cos * wide, cos * slant * high - sin * high],
            [sin * wide, sin * slant * high + cos * high],
        ];
        let middle = SIDE as f64 / 2.0;
        let centre = [middle + around(SHIFT), middle + around(SHIFT)];
        let tremor = TREMOR * rng.between(0.4, 1.0);
        Self { warp, matrix, centre, tremor }
    }

    /// Where the pen puts the glyph point (x, y), in pixels.
    fn place(&self, (x, y): (i8, i8), rng: &mut Rng) -> [f64; 2] {
        let x = (f64::from(x) - 50.0) / 50.0 + bell(rng) * self.tremor;
        let y = (f64::from(y) - 50.0) / 50.0 + bell(rng) * self.tremor;
        let terms = [x * x, x * y, y * y, x * (y * y), y * (x * x), y * (y * y) - y];
        let bend = |warp: &[f64; 6]| warp.iter().zip(&terms).fold(0.0, |sum, (a, b)| sum + a * b);
        let (x, y) = (x + bend(&self.warp[0]), y + bend(&self.warp[1]));
        let [a, b] = self.matrix;
        [self.centre[0] + (a[0] * x + a[1] * y), self.centre[1] + (b[0] * x + b[1] * y)]
    }
}

const WARP2: f64 = 0.20;
const WARP3: f64 = 0.20;
const TURN: f64 = 0.13;
const SLANT: f64 = 0.45;
const SLANT_MEAN: f64 = 0.1;
const SCALE: f64 = 0.18;
const ASPECT: f64 = 0.25;
const SHIFT: f64 = 3.0;
const TREMOR: f64 = 0.12;

/// Between -1 and 1, most often near 0 (triangular; standard deviation 0.41).
fn bell(rng: &mut Rng) -> f64 {
    rng.uniform() - rng.uniform()
}

/// The drawing surface: per pixel the squared distance to the nearest stroke, in squared radii of the pen there.
struct Canvas([f32; PIXELS]);

impl Canvas {
    /// One straight piece from `p` to `q` with a round pen of that radius.
    fn line(&mut self, p: [f64; 2], q: [f64; 2], radius: f64) {
        // Pixel centres are at integer + 1/2; the ink ends within one pixel outside the radius.
        let reach = radius + EDGE_MAX;
        let span = |a: f64, b: f64| {
            let low = a.min(b) - reach - 0.5;
            let high = a.max(b) + reach + 0.5;
            (low.max(0.0) as usize, (high.max(0.0) as usize).min(SIDE))
        };
        let ((left, right), (top, bottom)) = (span(p[0], q[0]), span(p[1], q[1]));
        let (dx, dy) = ((q[0] - p[0]) as f32, (q[1] - p[1]) as f32);
        let length2 = dx * dx + dy * dy;
        let along = 1.0 / length2.max(1e-6);
        let sharp = 1.0 / (radius * radius) as f32;
        for y in top..bottom {
            let py = y as f32 + 0.5 - p[1] as f32;
            let row = &mut self.0[y * SIDE..][..SIDE];
            if left < right {
            for (i, pixel) in row[left..right].iter_mut().enumerate() {
                let px = (left + i) as f32 + 0.5 - p[0] as f32;
                let t = ((px * dx + py * dy) * along).clamp(0.0, 1.0);
                let (ex, ey) = (px - t * dx, py - t * dy);
                let d = (ex * ex + ey * ey) * sharp;
                *pixel = if d < *pixel { d } else { *pixel };
            }
            }
        }
    }

    /// A whole stroke: Catmull-Rom curves through its points, broken where a point is given twice.
    fn stroke(&mut self, stroke: Stroke, hand: &Hand, pen: &Pen, rng: &mut Rng) {
        let mut points = [([0.0; 2], 0.0); LONGEST];
        let mut count = 0;
        for (i, &point) in stroke.iter().enumerate() {
            if i > 0 && stroke[i - 1] == point {
                self.curve(&points[..count]);
                points[0] = points[count - 1];
                count = 1;
            } else {
                let pressure = 1.0 + bell(rng) * pen.pressure;
                points[count] = (hand.place(point, rng), pen.radius * pressure);
                count += 1;
            }
        }
        self.curve(&points[..count]);
    }

    /// One smooth run of points with the pen's radius at each.
    fn curve(&mut self, points: &[([f64; 2], f64)]) {
        let last = points.len() - 1;
        for i in 0..last {
            let (a, b, c, d) = (points[i.saturating_sub(1)].0, points[i].0, points[i + 1].0, points[(i + 2).min(last)].0);
            let (wide, narrow) = (points[i].1, points[i + 1].1);
            let mut from = b;
            for piece in 1..=PIECES {
                let t = piece as f64 / PIECES as f64;
                let at = |k: usize| {
                    let linear = c[k] - a[k];
                    let square = 2.0 * a[k] - 5.0 * b[k] + 4.0 * c[k] - d[k];
                    let cube = 3.0 * (b[k] - c[k]) + d[k] - a[k];
                    b[k] + 0.5 * t * (linear + t * (square + t * cube))
                };
                let to = [at(0), at(1)];
                self.line(from, to, wide + (narrow - wide) * t);
                from = to;
            }
        }
    }
}

struct Pen {
    radius: f64,
    pressure: f64,
    edge: f64,
    ink: f64,
}

const RADIUS: (f64, f64) = (0.75, 1.75);
const EDGE_MAX: f64 = 1.0;
const PRESSURE: f64 = 0.35;

pub(super) fn render(rng: &mut Rng, pixels: &mut [u8; PIXELS]) -> u8 {
    let digit = rng.below(10);
    let ways = GLYPHS[digit as usize];
    let glyph = ways[rng.below(ways.len() as u64) as usize];
    let hand = Hand::new(rng);
    let pen = Pen {
        radius: rng.between(RADIUS.0, RADIUS.1),
        pressure: PRESSURE * rng.uniform(),
        edge: rng.between(0.8, 2.0 * EDGE_MAX),
        ink: rng.between(150.0, 255.0),
    };
    let mut canvas = Canvas([FAR; PIXELS]);
    for stroke in glyph {
        canvas.stroke(stroke, &hand, &pen, rng);
    }
    let slope = (pen.radius / pen.edge) as f32;
    let ink = pen.ink as f32;
    let mut shade = canvas.0.map(|d| ((1.0 - d.sqrt()) * slope + 0.5).clamp(0.0, 1.0) * ink);
    // dry spots
    let spots = rng.below(4);
    for _ in 0..spots {
        let (x, y, r) = (rng.between(5.0, 23.0) as f32, rng.between(4.0, 24.0) as f32, rng.between(0.8, 1.8) as f32);
        for j in 0..SIDE { for i in 0..SIDE {
            let (dx, dy) = (i as f32 + 0.5 - x, j as f32 + 0.5 - y);
            let d = (dx * dx + dy * dy) / (r * r);
            if d < 1.0 { shade[j * SIDE + i] *= 0.25 + 0.75 * d; }
        }}
    }
    // grain
    let grain = if rng.below(2) == 0 { rng.between(0.0, 40.0) as f32 / 255.0 } else { 0.0 };
    for (eight, out) in shade.chunks_mut(8).zip(pixels.chunks_mut(8)) {
        let noise = rng.next_u64().to_le_bytes();
        for ((s, n), out) in eight.iter().zip(noise).zip(out) {
            let v = s + (f32::from(n) - 127.5) * grain;
            *out = v.clamp(0.0, 255.0) as u8;
        }
    }
    for _ in 0..rng.below(7) {
        let at = rng.below(PIXELS as u64) as usize;
        pixels[at] = pixels[at].max(rng.between(60.0, 255.0) as u8);
    }
    digit as u8
}
