//! A text that runs are looked through for.

use dacapo::{Executor, Result, RunInfo};

use crate::source::{FEW, Source};

/// A text that ids, inputs, outputs and errors are looked through for, as they are shown.
///
/// To show a value takes several times as long as to read its bytes, and most runs do not have the text. So only
/// runs are shown whose bytes have a part of it that can be nothing but text, if it has one: of numbers and of the
/// names of fields nothing is known without looking.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    text: String,
    /// It stands in the bytes of each value that has the text when it is shown.
    part: Option<String>,
}

/// What is shown of values that are no text, beside numbers.
const WORDS: [&str; 6] = ["true", "false", "null", "-inf", "NaN", "(secret)"];

/// Less than this is in the bytes of most values.
const SHORT: usize = 3;

impl Needle {
    pub(crate) fn new(text: &str, executor: &Executor) -> Self {
        let part = part_of(text, |part| executor.names_hold(part));
        Self { text: text.to_owned(), part: part.map(str::to_owned) }
    }

    /// Whether a run has it.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub(crate) fn is_in(&self, run: &RunInfo, executor: &Executor) -> Result<bool> {
        if run.id.contains(&self.text) {
            return Ok(true);
        }
        if let Some(part) = &self.part
            && !executor.ends_hold(run.key, FEW, part)?
        {
            return Ok(false);
        }
        Source::new(executor).mentions(run.key, &self.text)
    }
}

/// The longest part of a text that stands, wherever JSON has the text, within one recorded text or name, and there
/// as it was recorded; in no name.
fn part_of(text: &str, is_in_a_name: impl Fn(&str) -> bool) -> Option<&str> {
    // Between two values there is one of these; within a text they are escaped, or it is cut there.
    let ends = |char: char| "\"\\{}[]:,…".contains(char) || char.is_control();
    let mut follows_an_escape = true;
    let parts = text.split_inclusive(ends).map(|part| {
        let whole = part.strip_suffix(ends).unwrap_or(part);
        let part_is_escaped = std::mem::replace(&mut follows_an_escape, part.ends_with('\\'));
        if part_is_escaped { behind_an_escape(whole) } else { whole }
    });
    let is_text = |part: &&str| part.len() >= SHORT && !may_be_no_text(part) && !is_in_a_name(part);
    parts.filter(is_text).max_by_key(|part| part.len())
}

/// Without what may be the end of an escape, such as `n` or `u001b`, before it.
fn behind_an_escape(part: &str) -> &str {
    let of_an_escape = |char: char| "nrtu".contains(char) || char.is_ascii_hexdigit();
    let escape = part.chars().take(5).take_while(|char| of_an_escape(*char)).count();
    // These take one byte each.
    &part[escape..]
}

/// Whether this may stand in what is shown of numbers, bytes and the like.
fn may_be_no_text(part: &str) -> bool {
    let is_all = |of: fn(char) -> bool| part.chars().all(of);
    is_all(|char| char.is_ascii_digit() || "+-.eE".contains(char))
        || is_all(|char| char.is_ascii_hexdigit())
        || WORDS.iter().any(|word| word.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_text_as_it_was_recorded() {
        for (text, part) in [
            ("such a text", Some("such a text")),
            // What begins a needle may end an escape: "a\nsaw" has "nsaw" when it is shown.
            ("nsaw", Some("saw")),
            ("001bhello", Some("hello")),
            ("\\nsaw", Some("saw")),
            ("tea", None),
            // Behind a quotation mark it cannot.
            (r#""sku":"teapot"#, Some("teapot")),
            (r#"{"customer":"ann","cents":7}"#, Some("ann")),
            ("first\nmore", Some("more")),
            ("cut off…", Some(" off")),
            // Numbers, bytes and other words.
            ("12345", None),
            (":-1.5e7,", None),
            (r#""00ff00ff""#, None),
            (r#""key":true"#, Some("key")),
            (":false", None),
            (r#""(secret)""#, None),
            ("", None),
        ] {
            let is_name = |part: &str| ["customer", "cents"].contains(&part);
            assert_eq!(part_of(text, is_name), part, "{text}");
        }
    }
}
