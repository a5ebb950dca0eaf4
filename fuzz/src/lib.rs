//! What the fuzz targets call. The library's own tests include the same files, and replay the
//! corpus through them on stable.

mod executor;
mod history;
#[allow(dead_code, reason = "the tests and the soak use more of it")]
mod programs;
mod values;

/// Damages a history as the bytes say, and opens it.
///
/// # Panics
///
/// This one and those below panic if something is not as it should be.
pub fn history(data: &[u8]) {
    history::check(data);
}

/// Carries out a program of tasks, and compares it with the model of the executor.
///
/// # Panics
///
/// See [`history()`].
pub fn executor(data: &[u8]) {
    executor::check(data);
}

/// Carries out the program that the bytes stand for, with a restart after each of its commits.
///
/// # Panics
///
/// See [`history()`].
pub fn replay(data: &[u8]) {
    if let Err(wrong) = programs::check(data) {
        panic!("{wrong}\n{:#?}", programs::decode(data));
    }
}

/// Carries out the program that the bytes stand for, and crashes it where they say.
///
/// # Panics
///
/// See [`history()`].
pub fn crash(data: &[u8]) {
    if let Err(wrong) = programs::crash(data) {
        panic!("{wrong}");
    }
}

/// Carries out the program that the bytes stand for, over a disk that fails where they say.
///
/// # Panics
///
/// See [`history()`].
pub fn disk(data: &[u8]) {
    if let Err(wrong) = programs::disk(data) {
        panic!("{wrong}");
    }
}

/// Damages values and their shapes as the bytes say, and looks at them.
///
/// # Panics
///
/// See [`history()`].
pub fn values(data: &[u8]) {
    values::check(data);
}

/// Carries out the world that the bytes stand for: programs that talk to each other, and clients.
///
/// # Panics
///
/// See [`history()`].
pub fn worlds(data: &[u8]) {
    if let Err(wrong) = programs::worlds::check(data) {
        panic!("{wrong}\n{:#?}", programs::worlds::decode(data));
    }
}
