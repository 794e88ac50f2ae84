//! (room: dataset)

pub mod digits;
