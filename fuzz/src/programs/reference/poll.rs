//! Each part of a program as a state, and what a poll does to it.

use super::super::language::{Code, Kind, Lib, Value, flat, fold, mix};
use super::combine::{Group, Until};
use super::talk::Talking;
use super::{Model, Number, Wake};

/// A part that was begun.
pub(super) struct Part {
    /// Where it writes down what it gives.
    site: Option<u16>,
    pub(super) state: State,
}

pub(super) enum State {
    /// To be begun by the task that polls it first.
    Code(Code, u64),
    /// Begun; nothing of it has happened.
    Lazy(Code, u64),
    /// A step, or a sleep with what it gives.
    Operation(Number, Option<Value>),
    /// A send, with what it gives.
    Sent(Number, u64),
    Received(Number),
    Talking(Talking),
    /// To go on at the next poll.
    Yielded(u64),
    Ended,
    Group(Group),
    Seq {
        code: Code,
        next: usize,
        x: u64,
        part: Option<Box<Part>>,
    },
    Inner(Box<Part>),
    Await(usize),
    Spawned {
        task: usize,
        meanwhile: Option<Box<Part>>,
        value: Value,
        abort: bool,
    },
    Loop(Turns),
    Produce(Produce),
    Consume {
        code: Code,
        channel: usize,
        sum: u64,
        part: Option<Box<Part>>,
    },
    Give(usize, Box<Part>),
    Take {
        channel: usize,
        code: Code,
        x: u64,
    },
    Waiting {
        lock: usize,
        key: Option<usize>,
        code: Code,
        x: u64,
    },
    Holding {
        lock: usize,
        part: Box<Part>,
    },
}

/// A loop over what finishes first.
pub(super) struct Turns {
    code: Code,
    pub(super) set: usize,
    given: u64,
    x: u64,
    /// Members that were taken from the stream, or put into the set by results.
    taken: u64,
    pub(super) then: Option<Box<Part>>,
}

pub(super) struct Produce {
    code: Code,
    pub(super) channel: usize,
    item: u64,
    given: u64,
    sum: u64,
    pub(super) part: Option<Box<Part>>,
}

/// What comes of entering a part.
enum Entered {
    Goes(State),
    Ends(u64),
}

impl Part {
    pub(super) fn code(code: &Code, x: u64) -> Self {
        Self { site: None, state: State::Code(code.clone(), x) }
    }

    fn silent(state: State) -> Self {
        Self { site: None, state }
    }
}

impl Model {
    /// Builds what is built before the first poll.
    fn begin(&mut self, code: &Code, x: u64) -> Part {
        let state = match &code.kind {
            Kind::Step(step) => State::Operation(self.build_step(step, x), None),
            Kind::Sleep(millis) => State::Operation(self.build_sleep(*millis), Some(Ok(x))),
            Kind::Timeout(limit, code) => {
                let part = self.begin(code, x);
                let sleep = State::Operation(self.build_sleep(*limit), Some(Err(x)));
                let parts = vec![part, Part::silent(sleep)];
                State::Group(self.group(Lib::Tokio, Until::FirstReady, parts))
            }
            Kind::Talk(talk) => self.begin_talk(code, talk, x),
            _ => State::Lazy(code.clone(), x),
        };
        Part { site: Some(code.site), state }
    }

    pub(super) fn boxed(&mut self, code: &Code, x: u64) -> Box<Part> {
        Box::new(self.begin(code, x))
    }

    pub(super) fn poll(&mut self, part: &mut Part, wake: Wake) -> Option<Value> {
        let value = self.poll_state(&mut part.state, wake)?;
        part.state = State::Ended;
        part.site.into_iter().for_each(|site| self.saw(site, flat(value)));
        Some(value)
    }

