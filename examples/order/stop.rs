//! Being told to end: Ctrl-C at a terminal, SIGTERM from whoever manages the process.

use std::time::Duration;

use dacapo::{BoxError, Executor, Result, race};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};

/// How long what is under way may take to end.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

pub(crate) struct Stop(UnboundedReceiver<()>);

impl Stop {
    /// From now on signals come here.
    pub(crate) fn listen() -> Result<Self, BoxError> {
        let (told, signals) = unbounded();
        ctrlc::set_handler(move || drop(told.unbounded_send(())))?;
        Ok(Self(signals))
    }

    /// What `work` gives, or `None` if a signal came first, after an end in order.
    pub(crate) async fn or<T>(
        &mut self,
        executor: &Executor,
        work: impl Future<Output = T>,
        say: impl FnOnce(),
    ) -> Result<Option<T>> {
        let signals = &mut self.0;
        let told = async {
            signals.next().await;
            None
        };
        if let Some(done) = race(async { Some(work.await) }, told).await {
            return Ok(Some(done));
        }
        say();
        let in_a_hurry = async {
            signals.next().await;
            executor.shutdown(Duration::ZERO).await
        };
        race(executor.shutdown(GRACE), in_a_hurry).await?;
        Ok(None)
    }
}
