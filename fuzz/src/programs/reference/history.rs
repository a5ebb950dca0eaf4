//! What a history may and must hold, commit by commit.

use super::super::language::{Code, flat};
use super::operations::State;
use super::{Expected, Model, Number};

/// A record as the reference sees it: neither payloads nor names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) commit: u64,
    pub(crate) time: u64,
    pub(crate) event: Event,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    Started,
    StepStarted(Number),
    Finished(Number),
    Fired(Number),
    Interrupted(Number),
    Deferred(Number),
    /// An attempt failed, and the next one is made at this time.
    Failed(Number, u64),
    Ended,
}

/// The process ended when so many records were committed, and another one began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restart {
    pub(crate) place: usize,
    /// What the clock showed.
    pub(crate) at: u64,
}

/// Carries a program out in the order of a whole history, with the run's seed and the one of polls for
/// no reason. An error says which rule the history does not keep.
pub(crate) fn expect(
    program: &Code,
    x: u64,
    seeds: (u64, u64),
    history: &[Record],
    restarts: &[Restart],
) -> Result<Expected, String> {
    let mut model = Model::new(seeds);
    let mut place = 0;
    for commit in history.chunk_by(|record, next| record.commit == next.commit) {
        let restart = restarts.iter().rfind(|restart| restart.place == place);
        let recovered = restart.map(|restart| model.restart(restart.at)).unwrap_or_default();
        let events: Vec<Event> = commit.iter().map(|record| record.event).collect();
        let checked = model.check_commit(place, &events, &recovered, commit[0].time);
        checked.map_err(|why| format!("the commit {commit:?} at place {place}: {why}"))?;
        for record in commit {
            model.deliver(place, *record, (program, x));
            place += 1;
        }
        model.work();
    }
    let output =
        model.output.filter(|_| history.last().is_some_and(|last| last.event == Event::Ended));
    let output = output.map(|value| (flat(value), model.seen));
    Ok(Expected { trace: model.trace, output, ran: model.ran })
}

fn equal(found: &[Event], expected: &[Event]) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("expected is {expected:?}")),
    }
}

impl Model {
    /// What the first commit of a new process holds, if it is due to hold anything.
    fn restart(&mut self, now: u64) -> Vec<Event> {
        self.ran.values_mut().for_each(|ran| *ran = 0);
        if self.output.is_some() {
            return Vec::new();
        }
        let (mut events, mut outcomes) = (Vec::new(), Vec::new());
        self.suspects.clear();
        for (number, operation) in &mut self.operations {
            operation.started = false;
            operation.before = operation.attempts;
            if operation.step.is_none() || !operation.is_waiting() {
                continue;
            }
            let attempts = operation.attempts + 1;
            if !operation.deferred && operation.next_at.is_some_and(|at| at > now) {
                // It goes on to wait: no attempt was under way.
                operation.started = true;
                continue;
            }
            match (operation.is_once(), operation.begun) {
                (true, false) => events.push(Event::StepStarted(*number)),
                (false, _) if attempts < operation.cut_off_limit() => {
                    self.suspects.insert((operation.suspicion(), *number));
                }
                _ => {
                    operation.interrupted = true;
                    outcomes.push(Event::Finished(*number));
                }
            }
        }
        self.asked.clear();
        events.extend(self.piece());
        let is_new = |number: &Number| !self.operations[number].deferred;
        let waiting = self.suspects.iter().map(|(_, number)| *number).filter(is_new);
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_unstable();
        events.extend(waiting.into_iter().map(Event::Deferred));
        events.extend(outcomes);
        events
    }

    /// The interrupted steps that begin with the next commit.
    fn piece(&mut self) -> Vec<Event> {
        self.suspects.retain(|(_, number)| {
            self.operations.get(number).is_some_and(|operation| operation.is_waiting())
        });
        let Some(&(first, _)) = self.suspects.first() else { return Vec::new() };
        let mut piece = Vec::new();
        while let Some(&(suspicion, number)) = self.suspects.first()
            && suspicion == first
            && piece.len() < 256 >> (2 * first)
        {
            self.suspects.pop_first();
            piece.push(Event::Interrupted(number));
        }
        piece
    }

