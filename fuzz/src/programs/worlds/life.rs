//! One process of a world.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{Recorder, Sim, VirtualClock};
use dacapo::store::{Filter, RunState, Store};
use dacapo::{Clock, Error, Executor, Handle, Timestamp, race};
use futures::future::{join_all, pending};

use super::super::compare::compare;
use super::super::language::mix;
use super::super::live::{Output, add};
use super::super::reference::split_mix;
use super::super::shaped::set_build;
use super::super::talk::{Outside, WORKFLOWS};
use super::assert::{Known, check};
use super::booked;
use super::delivered;
use super::queues::{self, Exempt};
use super::records::{Record, Run, runs};
use super::storage::{Kept, Storage};
use super::told::{Asker, Follower};
use super::{End, Life, Report, World, Wrong, check_commits};

/// What a life leaves to the next one besides what is stored.
#[derive(Default)]
pub(super) struct Left {
    /// The messages that were acknowledged: to whom, and which.
    pub(super) sent: Vec<(String, u64)>,
    pub(super) accepted: BTreeSet<String>,
    /// How runs ended, as somebody was told.
    told: BTreeMap<String, String>,
    /// How many records each run that was in memory had delivered, by the first of its trace.
    delivered: BTreeMap<String, (String, usize)>,
    /// The runs that were taken up after they had failed: somebody may have been told of that.
    pub(super) retried: BTreeSet<String>,
    pub(super) exempt: Exempt,
    numbers: u64,
    has_forgotten: bool,
}

impl Left {
    pub(super) fn forget(&mut self, id: &str) {
        self.sent.retain(|(to, _)| to != id);
        self.accepted.remove(id);
        self.told.remove(id);
    }
}

pub(super) struct Process<'a> {
    pub(super) world: &'a World,
    pub(super) executor: Executor,
    pub(super) sim: Sim,
    recorder: Recorder,
    pub(super) outside: Rc<Outside>,
    pub(super) left: RefCell<&'a mut Left>,
    pub(super) storage: Storage,
    pub(super) handles: RefCell<Vec<(String, Handle<Output>)>>,
    pub(super) followers: RefCell<Vec<Follower>>,
    pub(super) askers: RefCell<Vec<Asker>>,
    pub(super) has_forgotten: Cell<bool>,
    /// The runs whose traces say something else: they were untraced beside the live ones, or woken from
    /// outside.
    pub(super) untraced: RefCell<BTreeSet<String>>,
    wrong: RefCell<Option<String>>,
}

/// Virtual time that does not wait for ever.
struct Impatient(VirtualClock);

impl Clock for Impatient {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn skip(&self, wait: Option<Duration>) -> bool {
        assert!(self.0.skip(wait), "nothing is left that could happen");
        true
    }
}

/// No timer waits for so long, in milliseconds.
const LONG_MS: u64 = 1_000_000;

fn open(
    world: &World,
    (life, outside): (Option<&Life>, &Rc<Outside>),
    store: Box<dyn Store>,
    own_seed: u64,
    recorder: &Recorder,
) -> Result<(Executor, Sim), Error> {
    set_build(own_seed ^ store.last_commit());
    let outage = Duration::from_millis(life.map_or(0, |life| life.outage_ms));
    let clock = VirtualClock::new(Timestamp::from_nanos(store.time()) + outage);
    let wakes = split_mix(world.seed, 77);
    let sim = Sim::with_wakes(own_seed, Some(wakes), clock.clone());
    if let Some(bytes) = life.and_then(|life| life.commit_bytes) {
        sim.set_commit_bytes(bytes);
    }
    let mut builder = sim.apply(Executor::builder()).seed(world.seed).poll_budget(20_000);
    for (index, program) in world.programs.iter().enumerate() {
        if life.is_none_or(|life| life.missing != Some(index)) {
            builder = add(builder, (index, program), &sim, outside);
        }
    }
    if world.has_queues {
        builder = queues::add(builder);
    }
    builder = builder.clock(Impatient(clock)).observer(recorder.clone());
    if let Some(residents) = life.and_then(|life| life.resident_max) {
        builder = builder.resident_max(residents);
    }
    Ok((builder.open_with(store)?, sim))
}

