//! Text on its way to a terminal: nothing in it is obeyed, and it has a width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a terminal may do something else with it than show it.
fn is_obeyed(char: char) -> bool {
    // Those that change the direction of what follows hide what is there.
    char.is_control()
        || matches!(char, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same text with what a terminal obeys made visible: `\x1b`, `\n`.
pub(crate) fn safe(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            char if !is_obeyed(char) => shown.push(char),
            char if u32::from(char) < 0x100 => {
                shown.push_str(&format!("\\x{:02x}", u32::from(char)))
            }
            char => shown.push_str(&format!("\\u{{{:x}}}", u32::from(char))),
        }
    }
    shown
}

/// JSON with the same characters escaped as JSON has it.
pub(crate) fn json_safe(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for char in json.chars() {
        match is_obeyed(char) {
            // They stand within texts only, and have four digits.
            true => shown.push_str(&format!("\\u{:04x}", u32::from(char))),
            false => shown.push(char),
        }
    }
    shown
}

/// How many columns it takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// At most so many columns of it, with "…" where something is cut.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut kept, mut taken) = (String::new(), 0);
    for char in text.chars() {
        taken += char.width().unwrap_or_default();
        if taken >= columns {
            break;
        }
        kept.push(char);
    }
    if columns > 0 { kept + "…" } else { kept }
}

/// The same in lines of at most so many columns, as far as its words are that short.
pub(crate) fn lines(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Filled up with spaces to so many columns.
pub(crate) fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// The same with the spaces before it.
pub(crate) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// 1234567 as 1,234,567.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// "1 run", "2 runs".
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// " of 20" behind a number of attempts, if they are limited.
pub(crate) fn of(max: Option<u32>) -> String {
    max.map(|max| format!(" of {max}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed() {
        assert_eq!(safe("a\u{1b}[2J\u{9b}1m\u{202e}ä\n"), "a\\x1b[2J\\x9b1m\\u{202e}ä\\n");
        assert_eq!(json_safe("\"a\u{9b}\u{202e}\""), "\"a\\u009b\\u202e\"");
    }

    #[test]
    fn what_is_cut_ends_in_a_mark() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("longer", 0), "");
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(lines("bring back the code", 10), ["bring back", "the code"]);
        assert_eq!(lines("unbreakable 漢字 漢字", 5), ["unbreakable", "漢字", "漢字"]);
        assert_eq!(lines("", 5), [""]);
    }

    #[test]
    fn thousands_are_told_apart() {
        let numbers = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
    }
}
