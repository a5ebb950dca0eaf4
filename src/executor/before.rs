//! What whoever starts a run is told if there is one already that has not completed.

use crate::watch::Watch;

/// What is said beside of a run that is there, to whoever wants a new one.
pub(super) fn beside(watch: &Watch) -> &'static str {
    match watch.known_end() {
        Some(Ok(Err(_))) => ", which failed or was cancelled (see Executor::retry)",
        Some(Ok(Ok(_)) | Err(_)) | None => "",
    }
}
