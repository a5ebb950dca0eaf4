//! What the fuzz targets call. The library's own tests include the same files, and replay the
//! corpus through them on stable.

pub mod history;
