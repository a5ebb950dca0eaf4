//! Which runs are listed.

use dacapo::store::{Filter, RunKey, RunState};
use dacapo::{Result, RunInfo};

use crate::counted::Counted;
use crate::needle::Needle;
use crate::row::Row;
use crate::source::Source;
use crate::time::Time;

/// Which runs are listed, the newest first: those that pass all of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Listing {
    /// In one of these states; empty: each run once, without the passes before its last one.
    pub states: Vec<RunState>,
    /// Of this workflow.
    pub workflow: Option<String>,
    /// Their id begins so.
    pub prefix: Option<String>,
    /// With these attributes.
    pub attributes: Vec<(String, String)>,
    /// Started at this time or later.
    pub since: Option<Time>,
    /// Ended, or else changed last, at this time or before.
    pub until: Option<Time>,
    /// Started before this run.
    pub before: Option<String>,
    /// Their id, input, output or error has this text.
    pub grep: Option<String>,
}

/// So many keys are looked through in one call, which is a few milliseconds.
const WINDOW: u64 = 10_000;

/// So many rows are made in one call.
const ROWS: usize = 100;

impl Listing {
    fn filter(&self) -> Filter {
        let mut filter = Filter::new().newest_first();
        filter = match &self.states[..] {
            [] => {
                let is_last = |state: &RunState| *state != RunState::Continued;
                filter.states(&RunState::ALL.into_iter().filter(is_last).collect::<Vec<_>>())
            }
            states => filter.states(states),
        };
        if let Some(workflow) = &self.workflow {
            filter = filter.workflow(workflow);
        }
        if let Some(prefix) = &self.prefix {
            filter = filter.id_prefix(prefix);
        }
        if let Some(since) = self.since {
            filter = filter.started(since.as_nanos()..);
        }
        if let Some(until) = self.until {
            filter = filter.changed(..=until.as_nanos());
        }
        self.attributes.iter().fold(filter, |filter, (name, value)| filter.attribute(name, value))
    }
}

impl Source<'_> {
    /// The runs of a list, the newest first, at most `most` of them. `tell` is told how many were looked at.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn list(
        &self,
        listing: &Listing,
        most: usize,
        mut tell: impl FnMut(u64),
    ) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.pages(listing, most, |page| {
            let left = most - rows.len();
            let looked_at = page.len();
            let (found, grep) = (self.rows_of(page, listing.grep.clone(), left)?, &listing.grep);
            rows.extend(found);
            if grep.is_some() {
                tell(looked_at as u64);
            }
            Ok(rows.len() < most)
        })?;
        Ok(rows)
    }

    /// The same, counted: without what each of them does.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn count(&self, listing: &Listing) -> Result<Vec<Counted>> {
        let mut counted = Vec::new();
        self.pages(listing, usize::MAX, |page| {
            match listing.grep.clone() {
                None => counted.extend(page.iter().map(Counted::from)),
                grep => {
                    for row in self.rows_of(page, grep, usize::MAX)? {
                        counted.push(row.counted());
                    }
                }
            }
            Ok(true)
        })?;
        Ok(counted)
    }

    /// The run with this id, counted; and those that it started as children, and these did.
    ///
    /// # Errors
    ///
    /// If there is no such run, or the store failed.
    pub fn family(&self, id: &str, children: bool) -> Result<Vec<Counted>> {
        let id = id.to_owned();
        self.reach().call(move |executor| {
            let mut runs = vec![executor.info(&id)?];
            if children {
                runs = executor.with_children(&runs)?;
            }
            Ok(runs.iter().map(Counted::from).collect())
        })
    }

    /// The runs of a list, page by page, as long as `take` wants more.
    fn pages(
        &self,
        listing: &Listing,
        most: usize,
        mut take: impl FnMut(Vec<RunInfo>) -> Result<bool>,
    ) -> Result<()> {
        let filter = listing.filter();
        let page = if listing.grep.is_some() { ROWS * 10 } else { most.min(WINDOW as usize) };
        let mut before = match &listing.before {
            Some(id) => self.info(id)?.key.0,
            None => {
                let newest = Filter::new().newest_first().limit(1);
                let newest = self.reach().call(move |executor| executor.runs(&newest))?;
                newest.first().map_or(0, |run| run.key.0 + 1)
            }
        };
        while before > 0 {
            let from = before.saturating_sub(WINDOW);
            let window = filter.clone().before(RunKey(before)).limit(page.max(1));
            // What comes after a key is without it.
            let window = from
                .checked_sub(1)
                .into_iter()
                .fold(window, |window, key| window.after(RunKey(key)));
            let runs = self.reach().call(move |executor| executor.runs(&window))?;
            before = match runs.last() {
                Some(last) if runs.len() >= page.max(1) => last.key.0,
                _ => from,
            };
            if !runs.is_empty() && !take(runs)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The rows of these runs, of those that mention a text if one is asked for; at most so many.
    fn rows_of(&self, runs: Vec<RunInfo>, grep: Option<String>, most: usize) -> Result<Vec<Row>> {
        let (mut rows, mut runs) = (Vec::new(), runs.into_iter());
        while rows.len() < most {
            let some: Vec<_> = runs.by_ref().take(ROWS.min(most)).collect();
            if some.is_empty() {
                break;
            }
            let (grep, left) = (grep.clone(), most - rows.len());
            rows.extend(self.reach().call(move |executor| {
                let needle = grep.map(|text| Needle::new(&text));
                let mut found = Vec::new();
                for run in some {
                    let is_one = match &needle {
                        Some(needle) => needle.is_in(&run, executor)?,
                        None => true,
                    };
                    if is_one && found.len() < left {
                        found.push(run);
                    }
                }
                Source::new(executor).rows_with(&found)
            })?);
        }
        Ok(rows)
    }
}
