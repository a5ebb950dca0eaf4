//! What the fuzz targets call. The library's own tests include the same files, and replay the
//! corpus through them on stable.

pub mod executor;
pub mod history;
#[allow(dead_code, reason = "the tests and the soak use more of it")]
mod programs;

/// Carries out the program that the bytes stand for, with a restart after each of its commits.
///
/// # Panics
///
/// Panics if something is not as it should be.
pub fn replay(data: &[u8]) {
    if let Err(wrong) = programs::check(data) {
        panic!("{wrong}\n{:#?}", programs::decode(data));
    }
}

/// Carries out the program that the bytes stand for, and crashes it where they say.
///
/// # Panics
///
/// Panics if something is not as it should be.
pub fn crash(data: &[u8]) {
    if let Err(wrong) = programs::crash(data) {
        panic!("{wrong}");
    }
}

/// Carries out the program that the bytes stand for, over a disk that fails where they say.
///
/// # Panics
///
/// Panics if something is not as it should be.
pub fn disk(data: &[u8]) {
    if let Err(wrong) = programs::disk(data) {
        panic!("{wrong}");
    }
}
