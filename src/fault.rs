//! Why a run stops without having ended.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::source::SourceLine;

/// The reasons for which a run is parked. The order is part of the format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ParkReason {
    /// The code asks for something other than the run's history holds.
    Diverged,
    /// A task was woken by something that is not in the history: a socket, a timer of another
    /// runtime, another thread, another run.
    ForeignWake,
    /// No task is ready and none awaits an operation, so nothing can ever wake the run.
    Stalled,
    /// One delivery took more polls than the budget allows.
    LiveLock,
    /// Workflow code panicked.
    Panicked,
    /// The history is damaged.
    Damaged,
    /// A recorded value does not decode as the type that the code wants.
    Undecodable,
    /// Workflow code did what it must not do.
    Misused,
    /// A step that is to park its run gave up.
    GaveUp,
    /// The process ended again and again while it replayed the run or carried out a step of it.
    EndedProcess,
    /// Somebody asked for it.
    OnRequest,
}

impl ParkReason {
    /// All of them.
    ///
    /// ```
    /// use dacapo::ParkReason;
    ///
    /// let named = |name| ParkReason::ALL.into_iter().find(|reason| reason.to_string() == name);
    /// assert_eq!(named("live-lock"), Some(ParkReason::LiveLock));
    /// ```
    pub const ALL: [ParkReason; 11] = [
        Self::Diverged,
        Self::ForeignWake,
        Self::Stalled,
        Self::LiveLock,
        Self::Panicked,
        Self::Damaged,
        Self::Undecodable,
        Self::Misused,
        Self::GaveUp,
        Self::EndedProcess,
        Self::OnRequest,
    ];

    /// Whether another build may well go on where one could not.
    pub(crate) fn is_of_the_build(self) -> bool {
        match self {
            Self::Diverged | Self::Undecodable => true,
            Self::ForeignWake
            | Self::Stalled
            | Self::LiveLock
            | Self::Panicked
            | Self::Damaged
            | Self::Misused
            | Self::GaveUp
            | Self::EndedProcess
            | Self::OnRequest => false,
        }
    }

    /// That of a value that cannot be read.
    pub(crate) fn of_unread(why: &dacapo_values::Error) -> Self {
        if why.is_damaged() { Self::Damaged } else { Self::Undecodable }
    }
}

/// What a person does about it before the run is resumed.
impl ParkReason {
    /// What to do about it.
    fn remedy(self) -> &'static str {
        match self {
            Self::Diverged => {
                "restore the code that wrote this history (if it did not change, it is not \
                 deterministic)"
            }
            Self::ForeignWake => {
                "await sockets, timers and channels from outside of the run in a step (inside \
                 tokio, run the executor under tokio::task::unconstrained)"
            }
            Self::Stalled => {
                "nothing can wake it: await sockets and timers of another runtime in a step \
                 (inside tokio, run the executor under tokio::task::unconstrained)"
            }
            Self::LiveLock => {
                "fix the loop that never waits, or raise `Builder::poll_budget` (inside tokio, run \
                 the executor under tokio::task::unconstrained)"
            }
            Self::Panicked => "fix the workflow",
            Self::Damaged => "restore the file from a backup, then open it again",
            Self::Misused => "correct the workflow",
            Self::GaveUp => "see to what the step needs",
            Self::EndedProcess => {
                "look for an abort, a stack overflow, memory that runs out or a loop that never ends"
            }
            Self::OnRequest => "call `Executor::resume` when it is to go on",
            Self::Undecodable => {
                "give what is new a #[serde(default)] and what is renamed an alias, or bring back \
                 the type"
            }
        }
    }

    /// What to do then with a run that is parked.
    fn afterwards(self) -> &'static str {
        match self {
            Self::Diverged
            | Self::ForeignWake
            | Self::Stalled
            | Self::LiveLock
            | Self::Panicked
            | Self::Misused
            | Self::Undecodable => ", then call `Executor::resume`",
            Self::GaveUp => ", then call `Executor::resume`, and it is tried again",
            Self::EndedProcess => {
                ", then call `Executor::resume`, which tries once more, or `Executor::terminate`"
            }
            Self::Damaged | Self::OnRequest => "",
        }
    }
}

/// What stands between the parts of a divergence.
const HOLDS: &str = " of the history holds ";
const BUT: &str = ", but the code ";

/// A reason with its particulars, as a parked run's row holds it.
// Nearly every call of the heart may end with one, and hardly any does: so it is one word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault(Box<Particulars>);

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Particulars {
    reason: ParkReason,
    detail: String,
    /// The seq of the message that does not decode, if that is the reason.
    message: Option<u64>,
    /// The id of the build that parked the run, if it has one. It stands behind the rest.
    #[serde(skip)]
    build: Option<Rc<str>>,
    /// Where the code stands that it is about: known in a rehearsal, and recorded nowhere.
    #[serde(skip)]
    source: Option<SourceLine>,
}

impl Fault {
    pub(crate) fn new(reason: ParkReason, detail: impl fmt::Display) -> Self {
        let detail = detail.to_string();
        Self(Box::new(Particulars { reason, detail, message: None, build: None, source: None }))
    }

