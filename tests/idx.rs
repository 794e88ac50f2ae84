//! IDX files, packed or not, are read to the byte, or refused in a sentence.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use mlp_core::dataset::idx::{read_images, read_labels, read_pair};
use mlp_core::dataset::{Dataset, Targets};
use tempfile::TempDir;

fn images(count: u32, rows: u32, columns: u32, pixels: &[u8]) -> Vec<u8> {
    let header = [2051, count, rows, columns].map(u32::to_be_bytes);
    [header.as_flattened(), pixels].concat()
}

fn labels(count: u32, values: &[u8]) -> Vec<u8> {
    let header = [2049, count].map(u32::to_be_bytes);
    [header.as_flattened(), values].concat()
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("a temporary file");
        path
    }
}

fn labels_of(dataset: &Dataset) -> &[u32] {
    match dataset.targets() {
        Targets::Classes { labels, .. } => labels,
        Targets::Values { .. } => panic!("classes expected"),
    }
}

#[test]
fn pairs_are_read_packed_or_not_whatever_their_names() {
    let folder = Folder::new();
    let pixels: Vec<u8> = (0..24).collect();
    let (raw_images, raw_labels) = (images(4, 2, 3, &pixels), labels(4, &[2, 0, 0, 2]));
    for (i, l) in [
        (
            folder.file("i", &raw_images),
            folder.file("l.gz", &raw_labels),
        ),
        (
            folder.file("i.gz", &packed(&raw_images)),
            folder.file("l", &packed(&raw_labels)),
        ),
    ] {
        let dataset = read_pair(&i, &l).expect("a good pair");
        assert_eq!((dataset.len(), dataset.inputs().cols()), (4, 6));
        assert_eq!(dataset.inputs().bytes(), Some(pixels.as_slice()));
        assert_eq!(labels_of(&dataset), [2, 0, 0, 2]);
        assert_eq!(dataset.targets().names(), ["0", "1", "2"]);
    }
}

#[test]
fn bad_images_are_refused() {
    let folder = Folder::new();
    let good = images(4, 2, 3, &[7; 24]);
    let cases: &[(&[u8], &str)] = &[
        (&[], "the file is empty"),
        (&good[..7], "the file ends inside the IDX header"),
        (
            &labels(4, &[1; 4]),
            "expected the IDX magic number 2051 (images), found 2049 (labels)",
        ),
        (
            b"label,pixel0",
            "expected the IDX magic number 2051 (images), found 1818321509",
        ),
        (
            &good[..39],
            "the header promises 4 images of 2 x 3 pixels (24 bytes), but the file ends after 23",
        ),
        (
            &[&good[..], b"x"].concat(),
            "the header promises 4 images of 2 x 3 pixels (24 bytes), but more bytes follow",
        ),
        (
            &images(0, 28, 28, &[]),
            "the header promises 0 images of 28 x 28 pixels, so there is nothing to read",
        ),
        (
            &images(3, 0, 28, &[]),
            "the header promises 3 images of 0 x 28 pixels, so there is nothing to read",
        ),
        (
            &images(u32::MAX, u32::MAX, u32::MAX, &[1; 100]),
            "the header promises 4294967295 images of 4294967295 x 4294967295 pixels, more than there can be",
        ),
        (
            &images(100, 10, 10, &[1; 100]),
            "the header promises 100 images of 10 x 10 pixels (10000 bytes), but the file ends after 100",
        ),
    ];
    for (i, (content, told)) in cases.iter().enumerate() {
        for (form, content) in [("raw", content.to_vec()), ("gz", packed(content))] {
            if content.is_empty() || (form == "gz" && i == 0) {
                continue;
            }
            let path = folder.file(&format!("{form}{i}"), &content);
            let error = read_images(&path).expect_err("a bad file").to_string();
            assert_eq!(error, format!("{}: {told}", path.display()), "{form}");
        }
    }
    let empty = folder.file("empty", &[]);
    let error = read_images(&empty).expect_err("a bad file").to_string();
    assert_eq!(error, format!("{}: the file is empty", empty.display()));
    let missing = folder.path().join("missing");
    let error = read_images(&missing).expect_err("no file").to_string();
    assert!(
        error.starts_with(&format!("{}: cannot read: ", missing.display())),
        "{error}"
    );
}

