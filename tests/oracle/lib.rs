//! The oracle: naive loops on std alone.
