//! Values without their types.

mod print;
mod sight;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::ser::{Serialize, Serializer};

use crate::error::Result;
use crate::kind::{Id, Kind};
use crate::read::{Fields, Number, Reader, damaged};
use crate::secret;
use crate::shape::Node;
pub(crate) use sight::Sight;

/// A value without its type: what [`Shapes::view`](crate::Shapes::view) gives.
///
/// It is printed as it would be written in Rust, and serialized as serde would serialize the value:
/// structs as maps from their fields, variants that hold something as a map of one entry. What was
/// recorded without its type's help (`flatten`, `untagged`, JSON) has its structs as maps, too.
///
/// ```
/// use dacapo_values::View;
///
/// let view = View::Struct(
///     "Price".into(),
///     vec![("net".into(), View::Integer(100)), ("note".into(), View::None)],
/// );
/// assert_eq!(view.to_string(), "Price { net: 100, note: None }");
/// assert_eq!(serde_json::to_string(&view)?, r#"{"net":100,"note":null}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum View {
    /// `()`, and a struct without fields.
    Unit,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of any width.
    Integer(i128),
    /// One that needs all 128 bits.
    Large(u128),
    /// A float of 32 bits.
    F32(f32),
    /// A float of 64 bits.
    F64(f64),
    /// A character.
    Char(char),
    /// A text.
    Text(String),
    /// What was written as bytes; a `Vec<u8>` is a list, unless `serde_bytes` writes it.
    Bytes(Vec<u8>),
    /// An option that holds nothing.
    None,
    /// An option that holds something.
    Some(Box<View>),
    /// A list, a set, or a long array.
    List(Vec<View>),
    /// A tuple, or a short array.
    Tuple(Vec<View>),
    /// A map, in the order in which it was written.
    Map(Vec<(View, View)>),
    /// A struct with its name and its fields; the name of a variant's fields is empty.
    Struct(String, Vec<(String, View)>),
    /// A variant of an enum with its name, and what it holds.
    Variant(String, Box<View>),
    /// A [`Secret`](crate::Secret), of which nothing is shown.
    Secret,
    /// What follows is left out: see [`Shapes::view_within`](crate::Shapes::view_within).
    More,
}

