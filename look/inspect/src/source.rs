//! Where runs are read from.

use std::ops::Range;

use dacapo::store::{Filter, RunKey, RunState};
use dacapo::{
    AwaitedOperation, Executor, HistoryEntry, HistoryEvent, HistoryPage, HistoryValue, ParkedRun,
    Remote, Result, RunInfo,
};

use crate::check::{Checked, Damage};
use crate::fold::Fold;
use crate::operation::Operation;
use crate::parked::Parked;
use crate::reach::Reach;
use crate::recorded::{Recorded, input_of, values_of};
use crate::rehearsed::Rehearsed;
use crate::row::Row;
use crate::run::{Run, View, Which};
use crate::site::{Shown, Sites};
use crate::statistics::Statistics;
use crate::value::{Value, append};

/// Where runs are read from: an executor that lives, or one that was opened to look at a file
/// ([`Builder::open_read_only`](dacapo::Builder::open_read_only)).
///
/// One that lives is asked on its thread, or [from another](Self::remote).
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    reach: Reach<'a>,
    rehearses: bool,
}

/// A run with more records is not rehearsed to be looked at.
const REHEARSED: u64 = 10_000;

/// So many records are read at once.
const PAGE: u64 = 500;

/// Most histories are shorter, and one reading costs less than two, of the first record and the last.
pub(crate) const FEW: u64 = 20;

impl<'a> Source<'a> {
    /// Reads from an executor.
    #[must_use]
    pub fn new(executor: &'a Executor) -> Self {
        Self { reach: Reach::Here(executor), rehearses: true }
    }

    /// Reads from an executor on another thread, part by part, each between two of its rounds: it goes on
    /// meanwhile, so what is read of a run that goes on is not of one moment.
    ///
    /// Each call waits for the executor, and is an error if it has stopped, or blocks for 30 s. On the
    /// executor's own thread that would be for ever: use [`new`](Self::new) there.
    #[must_use]
    pub fn remote(remote: &'a Remote) -> Self {
        Self { reach: Reach::There(remote), rehearses: true }
    }

    /// Shows values by their recorded shapes alone, and no lines of source. Without this, runs of workflows that the
    /// executor has are rehearsed, if they have at most 10,000 records, to know where their operations stand in the
    /// source and, with the feature `view`, the types of their values: that runs the code of those workflows (not
    /// their bodies).
    #[must_use]
    pub fn without_rehearsals(self) -> Self {
        Self { rehearses: false, ..self }
    }

    /// What is known of a run by its code.
    fn rehearsed(&self, run: &RunInfo, records: u64) -> Result<Rehearsed> {
        if !self.rehearses || records > REHEARSED {
            return Ok(Rehearsed::default());
        }
        let (id, key) = (run.id.clone(), run.key);
        self.reach.call(move |executor| Ok(Rehearsed::of(executor, &id, key)))
    }

