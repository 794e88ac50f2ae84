//! (room: gemm)
