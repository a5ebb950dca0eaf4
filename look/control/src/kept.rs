//! What was read of long runs, kept for whoever asks again: to read a million records takes a second or two.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use dacapo::RunInfo;
use dacapo_inspect::{Run, View};

/// The last runs that were read, of those that have ended.
#[derive(Default, Debug)]
pub(crate) struct Kept(Mutex<VecDeque<(Key, Arc<Run>)>>);

/// A run as it was: its key, and when its row changed last.
type Key = (u64, u64, View);

/// So many are kept.
const MOST: usize = 32;

/// One is kept if it shows no more than so many operations.
const SHOWN: usize = 1_000;

fn key(run: &RunInfo, view: View) -> Option<Key> {
    run.state.has_ended().then(|| (run.key.0, run.changed_at.as_nanos(), view))
}

impl Kept {
    pub(crate) fn get(&self, run: &RunInfo, view: View) -> Option<Arc<Run>> {
        let key = key(run, view)?;
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(known, _)| *known == key).map(|(_, run)| run.clone())
    }

    pub(crate) fn put(&self, info: &RunInfo, view: View, run: &Arc<Run>) {
        let Some(key) = key(info, view).filter(|_| run.shown.len() <= SHOWN) else { return };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((key, run.clone()));
        if kept.len() > MOST {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use dacapo::{Ctx, Error, Executor, Workflow};
    use dacapo_inspect::{Source, Which};

    use super::*;

    const FAIL: Workflow<u64, u64> = Workflow::new("fail");

    /// What was read with the whole is what is asked for next; a run that goes on is read anew.
    #[test]
    fn what_failed_is_there_when_the_whole_was_read() {
        let fail = async |ctx: &Ctx, n: u64| {
            let _ = ctx.step("one", async || Err::<(), _>(Error::new("no").permanent())).await;
            ctx.step("two", async move || Ok::<_, Error>(n)).await
        };
        let executor = Executor::builder().workflow(FAIL, fail).in_memory();
        executor.block_on(executor.start(FAIL, "a", 1).expect("new")).expect("it ends");
        let (source, info) = (Source::new(&executor), executor.info("a").expect("it is there"));
        let (kept, view) = (Kept::default(), View::default().drawn());
        let (whole, failed) = source.run_and_failed(&info, view).expect("it is read");
        kept.put(&info, view, &Arc::new(whole));
        kept.put(&info, view.only(Which::Failed), &Arc::new(failed.expect("it is small")));
        let there = kept.get(&info, view.only(Which::Failed)).expect("it is kept");
        let anew = source.run(&info, view.only(Which::Failed)).expect("it is read");
        assert_eq!(format!("{there:?}"), format!("{anew:?}"));
        assert_eq!(there.shown.len(), 1);
        assert!(kept.get(&info, view.up_to(1)).is_none(), "another view");
        let mut goes_on = info.clone();
        goes_on.state = dacapo::store::RunState::Running;
        assert!(kept.get(&goes_on, view).is_none());
    }
}
