//! A run row, alone in the journal, and in the tables with the references to the chunks that the
//! run's history consists of.
//!
//! ```text
//! row:   state 1 | what follows 1 | key | id | workflow | started at | changed at | what not every
//!        run has
//! value: checksum 8 | length of the references 4 | row (none, if the run has only a history)
//!        | references
//! ```
//! The checksum covers the length and the row. So damage in the references is damage to this
//! history alone (each of them has a checksum); fewer of them than there were are noticed.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::varint::{put, put_bytes, put_delta, take, take_bytes, take_delta};
use super::{Flaw, checksum, read_u32, read_u64};
use crate::{Link, Queued, RunKey, RunRow, RunState};

/// What stands before the row in a value.
const HEAD: usize = 12;

// What a row has beside what every row has.
const WAKES: u8 = 1;
const NEVER_WAKES: u8 = 2;
const LATER_PASS: u8 = 4;
const LINKED: u8 = 8;
const DEADLINE: u8 = 16;
const ATTRIBUTES: u8 = 32;
const QUEUE: u8 = 64;
const NOTE: u8 = 128;

// What a queue has.
const PARTITION: u8 = 1;
const UNIQUE: u8 = 2;
const ADMITTED: u8 = 4;
const DEBOUNCED: u8 = 8;

/// Appends a row.
pub(crate) fn encode(out: &mut Vec<u8>, row: &RunRow) {
    let wakes = row.wake_at.filter(|at| *at != u64::MAX);
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    out.push(row.state as u8);
    out.push(
        flag(wakes.is_some(), WAKES)
            | flag(row.wake_at == Some(u64::MAX), NEVER_WAKES)
            | flag(row.pass != 1, LATER_PASS)
            | flag(row.link.is_some(), LINKED)
            | flag(row.deadline.is_some(), DEADLINE)
            | flag(!row.attributes.is_empty(), ATTRIBUTES)
            | flag(row.queue.is_some(), QUEUE)
            | flag(!row.note.is_empty(), NOTE),
    );
    put(out, row.key.0);
    put_bytes(out, row.id.as_bytes());
    put_bytes(out, row.workflow.as_bytes());
    put(out, row.started_at);
    put_delta(out, row.started_at, row.changed_at);
    if let Some(at) = wakes {
        put_delta(out, row.changed_at, at);
    }
    if row.pass != 1 {
        put(out, u64::from(row.pass));
    }
    if let Some(Link { parent, task, local }) = row.link {
        put_delta(out, row.key.0, parent.0);
        put(out, u64::from(task));
        put(out, u64::from(local));
    }
    if let Some(deadline) = row.deadline {
        put_delta(out, row.started_at, deadline);
    }
    if !row.attributes.is_empty() {
        put(out, row.attributes.len() as u64);
        for (name, value) in &row.attributes {
            put_bytes(out, name.as_bytes());
            put_bytes(out, value.as_bytes());
        }
    }
    if let Some(queue) = &row.queue {
        encode_queue(out, queue, row.started_at);
    }
    if !row.note.is_empty() {
        put_bytes(out, &row.note);
    }
}

fn encode_queue(out: &mut Vec<u8>, queue: &Queued, started_at: u64) {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    out.push(
        flag(queue.partition.is_some(), PARTITION)
            | flag(queue.unique.is_some(), UNIQUE)
            | flag(queue.admitted_at.is_some(), ADMITTED)
            | flag(queue.is_debounced, DEBOUNCED),
    );
    put_bytes(out, queue.name.as_bytes());
    put_delta(out, 0, i64::from(queue.priority) as u64);
    put_delta(out, started_at, queue.eligible_at);
    for text in [&queue.partition, &queue.unique].into_iter().flatten() {
        put_bytes(out, text.as_bytes());
    }
    if let Some(at) = queue.admitted_at {
        put_delta(out, queue.eligible_at, at);
    }
}

