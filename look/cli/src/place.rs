//! Where runs are looked at: in a file at rest, or in the process that has it open.

use dacapo::Executor;
use dacapo_control::{
    Act, Acted, Answer, Client, Compacted, Cut, Forked, Given, Imported, Show, Taken, Turn, Turned,
};
use dacapo_inspect::{
    Checked, Counted, Damage, Listing, Parked, Queue, Recorded, Row, Run, Schedule, Source,
    Statistics, Value, Verified,
};

use crate::trouble::{Kind, Trouble};

/// A file that is looked at.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What a header calls it.
    pub(crate) name: String,
    pub(crate) executor: Executor,
}

impl Opened {
    pub(crate) fn source(&self) -> Source<'_> {
        Source::new(&self.executor)
    }
}

/// Where runs are looked at.
pub(crate) enum Place {
    /// Nobody has the file open.
    Rest(Opened),
    /// A process has it open, and answers. With the name of the file.
    Live(String, Client),
}

impl Place {
    /// What a header calls it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Rest(file) => &file.name,
            Self::Live(name, _) => name,
        }
    }

    /// What a header says of it.
    pub(crate) fn standing(&self) -> String {
        match self {
            Self::Rest(_) => "at rest".into(),
            Self::Live(_, client) => {
                format!("process {} ({})", client.process(), crate::text::safe(client.program()))
            }
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self, Self::Live(..))
    }

    /// `tell` is told how many runs were looked at, and how many were found.
    pub(crate) fn list(
        &self,
        listing: &Listing,
        most: usize,
        tell: impl FnMut(u64),
    ) -> Result<Vec<Row>, Trouble> {
        match self {
            Self::Rest(file) => Ok(file.source().list(listing, most, tell)?),
            Self::Live(_, client) => Ok(client.list(listing, most)?),
        }
    }

    pub(crate) fn count(&self, listing: &Listing) -> Result<Vec<Counted>, Trouble> {
        match self {
            Self::Rest(file) => Ok(file.source().count(listing)?),
            Self::Live(_, client) => Ok(client.count(listing)?),
        }
    }

    /// The run with this id, counted; with what it has started if `children` is set.
    pub(crate) fn family(&self, id: &str, children: bool) -> Result<Vec<Counted>, Trouble> {
        match self {
            Self::Rest(file) => Ok(file.source().family(id, children)?),
            Self::Live(_, client) => Ok(client.family(id, children)?),
        }
    }

    /// Does something to runs, as far as they are as they were counted.
    pub(crate) fn act(
        &self,
        act: Act,
        runs: &[Counted],
        tell: impl FnMut(Acted),
    ) -> Result<(), Trouble> {
        match self {
            Self::Rest(file) => Ok(dacapo_control::act_here(&file.executor, act, runs, tell)?),
            Self::Live(_, client) => Ok(client.act(act, runs, tell)?),
        }
    }

    pub(crate) fn fork(
        &self,
        id: &str,
        cut: &Cut,
        copy: Option<&str>,
        how: (bool, bool),
    ) -> Result<Forked, Trouble> {
        match self {
            Self::Rest(file) => Ok(dacapo_control::fork_here(&file.executor, id, cut, copy, how)?),
            Self::Live(_, client) => Ok(client.fork(id, cut, copy, how)?),
        }
    }

    /// Sends a message, or starts a run.
    pub(crate) fn give(&self, given: &Given, json: &str) -> Result<Taken, Trouble> {
        match self {
            Self::Rest(file) => Ok(dacapo_control::give_here(&file.executor, given, json)?),
            Self::Live(_, client) => Ok(client.give(given, json)?),
        }
    }

    pub(crate) fn queues(&self) -> Result<Vec<Queue>, Trouble> {
        match self {
            Self::Rest(file) => Ok(file.source().queues()?),
            Self::Live(_, client) => Ok(client.queues()?),
        }
    }

    pub(crate) fn schedules(&self) -> Result<Vec<Schedule>, Trouble> {
        match self {
            Self::Rest(file) => Ok(file.source().schedules()?),
            Self::Live(_, client) => Ok(client.schedules()?),
        }
    }

    /// Does something to a queue or a schedule.
    pub(crate) fn turn(&self, turn: &Turn) -> Result<Turned, Trouble> {
        match self {
            Self::Rest(file) => Ok(dacapo_control::turn_here(&file.executor, turn)?),
            Self::Live(_, client) => Ok(client.turn(turn)?),
        }
    }

    pub(crate) fn export(&self, ids: &[String]) -> Result<Vec<u8>, Trouble> {
        match self {
            Self::Rest(file) => {
                let ids: Vec<_> = ids.iter().map(String::as_str).collect();
                let mut lines = Vec::new();
                file.executor.export(&ids, &mut lines)?;
                Ok(lines)
            }
            Self::Live(_, client) => Ok(client.export(ids)?),
        }
    }

    /// Gives room that is free in the file back to the system.
    pub(crate) fn compact(self) -> Result<Compacted, Trouble> {
        match self {
            Self::Rest(file) => Ok(dacapo_control::compact_here(file.executor)?),
            Self::Live(_, client) => Ok(client.compact()?),
        }
    }

    /// Takes in what was exported, and gives the ids.
    pub(crate) fn import(&self, lines: &[u8]) -> Result<Vec<Imported>, Trouble> {
        match self {
            Self::Rest(file) => Ok(dacapo_control::import_here(&file.executor, lines)?),
            Self::Live(_, client) => Ok(client.import(lines)?),
        }
    }

    pub(crate) fn run(&self, show: &Show) -> Result<Run, Trouble> {
        match self {
            Self::Rest(file) => {
                let run = dacapo_control::find(file.source(), &show.id, show.pass)?;
                Ok(file.source().run(&run, show.view)?)
            }
            Self::Live(_, client) => Ok(client.run(show)?),
        }
    }

    pub(crate) fn value(
        &self,
        id: &str,
        pass: Option<u32>,
        which: Recorded,
    ) -> Result<Value, Trouble> {
        match self {
            Self::Rest(file) => Ok(dacapo_control::value_of(file.source(), id, pass, which)?),
            Self::Live(_, client) => Ok(client.value(id, pass, which)?),
        }
    }

    pub(crate) fn parked(&self, id: Option<&str>) -> Result<Vec<Parked>, Trouble> {
        match self {
            Self::Rest(file) => Ok(dacapo_control::parked_of(file.source(), id)?),
            Self::Live(_, client) => Ok(client.parked(id)?),
        }
    }

    pub(crate) fn statistics(&self) -> Result<Statistics, Trouble> {
        match self {
            Self::Rest(file) => Ok(file.source().statistics()?),
            Self::Live(_, client) => Ok(client.statistics()?),
        }
    }

    pub(crate) fn check(&self, tell: impl FnMut(Damage)) -> Result<Checked, Trouble> {
        match self {
            Self::Rest(file) => Ok(file.source().check(tell)?),
            Self::Live(_, client) => {
                let (checked, damages) = client.check()?;
                damages.into_iter().for_each(tell);
                Ok(checked)
            }
        }
    }

    pub(crate) fn verify(&self, tell: impl FnMut(Parked)) -> Result<Verified, Trouble> {
        match self {
            Self::Rest(file) => Ok(file.source().verify(tell)?),
            Self::Live(_, client) => {
                let (verified, parked) = client.verify()?;
                parked.into_iter().for_each(tell);
                Ok(verified)
            }
        }
    }

    pub(crate) fn watch(&self, id: Option<&str>) -> Result<Answer, Trouble> {
        match self {
            Self::Rest(file) => {
                let message = format!(
                    "nobody runs {}: nothing happens in a file at rest, so start the process that does",
                    file.name
                );
                Err(Trouble::new(Kind::NotInThisState, message))
            }
            Self::Live(_, client) => Ok(client.watch(id)?),
        }
    }
}
