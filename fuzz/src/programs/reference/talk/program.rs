//! What a program does when it talks: what it builds, polls and drops.

use super::super::super::language::{Code, Value, flat, mix};
use super::super::super::talk::{
    CHANNELS, Child, First, Hold, INBOXES, PASSES, QUESTIONS, Talk, Then, WORKFLOWS,
};
use super::super::operations::{Operation, State as Stands};
use super::super::order::Did;
use super::super::poll::State;
use super::super::{Model, Number, Wake};
use super::{Begun, End, Message, Receive, Talking};

impl Model {
    fn build_talk(&mut self, shown: &str) -> Number {
        let (task, own) = self.own();
        task.built += 1;
        let number = (own, task.built);
        let (kind, name) = shown.split_once(' ').expect("a kind and a name");
        let text = format!("{kind} {} {name:?}", super::super::operations::shown(number));
        self.shown.insert(number, text);
        self.operations.insert(number, Operation::new(None, 0));
        number
    }

    fn build_receive(&mut self, inbox: usize, x: u64) -> Number {
        let number = self.build_talk(&format!("receive {}", INBOXES[inbox]));
        self.talks.built += 1;
        let order = self.talks.built;
        self.talks.receives.insert(number, Receive { inbox, order, x, in_hand: None });
        number
    }

    /// Messages and receives are built before they are polled.
    pub(in super::super) fn begin_talk(&mut self, code: &Code, talk: &Talk, x: u64) -> State {
        match talk {
            Talk::Send(letter) => {
                let send = self.build_talk(&format!("send {}", CHANNELS[letter.channel].name()));
                State::Sent(send, x)
            }
            Talk::Receive(channel) => State::Received(self.build_receive(*channel, x)),
            _ => State::Lazy(code.clone(), x),
        }
    }

    /// The first poll of a part that was not built before. `Err`: it ends with this number.
    pub(in super::super) fn enter_talk(
        &mut self,
        code: &Code,
        (talk, x): (&Talk, u64),
        wake: Wake,
    ) -> Result<Talking, u64> {
        Ok(match talk {
            Talk::Glimpsed(letter) => {
                let send = self.build_talk(&format!("send {}", CHANNELS[letter.channel].name()));
                self.poll_operation(send, wake);
                self.forget(send);
                return Err(x);
            }
            Talk::Cancelled => Talking::Cancelled(None),
            Talk::Shield(inner) => {
                let part = self.boxed(inner, x);
                self.talks.shields += 1;
                Talking::Shield(part)
            }
            Talk::Hold(hold) => {
                let receive = self.build_receive(hold.channel, x);
                if hold.polled
                    && let Some(message) = self.poll_receive(receive, wake)
                {
                    return Err(message);
                }
                let part = Some(self.boxed(&hold.code, x));
                Talking::Hold { code: code.clone(), receive, x, part }
            }
            Talk::Child(child) => self.enter_child(code, child, x, wake),
            Talk::Again if self.talks.pass >= PASSES => return Err(x),
            Talk::Again => {
                if self.talks.end.is_none() {
                    self.talks.end = Some(End::Again);
                    self.output = Some(Ok(0));
                }
                Talking::Never
            }
            Talk::Panic | Talk::Exposed => return Err(x),
            Talk::Publish(topic) => {
                let (task, own) = self.own();
                task.built += 1;
                let number = (own, task.built);
                self.do_to_others(number, Did::Published { topic: *topic, value: x });
                return Err(x);
            }
            Talk::Asked(_) => {
                let receive = self.build_receive(QUESTIONS, x);
                Talking::Asked { code: code.clone(), receive, x, seq: None, part: None }
            }
            Talk::Send(_) | Talk::Receive(_) => unreachable!("they are built before"),
        })
    }

    fn enter_child(&mut self, code: &Code, child: &Child, x: u64, wake: Wake) -> Talking {
        let number = self.build_talk(&format!("child {}", WORKFLOWS[child.workflow].name()));
        self.talks.children.insert(number, Begun::default());
        let is_started = child.first != First::Started;
        if child.first == First::Polled {
            self.poll_operation(number, wake);
        }
        let part = is_started.then(|| self.boxed(&child.code, x));
        Talking::Child { code: code.clone(), number, x, part, value: None, is_started }
    }