/// A row as it lies in memory: it owns nothing. What few runs have is read again when it is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Lent<'a> {
    pub(crate) key: RunKey,
    pub(crate) id: &'a str,
    pub(crate) workflow: &'a str,
    pub(crate) state: RunState,
    pub(crate) started_at: u64,
    pub(crate) changed_at: u64,
    wake_at: Option<u64>,
    pass: u32,
    link: Option<Link>,
    deadline: Option<u64>,
    /// From their number on; empty if there are none.
    attributes: &'a [u8],
    /// Empty if there is none.
    queue: &'a [u8],
    note: &'a [u8],
    /// All of it.
    pub(crate) bytes: &'a [u8],
}

/// A place in a queue as it lies there.
struct LentQueue<'a> {
    name: &'a str,
    priority: i32,
    eligible_at: u64,
    partition: Option<&'a str>,
    unique: Option<&'a str>,
    admitted_at: Option<u64>,
    is_debounced: bool,
}

impl LentQueue<'_> {
    fn to_queue(&self) -> Queued {
        let mut queue = Queued::new(self.name);
        queue.priority = self.priority;
        queue.eligible_at = self.eligible_at;
        queue.partition = self.partition.map(String::from);
        queue.unique = self.unique.map(String::from);
        queue.admitted_at = self.admitted_at;
        queue.is_debounced = self.is_debounced;
        queue
    }
}

/// Takes a row off the front, and checks all of it.
pub(crate) fn take_row<'a>(bytes: &mut &'a [u8]) -> Option<Lent<'a>> {
    let all = *bytes;
    let [state, has, rest @ ..] = all else { return None };
    *bytes = rest;
    let has = |flag: u8| has & flag != 0;
    let (key, id, workflow) = (RunKey(take(bytes)?), take_text(bytes)?, take_text(bytes)?);
    let started_at = take(bytes)?;
    let changed_at = take_delta(bytes, started_at)?;
    let mut row = Lent {
        key,
        id,
        workflow,
        state: state_of(*state)?,
        started_at,
        changed_at,
        wake_at: has(NEVER_WAKES).then_some(u64::MAX),
        pass: 1,
        link: None,
        deadline: None,
        attributes: &[],
        queue: &[],
        note: &[],
        bytes: &[],
    };
    if has(WAKES) {
        row.wake_at = Some(take_delta(bytes, changed_at)?);
    }
    if has(LATER_PASS) {
        row.pass = u32::try_from(take(bytes)?).ok()?;
    }
    if has(LINKED) {
        let parent = RunKey(take_delta(bytes, key.0)?);
        let mut number = || u32::try_from(take(bytes)?).ok();
        row.link = Some(Link { parent, task: number()?, local: number()? });
    }
    if has(DEADLINE) {
        row.deadline = Some(take_delta(bytes, started_at)?);
    }
    if has(ATTRIBUTES) {
        let before = *bytes;
        take_attributes(bytes, |_, _| {})?;
        row.attributes = taken(before, bytes);
    }
    if has(QUEUE) {
        let before = *bytes;
        take_queue(bytes, started_at)?;
        row.queue = taken(before, bytes);
    }
    if has(NOTE) {
        row.note = take_bytes(bytes)?;
    }
    row.bytes = taken(all, bytes);
    Some(row)
}

/// What was taken off the front.
fn taken<'a>(before: &'a [u8], rest: &[u8]) -> &'a [u8] {
    &before[..before.len() - rest.len()]
}

const READ: &str = "it was read when the row was taken";

impl Lent<'_> {
    pub(crate) fn has_attribute(&self, name: &str, value: &str) -> bool {
        let mut is_there = false;
        if !self.attributes.is_empty() {
            let compare = |its_name: &str, its_value: &str| {
                is_there |= (its_name, its_value) == (name, value);
            };
            take_attributes(&mut { self.attributes }, compare).expect(READ);
        }
        is_there
    }

    pub(crate) fn to_row(self) -> RunRow {
        let mut row = RunRow::new(self.key, self.id, self.workflow);
        row.state = self.state;
        (row.started_at, row.changed_at) = (self.started_at, self.changed_at);
        (row.wake_at, row.deadline) = (self.wake_at, self.deadline);
        (row.pass, row.link) = (self.pass, self.link);
        if !self.attributes.is_empty() {
            let attribute =
                |name: &str, value: &str| row.attributes.push((name.into(), value.into()));
            take_attributes(&mut { self.attributes }, attribute).expect(READ);
        }
        if !self.queue.is_empty() {
            let queue = take_queue(&mut { self.queue }, self.started_at).expect(READ);
            row.queue = Some(Box::new(queue.to_queue()));
        }
        row.note = self.note.to_vec();
        row
    }
}