    fn poll_state(&mut self, state: &mut State, wake: Wake) -> Option<Value> {
        match state {
            State::Code(code, x) => {
                let (code, x) = (code.clone(), *x);
                *state = State::Inner(self.boxed(&code, x));
                self.poll_state(state, wake)
            }
            State::Lazy(code, x) => {
                let (code, x) = (code.clone(), *x);
                match self.enter(&code, x, wake) {
                    Entered::Ends(x) => Some(Ok(x)),
                    Entered::Goes(next) => {
                        let waits = matches!(next, State::Yielded(_));
                        *state = next;
                        if waits { None } else { self.poll_state(state, wake) }
                    }
                }
            }
            State::Operation(number, gives) => {
                let value = self.poll_operation(*number, wake)?;
                Some(gives.unwrap_or(value))
            }
            State::Sent(number, x) => Some(self.poll_operation(*number, wake)?.map(|_| *x)),
            State::Received(number) => self.poll_receive(*number, wake).map(Ok),
            State::Talking(talking) => self.poll_talking(talking, wake),
            State::Yielded(x) => Some(Ok(*x)),
            State::Ended => panic!("a part that has ended is not polled"),
            State::Group(group) => self.poll_group(group, wake),
            State::Seq { code, next, x, part } => loop {
                let codes = code.kind.children();
                let Some(now) = codes.get(*next) else { return Some(Ok(*x)) };
                let mut begun = part.take().unwrap_or_else(|| self.boxed(now, *x));
                let Some(value) = self.poll(&mut begun, wake) else {
                    *part = Some(begun);
                    return None;
                };
                let Ok(value) = value else { return Some(value) };
                (*x, *next) = (mix(*x, value), *next + 1);
            },
            State::Inner(part) => self.poll(part, wake),
            State::Await(task) => self.poll_output(*task, wake),
            State::Spawned { task, meanwhile, value, abort } => {
                if let Some(part) = meanwhile {
                    *value = self.poll(part, wake)?;
                    *meanwhile = None;
                }
                if *abort {
                    self.cancel(*task);
                    return Some(*value);
                }
                let output = self.poll_output(*task, wake)?;
                Some(Ok(fold([*value, output])))
            }
            State::Loop(turns) => self.poll_loop(turns, wake),
            State::Produce(produce) => self.poll_produce(produce, wake),
            State::Consume { code, channel, sum, part } => loop {
                if let Some(part) = part {
                    *sum = mix(*sum, flat(self.poll(part, wake)?));
                }
                *part = None;
                let Some(item) = self.receive(*channel, wake)? else { return Some(Ok(*sum)) };
                self.saw(code.site, item);
                let Kind::Pipe(pipe) = &code.kind else { unreachable!("only pipes consume") };
                *part = Some(self.boxed(&pipe.consume, mix(*sum, item)));
            },
            State::Give(channel, part) => {
                let value = self.poll(part, wake)?;
                self.send_only(*channel, flat(value));
                Some(value)
            }
            State::Take { channel, code, x } => {
                let item = self.receive(*channel, wake)?.unwrap_or(*x);
                let x = mix(*x, item);
                self.saw(code.site, item);
                let second = code.kind.children()[1].clone();
                *state = State::Inner(self.boxed(&second, x));
                self.poll_state(state, wake)
            }
            State::Waiting { lock, key, code, x } => {
                if !self.lock(*lock, key, wake) {
                    return None;
                }
                let (lock, x) = (*lock, mix(*x, self.locks[*lock].value));
                let inner = code.kind.children()[0].clone();
                *state = State::Holding { lock, part: self.boxed(&inner, x) };
                self.poll_state(state, wake)
            }
            State::Holding { lock, part } => {
                let value = flat(self.poll(part, wake)?);
                let held = &mut self.locks[*lock].value;
                *held = mix(*held, value);
                let held = *held;
                self.unlock(*lock);
                Some(Ok(held))
            }
        }
    }

