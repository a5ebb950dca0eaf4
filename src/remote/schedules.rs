use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::future::Future;
use core::ops::Range;

use super::Remote;
use crate::clock::Now;
use crate::engine::ScheduleInfo;
use crate::error::Result;

impl Remote {
    /// The schedules of this build; see [`Executor::schedules`](crate::Executor::schedules).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert!(executor.block_on(executor.remote().schedules())?.is_empty());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn schedules(&self) -> impl Future<Output = Result<Vec<ScheduleInfo>>> + Send + use<> {
        self.call(|executor| executor.schedules())
    }

    /// Pauses a schedule; see [`Executor::pause_schedule`](crate::Executor::pause_schedule).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let paused = executor.block_on(executor.remote().pause_schedule("nightly", "no paper"));
    /// assert!(paused.unwrap_err().is_not_found());
    /// ```
    pub fn pause_schedule(
        &self,
        name: &str,
        why: &str,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let (name, why) = (name.to_owned(), why.to_owned());
        self.post(move |executor| executor.post_pause(&name, Some(why)))
    }

    /// Has a schedule go on; see [`Executor::resume_schedule`](crate::Executor::resume_schedule).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let resumed = executor.block_on(executor.remote().resume_schedule("nightly"));
    /// assert!(resumed.unwrap_err().is_not_found());
    /// ```
    pub fn resume_schedule(&self, name: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let name = name.to_owned();
        self.post(move |executor| executor.post_pause(&name, None))
    }

    /// Starts a run of a schedule now; see [`Executor::trigger`](crate::Executor::trigger).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().trigger("nightly")).unwrap_err();
    /// assert_eq!(error.to_string(), r#"there is no schedule "nightly": this build has none"#);
    /// ```
    pub fn trigger(&self, name: &str) -> impl Future<Output = Result<String>> + Send + use<> {
        let name = name.to_owned();
        self.call(move |executor| executor.trigger(&name))
    }

    /// Starts the runs of all ticks in a range of time; see
    /// [`Executor::backfill`](crate::Executor::backfill).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let range = SystemTime::UNIX_EPOCH..SystemTime::now();
    /// let filled = executor.block_on(executor.remote().backfill("nightly", range));
    /// assert!(filled.unwrap_err().is_not_found());
    /// ```
    pub fn backfill(
        &self,
        name: &str,
        times: Range<Now>,
    ) -> impl Future<Output = Result<Vec<String>>> + Send + use<> {
        let name = name.to_owned();
        self.call(move |executor| executor.backfill(&name, times))
    }
}