/// Carries out a life over what the one before has stored, and gives what is stored then.
pub(super) fn live(
    world: &World,
    (index, life, is_last): (usize, &Life, bool),
    kept: &Kept,
    (left, report): (&mut Left, &mut Report),
) -> Result<Kept, Wrong> {
    let storage = Storage::new(kept, life);
    let own_seed = split_mix(world.seed, index as u64);
    let (recorder, outside) = (Recorder::default(), Rc::<Outside>::default());
    outside.is_mended.set(life.is_mended);
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let store = storage.open().map_err(Error::new)?;
        open(world, (Some(life), &outside), store, own_seed, &recorder)
    }));
    let opened = opened.map_err(|panic| Wrong::Lost(format!("opened: {}", message(&*panic))))?;
    report.lives += 1;
    let (executor, sim) = match opened {
        Ok(opened) => opened,
        Err(_) if storage.may_fail(life) => {
            report.storage_faults += 1;
            return Ok(storage.end(life).0);
        }
        Err(error) => return Err(Wrong::Lost(format!("opened: {error:?}"))),
    };
    let had_forgotten = left.has_forgotten;
    left.exempt.missing = life.missing.map(queues::workflow);
    left.exempt.workflows.extend(left.exempt.missing);
    let process = Process {
        world,
        executor,
        sim,
        storage,
        recorder,
        outside,
        left: RefCell::new(left),
        handles: RefCell::default(),
        followers: RefCell::default(),
        askers: RefCell::default(),
        has_forgotten: Cell::new(had_forgotten),
        untraced: RefCell::default(),
        wrong: RefCell::default(),
    };
    let driven = process.drive(life, is_last, report);
    let has_forgotten = process.has_forgotten.get();
    report.commits += process.storage.commits();
    report.cut += u64::from(life.commit_bytes.is_some());
    // What was wrong in the file is said first: the rest may follow from it.
    let commits = process.storage.take();
    process.check(|known| check_commits(&commits, known))?;
    driven.map_err(|why| Wrong::Lost(format!("{why}\n{}", process.shown())))?;
    let (kept, has_failed) = process.storage.end(life);
    report.storage_faults += u64::from(has_failed);
    let lost = |why: String| Wrong::Lost(format!("{why}\n{}", process.shown()));
    let now = kept.copy().map_err(|error| lost(error.to_string()))?;
    let all = runs(&*now).map_err(Wrong::Lost)?;
    process.check(|known| check(&all, known)).map_err(Wrong::Lost)?;
    process.check(|known| booked::check(&*now, &all, known)).map_err(Wrong::Lost)?;
    process.check_left(&all)?;
    process.check_told(&all, life, report).map_err(lost)?;
    process.note_delivered(&all);
    process.check_replays((&all, now), life, report)?;
    process.left.borrow_mut().has_forgotten = has_forgotten;
    Ok(kept)
}

