//! Messages, children, requests to end, passes: what a run does with them, told from its history alone.

mod program;

use std::collections::{BTreeMap, BTreeSet};

use super::super::language::{Code, Value, Why, body_value, failure_value, flat};
use super::super::live::Output;
use super::super::talk::INBOXES;
use super::operations::{Operation, State as Stands};
use super::order::{Did, Order, Reports};
use super::poll::Part;
use super::{Model, Number, Wake};

/// What the history of a run says, with how it is shown.
#[derive(Debug)]
pub(crate) enum News {
    /// Nothing that the code could tell.
    Nothing,
    /// What counts no longer: it is not delivered.
    Void,
    /// The run begins, with a seed.
    Began(u64),
    /// A step or a send: its output or why it failed; of a failed send, the number that stands for why.
    /// With its attempts.
    Ended(Number, Result<Option<u64>, (Why, u64)>, u32),
    Fired(Number),
    ChildStarted(Number),
    /// The value and what it saw, or the number that stands for why there is none.
    ChildEnded(Number, Result<u64, u64>),
    Message {
        inbox: usize,
        seq: u64,
        message: Message,
    },
    Cancel {
        cause: u64,
        terminates: bool,
    },
    /// Nobody receives the message at this place.
    Skipped(u64),
    /// A body published.
    Reported {
        number: Number,
        attempt: u32,
        topic: usize,
        value: u64,
    },
}

/// `None`: it cannot be read.
pub(crate) type Message = Option<u64>;

#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) time: u64,
    pub(crate) shown: String,
    pub(crate) news: News,
    /// What of all that the code does to others it is.
    pub(crate) did: Option<(Number, Did)>,
}

/// Which run it is.
#[derive(Clone, Copy)]
pub(crate) struct Own {
    pub(crate) key: u64,
    pub(crate) pass: u32,
    /// That of the polls for no reason.
    pub(crate) wakes: u64,
}

/// What a run must have done, and where it stands.
pub(crate) struct Stand {
    pub(crate) trace: Vec<String>,
    pub(crate) end: Option<End>,
    pub(crate) output: Option<Output>,
    /// Whether the program came to a failure.
    pub(crate) has_failed: bool,
    /// The messages that nobody has taken: where they came to, and what they are, in order.
    pub(crate) untaken: Vec<(usize, Message)>,
    /// What it awaits though that does not need anybody else, and is not due later than `now`.
    pub(crate) overdue: Vec<String>,
    /// When the first of its sleeps is over.
    pub(crate) first_deadline: Option<u64>,
    /// Whether it awaits what somebody does for it.
    pub(crate) is_busy: bool,
    /// Whether it was asked to end.
    pub(crate) is_asked: bool,
    /// What the code has published and answered that the history does not hold.
    pub(crate) unrecorded: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Returned,
    Dropped,
    Again,
    /// It took a message that cannot be read.
    Parked,
}

/// What is between a run and others.
#[derive(Default)]
pub(super) struct Talks {
    pass: u32,
    pub(super) end: Option<End>,
    arrived: [BTreeMap<u64, Message>; INBOXES.len()],
    waiting: [BTreeMap<u64, Number>; INBOXES.len()],
    /// The messages that nobody receives.
    skipped: BTreeSet<u64>,
    pub(super) order: Order,
    pub(super) reports: Reports,
    receives: BTreeMap<Number, Receive>,
    built: u64,
    children: BTreeMap<Number, Begun>,
    cause: Option<u64>,
    is_seen: bool,
    waiters: BTreeMap<u64, Wake>,
    next_waiter: u64,
    shields: u32,
    /// How long the trace was when it was parked.
    parked_at: Option<usize>,
}

struct Receive {
    inbox: usize,
    order: u64,
    x: u64,
    in_hand: Option<(u64, Message)>,
}

#[derive(Default)]
struct Begun {
    is_begun: bool,
    waiter: Option<Wake>,
}

