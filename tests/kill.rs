//! A real process, killed again and again.
