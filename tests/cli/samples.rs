//! Small data sets, written into a test's directory.

use std::fmt::Write;

use crate::room::Room;

impl Room {
    /// Two flowers told apart by their measures, and a column of text as answer.
    pub(crate) fn write_flowers(&self, name: &str, rows: usize) {
        let mut text = String::from("length,width,kind\n");
        for i in 0..rows {
            let jitter = (i * 7 % 11) as f64 / 10.0;
            let (length, kind) = if i % 3 == 0 {
                (7.0, "rose")
            } else {
                (2.0, "lily, white")
            };
            writeln!(
                text,
                "{},{},\"{kind}\"",
                length + jitter,
                1.0 + jitter / 2.0
            )
            .expect("a string");
        }
        self.write(name, text);
    }

    /// y = 3 a - 2 b + 1 on a grid.
    pub(crate) fn write_plane(&self, name: &str) {
        let mut text = String::from("a,b,y\n");
        for i in 0..200 {
            let (a, b) = (f64::from(i % 20) / 10.0, f64::from(i / 20) / 5.0);
            writeln!(text, "{a},{b},{:.3}", 3.0 * a - 2.0 * b + 1.0).expect("a string");
        }
        self.write(name, text);
    }

    /// IDX images of 4x4 pixels whose brightest row is their label (0 to 3), and their labels.
    pub(crate) fn write_idx(&self, images: &str, labels: &str, rows: u32) {
        let mut pixels = vec![0, 0, 8, 3];
        let mut answers = vec![0, 0, 8, 1];
        for number in [rows, 4, 4] {
            pixels.extend(number.to_be_bytes());
        }
        answers.extend(rows.to_be_bytes());
        for i in 0..rows {
            let label = i * 5 % 4;
            answers.push(label as u8);
            pixels.extend((0..16).map(|p| {
                if p / 4 == label {
                    200 + (i % 50) as u8
                } else {
                    (i * p % 60) as u8
                }
            }));
        }
        self.write(images, pixels);
        self.write(labels, answers);
    }
}