    /// The first poll of a part that was not built before.
    fn enter(&mut self, code: &Code, x: u64, wake: Wake) -> Entered {
        Entered::Goes(match &code.kind {
            Kind::Yield => {
                self.wake(wake);
                State::Yielded(x)
            }
            Kind::Now => return Entered::Ends(self.now),
            Kind::Random => return Entered::Ends(self.random()),
            Kind::Unused(step) => {
                let number = self.build_step(step, x);
                self.forget(number);
                return Entered::Ends(x);
            }
            Kind::Glimpsed(step) => {
                let number = self.build_step(step, x);
                self.poll_operation(number, wake);
                self.forget(number);
                return Entered::Ends(x);
            }
            Kind::Moved(step) => {
                let step = State::Operation(self.build_step(step, x), None);
                State::Await(self.spawn(Part::silent(step)))
            }
            Kind::Seq(_) => State::Seq { code: code.clone(), next: 0, x, part: None },
            Kind::Choose(even, odd) => {
                State::Inner(self.boxed(if x.is_multiple_of(2) { even } else { odd }, x))
            }
            Kind::Join(lib, codes) => self.enter_group(*lib, Until::AllReady, codes.iter(), x),
            Kind::TryJoin(lib, codes) => {
                self.enter_group(*lib, Until::FirstFailure, codes.iter(), x)
            }
            Kind::Race(lib, one, other) => {
                self.enter_group(*lib, Until::FirstReady, [one, other].into_iter(), x)
            }
            Kind::SpawnDetach(task) => {
                self.spawn(Part::code(task, mix(x, 2)));
                return Entered::Ends(x);
            }
            Kind::SpawnAwait(task, meanwhile) | Kind::SpawnAbort(task, meanwhile) => {
                let task = self.spawn(Part::code(task, mix(x, 2)));
                let abort = matches!(code.kind, Kind::SpawnAbort(..));
                let meanwhile = Some(self.boxed(meanwhile, x));
                State::Spawned { task, meanwhile, value: Ok(0), abort }
            }
            Kind::Unordered(_) | Kind::Buffered(_) => State::Loop(self.enter_loop(code, x)),
            Kind::Pipe(pipe) => {
                let channel = self.open_channel();
                let produce =
                    Produce { code: code.clone(), channel, item: 0, given: x, sum: x, part: None };
                let producer = Part::silent(State::Produce(produce));
                let consumer = State::Consume { code: code.clone(), channel, sum: x, part: None };
                let consumer = Part::silent(consumer);
                if pipe.spawned {
                    let (task, meanwhile) = (self.spawn(producer), Some(Box::new(consumer)));
                    State::Spawned { task, meanwhile, value: Ok(0), abort: false }
                } else {
                    let parts = vec![producer, consumer];
                    State::Group(self.group(Lib::Dacapo, Until::AllReady, parts))
                }
            }
            Kind::Oneshot(first, _) => {
                let channel = self.open_channel();
                let give = State::Give(channel, Box::new(Part::code(first, x)));
                let take = State::Take { channel, code: code.clone(), x };
                let parts = vec![Part::silent(give), Part::silent(take)];
                State::Group(self.group(Lib::Dacapo, Until::AllReady, parts))
            }
            Kind::Lock(_, lock, _) => {
                State::Waiting { lock: *lock, key: None, code: code.clone(), x }
            }
            Kind::Step(_) | Kind::Sleep(_) | Kind::Timeout(..) => unreachable!("they are built"),
            Kind::Talk(talk) => match self.enter_talk(code, (talk, x), wake) {
                Ok(talking) => State::Talking(talking),
                Err(x) => return Entered::Ends(x),
            },
            Kind::Shared(_) => unreachable!("the reference does not know it"),
        })
    }

    fn enter_group<'a>(
        &mut self,
        lib: Lib,
        until: Until,
        codes: impl Iterator<Item = &'a Code>,
        x: u64,
    ) -> State {
        let parts = (0..).zip(codes).map(|(index, code)| self.begin(code, mix(x, index))).collect();
        State::Group(self.group(lib, until, parts))
    }

    fn enter_loop(&mut self, code: &Code, x: u64) -> Turns {
        let set = self.open_set();
        if let Kind::Unordered(spec) = &code.kind {
            for (index, member) in (0..).zip(&spec.members) {
                let member = self.begin(member, mix(x, index));
                self.put(set, member);
            }
        }
        Turns { code: code.clone(), set, given: x, x, taken: 0, then: None }
    }

    fn poll_loop(&mut self, turns: &mut Turns, wake: Wake) -> Option<Value> {
        let code = turns.code.clone();
        loop {
            if let Some(then) = &mut turns.then {
                turns.x = mix(turns.x, flat(self.poll(then, wake)?));
                turns.then = None;
            }
            if let Kind::Buffered(spec) = &code.kind {
                while self.sets[turns.set].len() < spec.limit && turns.taken < spec.count {
                    let member = self.begin(&spec.member, mix(turns.given, turns.taken));
                    self.put(turns.set, member);
                    turns.taken += 1;
                }
            }
            let Some((index, value)) = self.poll_set(turns.set, wake)? else {
                return Some(Ok(turns.x));
            };
            self.saw(code.site, index as u64);
            turns.x = mix(turns.x, flat(value));
            let then = match &code.kind {
                Kind::Buffered(spec) => &spec.then,
                Kind::Unordered(spec) => {
                    if let Some((times, again)) = &spec.again
                        && turns.taken < *times
                    {
                        let member = self.begin(again, turns.x);
                        self.put(turns.set, member);
                        turns.taken += 1;
                    }
                    &spec.then
                }
                _ => unreachable!("only sets loop"),
            };
            turns.then = then.as_ref().map(|then| self.boxed(then, turns.x));
        }
    }

    fn poll_produce(&mut self, produce: &mut Produce, wake: Wake) -> Option<Value> {
        let code = produce.code.clone();
        let Kind::Pipe(pipe) = &code.kind else { unreachable!("only pipes produce") };
        loop {
            if let Some(part) = &mut produce.part {
                let value = flat(self.poll(part, wake)?);
                produce.sum = mix(produce.sum, value);
                produce.item += 1;
                produce.part = None;
                self.send(produce.channel, value);
            }
            if produce.item == pipe.items {
                self.close(produce.channel);
                return Some(Ok(produce.sum));
            }
            produce.part = Some(self.boxed(&pipe.produce, mix(produce.given, produce.item)));
        }
    }
}