#[test]
fn damaged_compression_is_refused() {
    let folder = Folder::new();
    let pixels: Vec<u8> = (0..60_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let good = packed(&images(100, 20, 30, &pixels));
    let told = |content: &[u8]| {
        read_images(&folder.file("images.gz", content))
            .expect_err("a bad file")
            .to_string()
    };
    assert!(
        told(&good[..good.len() / 2]).contains("but the file ends after"),
        "cut"
    );
    assert!(
        told(&good[..good.len() - 4]).contains("the file ends too early"),
        "checksum cut"
    );
    assert!(
        told(&[&good[..], b"garbage"].concat()).contains("more bytes follow"),
        "garbage behind"
    );
    assert!(
        told(&[&good[..], &good[..]].concat()).contains("more bytes follow"),
        "two files in one"
    );
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    flipped[middle + 1] ^= 0xAA;
    assert!(
        read_images(&folder.file("flipped.gz", &flipped)).is_err(),
        "flipped bits"
    );
    assert!(read_images(&folder.file("good.gz", &good)).is_ok());
}

/// 256 MB of zeros packed into 1 MB, of which the header promises 6 bytes.
#[test]
fn reading_stops_at_what_the_header_promises() {
    let folder = Folder::new();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(&images(1, 2, 3, &[]))
        .expect("a Vec takes all");
    for _ in 0..256 {
        encoder
            .write_all(&vec![0; 1 << 20])
            .expect("a Vec takes all");
    }
    let path = folder.file("bomb.gz", &encoder.finish().expect("a Vec takes all"));
    let error = read_images(&path).expect_err("a bad file").to_string();
    assert!(
        error.ends_with("1 images of 2 x 3 pixels (6 bytes), but more bytes follow"),
        "{error}"
    );
}

/// 64 MB of zeros packed into 64 kB, of which the header promises terabytes: refused before a pixel is unpacked.
#[test]
fn more_than_can_be_packed_is_not_believed() {
    let folder = Folder::new();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(&images(1 << 31, 28, 28, &vec![0; 64 << 20]))
        .expect("a Vec takes all");
    let path = folder.file("bomb.gz", &encoder.finish().expect("a Vec takes all"));
    let error = read_images(&path).expect_err("a bad file").to_string();
    assert!(
        error.ends_with("(1683627180032 bytes), more than can be packed into this file"),
        "{error}"
    );
    let path = folder.file("raw", &images(60_000, 1 << 15, 1 << 15, &[1; 100]));
    let error = read_images(&path).expect_err("a bad file").to_string();
    assert!(
        error.ends_with("(64424509440000 bytes), but the file ends after 100"),
        "{error}"
    );
    // The most that deflate can do is believed.
    let black = packed(&images(1000, 100, 100, &vec![0; 10_000_000]));
    assert!(read_images(&folder.file("black.gz", &black)).is_ok());
}

#[test]
fn bad_labels_are_refused() {
    let folder = Folder::new();
    let images_path = folder.file("i", &images(4, 2, 3, &[7; 24]));
    for (content, told) in [
        (
            images(4, 2, 3, &[7; 24]),
            "expected the IDX magic number 2049 (labels), found 2051 (images)",
        ),
        (
            labels(0, &[]),
            "the header promises 0 labels, so there is nothing to read",
        ),
        (
            labels(4, &[1; 3]),
            "the header promises 4 labels (4 bytes), but the file ends after 3",
        ),
        (
            labels(4, &[1; 5]),
            "the header promises 4 labels (4 bytes), but more bytes follow",
        ),
    ] {
        let path = folder.file("l", &content);
        let error = read_labels(&path).expect_err("a bad file").to_string();
        assert_eq!(error, format!("{}: {told}", path.display()));
        assert!(read_pair(&images_path, &path).is_err());
    }
    let path = folder.file("l", &labels(3, &[0, 1, 0]));
    assert_eq!(
        read_pair(&images_path, &path)
            .expect_err("counts disagree")
            .to_string(),
        format!(
            "{}: there are 3 labels for the 4 images of {}",
            path.display(),
            images_path.display()
        )
    );
}