    /// The timers that are due, in the order of firing.
    fn due(&self, now: u64) -> Vec<Event> {
        let waiting = self.operations.iter().filter(|(_, operation)| operation.is_waiting());
        let sleeps = waiting.filter(|(_, operation)| operation.step.is_none());
        let due = sleeps.filter(|(_, operation)| operation.deadline <= now);
        let mut due: Vec<_> = due.map(|(number, sleep)| (sleep.deadline, *number)).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, number)| Event::Fired(number)).collect()
    }

    fn check_commit(
        &mut self,
        place: usize,
        events: &[Event],
        recovered: &[Event],
        time: u64,
    ) -> Result<(), String> {
        if time < self.now {
            return Err("time goes back".into());
        }
        if place == 0 {
            return equal(events, &[Event::Started]);
        }
        if self.output.is_some() {
            return equal(events, &[Event::Ended]);
        }
        if !recovered.is_empty() {
            return equal(events, &[recovered, &self.due(time)].concat());
        }
        let once = |number: &&Number| self.operations.get(number).is_some_and(|o| o.is_once());
        let asked: Vec<_> =
            self.asked.iter().filter(once).copied().map(Event::StepStarted).collect();
        // Bodies have their turn between what was asked for and what begins again.
        let is_failure = |event: &&Event| matches!(event, Event::Failed(..));
        let failures = events.iter().skip(asked.len()).take_while(is_failure);
        let failures: Vec<Event> = failures.copied().collect();
        self.check_failures(&failures, time)?;
        let front = [asked, failures, self.piece()].concat();
        let due = self.due(time);
        if events.len() < front.len() + due.len() {
            return Err(format!("it begins with {front:?} and ends with {due:?}"));
        }
        let (found, rest) = events.split_at(front.len());
        let (middle, back) = rest.split_at(rest.len() - due.len());
        equal(found, &front)?;
        equal(back, &due)?;
        for (index, event) in middle.iter().enumerate() {
            let Event::Finished(number) = event else {
                return Err(format!("{event:?} has no place here"));
            };
            let operation = self.operations.get(number);
            if !operation.is_some_and(|operation| operation.started && operation.is_waiting()) {
                return Err(format!("nothing waits for {number:?}, or its body has not begun"));
            }
            if middle[..index].contains(event) {
                return Err(format!("{number:?} is finished twice"));
            }
        }
        Ok(())
    }

    /// The attempts whose failures a commit holds were made, and the next ones are far away.
    fn check_failures(&self, failures: &[Event], time: u64) -> Result<(), String> {
        for (index, event) in failures.iter().enumerate() {
            let Event::Failed(number, next_at) = event else { continue };
            let operation = self.operations.get(number);
            if !operation.is_some_and(|operation| operation.records_failure()) {
                return Err(format!("no attempt of {number:?} fails here"));
            }
            if failures[..index].contains(event) || *next_at < time + 1_000_000_000 {
                return Err(format!("{event:?} comes too early"));
            }
        }
        Ok(())
    }

    fn deliver(&mut self, place: usize, record: Record, (program, x): (&Code, u64)) {
        let shown = |number| &self.shown[&number];
        let text = match record.event {
            Event::Started => "start of workflow \"program\"".into(),
            Event::StepStarted(number) => format!("start of step {}", super::shown(number)),
            Event::Finished(number) => format!("outcome of {}", shown(number)),
            Event::Fired(number) => format!("end of {}", shown(number)),
            Event::Interrupted(number) => format!("interruption of step {}", super::shown(number)),
            Event::Deferred(number) => format!("deferral of step {}", super::shown(number)),
            Event::Failed(number, _) => {
                let attempt = self.operations.get(&number).map_or(0, |failed| failed.attempts + 1);
                format!("failure of attempt {attempt} of step {}", super::shown(number))
            }
            Event::Ended => "end of the run with an output".into(),
        };
        self.trace.push(format!("deliver {place}: {text}"));
        if self.output.is_some() {
            return;
        }
        self.now = record.time;
        match record.event {
            Event::Started => self.spawn_root(program, x),
            Event::StepStarted(number) => self.again(number, |operation| operation.begun = true),
            Event::Interrupted(number) => self.again(number, super::Operation::note_interrupted),
            Event::Failed(number, next_at) => {
                if let Some(operation) = self.operations.get_mut(&number) {
                    operation.attempts += 1;
                    operation.next_at = Some(next_at);
                }
            }
            Event::Deferred(number) => {
                if let Some(operation) = self.operations.get_mut(&number) {
                    operation.deferred = true;
                }
            }
            Event::Finished(number) | Event::Fired(number) => self.finish(number),
            Event::Ended => {}
        }
        self.poll_tasks();
        self.poll_for_no_reason(place + 1);
    }

    fn again(&mut self, number: Number, change: impl FnOnce(&mut super::Operation)) {
        if let Some(operation) = self.operations.get_mut(&number) {
            change(operation);
            self.asked.push(number);
        }
    }

    /// All is delivered: bodies that were asked for begin, and the starts of those that run at
    /// most once are left to be recorded.
    fn work(&mut self) {
        let mut asked = std::mem::take(&mut self.asked);
        asked.sort_unstable();
        for number in asked {
            let Some(operation) = self.operations.get_mut(&number) else { continue };
            if !matches!(operation.state, State::Waiting(_)) {
                continue;
            }
            if operation.is_once() && !operation.begun {
                self.asked.push(number);
            } else {
                operation.started = true;
            }
        }
    }
}
