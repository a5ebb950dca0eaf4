//! A text that runs are looked through for.

use dacapo::{Executor, Result, RunInfo};

use crate::source::{FEW, Source};

/// A text that ids, inputs, outputs and errors are looked through for, as they are shown.
///
/// To show a value takes several times as long as to read it, and most runs do not have the text. So only runs are
/// shown that have each part of it in one text, number or name, as far as it can stand nowhere else.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    text: String,
    /// Each stands in one leaf of all values that have the text when they are shown.
    parts: Vec<String>,
}

/// What is shown of values that are no leaf.
const WORDS: [&str; 4] = ["true", "false", "null", "(secret)"];

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            parts: parts_of(text).into_iter().map(str::to_owned).collect(),
        }
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
        for part in &self.parts {
            if !executor.ends_hold(run.key, FEW, part)? {
                return Ok(false);
            }
        }
        Source::new(executor).mentions(run.key, &self.text)
    }
}

/// The parts of a text that stand within one leaf each, wherever JSON has the text; the longest first.
fn parts_of(text: &str) -> Vec<&str> {
    // Between two leaves there is one of these; within a text they are escaped, or it is cut there.
    let ends = |char: char| "\"\\{}[]:,…".contains(char) || char.is_control();
    let is_leaf = |part: &&str| !WORDS.iter().any(|word| word.contains(*part));
    let mut parts: Vec<_> = text.split(ends).filter(is_leaf).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_stands_within_one_leaf() {
        let cases: [(_, &[_]); 11] = [
            ("such a text", &["such a text"]),
            ("\\nsaw", &["nsaw"]),
            (r#""sku":"teapot"#, &["teapot", "sku"]),
            (r#"{"customer":"ann","cents":7}"#, &["customer", "cents", "ann", "7"]),
            ("first\nmore", &["first", "more"]),
            ("cut off…", &["cut off"]),
            (":-1.5e7,", &["-1.5e7"]),
            (r#""key":true"#, &["key"]),
            (":false", &[]),
            (r#""(secret)""#, &[]),
            ("", &[]),
        ];
        for (text, parts) in cases {
            assert_eq!(parts_of(text), parts, "{text}");
        }
    }
}
