//! Records to bytes and back. All of it is postcard's format; nearly all records are outcomes of
//! steps, and messages, and have their own, shorter way through it.

use alloc::string::String;
use alloc::vec::Vec;
use core::str;

use super::{Asked, Mark, Number, Record, Spent};
use crate::bytes::Bytes;
use crate::codec;
use crate::fingerprint::Fingerprint;

impl<'a> Record<'a> {
    /// Appends the record's encoding, which is postcard's.
    ///
    /// Nearly all records are outcomes of steps, messages that were sent or that arrived, and have
    /// their own way to the same bytes.
    pub(crate) fn append(&self, out: &mut Vec<u8>) {
        if let Self::MessageArrived { channel, payload, key, is_question } = self {
            out.push(Self::ARRIVED);
            out.with_length(channel.as_bytes());
            out.with_length(payload.as_slice());
            out.option(*key);
            return out.push((*is_question).into());
        }
        match self.as_ended() {
            Some(ended) if ended.append_short(out) => {}
            Some(ended) => ended.put(out),
            None => codec::append(self, out),
        }
    }

    /// The record of a step or a send that did not fail; for others there is no short way.
    fn as_ended(&self) -> Option<Ended<'_>> {
        let Self::OperationEnded { number, asked, label, outcome: Ok(bytes), spent } = self else {
            return None;
        };
        let asked = match *asked {
            Asked::Step { name } => ShortAsked::step(name, None),
            Asked::StepOf { name, of } => ShortAsked::step(name, Some(of)),
            Asked::Send { channel } => ShortAsked { kind: Self::SEND, name: channel, of: None },
            Asked::Sleep { .. } | Asked::Receive { .. } | Asked::Child { .. } => return None,
        };
        Some(Ended { number: *number, asked, label: *label, bytes, spent: *spent })
    }

    /// Reads a record from all of `bytes`, or says what is wrong.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        // Whatever is unusual in an outcome is postcard's to read, or to refuse.
        Self::read_outcome(bytes).map_or_else(|| codec::decode(bytes), Ok)
    }

    /// Reads what is nearly always there: the outcome of a step. `None`: it is something else.
    // Inlined into the loop of a replay, where it is most of the work that is not the workflow's.
    #[inline(always)]
    pub(crate) fn read_outcome(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[Self::ENDED])?;
        let number = Number { task: take_u32(&mut rest)?, local: take_u32(&mut rest)? };
        let kind = take(&mut rest).filter(|kind| [Self::STEP, Self::STEP_OF].contains(kind))?;
        let name = str::from_utf8(take_bytes(&mut rest)?).ok()?;
        let asked = if kind == Self::STEP {
            Asked::Step { name }
        } else {
            let (of, behind) = rest.split_first_chunk()?;
            rest = behind;
            Asked::StepOf { name, of: Fingerprint(*of) }
        };
        let label = match take(&mut rest)? {
            0 => None,
            1 => Some(str::from_utf8(take_bytes(&mut rest)?).ok()?),
            _ => return None,
        };
        rest = rest.strip_prefix(&[Self::OK])?;
        let outcome = Ok(Bytes::Borrowed(take_bytes(&mut rest)?));
        let attempts = take_u32(&mut rest)?;
        let (started_before, took) = (take_varint(&mut rest)?, take_varint(&mut rest)?);
        if !rest.is_empty() {
            return None;
        }
        let spent = Spent { attempts, started_before, took };
        Some(Self::OperationEnded { number, asked, label, outcome, spent })
    }

    /// The seq of the message that is skipped, if this record says so.
    pub(crate) fn read_skipped(bytes: &[u8]) -> Option<u64> {
        if bytes.first() != Some(&Self::SKIPPED) {
            return None;
        }
        match Record::read(bytes) {
            Ok(Record::MessageSkipped { seq }) => Some(seq),
            // Whoever delivers it says what is wrong.
            Ok(_) | Err(_) => None,
        }
    }

    /// From which seq on a retry takes back what failed, if this record is one.
    pub(crate) fn read_retried(bytes: &[u8]) -> Option<u64> {
        if bytes.first() != Some(&Self::RETRIED) {
            return None;
        }
        match Record::read(bytes) {
            Ok(Record::Retried { from }) => Some(from),
            Ok(_) | Err(_) => None,
        }
    }

    /// From where on a change of the code holds, if this record says so.
    pub(crate) fn read_patched(bytes: &'a [u8]) -> Option<(&'a str, u64)> {
        if bytes.first() != Some(&Self::MARKED) {
            return None;
        }
        match Record::read(bytes) {
            Ok(Record::Marked { mark: Mark::Patched { name, at }, .. }) => Some((name, at)),
            Ok(_) | Err(_) => None,
        }
    }

    /// The id of the run that was forked, if this record says so.
    pub(crate) fn read_forked(bytes: &'a [u8]) -> Option<&'a str> {
        if bytes.first() != Some(&Self::FORKED) {
            return None;
        }
        match Record::read(bytes) {
            Ok(Record::Forked { from, .. }) => Some(from),
            Ok(_) | Err(_) => None,
        }
    }

    /// The store and the key that a run had where it was started, if this record says so.
    pub(crate) fn read_moved(bytes: &[u8]) -> Option<(u64, u64)> {
        if bytes.first() != Some(&Self::MOVED) {
            return None;
        }
        match Record::read(bytes) {
            Ok(Record::Moved { store, run }) => Some((store, run)),
            Ok(_) | Err(_) => None,
        }
    }

    /// Whether a record says something of those before, and nothing happens with it.
    pub(crate) fn read_remark(bytes: &'a [u8]) -> bool {
        Self::read_skipped(bytes).is_some()
            || Self::read_patched(bytes).is_some()
            || Self::read_forked(bytes).is_some()
            || Self::read_moved(bytes).is_some()
    }

    /// Whether a record is of something that comes to a run from elsewhere.
    pub(crate) fn read_post(bytes: &'a [u8]) -> bool {
        match Record::read(bytes) {
            Ok(
                Self::MessageArrived { .. }
                | Self::CancelRequested { .. }
                | Self::MessageSkipped { .. },
            ) => true,
            Ok(_) | Err(_) => false,
        }
    }

    /// The positions of the variants `MessageSkipped`, `Marked`, `Retried`, `Forked` and `Moved`.
    const SKIPPED: u8 = 10;
    const MARKED: u8 = 8;
    const RETRIED: u8 = 12;
    const FORKED: u8 = 13;
    const MOVED: u8 = 14;

    /// The positions of the variants `OperationEnded`, `MessageArrived`, `Asked::Step`, `Asked::Send`,
    /// `Asked::StepOf` and `Ok` among the others.
    const ENDED: u8 = 1;
    const ARRIVED: u8 = 4;
    const STEP: u8 = 0;
    const SEND: u8 = 2;
    const STEP_OF: u8 = 5;
    const OK: u8 = 0;
}

