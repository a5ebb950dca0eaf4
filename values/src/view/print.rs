//! Views as they would be written in Rust.

use alloc::string::String;
use core::fmt;

use super::View;
use crate::secret;

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            View::Unit => f.write_str("()"),
            View::Bool(value) => write!(f, "{value}"),
            View::Integer(value) => write!(f, "{value}"),
            View::Large(value) => write!(f, "{value}"),
            View::F32(value) => write!(f, "{value:?}"),
            View::F64(value) => write!(f, "{value:?}"),
            View::Char(value) => write!(f, "{value:?}"),
            View::Text(value) => write!(f, "{value:?}"),
            View::Bytes(value) => write!(f, "b\"{}\"", value.escape_ascii()),
            View::None => f.write_str("None"),
            View::Some(value) => write!(f, "Some({value})"),
            View::Secret => f.write_str(secret::NAME),
            View::More => f.write_str("…"),
            View::List(parts) => list(f, "[", parts, "]"),
            View::Tuple(parts) => list(f, "(", parts, if parts.len() == 1 { ",)" } else { ")" }),
            View::Map(entries) if entries.is_empty() => f.write_str("{}"),
            View::Map(entries) => {
                for (place, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if place == 0 { "{ " } else { ", " })?;
                }
                f.write_str(" }")
            }
            View::Struct(name, fields) => structure(f, name, fields),
            View::Variant(name, held) => {
                f.write_str(name)?;
                match &**held {
                    View::Unit => Ok(()),
                    View::Tuple(parts) => list(f, "(", parts, ")"),
                    View::Struct(inner, fields) if inner.is_empty() => {
                        f.write_str(" ")?;
                        structure(f, "", fields)
                    }
                    held => write!(f, "({held})"),
                }
            }
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, before: &str, parts: &[View], after: &str) -> fmt::Result {
    f.write_str(before)?;
    for (place, part) in parts.iter().enumerate() {
        write!(f, "{}{part}", if place == 0 { "" } else { ", " })?;
    }
    f.write_str(after)
}

fn structure(f: &mut fmt::Formatter<'_>, name: &str, fields: &[(String, View)]) -> fmt::Result {
    write!(f, "{name}{}{{", if name.is_empty() { "" } else { " " })?;
    for (place, (name, value)) in fields.iter().enumerate() {
        write!(f, "{}{name}: {value}", if place == 0 { " " } else { ", " })?;
    }
    f.write_str(if fields.is_empty() { "}" } else { " }" })
}
