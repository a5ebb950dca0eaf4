//! Long and wide runs stay linear.
