//! Runs that wait before they begin: in queues, for a delay, for later calls with their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dacapo::store::{Queued, RunState};
use dacapo::{Builder, Executor, Limits, Queue, Start};

use super::super::decode::Decoder;
use super::super::talk::WORKFLOWS;
use super::assert::{Checked, Known, shown, whatever_counts};
use super::records::{Entry, Options, Record, Run};

const NARROW: Queue = Queue::new("narrow");
const SHARED: Queue = Queue::new("shared");
const RATED: Queue = Queue::new("rated");
pub(super) const QUEUES: [Queue; 3] = [NARROW, SHARED, RATED];

const SHARED_ROOM: usize = 3;
const RATE: usize = 2;
const PER: Duration = Duration::from_secs(1);

/// Where a run waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    queue: Option<usize>,
    partition: u8,
    priority: u8,
    delay_ms: u64,
    unique: Option<u8>,
}

/// What the file does not say of queues.
#[derive(Default)]
pub(super) struct Exempt {
    /// The runs that were taken up after they had left their place to others.
    pub(super) runs: BTreeSet<String>,
    /// The workflows that some build did not have: their runs take no room meanwhile.
    pub(super) workflows: BTreeSet<&'static str>,
    pub(super) missing: Option<&'static str>,
    /// The queues that are paused, when all is quiet.
    pub(super) paused: BTreeSet<&'static str>,
}

pub(super) fn add(builder: Builder) -> Builder {
    let one = Limits::new().concurrency(1);
    builder
        .queue(NARROW, one)
        .queue(SHARED, Limits::new().concurrency(SHARED_ROOM).per_partition(one))
        .queue(RATED, Limits::new().rate(RATE, PER))
}

impl Decoder<'_> {
    /// Most runs of a world with queues wait somewhere.
    pub(super) fn place(&mut self) -> Option<Place> {
        if !self.has_queues || self.below(4) == 0 {
            return None;
        }
        Some(Place {
            queue: Some(usize::from(self.below(4))).filter(|queue| *queue < QUEUES.len()),
            partition: self.below(2),
            priority: [0, 0, 1, 2][usize::from(self.below(4))],
            delay_ms: [0, 0, 0, 20, 1_000, 20_000][usize::from(self.below(6))],
            unique: Some(self.below(6)).filter(|key| *key < 2),
        })
    }
}

impl Place {
    pub(super) fn add(self, options: Start) -> Start {
        let options = options.delay(Duration::from_millis(self.delay_ms));
        let options = match self.queue.map(|queue| QUEUES[queue]) {
            Some(queue) => options.queue(queue).priority(self.priority.into()),
            None => options,
        };
        let options = match self.queue.map(|queue| QUEUES[queue]) {
            Some(SHARED) => options.partition(self.partition),
            Some(_) | None => options,
        };
        match self.unique {
            Some(key) => options.unique(key),
            None => options,
        }
    }
}

impl Run {
    /// What its caller wanted of it last, before this place in its history.
    fn options_before(&self, place: usize) -> Option<&Options> {
        let changed = self.entries[..place].iter().rev().find_map(|entry| match &entry.record {
            Record::Resubmitted(changed) => Some(&changed.options),
            _ => None,
        });
        changed.or_else(|| self.submission().map(|submission| &submission.options))
    }

    pub(super) fn options(&self) -> Option<&Options> {
        self.options_before(self.entries.len())
    }

    /// When it is asked to end: a retry takes that back.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.entries.iter().fold(None, |deadline, entry| match &entry.record {
            Record::Submitted(submission) => submission.options.deadline,
            Record::Resubmitted(changed) => changed.options.deadline,
            Record::Retried { .. } => None,
            _ => deadline,
        })
    }

    /// What it begins with.
    pub(super) fn input(&self) -> Option<&[u8]> {
        let replaced = self.entries.iter().rev().find_map(|entry| match &entry.record {
            Record::Resubmitted(changed) => changed.input.as_deref(),
            _ => None,
        });
        replaced.or_else(|| match &self.entries[0].record {
            Record::Started { input, .. } => Some(input),
            Record::Submitted(submission) => Some(&submission.input),
            _ => None,
        })
    }

    /// Whether it was to wait: the passes after the first one go on.
    pub(super) fn is_placed(&self) -> bool {
        let first = self.submission().filter(|submission| submission.before.is_none());
        let place = first.and_then(|submission| submission.options.place.as_ref());
        // One that has a unique key and nothing else begins at once.
        place.is_some_and(|place| place.queue.is_some() || place.eligible_at.is_some())
    }

    /// Where in its history it was admitted.
    fn admission(&self) -> Option<usize> {
        self.entries.iter().position(|entry| matches!(entry.record, Record::Admitted { .. }))
    }

    /// Whether it waits, or ended without having begun.
    pub(super) fn has_not_begun(&self) -> bool {
        self.is_placed() && self.admission().is_none()
    }

    /// Whether it waited, and was admitted.
    pub(super) fn is_admitted(&self) -> bool {
        self.is_placed() && self.admission().is_some()
    }

    fn has_replaced_place(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.record, Record::Resubmitted(_)))
    }

    fn queued(&self) -> Option<&Queued> {
        self.row.queue.as_deref()
    }
}

