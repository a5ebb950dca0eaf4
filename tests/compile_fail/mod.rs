//! What the compiler must refuse.
