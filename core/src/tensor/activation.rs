//! (room: kernels)