pub(super) fn is_waiting(state: RunState) -> bool {
    matches!(state, RunState::Queued | RunState::Delayed)
}

/// How the history of a run begins that was to wait, and whether its row says the same.
pub(super) fn check_beginning(run: &Run) -> Checked {
    let admitted = run.admission();
    let before = &run.entries[1..admitted.unwrap_or(run.entries.len())];
    let comes_from_elsewhere = |entry: &Entry| {
        matches!(
            entry.record,
            Record::MessageArrived { .. }
                | Record::Resubmitted(_)
                | Record::CancelRequested { .. }
                | Record::Finished { was_dropped: true, .. }
                // It ended before it began, and waits again.
                | Record::Void(_)
                | Record::Retried { .. }
        )
    };
    if let Some(own) = before.iter().find(|entry| !comes_from_elsewhere(entry)) {
        return Err(format!("it holds {:?} before it begins", own.record));
    }
    let state = run.row.state;
    if admitted.is_none() && !is_waiting(state) && state != RunState::Cancelled {
        return Err(format!("it was not admitted, and is {state:?}"));
    }
    if admitted.is_some() && is_waiting(state) {
        return Err("it was admitted, and waits".into());
    }
    let place = run.options().and_then(|options| options.place.as_deref());
    let (Some(place), Some(queued)) = (place, run.queued()) else {
        return Err("its row does not say where it waits".into());
    };
    let admitted_at = admitted.map(|at| run.entries[at].time);
    let said = (
        place.queue.as_deref().unwrap_or_default(),
        &place.partition,
        place.priority,
        &place.unique,
        place.is_debounced,
        admitted_at,
    );
    let in_row = (
        &*queued.name,
        &queued.partition,
        queued.priority,
        &queued.unique,
        queued.is_debounced,
        queued.admitted_at,
    );
    if said != in_row {
        return Err(format!("its history says {said:?}, and its row {in_row:?}"));
    }
    if place.eligible_at.is_some_and(|at| at != queued.eligible_at) {
        return Err(format!("its delay is over at {:?}", place.eligible_at));
    }
    match admitted_at {
        Some(at) if at < queued.eligible_at => Err("it was admitted too early".into()),
        _ => Ok(()),
    }
}

/// Room, keys, rates and the order in which runs are admitted.
pub(super) fn check(runs: &[Run], known: Known<'_>) -> Checked {
    check_unique(runs)?;
    check_rate(runs)?;
    let Some(exempt) = known.exempt else { return Ok(()) };
    check_room(runs, exempt)?;
    check_order(runs, exempt)?;
    match known.is_quiet {
        true => check_waiting(runs, exempt),
        false => Ok(()),
    }
}

/// No two unended runs of a queue have a key.
fn check_unique(runs: &[Run]) -> Checked {
    let mut keys = BTreeMap::new();
    let unended = |run: &&Run| !run.row.state.has_ended() && run.row.state != RunState::Continued;
    for run in runs.iter().filter(unended) {
        let Some(queued) = run.queued() else { continue };
        // The key of later calls is free when they come too late.
        let is_free = queued.is_debounced && !is_waiting(run.row.state);
        let Some(unique) = queued.unique.as_deref().filter(|_| !is_free) else { continue };
        if let Some(other) = keys.insert((&*queued.name, queued.is_debounced, unique), run) {
            return Err(format!(
                "{}\n{}",
                shown(run, "another run has its unique key"),
                shown(other, "")
            ));
        }
    }
    Ok(())
}

/// The runs that a queue has admitted, with the places of their admissions.
fn admitted(runs: &[Run], queue: Queue) -> impl Iterator<Item = (&Run, &Entry)> {
    runs.iter().filter(|run| run.is_placed()).filter_map(move |run| {
        let at = run.admission()?;
        let place = run.options_before(at)?.place.as_deref()?;
        (place.queue.as_deref() == Some(queue.name())).then(|| (run, &run.entries[at]))
    })
}

