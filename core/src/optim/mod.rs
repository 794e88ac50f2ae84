//! (room: optim)
