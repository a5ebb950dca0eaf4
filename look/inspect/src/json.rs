//! Values as JSON, whatever they hold: this never fails.

use std::fmt::Write;

use dacapo::View;

/// Appends `view` as JSON.
///
/// What JSON has not is a text: keys that are none, NaN and infinities; bytes are hexadecimal digits.
pub(crate) fn append(view: &View, out: &mut String) {
    match view {
        View::Unit | View::None => out.push_str("null"),
        View::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        View::Integer(value) => display(value, out),
        View::Large(value) => display(value, out),
        View::F32(value) => float(value.is_finite(), value, out),
        View::F64(value) => float(value.is_finite(), value, out),
        View::Char(value) => text(value.encode_utf8(&mut [0; 4]), out),
        View::Text(value) => text(value, out),
        View::Bytes(bytes) => hex(bytes, out),
        View::Some(held) => append(held, out),
        View::List(parts) | View::Tuple(parts) => list(parts, out),
        View::Map(entries) => object(entries.iter().map(|(key, value)| (key_of(key), value)), out),
        View::Struct(_, fields) => {
            object(fields.iter().map(|(name, value)| (name.clone(), value)), out);
        }
        View::Variant(name, held) if **held == View::Unit => text(name, out),
        View::Variant(name, held) => object([(name.clone(), &**held)].into_iter(), out),
        View::Secret => text("(secret)", out),
        View::More => text("…", out),
        other => text(&other.to_string(), out),
    }
}

fn display(value: impl std::fmt::Display, out: &mut String) {
    write!(out, "{value}").expect("a string takes all");
}

fn float(is_finite: bool, value: impl std::fmt::Debug, out: &mut String) {
    let shown = format!("{value:?}");
    if is_finite { out.push_str(&shown) } else { text(&shown, out) }
}

/// A JSON string.
pub(crate) fn text(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Those above 0x7f too, which some terminals obey.
            char if char.is_control() => {
                write!(out, "\\u{:04x}", u32::from(char)).expect("a string takes all");
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

fn hex(bytes: &[u8], out: &mut String) {
    out.push('"');
    for byte in bytes {
        write!(out, "{byte:02x}").expect("a string takes all");
    }
    out.push('"');
}

fn list(parts: &[View], out: &mut String) {
    out.push('[');
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        append(part, out);
    }
    out.push(']');
}

fn object<'a>(entries: impl Iterator<Item = (String, &'a View)>, out: &mut String) {
    out.push('{');
    for (place, (key, value)) in entries.enumerate() {
        if place > 0 {
            out.push(',');
        }
        text(&key, out);
        out.push(':');
        append(value, out);
    }
    out.push('}');
}

/// A key of a map: itself if it is a text, else its JSON.
fn key_of(key: &View) -> String {
    let mut shown = String::new();
    match key {
        View::Text(text) => shown.push_str(text),
        View::Char(char) => shown.push(*char),
        View::Variant(name, held) if **held == View::Unit => shown.push_str(name),
        other => append(other, &mut shown),
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(view: &View) -> String {
        let mut out = String::new();
        append(view, &mut out);
        let _: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
        out
    }

    #[test]
    fn whatever_a_value_holds_is_json() {
        let text = |text: &str| View::Text(text.into());
        for (view, expected) in [
            (View::F64(f64::NAN), r#""NaN""#),
            (View::F32(f32::NEG_INFINITY), r#""-inf""#),
            (View::F64(1.0), "1.0"),
            (View::F64(1e300), "1e300"),
            (View::Large(u128::MAX), "340282366920938463463374607431768211455"),
            (View::Bytes(vec![0, 255]), r#""00ff""#),
            (View::Map(vec![(View::Tuple(vec![View::Integer(1)]), View::Unit)]), r#"{"[1]":null}"#),
            (View::Map(vec![(View::Integer(7), View::More)]), r#"{"7":"…"}"#),
            (text("\u{1b}[2J\"\\\u{9b}\u{7f}\n"), r#""\u001b[2J\"\\\u009b\u007f\n""#),
            (View::Variant("Paid".into(), Box::new(View::Unit)), r#""Paid""#),
            (
                View::Variant("Paid".into(), Box::new(View::Some(Box::new(View::Char('ä'))))),
                r#"{"Paid":"ä"}"#,
            ),
            (View::Struct("A".into(), vec![("b".into(), View::Secret)]), r#"{"b":"(secret)"}"#),
        ] {
            assert_eq!(json(&view), expected, "{view:?}");
        }
    }
}