/// The record of a step or a send that did not fail, by its parts.
pub(crate) struct Ended<'a> {
    pub(crate) number: Number,
    pub(crate) asked: ShortAsked<'a>,
    pub(crate) label: Option<&'a str>,
    pub(crate) bytes: &'a Bytes<'a>,
    pub(crate) spent: Spent,
}

/// What a record of [`Ended`] says that the code asked for.
pub(crate) struct ShortAsked<'a> {
    kind: u8,
    name: &'a str,
    of: Option<Fingerprint>,
}

impl<'a> ShortAsked<'a> {
    /// A step, and what it is about.
    #[inline(always)]
    pub(crate) fn step(name: &'a str, of: Option<Fingerprint>) -> Self {
        let kind = if of.is_none() { Record::STEP } else { Record::STEP_OF };
        Self { kind, name, of }
    }
}

impl Ended<'_> {
    /// Appends the encoding of the record, if it is short.
    #[inline(always)]
    pub(crate) fn append_short(&self, out: &mut Vec<u8>) -> bool {
        let label = self.label.map_or(0, str::len);
        if self.asked.name.len() + label + self.bytes.as_slice().len() > Piece::TEXTS {
            return false;
        }
        let start = out.len();
        out.extend_from_slice(&[0; Piece::MOST]);
        let bytes = out.last_chunk_mut().expect("so many are there now");
        let mut piece = Piece { bytes, length: 0 };
        self.put(&mut piece);
        let end = start + piece.length;
        out.truncate(end);
        true
    }

    #[inline(always)]
    fn put(&self, out: &mut impl Put) {
        let Self { number, asked: ShortAsked { kind, name, of }, label, bytes, spent } = self;
        out.byte(Record::ENDED);
        out.varint(number.task.into());
        out.varint(number.local.into());
        out.byte(*kind);
        out.with_length(name.as_bytes());
        if let Some(Fingerprint(of)) = of {
            out.bytes(of);
        }
        out.option(*label);
        out.byte(Record::OK);
        out.value(bytes);
        out.varint(spent.attempts.into());
        out.varint(spent.started_before);
        out.varint(spent.took);
    }
}

/// Where an encoding goes.
trait Put {
    fn byte(&mut self, byte: u8);
    fn bytes(&mut self, bytes: &[u8]);

    /// An unsigned integer in base 128, the smallest digit first, as in LEB128.
    #[inline(always)]
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    #[inline(always)]
    fn with_length(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.bytes(bytes);
    }

    fn value(&mut self, bytes: &Bytes<'_>) {
        self.with_length(bytes.as_slice());
    }

    #[inline(always)]
    fn option(&mut self, text: Option<&str>) {
        self.byte(text.is_some().into());
        if let Some(text) = text {
            self.with_length(text.as_bytes());
        }
    }
}

impl Put for Vec<u8> {
    fn byte(&mut self, byte: u8) {
        self.push(byte);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The bytes of a short record, written at their place: whether a list has room is asked once.
struct Piece<'a> {
    bytes: &'a mut [u8; Piece::MOST],
    length: usize,
}

impl Piece<'_> {
    /// A power of two, so that no index need be held against it.
    const MOST: usize = 128;

    /// So many bytes of name, label and value leave room for what is beside them, 46 bytes at most.
    const TEXTS: usize = 80;
}

