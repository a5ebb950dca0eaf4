//! What is asked for, as the addresses say it.

use std::fmt;

use dacapo::store::RunState;
use dacapo_inspect::{Listing, View, Which};

use crate::problem::{Code, Problem};
use crate::query::{Address, Target};

/// Which run is shown, and how much of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Show {
    /// The run.
    pub id: String,
    /// A pass of it, from 1; without one the last.
    pub pass: Option<u32>,
    /// How much.
    pub view: View,
}

/// What is done to runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// They are asked to end.
    Cancel,
    /// Those that are parked are taken up again.
    Resume,
    /// Those that failed are taken up from what they achieved.
    Retry,
    /// Those that go on are parked where they stand.
    Hold,
    /// They are deleted.
    Delete,
}

/// Where a fork is cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cut {
    /// At this record.
    At(u64),
    /// Before the outcome of this operation.
    Before(String),
}

impl Act {
    pub(crate) const ALL: [Self; 5] =
        [Self::Cancel, Self::Resume, Self::Retry, Self::Hold, Self::Delete];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Hold => "hold",
            Self::Delete => "delete",
        }
    }

    /// What was done: "cancelled".
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Cancel => "asked to end",
            Self::Resume => "resumed",
            Self::Retry => "retried",
            Self::Hold => "held",
            Self::Delete => "deleted",
        }
    }
}

impl From<&Cut> for dacapo::Cut {
    fn from(cut: &Cut) -> Self {
        match cut {
            Cut::At(record) => Self::at(*record),
            Cut::Before(number) => Self::before(number),
        }
    }
}

impl Cut {
    pub(crate) fn write(&self, address: Address) -> Address {
        match self {
            Self::At(record) => address.with("at", &record.to_string()),
            Self::Before(number) => address.with("before", number),
        }
    }

    pub(crate) fn read(target: &Target) -> Result<Self, Problem> {
        match (number(target, "at")?, target.get("before")) {
            (Some(record), None) => Ok(Self::At(record)),
            (None, Some(number)) => Ok(Self::Before(number.to_owned())),
            _ => Err(usage("a fork is cut \"at\" a record or \"before\" an operation")),
        }
    }
}

/// The parts of a list that an address has.
pub(crate) const LISTING: [&str; 8] =
    ["state", "workflow", "prefix", "attribute", "since", "until", "before", "grep"];

pub(crate) fn write_listing(listing: &Listing, mut address: Address) -> Address {
    for state in &listing.states {
        address = address.with("state", state.name());
    }
    for (name, value) in &listing.attributes {
        address = address.with("attribute", &format!("{name}={value}"));
    }
    let (since, until) = (listing.since.map(|at| at.to_string()), listing.until);
    address
        .with_some("workflow", listing.workflow.as_deref())
        .with_some("prefix", listing.prefix.as_deref())
        .with_some("since", since.as_deref())
        .with_some("until", until.map(|at| at.to_string()).as_deref())
        .with_some("before", listing.before.as_deref())
        .with_some("grep", listing.grep.as_deref())
}

pub(crate) fn read_listing(target: &Target) -> Result<Listing, Problem> {
    let text = |name| target.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let time = |name| match text(name) {
        None => Ok(None),
        Some(at) => at.parse().map(Some).map_err(|()| {
            usage(format_args!("{name}={at:?} is no time, such as 2026-11-26T11:04:07.120Z"))
        }),
    };
    let states = target.all("state").flat_map(|states| states.split(','));
    Ok(Listing {
        states: states.filter(|state| !state.is_empty()).map(state).collect::<Result<_, _>>()?,
        attributes: attributes(target)?,
        workflow: text("workflow"),
        prefix: text("prefix"),
        since: time("since")?,
        until: time("until")?,
        before: text("before"),
        grep: text("grep"),
    })
}

pub(crate) fn attributes(target: &Target) -> Result<Vec<(String, String)>, Problem> {
    let attribute = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(usage(format_args!("attribute={pair:?} has no \"=\""))),
    };
    target.all("attribute").map(attribute).collect()
}

/// What has to be there.
pub(crate) fn needed(target: &Target, name: &str) -> Result<String, Problem> {
    let value = target.get(name).map(str::to_owned);
    value.ok_or_else(|| usage(format_args!("name the {name}, as with ?{name}=...")))
}

fn state(name: &str) -> Result<RunState, Problem> {
    let known = RunState::ALL.into_iter().find(|state| state.name() == name);
    known.ok_or_else(|| {
        let all: Vec<_> = RunState::ALL.into_iter().map(RunState::name).collect();
        usage(format_args!("{name:?} is no state: {}", all.join(", ")))
    })
}

/// The parts of a view that an address has.
pub(crate) const VIEW: [&str; 5] = ["pass", "to", "which", "bytes", "drawn"];

const WHICH: [(&str, Which); 3] =
    [("together", Which::Together), ("all", Which::All), ("failed", Which::Failed)];

impl Show {
    pub(crate) fn address(&self) -> Address {
        let Self { id, pass, view } = self;
        let which = WHICH.iter().find(|(_, which)| *which == view.which);
        let (name, _) = which.expect("each of them has a name");
        let (pass, drawn) = (pass.map(|pass| pass.to_string()), view.is_drawn.then_some("1"));
        let to = (view.to < u64::MAX).then(|| view.to.to_string());
        Address::of(&["api", "runs", id])
            .with("which", name)
            .with("bytes", &view.value_bytes.to_string())
            .with_some("pass", pass.as_deref())
            .with_some("to", to.as_deref())
            .with_some("drawn", drawn)
    }

    pub(crate) fn read(id: &str, target: &Target) -> Result<Self, Problem> {
        let mut view = View::default();
        if let Some(to) = number(target, "to")? {
            view = view.up_to(to);
        }
        if let Some(bytes) = number(target, "bytes")? {
            view.value_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
        if let Some(which) = target.get("which") {
            let known = WHICH.iter().find(|(name, _)| *name == which);
            let (_, which) = known.ok_or_else(|| {
                usage(format_args!("which={which:?} is none of together, all, failed"))
            })?;
            view = view.only(*which);
        }
        if is_set(target, "drawn") {
            view = view.drawn();
        }
        Ok(Self { id: id.to_owned(), pass: pass(target)?, view })
    }
}

pub(crate) fn pass(target: &Target) -> Result<Option<u32>, Problem> {
    let pass = number(target, "pass")?.map(u32::try_from).transpose();
    pass.map_err(|_| usage("no run has so many passes"))
}

pub(crate) fn number(target: &Target, name: &str) -> Result<Option<u64>, Problem> {
    let read =
        |text: &str| text.parse().map_err(|_| usage(format_args!("{name}={text:?} is no number")));
    target.get(name).map(read).transpose()
}

pub(crate) fn is_set(target: &Target, name: &str) -> bool {
    target.get(name).is_some_and(|value| !["", "0", "false"].contains(&value))
}

pub(crate) fn usage(message: impl fmt::Display) -> Problem {
    Problem::new(Code::Usage, message)
}
