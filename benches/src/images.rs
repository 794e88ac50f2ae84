//! Images to train on, as the core takes them and as plain loops do: MNIST's where `$MLP_FAST_DATA` holds them, else the
//! built-in digits.

use mlp_core::dataset::source::{self, SourceOptions};
use mlp_core::dataset::{Dataset, Inputs, Scaling, ScalingKind, Targets, digits};
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
    /// The first `rows` training images of MNIST, if it is here, and what they are called.
    pub fn best(rows: usize) -> (&'static str, Self) {
        Self::of_mnist(rows).map_or_else(
            || ("built-in digits", Self::new(rows)),
            |images| ("MNIST", images),
        )
    }

    fn of_mnist(rows: usize) -> Option<Self> {
        std::env::var_os("MLP_FAST_DATA")?;
        let loaded = source::open("mnist", &SourceOptions::default()).ok()?;
        let bytes = loaded.train.inputs().bytes()?;
        let Targets::Classes { labels, .. } = loaded.train.targets() else {
            return None;
        };
        Some(Self {
            bytes: bytes.get(..rows * PIXELS)?.to_vec(),
            labels: labels.get(..rows)?.to_vec(),
        })
    }

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

    /// The first `rows` of them as they are, row-major.
    pub fn bytes(&self, rows: usize) -> &[u8] {
        &self.bytes[..rows * PIXELS]
    }

    /// The first `rows` of them as plain numbers from 0 to 1, row-major.
    pub fn floats(&self, rows: usize) -> Vec<f32> {
        let bytes = &self.bytes[..rows * PIXELS];
        bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
    }
}
