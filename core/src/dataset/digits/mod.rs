//! digits
mod glyphs;
mod render;
use crate::rng::{Rng, cell_key};
/// Width and height
pub const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;
/// draw
pub fn draw(seed: u64, row: u64, pixels: &mut [u8; PIXELS]) -> u8 {
    let mut rng = Rng::new(cell_key(seed, 0x6469_6769_7473, row, 0));
    render::render(&mut rng, pixels)
}