fn check_rate(runs: &[Run]) -> Checked {
    let mut times: Vec<_> = admitted(runs, RATED).map(|(_, entry)| entry.time).collect();
    times.sort_unstable();
    let per = u64::try_from(PER.as_nanos()).expect("a second");
    match times.windows(RATE + 1).find(|window| window[RATE] - window[0] < per) {
        Some(window) => Err(format!("{RATED:?} admitted at {window:?}")),
        None => Ok(()),
    }
}

/// No more go on than there is room for, but for those that were taken up again.
fn check_room(runs: &[Run], exempt: &Exempt) -> Checked {
    for (queue, partition, room) in [
        (NARROW, None, 1),
        (SHARED, None, SHARED_ROOM),
        (SHARED, Some("0"), 1),
        (SHARED, Some("1"), 1),
    ] {
        let counts = |run: &&Run| {
            !exempt.runs.contains(&run.row.id) && !exempt.workflows.contains(&*run.row.workflow)
        };
        let counted = going_on(runs, queue, partition).filter(counts).collect::<Vec<_>>();
        if counted.len() > room {
            let shown = counted.iter().map(|run| shown(run, "")).collect::<Vec<_>>();
            return Err(format!("{queue:?} has room for {room}: {}", shown.join("\n")));
        }
    }
    Ok(())
}

fn going_on<'a>(
    runs: &'a [Run],
    queue: Queue,
    partition: Option<&str>,
) -> impl Iterator<Item = &'a Run> {
    runs.iter().filter(move |run| {
        let is_there = run.queued().is_some_and(|queued| {
            let is_part = partition.is_none_or(|part| queued.partition.as_deref() == Some(part));
            queued.name == queue.name() && is_part
        });
        run.row.state == RunState::Running && is_there
    })
}

/// Nobody is passed over by one that comes behind.
fn check_order(runs: &[Run], exempt: &Exempt) -> Checked {
    for queue in [NARROW, RATED] {
        for (first, entry) in admitted(runs, queue) {
            let own = first.queued().map(|queued| (queued.priority, first.row.key));
            let waited = |run: &&Run| {
                run.is_placed()
                    && !run.has_replaced_place()
                    && !first.has_replaced_place()
                    && !exempt.workflows.contains(&*run.row.workflow)
                    && has_waited(run, entry.commit)
                    && run.queued().is_some_and(|queued| {
                        queued.name == queue.name()
                            && queued.eligible_at <= entry.time
                            && Some((queued.priority, run.row.key)) < own
                    })
            };
            if let Some(passed) = runs.iter().find(waited) {
                let why = format!("it was passed over by {}", shown(first, ""));
                return Err(shown(passed, &why));
            }
        }
    }
    Ok(())
}

/// Whether a run waited before this commit, and waits after it. One that ended meanwhile waits anew when it is
/// retried.
pub(super) fn has_waited(run: &Run, commit: u64) -> bool {
    let (mut waits, mut has_begun) = (false, false);
    for entry in &run.entries {
        match whatever_counts(&entry.record) {
            Record::Submitted(_) | Record::Retried { .. } if entry.commit < commit => {
                waits = !has_begun;
            }
            Record::Admitted { .. } if entry.commit <= commit => (waits, has_begun) = (false, true),
            Record::CancelRequested { .. } if entry.commit <= commit => waits = false,
            _ => {}
        }
    }
    waits
}

/// When nothing goes on by itself any more, those wait for whom there is no room.
fn check_waiting(runs: &[Run], exempt: &Exempt) -> Checked {
    let is_here = |run: &Run| exempt.missing != Some(&*run.row.workflow);
    for run in runs.iter().filter(|run| is_waiting(run.row.state) && is_here(run)) {
        let queued = run.queued().expect("it waits somewhere");
        let partition = queued.partition.as_deref();
        let there = |queue, partition| going_on(runs, queue, partition).filter(|run| is_here(run));
        let has_room = match QUEUES.into_iter().find(|queue| queue.name() == queued.name) {
            Some(NARROW) => there(NARROW, None).count() < 1,
            Some(SHARED) => {
                there(SHARED, None).count() < SHARED_ROOM && there(SHARED, partition).count() < 1
            }
            Some(_) | None => true,
        };
        if has_room && !exempt.paused.contains(&*queued.name) {
            return Err(shown(run, "there is room for it"));
        }
    }
    Ok(())
}

/// Which queues admit nothing now.
pub(super) fn paused(executor: &Executor) -> BTreeSet<&'static str> {
    let is_paused = |queue: &Queue| executor.queue(*queue).is_ok_and(|queue| queue.is_paused);
    QUEUES.into_iter().filter(is_paused).map(|queue| queue.name()).collect()
}

/// By its name.
pub(super) fn workflow(index: usize) -> &'static str {
    WORKFLOWS[index].name()
}