/// A part that talks, once begun.
pub(super) enum Talking {
    /// Nothing comes of it.
    Never,
    Cancelled(Option<u64>),
    Shield(Box<Part>),
    Hold {
        code: Code,
        receive: Number,
        x: u64,
        part: Option<Box<Part>>,
    },
    Child {
        code: Code,
        number: Number,
        x: u64,
        part: Option<Box<Part>>,
        value: Option<u64>,
        is_started: bool,
    },
    Asked {
        code: Code,
        receive: Number,
        x: u64,
        /// Where the question stands, once it is in hand.
        seq: Option<u64>,
        part: Option<Box<Part>>,
    },
}

/// Carries a program out in the order of a whole history. An error says what no history may say.
pub(crate) fn carry_out(
    program: &Code,
    x: u64,
    own: Own,
    (history, now): (&[Delivered], u64),
) -> Result<Stand, String> {
    let mut model = Model::new((0, own.wakes));
    model.key = own.key;
    model.talks.pass = own.pass;
    // What is skipped is known from the beginning.
    model.talks.skipped = history.iter().filter_map(|delivered| delivered.skips()).collect();
    for (place, delivered) in history.iter().enumerate() {
        if model.talks.end == Some(End::Parked) {
            break;
        }
        if matches!(delivered.news, News::Void) {
            continue;
        }
        model.trace.push(format!("deliver {place}: {}", delivered.shown));
        let has_ended = model.talks.end.is_some();
        let told = model.talks.order.take_up(&delivered.did, has_ended);
        let told = told.and_then(|()| model.tell(delivered, (program, x)));
        told.map_err(|why| format!("at {place}, {}: {why}", delivered.shown))?;
        if model.talks.end.is_none() {
            model.now = delivered.time;
            model.poll_tasks();
            model.poll_for_no_reason(place + 1);
            model.drop_if_asked();
        }
    }
    Ok(model.stand(now))
}

impl Delivered {
    fn skips(&self) -> Option<u64> {
        match self.news {
            News::Skipped(seq) => Some(seq),
            _ => None,
        }
    }
}

impl Model {
    fn stand(mut self, now: u64) -> Stand {
        if let Some(length) = self.talks.parked_at {
            self.trace.truncate(length);
        }
        let shown = &self.shown;
        let is_sleep = |number: &Number, operation: &Operation| {
            let is_other = operation.step.is_some() || operation.deadline == 0;
            !is_other && operation.is_waiting() && !self.talks.receives.contains_key(number)
        };
        let sleeps = self.operations.iter().filter(|(number, sleep)| is_sleep(number, sleep));
        let first_deadline = sleeps.map(|(_, sleep)| sleep.deadline).min();
        let overdue = self.operations.iter().filter(|(number, operation)| {
            let is_due = match (&operation.step, self.talks.receives.contains_key(number)) {
                (Some(_), _) => true,
                (None, true) => false,
                (None, false) => match self.talks.children.get(number) {
                    Some(child) => !child.is_begun,
                    None => operation.deadline <= now,
                },
            };
            is_due && operation.is_waiting()
        });
        let overdue: Vec<_> = overdue.map(|(number, _)| shown[number].clone()).collect();
        let mut untaken: BTreeMap<u64, (usize, Message)> = BTreeMap::new();
        for (inbox, arrived) in self.talks.arrived.iter().enumerate() {
            untaken.extend(arrived.iter().map(|(seq, message)| (*seq, (inbox, *message))));
        }
        for receive in self.talks.receives.values() {
            let in_hand = receive.in_hand.iter();
            untaken.extend(in_hand.map(|(seq, message)| (*seq, (receive.inbox, *message))));
        }
        untaken.retain(|seq, _| !self.talks.skipped.contains(seq));
        let is_busy = self.operations.iter().any(|(number, operation)| {
            let talks = &self.talks;
            let waits = is_sleep(number, operation)
                || talks.receives.contains_key(number)
                || talks.children.get(number).is_some_and(|child| child.is_begun);
            operation.is_waiting() && !waits
        });
        let returned = self.talks.end == Some(End::Returned);
        let output = self.output.filter(|_| returned);
        let has_failed = matches!(output, Some(Err(_)));
        let output = output.map(|value| (flat(value), self.seen));
        Stand {
            trace: self.trace,
            end: self.talks.end,
            output,
            has_failed,
            untaken: untaken.into_values().collect(),
            overdue,
            first_deadline,
            is_busy,
            is_asked: self.talks.cause.is_some(),
            unrecorded: self.talks.order.unrecorded(self.talks.end.is_some()),
        }
    }

