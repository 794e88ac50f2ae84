//! The built-in digits, as the core takes them and as plain loops do.

use mlp_core::dataset::{Dataset, Inputs, Scaling, ScalingKind, digits};
use mlp_core::error::Error;

/// Pixels of an image.
pub const PIXELS: usize = digits::SIDE * digits::SIDE;

/// Images of digits and what they show.
#[derive(Clone, Debug)]
pub struct Images {
    bytes: Vec<u8>,
    /// The digit of each image.
    pub labels: Vec<u32>,
}

impl Images {
    /// The first `rows` images of seed 1.
    pub fn new(rows: usize) -> Self {
        let (bytes, labels) = digits::images(rows, 1);
        Self { bytes, labels }
    }

    /// The first `rows` of them for the core: bytes, divided by 255 on the way out.
    ///
    /// # Errors
    /// When the core does not take them.
    pub fn dataset(&self, rows: usize) -> Result<Dataset, Error> {
        let bytes = self.bytes[..rows * PIXELS].to_vec();
        let inputs = Inputs::from_bytes(bytes, rows, PIXELS)?;
        let names = digits::NAMES.map(str::to_owned).to_vec();
        let data = Dataset::classes(inputs, self.labels[..rows].to_vec(), names)?;
        let scaling = Scaling::fit(&ScalingKind::Unit, data.inputs())?;
        data.scaled(scaling)
    }

    /// The first `rows` of them as plain numbers from 0 to 1, row-major.
    pub fn floats(&self, rows: usize) -> Vec<f32> {
        let bytes = &self.bytes[..rows * PIXELS];
        bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
    }
}