    pub(crate) fn reach(&self) -> Reach<'a> {
        self.reach
    }

    /// What is known of a run.
    ///
    /// # Errors
    ///
    /// If there is no such run ([`is_not_found`](dacapo::Error::is_not_found)), or the store failed.
    pub fn info(&self, id: &str) -> Result<RunInfo> {
        let id = id.to_owned();
        self.reach.call(move |executor| executor.info(&id))
    }

    /// The runs that a filter keeps.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn rows(&self, filter: &Filter) -> Result<Vec<Row>> {
        let filter = filter.clone();
        self.reach.call(move |executor| Source::new(executor).rows_with(&executor.runs(&filter)?))
    }

    /// The rows of these runs, of which few are parked.
    pub(crate) fn rows_with(&self, runs: &[RunInfo]) -> Result<Vec<Row>> {
        let has_parked = runs.iter().any(|run| run.state == RunState::Parked);
        let parked = match has_parked {
            true => self.reach.call(|executor| executor.parked())?,
            false => Vec::new(),
        };
        runs.iter().map(|run| self.row_with(run, &parked)).collect()
    }

    /// What a list shows of one run.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn row(&self, run: &RunInfo) -> Result<Row> {
        let run = run.clone();
        self.reach.call(move |executor| {
            Ok(Source::new(executor).rows_with(std::slice::from_ref(&run))?.remove(0))
        })
    }

    /// A pass of the run with this id: the first is 1, and without a number it is the last one. `None`: there
    /// is no such pass, or no longer.
    ///
    /// # Errors
    ///
    /// If there is no such run ([`is_not_found`](dacapo::Error::is_not_found)), or the store failed.
    pub fn find(&self, id: &str, pass: Option<u32>) -> Result<Option<RunInfo>> {
        let mut run = self.info(id)?;
        let pass = pass.unwrap_or(run.pass);
        while pass < run.pass {
            match self.before(&run)? {
                Some(before) => run = before,
                None => break,
            }
        }
        Ok(Some(run).filter(|run| run.pass == pass))
    }

    /// The pass before.
    fn before(&self, run: &RunInfo) -> Result<Option<RunInfo>> {
        let first = self.history(run.key, 0..1)?.entries;
        let Some(HistoryEvent::Submitted { before: Some(before), .. }) =
            first.first().map(|entry| &entry.event)
        else {
            return Ok(None);
        };
        // A filter begins behind a key.
        let behind = before.0.checked_sub(1).map(RunKey);
        let filter = behind.into_iter().fold(Filter::new().limit(1), Filter::after);
        let runs = self.reach.call(move |executor| executor.runs(&filter))?;
        Ok(runs.into_iter().next_back().filter(|row| row.key == *before))
    }

    pub(crate) fn history(&self, run: RunKey, seqs: Range<u64>) -> Result<HistoryPage> {
        self.reach.call(move |executor| executor.history_of(run, seqs))
    }

    fn row_with(&self, run: &RunInfo, parked: &[ParkedRun]) -> Result<Row> {
        let records = self.history(run.key, 0..0)?.records;
        let last = self.history(run.key, records.saturating_sub(1)..records)?;
        let is_it = |parked: &&ParkedRun| parked.id == run.id && run.state == RunState::Parked;
        let parked = parked.iter().find(is_it);
        let parked = parked.map(|parked| (parked.reason.to_string(), parked.message.clone()));
        let mut row = Row::new(run, &last, parked);
        if run.state == RunState::Running
            && let Some(awaited) = self.awaited(&run.id)?
        {
            row.awaits(&awaited);
        }
        Ok(row)
    }

    /// Whether what a run was started with, or what it returned, holds a text.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn mentions(&self, run: RunKey, text: &str) -> Result<bool> {
        const LOOKED_AT: usize = 64 << 10;
        let first = self.history(run, 0..FEW)?;
        let last = first.records.saturating_sub(1).max(FEW)..first.records;
        let last = match last.is_empty() {
            true => Vec::new(),
            false => self.history(run, last)?.entries,
        };
        let input = self.input_among(run, &first)?;
        let mut json = String::new();
        let mut has = |value: &HistoryValue| {
            json.clear();
            append(value, LOOKED_AT, &mut json);
            json.contains(text)
        };
        if input.as_ref().is_some_and(&mut has) {
            return Ok(true);
        }
        Ok(first.entries.iter().chain(&last).any(|entry| match &entry.event {
            HistoryEvent::Finished { outcome: Ok(output), .. } => has(output),
            HistoryEvent::Finished { outcome: Err(error), .. } => error.to_string().contains(text),
            _ => false,
        }))
    }

    /// What a run begins with, of which the first records are known.
    fn input_among(&self, run: RunKey, first: &HistoryPage) -> Result<Option<HistoryValue>> {
        let last_of = |page: &HistoryPage| {
            page.entries.iter().rev().find_map(|entry| input_of(&entry.event)).cloned()
        };
        let begins = |event: &HistoryEvent| {
            matches!(event, HistoryEvent::Started { .. } | HistoryEvent::Admitted)
        };
        let mut input = last_of(first);
        let has_begun = first.entries.iter().any(|entry| begins(&entry.event));
        if !has_begun && first.records > FEW {
            self.histories(run, u64::MAX, |page| {
                input = last_of(page).or(input.take());
                !page.entries.iter().any(|entry| begins(&entry.event))
            })?;
        }
        Ok(input)
    }

    /// One run with what it did.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn run(&self, run: &RunInfo, view: View) -> Result<Run> {
        self.run_telling(run, view, |_| ())
    }

    /// The same, and as the second what [`Which::Failed`] shows of it, which costs nothing more. `None`: that is
    /// more than 1,000 operations, or not all were looked at.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn run_and_failed(&self, run: &RunInfo, view: View) -> Result<(Run, Option<Run>)> {
        const MOST: usize = 1_000;
        let (mut failed, mut all) = (Vec::new(), 0);
        let shown = self.run_telling(run, view, |operation| {
            if Which::Failed.admits(operation) {
                all += 1;
                if all <= MOST {
                    failed.push(Shown::One(Box::new(operation.clone())));
                }
            }
        })?;
        let is_whole = view.which == Which::Together && all <= MOST;
        failed.sort_by_key(Shown::order);
        let failed = is_whole.then(|| Run { shown: failed, ..shown.clone() });
        Ok((shown, failed))
    }

    fn run_telling(
        &self,
        run: &RunInfo,
        view: View,
        mut tell: impl FnMut(&Operation),
    ) -> Result<Run> {
        let row = self.row(run)?;
        let rehearsed = self.rehearsed(run, row.records)?;
        let fold = Fold::new(&run.id, view.value_bytes).known(rehearsed);
        let (mut fold, mut sites, mut shown) = (fold, Sites::default(), Vec::new());
        let (mut operations, mut plain) = (0, 0);
        let mut keep = |operation: Operation| {
            operations += 1;
            tell(&operation);
            match view.which {
                Which::Together => sites.add(operation),
                which if which.admits(&operation) => shown.push(Shown::One(Box::new(operation))),
                _ => {}
            }
        };
        self.histories(run.key, view.to, |page| {
            for entry in &page.entries {
                if view.which == Which::Failed && fold.passes_over(entry) {
                    plain += 1;
                } else if let Some(operation) = fold.add(entry) {
                    keep(operation);
                }
            }
            true
        })?;
        if view.to == u64::MAX
            && let Some(awaited) = self.awaited(&run.id)?
        {
            awaited.iter().for_each(|awaited| fold.awaits(awaited));
        }
        let (input, end) = (fold.input.take(), fold.end.take());
        fold.into_open().for_each(&mut keep);
        shown.extend(sites.into_shown());
        shown.sort_by_key(Shown::order);
        let (outcome, ended_at) = end.unzip();
        let to = row.records.min(view.to);
        if !view.is_drawn {
            shown.iter_mut().for_each(Shown::undraw);
        }
        let operations = operations + plain;
        Ok(Run { row, input, outcome, ended_at, operations, to, shown })
    }

    pub(crate) fn awaited(&self, id: &str) -> Result<Option<Vec<AwaitedOperation>>> {
        let id = id.to_owned();
        self.reach.call(move |executor| executor.awaited(&id))
    }

    /// All of a history up to a record, part by part, while `read` says so.
    pub(crate) fn histories(
        &self,
        run: RunKey,
        to: u64,
        mut read: impl FnMut(&HistoryPage) -> bool,
    ) -> Result<()> {
        let mut next = Some(0);
        while let Some(from) = next {
            let page = self.history(run, from..to.min(from + PAGE))?;
            let behind = from + PAGE;
            next = page.next.or((behind < page.records.min(to)).then_some(behind));
            if !read(&page) {
                break;
            }
        }
        Ok(())
    }

    /// A recorded value of a run, of any size.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn value(&self, run: &RunInfo, which: Recorded) -> Result<Option<Value>> {
        let mut found = None;
        let mut records = 0;
        self.histories(run.key, u64::MAX, |page| {
            records = page.records;
            let of = |entry: &HistoryEntry| which.of(entry.seq, &entry.event);
            let values = || page.entries.iter().filter_map(of);
            found = match which {
                Recorded::Input => values().next_back().or(found.take()),
                _ => found.take().or_else(|| values().next()),
            };
            true
        })?;
        let by = match cfg!(feature = "view") {
            true => self.rehearsed(run, records)?,
            false => Rehearsed::default(),
        };
        Ok(found.map(|value| Value::typed(&value, usize::MAX, &by)))
    }

    /// The runs that were stopped without having ended.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn parked(&self) -> Result<Vec<Parked>> {
        self.reach.call(|executor| {
            let parked = executor.parked()?.into_iter();
            Ok(parked.map(|run| Parked::new(run, executor)).collect())
        })
    }

    /// The run with this id, if it is parked; with where the code of this executor stands, if it is parked for
    /// that, too.
    ///
    /// # Errors
    ///
    /// If there is no such run ([`is_not_found`](dacapo::Error::is_not_found)), or the store failed.
    pub fn parked_run(&self, id: &str) -> Result<Option<Parked>> {
        let (id, rehearses) = (id.to_owned(), self.rehearses);
        self.reach.call(move |executor| {
            let key = executor.info(&id)?.key;
            let Some(mut run) = executor.parked()?.into_iter().find(|run| run.id == id) else {
                return Ok(None);
            };
            if rehearses && executor.history_of(key, 0..0)?.records <= REHEARSED {
                // Another program may have parked it.
                let sources = executor.sources(&id).ok();
                let same = sources
                    .as_ref()
                    .and_then(|sources| sources.parked())
                    .filter(|now| (now.reason, &now.divergence) == (run.reason, &run.divergence));
                run.source = same.and_then(|now| now.source);
            }
            Ok(Some(Parked::new(run, executor)))
        })
    }

    /// The store in numbers.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn statistics(&self) -> Result<Statistics> {
        Ok(self.reach.call(|executor| executor.statistics())?.into())
    }

    /// Reads every row, record and value, and tells what is damaged.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn check(&self, mut tell: impl FnMut(Damage)) -> Result<Checked> {
        let mut checked = Checked::default();
        let mut after = None;
        loop {
            let filter = Filter::new().limit(1_000);
            let filter = after.into_iter().fold(filter, Filter::after);
            let runs = self.reach.call(move |executor| executor.runs(&filter))?;
            for run in &runs {
                self.check_run(run, &mut checked, &mut tell)?;
            }
            match runs.last() {
                Some(last) => after = Some(last.key),
                None => return Ok(checked),
            }
        }
    }

    fn check_run(
        &self,
        run: &RunInfo,
        checked: &mut Checked,
        tell: &mut dyn FnMut(Damage),
    ) -> Result<()> {
        checked.runs += 1;
        self.histories(run.key, u64::MAX, |page| {
            for entry in &page.entries {
                checked.records += 1;
                let value = values_of(&entry.event);
                checked.values += u64::from(value.is_some());
                let why = match (&entry.event, value.map(|value| value.view(usize::MAX))) {
                    (HistoryEvent::Unreadable { why, .. }, _) => why.clone(),
                    (_, Some(Err(why))) => why,
                    _ => continue,
                };
                checked.damaged += 1;
                tell(Damage { run: Some(run.id.clone()), record: Some(entry.seq), message: why });
            }
            true
        })
    }
}
