//! The direction of dependencies between modules.
