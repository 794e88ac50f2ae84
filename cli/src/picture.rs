//! One row of a data set as a square picture: in the terminal, or as PNG.

use std::fmt::Write;

use mlp_core::dataset::Inputs;

use crate::failure::Failure;

/// Grey pixels, row by row: 0 is paper, 255 the strongest ink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    side: usize,
    pixels: Vec<u8>,
}

/// From paper to ink; each pixel is two characters wide, so that it is about square.
const SHADES: [&str; 5] = ["  ", "░░", "▒▒", "▓▓", "██"];

impl Picture {
    /// Row `row` as it was before scaling. Bytes are taken as they are; other numbers from the least to the greatest.
    pub(crate) fn of_row(inputs: &Inputs, row: usize) -> Result<Self, Failure> {
        let columns = inputs.cols();
        let side = columns.isqrt();
        if side * side != columns || side < 2 {
            return Err(Failure::Failed(format!(
                "rows of {columns} columns are no square images"
            )));
        }
        let mut raw = vec![0.0; columns];
        inputs.raw_row(row, &mut raw);
        let bytes = inputs.bytes().is_some();
        let low = if bytes {
            0.0
        } else {
            raw.iter().copied().fold(f32::INFINITY, f32::min)
        };
        let high = if bytes {
            255.0
        } else {
            raw.iter().copied().fold(f32::NEG_INFINITY, f32::max)
        };
        let scale = if high > low {
            255.0 / (high - low)
        } else {
            0.0
        };
        let pixels = raw.iter().map(|x| ((x - low) * scale).round() as u8);
        Ok(Self {
            side,
            pixels: pixels.collect(),
        })
    }

    /// As characters of five shades, each line ended.
    pub(crate) fn shades(&self) -> String {
        let mut text = String::new();
        for line in self.pixels.chunks(self.side) {
            let shades = line
                .iter()
                .map(|&p| SHADES[(usize::from(p) * SHADES.len()) / 256]);
            let drawn: String = shades.collect();
            text.push_str(drawn.trim_end());
            text.push('\n');
        }
        text
    }

    /// For a terminal with colours: two pixels to a character, the upper and the lower half of a block.
    pub(crate) fn half_blocks(&self) -> String {
        let mut text = String::new();
        // The greys of the 256 colours are numbers 232 to 255.
        let grey = |pixel: u8| 232 + usize::from(pixel) * 24 / 256;
        for two in self.pixels.chunks(2 * self.side) {
            let (upper, lower) = two.split_at(self.side);
            for (column, &above) in upper.iter().enumerate() {
                let below = lower.get(column).copied().unwrap_or(0);
                // Writing to a string does not fail.
                let _ = write!(text, "\x1b[38;5;{};48;5;{}m▀", grey(above), grey(below));
            }
            text.push_str("\x1b[0m\n");
        }
        text
    }

    /// As a PNG file, dark on white, each pixel drawn `enlarged` times as wide and as high.
    pub(crate) fn png(&self, enlarged: usize) -> Result<Vec<u8>, Failure> {
        let side = self.side * enlarged;
        let mut data = Vec::with_capacity(side * side);
        for line in self.pixels.chunks(self.side) {
            let wide = line
                .iter()
                .flat_map(|&p| std::iter::repeat_n(255 - p, enlarged));
            let wide: Vec<u8> = wide.collect();
            for _ in 0..enlarged {
                data.extend_from_slice(&wide);
            }
        }
        let fault =
            |cause: png::EncodingError| Failure::Failed(format!("cannot make a PNG: {cause}"));
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, side as u32, side as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(fault)?;
        writer.write_image_data(&data).map_err(fault)?;
        writer.finish().map_err(fault)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use mlp_core::dataset::Inputs;
    use mlp_core::tensor::Matrix;

    use super::Picture;

    fn checks() -> Picture {
        let bytes = Inputs::from_bytes(vec![9, 9, 9, 9, 0, 255, 128, 60], 2, 4).expect("bytes");
        Picture::of_row(&bytes, 1).expect("a picture")
    }

    #[test]
    fn a_row_of_bytes_in_shades() {
        assert_eq!(checks().shades(), "  ██\n▒▒░░\n");
        let blocks = checks().half_blocks();
        assert_eq!(blocks.matches('▀').count(), 2);
        assert!(blocks.starts_with("\x1b[38;5;232;48;5;244m▀") && blocks.ends_with("\x1b[0m\n"));
    }

    #[test]
    fn other_numbers_are_stretched() {
        let row = |values: &[f32]| Inputs::from_matrix(Matrix::from_vec(1, values.len(), values));
        let picture = Picture::of_row(&row(&[-1.0, 3.0, 1.0, -1.0]), 0).expect("a picture");
        assert_eq!(picture.pixels, [0, 255, 128, 0]);
        let flat = Picture::of_row(&row(&[5.0; 4]), 0).expect("a picture");
        assert_eq!(flat.pixels, [0; 4]);
        let told = Picture::of_row(&row(&[1.0; 5]), 0)
            .expect_err("no square")
            .to_string();
        assert!(told.contains("5 columns"), "{told}");
    }

    #[test]
    fn a_png_can_be_read_back() {
        let file = checks().png(3).expect("a file");
        let decoder = png::Decoder::new(std::io::Cursor::new(file));
        let mut reader = decoder.read_info().expect("a header");
        let mut data = vec![0; 36];
        let info = reader.next_frame(&mut data).expect("an image");
        assert_eq!((info.width, info.height, info.buffer_size()), (6, 6, 36));
        assert_eq!(data[..6], [255, 255, 255, 0, 0, 0]);
        assert_eq!(data[30..], [127, 127, 127, 195, 195, 195]);
    }
}