    pub(in super::super) fn poll_talking(
        &mut self,
        talking: &mut Talking,
        wake: Wake,
    ) -> Option<Value> {
        match talking {
            Talking::Never => None,
            Talking::Cancelled(waiter) => {
                if let Some(cause) = self.talks.cause {
                    self.talks.is_seen = true;
                    waiter.take().into_iter().for_each(|waiter| self.forget_waiter(waiter));
                    return Some(Err(cause));
                }
                let waiter = *waiter.get_or_insert_with(|| {
                    self.talks.next_waiter += 1;
                    self.talks.next_waiter
                });
                self.talks.waiters.insert(waiter, wake);
                None
            }
            Talking::Shield(part) => {
                let value = self.poll(part, wake)?;
                self.talks.shields -= 1;
                Some(value)
            }
            Talking::Hold { code, receive, x, part } => {
                if let Some(inner) = part {
                    *x = mix(*x, flat(self.poll(inner, wake)?));
                    *part = None;
                }
                let Some(Talk::Hold(Hold { awaited, .. })) = code.kind.talk() else {
                    unreachable!("it is one")
                };
                if *awaited {
                    self.talks.receives.get_mut(receive)?.x = *x;
                    return self.poll_receive(*receive, wake).map(Ok);
                }
                self.forget(*receive);
                Some(Ok(*x))
            }
            Talking::Child { code, number, x, part, value, is_started } => {
                let Some(Talk::Child(child)) = code.kind.talk() else { unreachable!("it is one") };
                if !*is_started {
                    if let Err(failure) = self.poll_started(*number, wake)? {
                        self.forget(*number);
                        return Some(Err(failure));
                    }
                    *is_started = true;
                    *part = Some(self.boxed(&child.code, *x));
                }
                if let Some(inner) = part {
                    *value = Some(flat(self.poll(inner, wake)?));
                    *part = None;
                }
                let value = value.expect("the part has ended");
                if child.then == Then::Awaited {
                    let ended = self.poll_operation(*number, wake)?;
                    self.talks.children.remove(number);
                    return Some(ended.map(|ended| mix(value, ended)));
                }
                let detached = (child.then == Then::Detached).then_some(child.workflow);
                self.let_go(*number, detached);
                Some(Ok(value))
            }
            Talking::Asked { code, receive, x, seq, part } => {
                let Some(Talk::Asked(spec)) = code.kind.talk() else { unreachable!("it is one") };
                if seq.is_none() {
                    let (at, question) = self.poll_message(*receive, wake)?;
                    (*seq, *x) = (Some(at), mix(*x, question));
                    *part = spec.code.as_ref().map(|code| self.boxed(code, *x));
                }
                if let Some(inner) = part {
                    *x = mix(*x, flat(self.poll(inner, wake)?));
                    *part = None;
                }
                let seq = seq.expect("it is in hand");
                let answer = spec.answered.then_some(*x);
                self.do_to_others(*receive, Did::Answered { seq, answer });
                Some(Ok(*x))
            }
        }
    }

    /// Nobody holds a child any more. One of this workflow, if it is to go on by itself.
    fn let_go(&mut self, number: Number, detached: Option<usize>) {
        let state = self.operations.get(&number).map(|operation| &operation.state);
        let (is_built, is_waiting) =
            (matches!(state, Some(Stands::Built)), matches!(state, Some(Stands::Waiting(_))));
        let is_begun = self.talks.children.get(&number).is_some_and(|child| child.is_begun);
        let did = match (detached, is_begun) {
            (None, true) if is_waiting => Some(Did::ChildDropped),
            (Some(_), true) if is_waiting => Some(Did::ChildDetached),
            (Some(workflow), false) if is_waiting || is_built => {
                Some(Did::ChildStarted { workflow })
            }
            _ => None,
        };
        self.forget(number);
        did.into_iter().for_each(|did| self.do_to_others(number, did));
    }

    /// The code did something to others that it does not await.
    fn do_to_others(&mut self, number: Number, did: Did) {
        if self.talks.end != Some(End::Parked) {
            self.talks.order.add(number, did);
        }
    }

    /// Whether a child was started, or why not.
    fn poll_started(&mut self, number: Number, wake: Wake) -> Option<Result<(), u64>> {
        let is_begun = self.talks.children[&number].is_begun;
        let delivered = match self.operations[&number].state {
            Stands::Delivered(value) => Some(value),
            Stands::Built | Stands::Waiting(_) => None,
        };
        match (is_begun, delivered) {
            (false, Some(Err(failure))) => return Some(Err(failure)),
            (true, _) | (_, Some(_)) => return Some(Ok(())),
            (false, None) => {}
        }
        self.poll_operation(number, wake);
        self.talks.children.get_mut(&number).expect("it is held").waiter = Some(wake);
        None
    }

