//! (room: dataset)