impl View {
    /// Whether a [`Secret`](crate::Secret) is in it, as far as it was viewed.
    ///
    /// ```
    /// use dacapo_values::View;
    ///
    /// let pair = |second| View::Tuple(vec![View::Integer(1), second]);
    /// assert!(pair(View::Secret).has_secret());
    /// assert!(!pair(View::None).has_secret());
    /// ```
    #[must_use]
    pub fn has_secret(&self) -> bool {
        match self {
            Self::Secret => true,
            Self::Some(inner) | Self::Variant(_, inner) => inner.has_secret(),
            Self::List(all) | Self::Tuple(all) => all.iter().any(Self::has_secret),
            Self::Map(all) => all.iter().any(|(key, value)| key.has_secret() || value.has_secret()),
            Self::Struct(_, all) => all.iter().any(|(_, value)| value.has_secret()),
            Self::Unit
            | Self::Bool(_)
            | Self::Integer(_)
            | Self::Large(_)
            | Self::F32(_)
            | Self::F64(_)
            | Self::Char(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::None
            | Self::More => false,
        }
    }
}

/// The value that `reader` is at, as far as it is seen.
pub(crate) fn view(reader: &mut Reader<'_, '_>, sight: &Sight) -> Result<View> {
    let kind = reader.resolve()?;
    Ok(match kind {
        Kind::Unit => {
            reader.nothing()?;
            View::Unit
        }
        Kind::Bool => View::Bool(reader.bit()?),
        Kind::Char => View::Char(reader.char()?),
        Kind::Text => sight.text(reader)?,
        Kind::Bytes => sight.bytes(reader)?,
        Kind::Enum | Kind::Variant => variant(reader, sight)?,
        Kind::Option if !reader.bit()? => View::None,
        Kind::Option | Kind::List | Kind::Map | Kind::Tuple | Kind::Struct | Kind::Loose => {
            reader.deeper()?;
            let view = inside(reader, kind, sight)?;
            reader.higher();
            view
        }
        _ => match reader.number(kind)? {
            Number::Unsigned(value) => View::Integer(value.into()),
            Number::Signed(value) => View::Integer(value.into()),
            Number::Wide(value) => i128::try_from(value).map_or(View::Large(value), View::Integer),
            Number::WideSigned(value) => View::Integer(value),
            Number::F32(value) => View::F32(value),
            Number::F64(value) => View::F64(value),
        },
    })
}

fn variant(reader: &mut Reader<'_, '_>, sight: &Sight) -> Result<View> {
    let name = reader.variant()?.as_str().to_owned();
    if reader.is_unit()? {
        return Ok(View::Variant(name, Box::new(View::Unit)));
    }
    reader.deeper()?;
    let held = view(reader, sight)?;
    reader.higher();
    Ok(View::Variant(name, Box::new(held)))
}

/// What holds others. Each kind is a function of its own, and none a chain of closures: the frames
/// of all levels have to fit on a small stack.
fn inside(reader: &mut Reader<'_, '_>, kind: Kind, sight: &Sight) -> Result<View> {
    match (kind, reader.node()) {
        (Kind::Option, _) => {
            let held = at(reader, reader.child(0), sight)?;
            Ok(View::Some(Box::new(held)))
        }
        (Kind::List, _) => list(reader, sight),
        (Kind::Map, _) => map(reader, sight),
        (Kind::Tuple, Some(node)) => tuple(reader, node, sight),
        (_, Some(node)) => fields(reader, node, sight),
        (_, None) => Err(damaged()),
    }
}

fn list(reader: &mut Reader<'_, '_>, sight: &Sight) -> Result<View> {
    let each = reader.child(0);
    let mut shown = Vec::new();
    for _ in 0..reader.varint()? {
        if sight.ends(reader) {
            shown.push(View::More);
            break;
        }
        shown.push(at(reader, each, sight)?);
    }
    Ok(View::List(shown))
}

fn map(reader: &mut Reader<'_, '_>, sight: &Sight) -> Result<View> {
    let [key, value] = [reader.child(0), reader.child(1)];
    let mut shown = Vec::new();
    for _ in 0..reader.varint()? {
        if sight.ends(reader) {
            shown.push((View::More, View::More));
            break;
        }
        let key = at(reader, key, sight)?;
        let value = if sight.ends(reader) { View::More } else { at(reader, value, sight)? };
        shown.push((key, value));
    }
    // Where values describe themselves a struct is a map.
    match &shown[..] {
        [(View::Text(name), _)] if sight.hides_secrets && name == secret::NAME => Ok(View::Secret),
        _ => Ok(View::Map(shown)),
    }
}

fn tuple(reader: &mut Reader<'_, '_>, node: &Node, sight: &Sight) -> Result<View> {
    if node.children.is_empty() {
        reader.nothing()?;
    }
    let mut shown = Vec::new();
    for child in &node.children {
        if sight.ends(reader) {
            shown.push(View::More);
            break;
        }
        shown.push(at(reader, child.node, sight)?);
    }
    Ok(View::Tuple(shown))
}

fn fields<'s>(reader: &mut Reader<'_, 's>, node: &'s Node, sight: &Sight) -> Result<View> {
    if node.children.is_empty() {
        reader.nothing()?;
    }
    let mut shown = Vec::new();
    let mut fields = Fields::new(reader, node);
    while let Some(child) = fields.next()? {
        if sight.ends(fields.reader) {
            shown.push(("…".to_owned(), View::More));
            break;
        }
        shown.push((child.name.as_str().to_owned(), at(fields.reader, child.node, sight)?));
    }
    let name = node.name.as_str();
    if sight.hides_secrets && secret::is_one(name) {
        return Ok(View::Secret);
    }
    Ok(View::Struct(name.to_owned(), shown))
}

fn at(reader: &mut Reader<'_, '_>, node: Id, sight: &Sight) -> Result<View> {
    reader.go(node);
    view(reader, sight)
}

impl Serialize for View {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            View::Unit => serializer.serialize_unit(),
            View::Bool(value) => serializer.serialize_bool(*value),
            View::Integer(value) => integer(*value, serializer),
            View::Large(value) => serializer.serialize_u128(*value),
            View::F32(value) => serializer.serialize_f32(*value),
            View::F64(value) => serializer.serialize_f64(*value),
            View::Char(value) => serializer.serialize_char(*value),
            View::Text(value) => serializer.serialize_str(value),
            View::Bytes(value) => serializer.serialize_bytes(value),
            View::None => serializer.serialize_none(),
            View::Some(value) => serializer.serialize_some(&**value),
            View::List(parts) | View::Tuple(parts) => serializer.collect_seq(parts),
            View::Map(entries) => serializer.collect_map(entries.iter().map(|(k, v)| (k, v))),
            View::Struct(_, fields) => serializer.collect_map(fields.iter().map(|(k, v)| (k, v))),
            View::Variant(name, held) if **held == View::Unit => serializer.serialize_str(name),
            View::Variant(name, held) => serializer.collect_map([(name, held)]),
            View::Secret => serializer.serialize_str(secret::NAME),
            View::More => serializer.serialize_str("…"),
        }
    }
}

/// As few bits as it needs: few formats have 128.
fn integer<S: Serializer>(value: i128, serializer: S) -> Result<S::Ok, S::Error> {
    match (u64::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => serializer.serialize_u64(value),
        (_, Ok(value)) => serializer.serialize_i64(value),
        _ => serializer.serialize_i128(value),
    }
}