    /// What a receive gives.
    pub(in super::super) fn poll_receive(&mut self, number: Number, wake: Wake) -> Option<u64> {
        let x = self.talks.receives.get(&number)?.x;
        let (_, message) = self.poll_message(number, wake)?;
        Some(mix(x, message))
    }

    /// Where the message of a receive stands, and what it is: one that is there it takes at its first
    /// poll.
    fn poll_message(&mut self, number: Number, wake: Wake) -> Option<(u64, u64)> {
        let receive = self.talks.receives.get_mut(&number)?;
        let (inbox, order, in_hand) = (receive.inbox, receive.order, receive.in_hand.take());
        let taken = match self.operations[&number].state {
            Stands::Built => {
                let taken = self.take(inbox);
                if taken.is_some() {
                    self.trace.push(format!("ask {}", self.shown[&number]));
                } else {
                    self.talks.waiting[inbox].insert(order, number);
                }
                taken
            }
            Stands::Delivered(_) => {
                let in_hand = in_hand.expect("it was handed over");
                let is_skipped = self.talks.skipped.contains(&in_hand.0);
                let taken = if is_skipped { self.take(inbox) } else { Some(in_hand) };
                if taken.is_none() {
                    // It waits on.
                    self.talks.waiting[inbox].insert(order, number);
                    let operation = self.operations.get_mut(&number).expect("it is alive");
                    operation.state = Stands::Waiting(wake);
                    return None;
                }
                taken
            }
            Stands::Waiting(_) => None,
        };
        let Some((seq, message)) = taken else {
            self.poll_operation(number, wake);
            return None;
        };
        self.operations.remove(&number);
        self.talks.receives.remove(&number);
        if message.is_none() {
            self.park();
        }
        message.map(|message| (seq, message))
    }

    /// Takes the first message that nobody has taken.
    fn take(&mut self, inbox: usize) -> Option<(u64, Message)> {
        loop {
            let first = self.talks.arrived[inbox].pop_first()?;
            if !self.talks.skipped.contains(&first.0) {
                return Some(first);
            }
        }
    }

    /// A message arrives, or is put back: the oldest receive that waits gets the first one.
    pub(super) fn arrive(&mut self, inbox: usize, seq: u64, message: Message) {
        self.talks.arrived[inbox].insert(seq, message);
        if let Some((_, receive)) = self.talks.waiting[inbox].pop_first() {
            let first = self.talks.arrived[inbox].pop_first();
            self.talks.receives.get_mut(&receive).expect("it waits").in_hand = first;
            self.hand_over(receive, Ok(0));
        }
    }

    /// Whoever held an operation is gone: what a receive has in hand goes back.
    pub(in super::super) fn forget_talk(&mut self, number: Number) {
        self.talks.children.remove(&number);
        let Some(receive) = self.talks.receives.remove(&number) else { return };
        self.talks.waiting[receive.inbox].remove(&receive.order);
        if let Some((seq, message)) = receive.in_hand {
            self.arrive(receive.inbox, seq, message);
        }
    }

    fn forget_waiter(&mut self, waiter: u64) {
        self.talks.waiters.remove(&waiter);
    }

    pub(in super::super) fn drop_talking(&mut self, talking: Talking) {
        match talking {
            Talking::Never => {}
            Talking::Cancelled(waiter) => {
                waiter.into_iter().for_each(|waiter| self.forget_waiter(waiter));
            }
            Talking::Shield(part) => {
                self.drop_part(*part);
                self.talks.shields -= 1;
            }
            Talking::Hold { receive, part, .. } => {
                part.into_iter().for_each(|part| self.drop_part(*part));
                self.forget(receive);
            }
            Talking::Child { number, part, .. } => {
                part.into_iter().for_each(|part| self.drop_part(*part));
                self.let_go(number, None);
            }
            Talking::Asked { receive, seq, part, .. } => {
                part.into_iter().for_each(|part| self.drop_part(*part));
                match seq {
                    Some(seq) => self.do_to_others(receive, Did::Answered { seq, answer: None }),
                    None => self.forget(receive),
                }
            }
        }
    }
}
