//! What an executor can do, asked for from elsewhere.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::future::Future;
use core::ops::Range;
use core::time::Duration;

use dacapo_store::Filter;
use futures::channel::oneshot;

use super::{Remote, gone};
use crate::error::Result;
use crate::executor::{
    AwaitedOperation, Cut, Fork, ParkedRun, RetryingStep, RunInfo, Statistics, UnregisteredRun,
};
use crate::fault::ParkReason;
use crate::history::HistoryPage;
use crate::record::CancelCause;
use crate::retention::Retention;
#[cfg(feature = "export")]
use crate::start::Start;

impl Remote {
    /// The runs that a filter keeps; see [`Executor::runs`](crate::Executor::runs).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use dacapo::{Executor, store::Filter};
    /// let executor = Executor::builder().in_memory();
    /// let runs = executor.block_on(executor.remote().runs(&Filter::new()))?;
    /// assert!(runs.is_empty());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn runs(
        &self,
        filter: &Filter,
    ) -> impl Future<Output = Result<Vec<RunInfo>>> + Send + use<> {
        let filter = filter.clone();
        self.call(move |executor| executor.runs(&filter))
    }

    /// What is known of a run; see [`Executor::info`](crate::Executor::info).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().info("order-7")).unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    pub fn info(&self, id: &str) -> impl Future<Output = Result<RunInfo>> + Send + use<> {
        let id = id.to_owned();
        self.call(move |executor| executor.info(&id))
    }

    /// A part of the history of a run; see [`Executor::history`](crate::Executor::history).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().history("order-7", 0..100)).unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    pub fn history(
        &self,
        id: &str,
        seqs: Range<u64>,
    ) -> impl Future<Output = Result<HistoryPage>> + Send + use<> {
        let id = id.to_owned();
        self.call(move |executor| executor.history(&id, seqs))
    }

    /// What a run waits for; see [`Executor::awaited`](crate::Executor::awaited).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert!(executor.block_on(executor.remote().awaited("order-7"))?.is_none());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn awaited(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<Vec<AwaitedOperation>>>> + Send + use<> {
        let id = id.to_owned();
        self.call(move |executor| executor.awaited(&id))
    }

    /// The store and its executor in numbers; see
    /// [`Executor::statistics`](crate::Executor::statistics).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert_eq!(executor.block_on(executor.remote().statistics())?.runs.total(), 0);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn statistics(&self) -> impl Future<Output = Result<Statistics>> + Send + use<> {
        self.call(|executor| executor.statistics())
    }

    /// The runs that are parked; see [`Executor::parked`](crate::Executor::parked).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert!(executor.block_on(executor.remote().parked())?.is_empty());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn parked(&self) -> impl Future<Output = Result<Vec<ParkedRun>>> + Send + use<> {
        self.call(|executor| executor.parked())
    }

    /// The steps that failed and are to be tried again; see
    /// [`Executor::retrying`](crate::Executor::retrying).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert!(executor.block_on(executor.remote().retrying())?.is_empty());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn retrying(&self) -> impl Future<Output = Result<Vec<RetryingStep>>> + Send + use<> {
        self.call(|executor| executor.retrying())
    }

    /// The unfinished runs whose workflows this build does not have; see
    /// [`Executor::unregistered`](crate::Executor::unregistered).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert!(executor.block_on(executor.remote().unregistered())?.is_empty());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn unregistered(
        &self,
    ) -> impl Future<Output = Result<Vec<UnregisteredRun>>> + Send + use<> {
        self.call(|executor| executor.unregistered())
    }

    /// Takes a parked run up again; see [`Executor::resume`](crate::Executor::resume).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().resume("order-7")).unwrap_err();
    /// assert_eq!(error.to_string(), r#"there is no run "order-7": check the id, or start it"#);
    /// ```
    pub fn resume(&self, id: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let id = id.to_owned();
        self.call(move |executor| executor.resume(&id))
    }

    /// Takes up all runs that are parked for a reason; see
    /// [`Executor::resume_all`](crate::Executor::resume_all).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let remote = executor.remote();
    /// let resumed = executor.block_on(remote.resume_all(dacapo::ParkReason::Panicked))?;
    /// assert!(resumed.is_empty());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn resume_all(
        &self,
        reason: ParkReason,
    ) -> impl Future<Output = Result<Vec<String>>> + Send + use<> {
        self.call(move |executor| executor.resume_all(reason))
    }

    /// Takes up a run that has failed; see [`Executor::retry`](crate::Executor::retry).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().retry("order-7")).unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    pub fn retry(&self, id: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let id = id.to_owned();
        self.call(move |executor| executor.retry(&id))
    }

    /// Takes up a run without the message that it is parked for; see
    /// [`Executor::resume_skipping`](crate::Executor::resume_skipping).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().resume_skipping("order-7")).unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    pub fn resume_skipping(&self, id: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let id = id.to_owned();
        self.call(move |executor| executor.resume_skipping(&id))
    }

    /// Replays a run against the code of this build, and changes nothing; see
    /// [`Executor::verify`](crate::Executor::verify).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// let remote = executor.remote();
    /// executor.block_on(async {
    ///     remote.start(ECHO, "one", 1).await?;
    ///     remote.verify("one").await
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn verify(&self, id: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let id = id.to_owned();
        self.call(move |executor| executor.verify(&id))
    }

    /// Which recorded fields of a run nobody asks for; see
    /// [`Executor::unread_fields`](crate::Executor::unread_fields).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().unread_fields("order-7")).unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    pub fn unread_fields(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Vec<String>>> + Send + use<> {
        let id = id.to_owned();
        self.call(move |executor| executor.unread_fields(&id))
    }

    /// Starts a run with an input that is JSON; see [`Executor::start_json`](crate::Executor::start_json).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use dacapo::{Executor, Start};
    /// let executor = Executor::builder().in_memory();
    /// let started = executor.remote().start_json("order", "order-7", "{}", Start::new());
    /// let error = executor.block_on(started).unwrap_err();
    /// assert!(error.to_string().ends_with("this program has no workflow \"order\""));
    /// ```
    #[cfg(feature = "export")]
    pub fn start_json(
        &self,
        workflow: &str,
        id: &str,
        input: &str,
        options: Start,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let (workflow, id, input) = (workflow.to_owned(), id.to_owned(), input.to_owned());
        self.post(move |executor| executor.post_start_json(&workflow, &id, &input, options))
    }

    /// Sends a message that is JSON; see [`Executor::send_json`](crate::Executor::send_json). With a key it arrives once.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let sent = executor.remote().send_json("order-7", "approval", "true", Some("mail-3"));
    /// let error = executor.block_on(sent).unwrap_err();
    /// assert!(error.to_string().ends_with("give the channel to Builder::channel"));
    /// ```
    #[cfg(feature = "export")]
    pub fn send_json(
        &self,
        to: &str,
        channel: &str,
        message: &str,
        key: Option<&str>,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let (to, channel, message) = (to.to_owned(), channel.to_owned(), message.to_owned());
        let key = key.map(ToOwned::to_owned);
        self.post(move |executor| executor.post_json(&to, &channel, &message, key.as_deref()))
    }

    /// Asks a run to end; see [`Executor::cancel`](crate::Executor::cancel).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().cancel("order-7")).unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    pub fn cancel(&self, id: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let id = id.to_owned();
        self.post(move |executor| executor.post_cancel(&id, CancelCause::Asked))
    }

    /// Ends a run, whatever its code would do; see [`Executor::terminate`](crate::Executor::terminate).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().terminate("order-7")).unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    pub fn terminate(&self, id: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let id = id.to_owned();
        self.post(move |executor| executor.post_cancel(&id, CancelCause::Terminated))
    }

    /// Deletes a run that has ended or is parked; see [`Executor::delete`](crate::Executor::delete).
    /// Ready when that is committed.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// let remote = executor.remote();
    /// executor.block_on(async {
    ///     remote.start(ECHO, "one", 1).await?;
    ///     remote.delete("one").await
    /// })?;
    /// assert!(executor.attach(ECHO, "one").is_err());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn delete(&self, id: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let id = id.to_owned();
        self.post(move |executor| executor.post_delete(&id))
    }

    /// Makes a copy of a run up to a place of its history; see [`Executor::fork`](crate::Executor::fork).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let fork = executor.remote().fork("order-7", dacapo::Cut::at(1), "order-8");
    /// assert!(executor.block_on(fork).unwrap_err().is_not_found());
    /// ```
    pub fn fork(
        &self,
        id: &str,
        cut: Cut,
        new_id: &str,
    ) -> impl Future<Output = Result<Fork>> + Send + use<> {
        let (id, new_id) = (id.to_owned(), new_id.to_owned());
        self.call(move |executor| executor.fork(&id, cut, &new_id))
    }

    /// Says what [`fork`](Self::fork) would do; see [`Executor::rehearse_fork`](crate::Executor::rehearse_fork).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let fork = executor.remote().rehearse_fork("order-7", dacapo::Cut::at(1), "order-8");
    /// assert!(executor.block_on(fork).unwrap_err().is_not_found());
    /// ```
    pub fn rehearse_fork(
        &self,
        id: &str,
        cut: Cut,
        new_id: &str,
    ) -> impl Future<Output = Result<Fork>> + Send + use<> {
        let (id, new_id) = (id.to_owned(), new_id.to_owned());
        self.call(move |executor| executor.rehearse_fork(&id, cut, &new_id))
    }

    /// The runs that these started; see [`Executor::with_children`](crate::Executor::with_children).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert!(executor.block_on(executor.remote().with_children(Vec::new()))?.is_empty());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn with_children(
        &self,
        runs: Vec<RunInfo>,
    ) -> impl Future<Output = Result<Vec<RunInfo>>> + Send + use<> {
        self.call(move |executor| executor.with_children(&runs))
    }

    /// Deletes the ended runs that a rule does not keep, and says how many; see
    /// [`Executor::prune`](crate::Executor::prune). Ready when that is committed.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use dacapo::{Executor, Retention};
    /// let executor = Executor::builder().in_memory();
    /// assert_eq!(executor.block_on(executor.remote().prune(Retention::new().count(0)))?, 0);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn prune(&self, rule: Retention) -> impl Future<Output = Result<usize>> + Send + use<> {
        let remote = self.clone();
        async move {
            let mut sweep = remote.call(|executor| executor.begin_prune(rule)).await?;
            let mut all = 0;
            loop {
                let (rest, deleted, is_last) = remote
                    .call(|executor| {
                        let piece = executor.prune_piece(&mut sweep)?;
                        Ok((sweep, piece.deleted, piece.is_last))
                    })
                    .await?;
                (sweep, all) = (rest, all + deleted);
                if is_last {
                    return remote.committed().await.map(|()| all);
                }
            }
        }
    }

    /// Deletes these runs, as far as they have ended or are parked and are as they were listed, and says how
    /// many; see [`Executor::delete_all`](crate::Executor::delete_all). Ready when that is committed.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert_eq!(executor.block_on(executor.remote().delete_all(Vec::new()))?, 0);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn delete_all(
        &self,
        runs: Vec<RunInfo>,
    ) -> impl Future<Output = Result<usize>> + Send + use<> {
        let remote = self.clone();
        async move {
            let (mut left, mut all) = (runs, 0);
            while !left.is_empty() {
                let (deleted, rest) = remote
                    .call(move |executor| {
                        let rest = left.split_off(executor.deleted_at_once().min(left.len()));
                        Ok((executor.delete_piece(&left)?.0, rest))
                    })
                    .await?;
                (left, all) = (rest, all + deleted);
            }
            remote.committed().await.map(|()| all)
        }
    }

    /// Stops the executor in order; see [`Executor::shutdown`](crate::Executor::shutdown). What was
    /// asked for before is done before; all that is asked for later is refused.
    ///
    /// # Errors
    ///
    /// As there; and if the executor is being shut down already.
    ///
    /// ```
    /// # use dacapo::Executor;
    /// # use std::time::Duration;
    /// let executor = Executor::builder().in_memory();
    /// let remote = executor.remote();
    /// executor.block_on(remote.shutdown(Duration::from_secs(10)))?;
    /// assert!(executor.block_on(remote.failed()).is_closed());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn shutdown(&self, grace: Duration) -> impl Future<Output = Result<()>> + Send + use<> {
        let mailbox = self.mailbox.clone();
        async move {
            let (teller, told) = oneshot::channel();
            mailbox.post(Box::new(move |executor| executor.begin_shutdown(grace, teller)));
            told.await.map_err(|_| gone())?.into_result()
        }
    }
}