impl Process<'_> {
    /// A number that no other client sends.
    pub(super) fn next(&self) -> u64 {
        let mut left = self.left.borrow_mut();
        left.numbers += 1;
        mix(left.numbers, 5) >> 1
    }

    pub(super) fn note_wrong(&self, what: String) {
        self.wrong.borrow_mut().get_or_insert(what);
    }

    /// Has files checked, with what is known beside them.
    fn check<T>(&self, check: impl FnOnce(Known<'_>) -> T) -> T {
        let (has_forgotten, left) = (self.has_forgotten.get(), self.left.borrow());
        check(Known { has_forgotten, is_quiet: false, exempt: Some(&left.exempt) })
    }

    fn drive(&self, life: &Life, is_last: bool, report: &mut Report) -> Result<(), String> {
        let clients = join_all(life.clients.iter().map(|actions| self.act(actions)));
        let shut_down = async {
            if let End::Shutdown { after_ms, turns, grace_ms } = life.end {
                self.sleep(after_ms).await;
                for _ in 0..turns {
                    dacapo::yield_now().await;
                }
                return self.executor.shutdown(Duration::from_millis(grace_ms)).await;
            }
            pending().await
        };
        let clients = async {
            clients.await;
            self.rest().await;
            Ok(())
        };
        let main = async {
            race(clients, shut_down).await.map_err(|error| format!("shut down: {error:?}"))
        };
        let driven = self.block_on(main)?;
        self.storage.heal();
        match life.end {
            _ if driven.is_err() && self.has_stopped() => report.crashes += 1,
            End::Shutdown { .. } => {
                driven?;
                report.shutdowns += 1;
            }
            _ if self.has_stopped() => report.crashes += 1,
            _ => {
                self.check_quiet(life)?;
                report.parked += self.executor.parked().map_or(0, |parked| parked.len() as u64);
                if is_last {
                    self.block_on(self.end_all())??;
                    self.check_ended()?;
                }
            }
        }
        self.wrong.take().map_or(Ok(()), Err)
    }

    /// Until nothing goes on by itself any more.
    async fn rest(&self) {
        loop {
            let before = self.storage.commits();
            self.sleep(LONG_MS).await;
            if self.storage.commits() == before {
                return;
            }
        }
    }

    fn block_on<T>(&self, main: impl Future<Output = T>) -> Result<T, String> {
        let driven = catch_unwind(AssertUnwindSafe(|| self.executor.block_on(main)));
        driven.map_err(|panic| message(&*panic))
    }

    fn has_stopped(&self) -> bool {
        self.executor.start(WORKFLOWS[0], "", 0).is_err_and(|error| error.is_store())
    }

    /// Nothing happens any more: each run has had delivered all that its history holds.
    fn check_quiet(&self, life: &Life) -> Result<(), String> {
        let runs = self.runs()?;
        self.left.borrow_mut().exempt.paused = queues::paused(&self.executor);
        self.check(|known| check(&runs, Known { is_quiet: true, ..known }))?;
        let goes_on = |state| state == RunState::Running || queues::is_waiting(state);
        for run in runs.iter().filter(|run| goes_on(run.row.state)) {
            let is_missing =
                life.missing.is_some_and(|missing| run.row.workflow == WORKFLOWS[missing].name());
            let is_asked = run
                .entries
                .iter()
                .any(|entry| matches!(entry.record, Record::CancelRequested { .. }));
            let waits = run.row.deadline.is_some();
            if waits && !is_asked && !is_missing {
                return Err(super::assert::shown(run, "its deadline has passed"));
            }
        }
        Ok(())
    }

    /// All runs are asked to end, and terminated if they do not.
    async fn end_all(&self) -> Result<(), String> {
        let unended = || -> Result<Vec<String>, String> {
            let unended =
                [RunState::Running, RunState::Parked, RunState::Queued, RunState::Delayed];
            let states = Filter::new().states(&unended);
            let runs = self.executor.runs(&states).map_err(|error| error.to_string())?;
            Ok(runs.into_iter().map(|run| run.id).collect())
        };
        self.outside.is_mended.set(true);
        for id in unended()? {
            let _ = self.executor.cancel(&id).await;
        }
        self.rest().await;
        for _ in 0..100 {
            let left = unended()?;
            if left.is_empty() {
                break;
            }
            for id in left {
                let ended = self.executor.terminate(&id).await;
                ended.map_err(|error| format!("terminating {id:?}: {error:?}"))?;
            }
        }
        let left = unended()?;
        if !left.is_empty() {
            return Err(format!("{left:?} do not end"));
        }
        let handles = self.handles.take();
        for (id, handle) in handles {
            let told = handle.await;
            let shown = format!("{told:?}");
            if told.as_ref().is_err_and(|error| error.is_parked() || error.is_not_found()) {
                continue;
            }
            let before = self.left.borrow_mut().told.insert(id.clone(), shown.clone());
            let may_change = self.has_forgotten.get() || self.left.borrow().retried.contains(&id);
            if before.as_ref().is_some_and(|before| *before != shown) && !may_change {
                return Err(format!("{id:?} had ended with {before:?}, and now with {shown}"));
            }
        }
        let askers = self.askers.take();
        for mut asker in askers {
            asker.wait().await;
            self.askers.borrow_mut().push(asker);
        }
        Ok(())
    }

    /// What is stored now.
    pub(super) fn runs(&self) -> Result<Vec<Run>, String> {
        let store = self.storage.now().copy().map_err(|error| error.to_string())?;
        runs(&*store)
    }

    fn check_ended(&self) -> Result<(), String> {
        let runs = self.runs()?;
        self.check(|known| check(&runs, Known { is_quiet: true, ..known }))
    }

    /// What somebody was told is there.
    fn check_left(&self, runs: &[Run]) -> Result<(), Wrong> {
        let left = self.left.borrow();
        for id in &left.accepted {
            if !runs.iter().any(|run| run.row.id == *id) && !self.has_forgotten.get() {
                return Err(Wrong::Lost(format!("run {id:?} was accepted, and is not there")));
            }
        }
        for (to, number) in &left.sent {
            let arrived = runs.iter().filter(|run| run.row.id == *to).flat_map(|run| {
                // Messages that go over to the next pass stand in both.
                let carried = run.row.pass > 1;
                let begun = run.entries[0].commit;
                run.entries.iter().filter(move |entry| !(carried && entry.commit == begun))
            });
            let all = runs.iter().filter(|run| run.row.id == *to).flat_map(|run| &run.entries);
            // A number needs no shape.
            let shapes = dacapo_values::Shapes::new();
            let is_it = |record: &Record| {
                matches!(record, Record::MessageArrived { payload, .. }
                    if shapes.decode::<u64>(payload) == Ok(*number))
            };
            let count = arrived.filter(|entry| is_it(&entry.record)).count();
            let any = all.filter(|entry| is_it(&entry.record)).count();
            if count > 1 {
                return Err(Wrong::Duplicated(format!("message {number} to {to:?}")));
            }
            if any == 0 && !self.has_forgotten.get() {
                return Err(Wrong::Lost(format!("message {number} to {to:?}")));
            }
        }
        Ok(())
    }

    /// What somebody was told of topics and answers is what the file says.
    fn check_told(&self, runs: &[Run], life: &Life, report: &mut Report) -> Result<(), String> {
        let is_quiet = life.end == End::Quiet && !self.has_stopped();
        for mut asker in self.askers.take() {
            asker.poll();
            report.told += u64::from(asker.told.as_ref().is_some_and(Result::is_ok));
            // Who was told of the end of a run that goes on after it knows what is past.
            let is_retried = self.left.borrow().retried.contains(&asker.id);
            if !self.has_forgotten.get() && !is_retried {
                asker.check(runs)?;
            }
        }
        for mut follower in self.followers.take() {
            follower.read();
            report.followed += follower.values.len() as u64;
            let is_retried = self.left.borrow().retried.contains(&follower.id);
            if !self.has_forgotten.get() {
                follower.check(runs, is_quiet && !is_retried)?;
            }
        }
        Ok(())
    }

    /// What each run did in this life is what its history makes of it.
    fn check_replays(
        &self,
        (all, now): (&[Run], Box<dyn Store>),
        life: &Life,
        report: &mut Report,
    ) -> Result<(), Wrong> {
        let (recorder, outside) = (Recorder::default(), Rc::<Outside>::default());
        outside.is_mended.set(true);
        let opened = open(self.world, (None, &outside), now, 0, &recorder);
        let (executor, _sim) = opened.map_err(|error| Wrong::Lost(format!("{error:?}")))?;
        let is_cut_off = self.has_stopped() || matches!(life.end, End::Shutdown { .. });
        for run in all {
            let row = &run.row;
            if row.state == RunState::Continued {
                let judged = self.world.judge_pass(run, all)?;
                report.handed_over += u64::from(judged);
                continue;
            }
            let mut did = self.recorder.trace(&row.id);
            if let Some(pass) = delivered::of(&did, &row.id, all) {
                delivered::check(pass, &did)
                    .map_err(|why| Wrong::Duplicated(super::assert::shown(pass, &why)))?;
            }
            if row.state == RunState::Parked || run.has_not_begun() {
                continue;
            }
            let wrong = |why: String| {
                Wrong::Diverged(super::assert::shown(run, &format!("replayed: {why}")))
            };
            let verified = executor.verify(&row.id);
            if let Err(error) = &verified
                && !error.to_string().contains("does not decode")
            {
                return Err(wrong(format!("{error:?}")));
            }
            report.replays += 1;
            let mut replay = recorder.trace(&row.id);
            let may_wait = is_cut_off || self.is_away(row, life);
            let now = (!may_wait).then(|| self.sim.clock().now().as_nanos());
            report.with_reference +=
                u64::from(self.world.judge(run, (&replay, &verified), now).map_err(wrong)?);
            let has_other = self.untraced.borrow().contains(&row.id);
            let is_quiet =
                !is_cut_off && row.state == RunState::Running && !self.is_away(row, life);
            if is_quiet && !has_other {
                self.check_delivered(run, &replay).map_err(wrong)?;
            }
            if has_other || did.is_empty() || is_of_another(&did, &replay) {
                continue;
            }
            let was_parked = row.state.has_ended() && is_ended_from_outside(&run.entries);
            if delivered::length_of(run, &did) < run.entries.len() {
                delivered::before_the_retry(run, &mut did);
                delivered::before_the_retry(run, &mut replay);
            }
            if is_cut_off || was_parked || row.state == RunState::Running && self.is_away(row, life)
            {
                replay.truncate(did.len());
            }
            compare("what it did (first), and its replay", &did, &replay)
                .map_err(|why| wrong(why.to_string()))?;
        }
        Ok(())
    }

    /// Whether it is in memory or not, a run knows all that came to it.
    fn check_delivered(&self, run: &Run, replay: &[String]) -> Result<(), String> {
        let left = self.left.borrow();
        let Some((first, delivered)) = left.delivered.get(&run.row.id) else { return Ok(()) };
        let void = run.entries.iter().filter(|entry| matches!(entry.record, Record::Void(_)));
        if replay.first() == Some(first) && *delivered + void.count() != run.entries.len() {
            return Err(format!("it had {delivered} records delivered"));
        }
        Ok(())
    }

    /// Notes what runs that were in memory know.
    fn note_delivered(&self, runs: &[Run]) {
        let mut left = self.left.borrow_mut();
        for run in runs {
            let id = &run.row.id;
            if self.untraced.borrow().contains(id) {
                left.delivered.remove(id);
                continue;
            }
            let trace = self.recorder.trace(id);
            if let Some(first) = trace.first() {
                let delivered = trace.iter().filter(|line| line.starts_with("deliver ")).count();
                left.delivered.insert(id.clone(), (first.clone(), delivered));
            }
        }
    }

    /// Whether the run was not in memory because nobody knew its code.
    fn is_away(&self, row: &dacapo::store::RunRow, life: &Life) -> bool {
        life.missing.is_some_and(|missing| row.workflow == WORKFLOWS[missing].name())
    }

    fn shown(&self) -> String {
        let runs = self.runs().unwrap_or_default();
        let parked = self.executor.parked().unwrap_or_default();
        let shown = runs.iter().map(|run| super::assert::shown(run, ""));
        let shown = shown.chain(parked.into_iter().map(|parked| format!("{parked:?}")));
        shown.collect::<Vec<_>>().join("\n")
    }
}

/// Whether it was another pass, or another run with this id, that did it.
fn is_of_another(did: &[String], replay: &[String]) -> bool {
    did.first() != replay.first()
}

fn is_ended_from_outside(entries: &[super::records::Entry]) -> bool {
    entries.iter().any(|entry| {
        matches!(entry.record, Record::CancelRequested { cause: super::records::Cause::Terminated })
    })
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
