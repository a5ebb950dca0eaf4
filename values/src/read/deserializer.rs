//! serde's calls, one for each kind that a type asks for.

use core::mem;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Unexpected, VariantAccess, Visitor};

use super::access::Content;
use super::numbers::fit;
use super::{Reader, Way};
use crate::error::{Error, Result};
use crate::kind::{Id, Kind};

/// What is read at once where its kind stands in the shape, and is looked at where it does not.
macro_rules! leaves {
    ($($method:ident $kind:ident $visit:ident $otherwise:ident |$reader:ident| $read:expr;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            if self.at == Kind::$kind as Id {
                let $reader = &mut *self;
                return visitor.$visit($read?);
            }
            self.$otherwise(visitor)
        }
    )*};
}

macro_rules! forward {
    ($($method:ident ( $($type:ty),* ) $to:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, $(_: $type,)* visitor: V) -> Result<V::Value> {
            self.$to(visitor)
        }
    )*};
}

impl<'de> Reader<'de, '_> {
    /// For a type that is no `Option`.
    #[inline(never)]
    fn some<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        self.resolve_some()?;
        self.any(visitor)
    }

    #[inline(never)]
    fn integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.resolve_some()? {
            kind @ (Kind::U128 | Kind::I128) => self.number(kind)?.narrow().visit(visitor),
            _ => self.any(visitor),
        }
    }

    /// Whether a number stands here.
    fn float_kind(&mut self) -> Result<Option<Kind>> {
        let kind = self.resolve_some()?;
        Ok((Kind::I8 as u8..=Kind::F64 as u8).contains(&(kind as u8)).then_some(kind))
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de, '_> {
    type Error = Error;

    leaves! {
        deserialize_u8 U8 visit_u8 integer |reader| reader.byte();
        deserialize_u16 U16 visit_u16 integer |reader| reader.varint().and_then(fit);
        deserialize_u32 U32 visit_u32 integer |reader| reader.varint().and_then(fit);
        deserialize_u64 U64 visit_u64 integer |reader| reader.varint();
        deserialize_i64 I64 visit_i64 integer |reader| reader.signed();
        deserialize_bool Bool visit_bool some |reader| reader.bit();
        deserialize_str Text visit_borrowed_str some |reader| reader.text();
        deserialize_string Text visit_borrowed_str some |reader| reader.text();
    }

    forward! {
        deserialize_any() any;
        deserialize_i8() integer;
        deserialize_i16() integer;
        deserialize_i32() integer;
        deserialize_i128() integer;
        deserialize_u128() integer;
        deserialize_char() some;
        deserialize_bytes() some;
        deserialize_byte_buf() some;
        deserialize_unit() some;
        deserialize_unit_struct(&'static str) some;
        deserialize_tuple(usize) some;
        deserialize_tuple_struct(&'static str, usize) some;
        deserialize_map() some;
        deserialize_identifier() some;
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.resolve_some()? {
            Kind::List => self.list(visitor),
            _ => self.any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        // A field is passed over if nothing was read since it came.
        if let Way::Noting(unread) = self.way
            && let Some((left, node, child)) = self.field.take()
            && left == self.rest.len()
        {
            unread.note(node, child);
        }
        // What is inside of it is passed over with it.
        let way = mem::replace(&mut self.way, Way::ByName);
        let value = self.any(visitor)?;
        self.way = way;
        Ok(value)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.float_kind()? {
            Some(kind) => visitor.visit_f64(self.number(kind)?.to_f64()?),
            None => self.any(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.float_kind()? {
            Some(kind) => visitor.visit_f32(self.number(kind)?.to_f32()?),
            None => self.any(visitor),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.resolve()? {
            Kind::Option => self.option(visitor),
            Kind::Unit => visitor.visit_none(),
            // What was no `Option` when it was written.
            _ => visitor.visit_some(self),
        }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let kind = self.resolve_some()?;
        match (self.node(), self.way) {
            (Some(node), Way::ByPlace) if kind == Kind::Struct && node.has(fields) => {
                self.places(node, visitor)
            }
            _ => self.any(visitor),
        }
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.resolve_some()? {
            Kind::Enum | Kind::Variant => {
                self.deeper()?;
                let name = self.variant()?;
                let value = visitor.visit_enum(Content { name, reader: &mut *self })?;
                self.higher();
                Ok(value)
            }
            // What was a `String` when it was written.
            Kind::Text => visitor.visit_enum(StrDeserializer::new(self.text()?)),
            _ => self.any(visitor),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl<'de> VariantAccess<'de> for &mut Reader<'de, '_> {
    type Error = Error;

    #[inline]
    fn unit_variant(self) -> Result<()> {
        if self.resolve()? == Kind::Unit {
            return Ok(());
        }
        let held = Unexpected::Other("a variant that holds something");
        Err(de::Error::invalid_type(held, &"one that does not"))
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_struct("", fields, visitor)
    }
}
