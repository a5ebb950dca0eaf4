//! Steps and sleeps: numbers, asking, outcomes.

use super::super::language::{Body, Step, Value, Why, body_value, failure_value, label};
use super::order::Did;
use super::{Model, Number, Wake};

pub(super) struct Operation {
    /// With the number that it was given; `None` for a sleep.
    pub(super) step: Option<(Step, u64)>,
    pub(super) deadline: u64,
    pub(super) state: State,
    /// Its body may have begun in the present process.
    pub(super) started: bool,
    /// An `at_most_once` step whose start is recorded.
    pub(super) begun: bool,
    /// The attempts of which the history tells.
    pub(super) attempts: u32,
    /// Those of them that were not made in the present process.
    pub(super) before: u32,
    /// When the next one is made, after one whose failure is recorded.
    pub(super) next_at: Option<u64>,
    /// It is recorded that it did not begin again since then.
    pub(super) deferred: bool,
    /// A restart gave it up.
    pub(super) interrupted: bool,
}

pub(super) enum State {
    Built,
    Waiting(Wake),
    Delivered(Value),
}

pub(super) fn shown((task, local): Number) -> String {
    match task {
        0 => local.to_string(),
        _ => format!("{task}.{local}"),
    }
}

impl Operation {
    pub(super) fn new(step: Option<(Step, u64)>, deadline: u64) -> Self {
        Self {
            step,
            deadline,
            state: State::Built,
            started: false,
            begun: false,
            attempts: 0,
            before: 0,
            next_at: None,
            deferred: false,
            interrupted: false,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    pub(super) fn is_once(&self) -> bool {
        self.step.as_ref().is_some_and(|(step, _)| step.body == Body::Once)
    }

    /// The history tells of an attempt that the end of a process interrupted.
    pub(super) fn note_interrupted(&mut self) {
        self.attempts += 1;
        self.before = self.attempts;
        self.deferred = false;
        self.next_at = None;
    }

    /// Whether the failure of its next attempt is recorded.
    pub(super) fn records_failure(&self) -> bool {
        let fails =
            |(step, _): &(Step, u64)| step.body.is_patient() && step.body.fails(self.attempts + 1);
        self.started && self.is_waiting() && self.step.as_ref().is_some_and(fails)
    }

    /// The attempts after which a restart gives it up.
    pub(super) fn cut_off_limit(&self) -> u32 {
        self.step.as_ref().and_then(|(step, _)| step.body.attempts()).unwrap_or(10)
    }

    /// How many others do not begin beside it after a restart.
    pub(super) fn suspicion(&self) -> u32 {
        if self.attempts + 2 >= self.cut_off_limit() { 4 } else { self.attempts.min(4) }
    }

    /// What its body gives, and how often it ran in this process.
    fn outcome(&self, shown: &str) -> (Value, u32) {
        let Some((step, x)) = &self.step else { return (Ok(0), 0) };
        let failed = |why| Err(failure_value(shown, why));
        if self.interrupted {
            return (failed(Why::Interrupted), 0);
        }
        let mut attempt = self.attempts + 1;
        let last = step.body.attempts().unwrap_or(1);
        while step.body.fails(attempt) && step.body != Body::Permanent && attempt < last {
            attempt += 1;
        }
        let value = match step.body {
            body if !body.fails(attempt) => Ok(body_value(step, *x)),
            Body::Endless => failed(Why::Elapsed),
            Body::Permanent => failed(Why::Permanent),
            _ => failed(Why::Failed),
        };
        (value, attempt - self.before)
    }
}

impl Model {
    fn build(&mut self, step: Option<(Step, u64)>, deadline: u64) -> Number {
        let (task, own) = self.own();
        task.built += 1;
        let number = (own, task.built);
        let text = match &step {
            None => format!("sleep {}", shown(number)),
            Some((step, x)) if step.labelled => {
                format!("step {} {:?} [{}]", shown(number), step.name, label(*x))
            }
            Some((step, _)) => format!("step {} {:?}", shown(number), step.name),
        };
        self.shown.insert(number, text);
        self.operations.insert(number, Operation::new(step, deadline));
        number
    }

    pub(super) fn build_step(&mut self, step: &Step, x: u64) -> Number {
        let number = self.build(Some((step.clone(), x)), 0);
        if let Some(topic) = step.reports {
            self.talks.reports.build(number, topic, x);
        }
        number
    }

    pub(super) fn build_sleep(&mut self, millis: u64) -> Number {
        self.build(None, self.now + millis * 1_000_000)
    }

    /// The first poll asks; a later one takes what was delivered.
    pub(super) fn poll_operation(&mut self, number: Number, wake: Wake) -> Option<Value> {
        let operation = self.operations.get_mut(&number).expect("it is alive");
        if let State::Delivered(value) = operation.state {
            self.operations.remove(&number);
            return Some(value);
        }
        if !operation.is_waiting() {
            self.trace.push(format!("ask {}", self.shown[&number]));
            self.asked.push(number);
            self.talks.order.add(number, Did::Request);
        }
        operation.state = State::Waiting(wake);
        None
    }

    /// Whoever held it is gone.
    pub(super) fn forget(&mut self, number: Number) {
        self.operations.remove(&number);
        self.forget_talk(number);
    }

    /// Hands over the outcome, if somebody still waits for it.
    pub(super) fn finish(&mut self, number: Number) {
        let shown = &self.shown[&number];
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let (value, ran) = operation.outcome(shown);
        if operation.step.is_some() {
            self.ran.insert(number, ran);
        }
        let before = std::mem::replace(&mut operation.state, State::Delivered(value));
        if let State::Waiting(wake) = before {
            self.wake(wake);
        }
    }
}
