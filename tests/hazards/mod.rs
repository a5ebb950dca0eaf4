//! The shapes of programs that break other engines.
