//! The oracle: naive loops on std alone.

pub mod ulp;