fn take_attributes(bytes: &mut &[u8], mut visit: impl FnMut(&str, &str)) -> Option<()> {
    for _ in 0..take(bytes)? {
        visit(take_text(bytes)?, take_text(bytes)?);
    }
    Some(())
}

fn take_queue<'a>(bytes: &mut &'a [u8], started_at: u64) -> Option<LentQueue<'a>> {
    let (&has, rest) = bytes.split_first()?;
    *bytes = rest;
    let has = |flag: u8| has & flag != 0;
    let name = take_text(bytes)?;
    let priority = i32::try_from(take_delta(bytes, 0)? as i64).ok()?;
    let eligible_at = take_delta(bytes, started_at)?;
    let mut text = |flag: u8| match has(flag) {
        true => take_text(bytes).map(Some),
        false => Some(None),
    };
    let (partition, unique) = (text(PARTITION)?, text(UNIQUE)?);
    let admitted_at = match has(ADMITTED) {
        true => Some(take_delta(bytes, eligible_at)?),
        false => None,
    };
    let is_debounced = has(DEBOUNCED);
    Some(LentQueue { name, priority, eligible_at, partition, unique, admitted_at, is_debounced })
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    core::str::from_utf8(take_bytes(bytes)?).ok()
}

fn state_of(byte: u8) -> Option<RunState> {
    RunState::ALL.get(usize::from(byte)).copied()
}

/// Replaces `out` by what a table holds of a run.
pub(crate) fn pack(out: &mut Vec<u8>, run: RunKey, row: &[u8], refs: &[u8]) {
    out.clear();
    out.extend_from_slice(&[0; 8]);
    let length = u32::try_from(refs.len()).expect("a value of redb has fewer than 2^32 bytes");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(row);
    let sum = checksum(run.0, &out[8..]);
    out[..8].copy_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(refs);
}

/// Where the row ends and the references begin.
fn middle(bytes: &[u8]) -> Option<usize> {
    let length = if bytes.len() < HEAD { usize::MAX } else { read_u32(bytes, 8) as usize };
    bytes.len().checked_sub(length).filter(|middle| *middle >= HEAD)
}

/// The row, if there is one, and the references that stood in a table under this key.
pub(crate) fn split(run: RunKey, bytes: &[u8]) -> Result<(&[u8], &[u8]), Flaw> {
    match middle(bytes) {
        Some(middle) if checksum(run.0, &bytes[8..middle]) == sum(bytes) => {
            Ok((&bytes[HEAD..middle], &bytes[middle..]))
        }
        _ => Err("it does not match its checksum"),
    }
}

/// Reads the row that stood in a table under this key; `None` if there is only a history.
pub(crate) fn read(run: RunKey, bytes: &[u8]) -> Result<Option<Lent<'_>>, Flaw> {
    let mut rest = split(run, bytes)?.0;
    if rest.is_empty() {
        return Ok(None);
    }
    let row = take_row(&mut rest).filter(|row| row.key == run && rest.is_empty());
    row.map(Some).ok_or("it cannot be read")
}

/// The state in what stood in a table, without holding it against its checksum; `None` if there is
/// only a history.
pub(crate) fn state(bytes: &[u8]) -> Option<RunState> {
    let middle = middle(bytes)?;
    state_of(*bytes[..middle].get(HEAD)?)
}

/// What a value adds to the sum of its table.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    if bytes.len() < HEAD { 0 } else { read_u64(bytes, 0) }
}
