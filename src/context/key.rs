//! The idempotency keys of steps, which stand on the format page: other systems keep them.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use dacapo_store::RunKey;

use crate::random;
use crate::record::Number;

/// No key is longer.
const MAX: usize = 200;

/// Nor is the name in it.
const NAME_MAX: usize = 64;

/// What the key of a step is made of. Store, run, number and name tell it from all others; the id is there
/// to be read.
pub(super) struct Keyed<'a> {
    pub(super) store: u64,
    pub(super) run: RunKey,
    pub(super) id: &'a str,
    pub(super) pass: u32,
    pub(super) number: Number,
    pub(super) name: &'a str,
}

impl Keyed<'_> {
    pub(super) fn key(&self) -> String {
        let Self { store, run, id, pass, number, name } = self;
        let pass = if *pass == 1 { String::new() } else { format!("{pass}:") };
        let rest = format!("/{pass}{number}/{}/{store:016x}-{run}", shortened(name));
        let mut key = escaped(id, MAX - rest.len());
        key.push_str(&rest);
        key
    }
}

/// A name as keys have it. Two that are long and begin alike differ in their ends, which no name spells.
fn shortened(name: &str) -> String {
    let whole = escaped(name, usize::MAX);
    if whole.len() <= NAME_MAX {
        return whole;
    }
    let hash = random::words(name).fold(name.len() as u64, random::mix);
    let end = format!("%-{hash:016x}");
    let mut short = escaped(name, NAME_MAX - end.len());
    short.push_str(&end);
    short
}

/// The beginning of a text, escaped as in a URL, that takes no more than so many bytes.
fn escaped(text: &str, bytes_max: usize) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        let before = escaped.len();
        if character.is_ascii_graphic() && !['%', '/'].contains(&character) {
            escaped.push(character);
        } else {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                write!(escaped, "%{byte:02X}").expect("a string takes everything");
            }
        }
        if escaped.len() > bytes_max {
            escaped.truncate(before);
            break;
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    fn key(run: u64, id: &str, pass: u32, number: (u32, u32), name: &str) -> String {
        let number = Number { task: number.0, local: number.1 };
        Keyed { store: 0x5f0c, run: RunKey(run), id, pass, number, name }.key()
    }

    #[test]
    fn short_plain_names_stay_readable() {
        assert_eq!(key(12, "order-7", 1, (0, 1), "charge"), "order-7/1/charge/0000000000005f0c-12");
        let told = "50%25%2F7/2:3.1/put%20back/0000000000005f0c-0";
        assert_eq!(key(0, "50%/7", 2, (3, 1), "put back"), told);
        assert_eq!(key(0, "ö\n", 1, (0, 1), "a"), "%C3%B6%0A/1/a/0000000000005f0c-0");
    }

    /// Headers of HTTP take them, and no two places have the same, however long and odd the names are.
    #[test]
    fn keys_are_visible_ascii_short_and_all_different() {
        let long = "n".repeat(300);
        let names = ["", "a", "a/b", "a%2Fb", "ä", "%-", "\u{1f375}\r\n", &long, &long[1..]];
        let (name_64, max) = ("n".repeat(NAME_MAX), u64::MAX);
        let mut seen = BTreeSet::new();
        for (id, name) in names.iter().flat_map(|id| names.iter().map(move |name| (id, name))) {
            for (run, pass, number) in [
                (0, 1, (0, 1)),
                (max, 1, (1, 1)),
                (1, 2, (0, 1)),
                (max, u32::MAX, (u32::MAX, u32::MAX)),
            ] {
                let key = key(run, id, pass, number, name);
                assert!(
                    key.len() <= MAX && key.bytes().all(|byte| byte.is_ascii_graphic()),
                    "{key}"
                );
                // A run has one id: long ones may look the same.
                seen.insert((run, name, key));
            }
        }
        let keys: BTreeSet<_> = seen.iter().map(|(_, _, key)| key).collect();
        assert_eq!(keys.len(), seen.len());
        assert_ne!(key(0, "a", 1, (0, 1), &name_64), key(0, "a", 1, (0, 1), &long));
    }
}