    /// A message that cannot be read is taken: nothing of the run goes on.
    fn park(&mut self) {
        self.talks.parked_at.get_or_insert(self.trace.len());
        self.talks.end = Some(End::Parked);
        self.output = Some(Ok(0));
    }

    fn tell(&mut self, delivered: &Delivered, (program, x): (&Code, u64)) -> Result<(), String> {
        if self.talks.end.is_some() {
            match delivered.news {
                News::Message { inbox, seq, message } => {
                    self.talks.arrived[inbox].insert(seq, message);
                }
                // Its future went with all others, or before.
                News::ChildStarted(number) => self.talks.order.let_go_again(number),
                _ => {}
            }
            return Ok(());
        }
        self.now = delivered.time;
        match &delivered.news {
            News::Nothing | News::Void | News::Skipped(_) => {}
            News::Reported { number, attempt, topic, value } => {
                return self.talks.reports.report(*number, *attempt, (*topic, *value));
            }
            News::Began(seed) => {
                self.seed = *seed;
                self.spawn_root(program, x);
            }
            News::Ended(number, outcome, attempts) => {
                let is_cut_off = matches!(outcome, Err((Why::Interrupted, _)));
                self.talks.reports.end(*number, (!is_cut_off).then_some(*attempts))?;
                return self.end_operation(*number, *outcome);
            }
            News::Fired(number) => {
                let operation = self.operations.get(number);
                if operation.is_some_and(|operation| operation.deadline > delivered.time) {
                    return Err("it is not due".into());
                }
                self.hand_over(*number, Ok(0));
            }
            News::ChildStarted(number) => {
                let Some(child) = self.talks.children.get_mut(number) else {
                    self.talks.order.let_go_again(*number);
                    return Ok(());
                };
                child.is_begun = true;
                let waiter = child.waiter.take();
                waiter.into_iter().for_each(|waiter| self.wake(waiter));
            }
            News::ChildEnded(number, outcome) => self.hand_over(*number, *outcome),
            News::Message { inbox, seq, message } => self.arrive(*inbox, *seq, *message),
            News::Cancel { terminates: true, .. } => self.drop_code(),
            News::Cancel { cause, .. } => {
                self.talks.cause = self.talks.cause.or(Some(*cause));
                let waiters: Vec<_> = self.talks.waiters.values().copied().collect();
                waiters.into_iter().for_each(|waiter| self.wake(waiter));
            }
        }
        Ok(())
    }

    fn end_operation(
        &mut self,
        number: Number,
        outcome: Result<Option<u64>, (Why, u64)>,
    ) -> Result<(), String> {
        let Some(operation) = self.operations.get(&number) else { return Ok(()) };
        let value = match (&operation.step, outcome) {
            (Some((step, x)), Ok(Some(output))) => {
                if output != body_value(step, *x) {
                    return Err(format!("its body gives {}", body_value(step, *x)));
                }
                Ok(output)
            }
            (Some(_), Err((why, _))) => Err(failure_value(&self.shown_step(number), why)),
            (None, Ok(_)) => Ok(0),
            (None, Err((_, failure))) => Err(failure),
            (Some(_), Ok(None)) => return Err("it has no output".into()),
        };
        self.hand_over(number, value);
        Ok(())
    }

    fn shown_step(&self, number: Number) -> String {
        self.shown[&number].clone()
    }

    fn hand_over(&mut self, number: Number, value: Value) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let before = std::mem::replace(&mut operation.state, Stands::Delivered(value));
        if let Stands::Waiting(wake) = before {
            self.wake(wake);
        }
    }

    /// A run that was asked to end, and did not look, is dropped when it is quiescent.
    fn drop_if_asked(&mut self) {
        let talks = &self.talks;
        let is_awaited = talks.shields > 0 || !talks.waiters.is_empty();
        if talks.cause.is_some() && !talks.is_seen && !is_awaited {
            self.drop_code();
        }
    }

    fn drop_code(&mut self) {
        if self.talks.end.is_none() {
            self.talks.end = Some(End::Dropped);
            self.output = Some(Ok(0));
        }
    }
}