impl Put for Piece<'_> {
    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        debug_assert!(self.length < Piece::MOST, "it is no short record");
        self.bytes[self.length % Piece::MOST] = byte;
        self.length += 1;
    }

    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Few are copied all at once, whatever their number: there is room, and what is behind them is
    /// written over.
    #[inline(always)]
    fn value(&mut self, bytes: &Bytes<'_>) {
        let Bytes::Few(length, few) = bytes else {
            return self.with_length(bytes.as_slice());
        };
        self.byte(*length);
        self.bytes(few);
        self.length -= few.len() - usize::from(*length);
    }
}

#[inline(always)]
fn take(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

/// The value of a varint of at most nine bytes; longer ones are as good as never met.
#[inline(always)]
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    match take(bytes)? {
        byte @ ..0x80 => Some(byte.into()),
        byte => take_long_varint(bytes, u64::from(byte & 0x7f)),
    }
}

fn take_long_varint(bytes: &mut &[u8], mut value: u64) -> Option<u64> {
    for digit in 1..9 {
        let byte = take(bytes)?;
        value |= u64::from(byte & 0x7f) << (7 * digit);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The same for what takes at most four.
#[inline(always)]
fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let before = bytes.len();
    let value = take_varint(bytes)?;
    let is_short = before - bytes.len() <= 4;
    u32::try_from(value).ok().filter(|_| is_short)
}

#[inline(always)]
fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_varint(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn skips_are_found() {
        let mut bytes = Vec::new();
        Record::MessageSkipped { seq: 300 }.append(&mut bytes);
        assert_eq!(Record::read_skipped(&bytes), Some(300));
        bytes.clear();
        Record::Again.append(&mut bytes);
        assert_eq!(Record::read_skipped(&bytes), None);
    }

    /// Random outcomes, with integers of every length.
    #[test]
    fn the_short_way_leads_to_the_bytes_of_postcard() {
        let bytes = [7; 300];
        for seed in 0..2_000 {
            let random = |index| random::mix(seed, index) >> (random::mix(index, seed) % 64);
            let name = &"a name that is long enough for two bytes of length ".repeat(3)
                [..random(2) as usize % 150];
            let label = ["", "tea"].get(random(3) as usize % 3).copied();
            let value = Bytes::Borrowed(&bytes[..random(4) as usize % 300]);
            // Few bytes lie in it, and are copied in another way.
            let value = if random(15) % 2 == 0 { value.into_owned() } else { value };
            let message = Record::MessageArrived {
                channel: name,
                payload: value.clone(),
                key: label,
                is_question: random(11) % 2 == 0,
            };
            let ended = Record::OperationEnded {
                number: Number { task: random(0) as u32, local: random(1) as u32 },
                asked: match random(12) % 3 {
                    0 => Asked::Step { name },
                    1 => Asked::StepOf { name, of: Fingerprint((random(14) as u32).to_le_bytes()) },
                    _ => Asked::Send { channel: name },
                },
                label,
                outcome: Ok(value),
                spent: Spent {
                    attempts: random(5) as u32,
                    started_before: random(6),
                    took: random(7),
                },
            };
            let record = if random(13) % 3 == 0 { message } else { ended };
            let (mut short, mut long) = (alloc::vec![1, 2], alloc::vec![1, 2]);
            record.append(&mut short);
            codec::append(&record, &mut long);
            assert_eq!(short, long, "seed {seed}");

            let mut bytes = short.split_off(2);
            assert_eq!(Record::read(&bytes), Ok(record), "seed {seed}");
            let at = random(8) as usize % bytes.len();
            bytes[at] ^= 1 << (random(9) % 8);
            bytes.truncate(bytes.len() - (random(10) % 2) as usize);
            assert_eq!(Record::read(&bytes), codec::decode(&bytes), "seed {seed}");
        }
    }

    #[test]
    fn the_longest_of_the_short_records_fits() {
        let most = u64::MAX;
        let spent = Spent { attempts: u32::MAX, started_before: most, took: most };
        let number = Number { task: u32::MAX, local: u32::MAX };
        let text = "x".repeat(Piece::TEXTS + 1);
        let mut are_short = [0; 2];
        for texts in [Piece::TEXTS, Piece::TEXTS + 1] {
            for name in 0..=texts {
                for label in 0..=texts - name {
                    let value = &text.as_bytes()[..texts - name - label];
                    let record = Record::OperationEnded {
                        number,
                        asked: Asked::StepOf { name: &text[..name], of: Fingerprint([255; 4]) },
                        label: Some(&text[..label]),
                        outcome: Ok(Bytes::Borrowed(value).into_owned()),
                        spent,
                    };
                    let (mut short, mut long) = (Vec::new(), Vec::new());
                    let is_short = record.as_ended().is_some_and(|it| it.append_short(&mut short));
                    are_short[usize::from(is_short)] += 1;
                    codec::append(&record, &mut long);
                    assert!(!is_short || short == long, "{name} and {label} of {texts}");
                }
            }
        }
        assert!(are_short.iter().all(|count| *count > 3_000), "{are_short:?}");
    }
}