    /// The message at `seq` does not decode.
    pub(crate) fn message(seq: u64, reason: ParkReason, detail: impl fmt::Display) -> Self {
        let mut fault = Self::new(reason, detail);
        fault.0.message = Some(seq);
        fault
    }

    pub(crate) fn reason(&self) -> ParkReason {
        self.0.reason
    }

    /// The seq of the message that does not decode, if that is the reason.
    pub(crate) fn skippable(&self) -> Option<u64> {
        self.0.message
    }

    /// The same at a line of the code, if that is known.
    #[cold]
    pub(crate) fn at(mut self, source: Option<SourceLine>) -> Self {
        self.0.source = source.or(self.0.source);
        self
    }

    /// Whether it is the same, wherever the code stands.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.0.reason == other.0.reason && self.0.detail == other.0.detail
    }

    /// Where the code stands that it is about.
    pub(crate) fn source(&self) -> Option<SourceLine> {
        self.0.source
    }

    /// The same of a build.
    pub(crate) fn by(mut self, build: Option<Rc<str>>) -> Self {
        self.0.build = build;
        self
    }

    /// The history holds something else than the code asked for; [`sides`](Self::sides) reads it back.
    pub(crate) fn diverged(
        record: u64,
        recorded: impl fmt::Display,
        asked: impl fmt::Display,
    ) -> Self {
        let detail = format_args!("record {record}{HOLDS}{recorded}{BUT}{asked}");
        Self::new(ParkReason::Diverged, detail)
    }

    /// Where a history and the code parted, and both sides. Of a divergence in another form there are none.
    pub(crate) fn sides(&self) -> Option<(u64, &str, &str)> {
        if self.reason() != ParkReason::Diverged {
            return None;
        }
        let (record, rest) = self.0.detail.strip_prefix("record ")?.split_once(HOLDS)?;
        let (recorded, asked) = rest.split_once(BUT)?;
        Some((record.parse().ok()?, recorded, asked))
    }

    /// What is said of a run that is not parked for it so far.
    pub(crate) fn ahead(&self) -> impl fmt::Display + use<> {
        let reason = self.reason();
        alloc::format!("{reason}: {}; {}", self.what(), reason.remedy())
    }

    /// What it is in particular, and where.
    fn what(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            let Particulars { detail, source, .. } = &*self.0;
            f.write_str(detail)?;
            source.map_or(Ok(()), |source| write!(f, ", at {source}"))
        })
    }

    /// The id of the build that parked the run.
    pub(crate) fn build(&self) -> Option<&str> {
        self.0.build.as_deref()
    }

    /// What the row of a parked run has. Builds without an id write what they always did.
    pub(crate) fn to_note(&self) -> Vec<u8> {
        let mut note = codec::encode(&*self.0);
        if let Some(build) = &self.0.build {
            codec::append(&**build, &mut note);
        }
        note
    }

    pub(crate) fn of_note(note: &[u8]) -> Self {
        let without = || codec::decode::<Particulars>(note);
        let with = || {
            let (fault, build) = codec::decode::<(Particulars, &str)>(note)?;
            Ok(Particulars { build: Some(build.into()), ..fault })
        };
        let read = without().or_else(|_| with()).map(|read| Self(Box::new(read)));
        read.unwrap_or_else(|why: String| {
            Self::new(ParkReason::Damaged, format_args!("its reason cannot be read: {why}"))
        })
    }

    /// Whether the build with this id tries by itself: it is another one, and so may be its code and its
    /// types.
    pub(crate) fn may_be_mended_by(&self, build: &str) -> bool {
        self.reason().is_of_the_build() && self.build() != Some(build)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Particulars { reason, message, build, .. } = &*self.0;
        write!(f, "{reason}: {}; ", self.what())?;
        if message.is_some() {
            if *reason == ParkReason::Undecodable {
                f.write_str("perhaps its sender sent another type: ")?;
            }
            f.write_str("`Executor::resume_skipping` goes on without it; or ")?;
        }
        write!(f, "{}{}", reason.remedy(), reason.afterwards())?;
        if let Some(build) = build.as_ref().filter(|_| reason.is_of_the_build()) {
            write!(
                f,
                "; parked by build {build:?}: one with another `Builder::build_id` tries by itself"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for ParkReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Diverged => "diverged",
            Self::ForeignWake => "foreign wake",
            Self::Stalled => "stalled",
            Self::LiveLock => "live-lock",
            Self::Panicked => "panicked",
            Self::Damaged => "damaged history",
            Self::Undecodable => "undecodable value",
            Self::Misused => "misused",
            Self::GaveUp => "gave up",
            Self::EndedProcess => "ended the process",
            Self::OnRequest => "on request",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reason that is not among them would be one that nobody can ask for.
    #[test]
    fn all_reasons_are_there_in_the_order_of_the_format() {
        for (place, reason) in (0..).zip(ParkReason::ALL) {
            assert_eq!(codec::decode::<ParkReason>(&[place]), Ok(reason));
        }
        assert!(codec::decode::<ParkReason>(&[ParkReason::ALL.len() as u8]).is_err());
    }
}
