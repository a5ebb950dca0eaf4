//! What whoever starts a run is told if there is one already that has not completed.

use alloc::rc::Rc;

use crate::watch::Watch;

/// Where to wait for a run that was there before: if it had failed by then, its error says that this is no new
/// failure, and what takes the run up.
pub(super) fn told(id: &str, watch: Rc<Watch>) -> Rc<Watch> {
    let Some(Ok(Err(failure))) = watch.known_end() else { return watch };
    let what = if failure.is_cancelled() { "was cancelled" } else { "failed" };
    let context = format_args!("run {id:?} {what} before this start (see Executor::retry)");
    Watch::ended(Ok(Err(failure.clone().within(context))))
}

/// What is said beside of a run that is there, to whoever wants a new one.
pub(super) fn beside(watch: &Watch) -> &'static str {
    match watch.known_end() {
        Some(Ok(Err(_))) => ", which failed or was cancelled (see Executor::retry)",
        Some(Ok(Ok(_)) | Err(_)) | None => "",
    }
}
