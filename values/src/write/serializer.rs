//! serde's calls, one for each kind of value.

use serde::ser::{Serialize, Serializer};

use super::compound::Compound;
use super::{Text, Writer};
use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::varint;

macro_rules! leaves {
    ($($method:ident $type:ident $kind:ident |$out:ident, $value:ident| $write:expr;)*) => {$(
        #[inline]
        fn $method(self, $value: $type) -> Result<()> {
            self.leaf(Kind::$kind);
            let $out = &mut *self.out;
            $write;
            Ok(())
        }
    )*};
}

impl<'w, 'o> Serializer for &'w mut Writer<'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'w, 'o>;
    type SerializeTuple = Compound<'w, 'o>;
    type SerializeTupleStruct = Compound<'w, 'o>;
    type SerializeTupleVariant = Compound<'w, 'o>;
    type SerializeMap = Compound<'w, 'o>;
    type SerializeStruct = Compound<'w, 'o>;
    type SerializeStructVariant = Compound<'w, 'o>;

    leaves! {
        serialize_bool bool Bool |out, value| out.push(value.into());
        serialize_i8 i8 I8 |out, value| out.push(value as u8);
        serialize_i16 i16 I16 |out, value| varint::put(out, ((value << 1) ^ (value >> 15)) as u16 as u64);
        serialize_i32 i32 I32 |out, value| varint::put(out, ((value << 1) ^ (value >> 31)) as u32 as u64);
        serialize_i64 i64 I64 |out, value| varint::put(out, ((value << 1) ^ (value >> 63)) as u64);
        serialize_i128 i128 I128 |out, value| varint::put_wide(out, ((value << 1) ^ (value >> 127)) as u128);
        serialize_u8 u8 U8 |out, value| out.push(value);
        serialize_u16 u16 U16 |out, value| varint::put(out, value.into());
        serialize_u32 u32 U32 |out, value| varint::put(out, value.into());
        serialize_u64 u64 U64 |out, value| varint::put(out, value);
        serialize_u128 u128 U128 |out, value| varint::put_wide(out, value);
        serialize_f32 f32 F32 |out, value| out.extend_from_slice(&value.to_le_bytes());
        serialize_f64 f64 F64 |out, value| out.extend_from_slice(&value.to_le_bytes());
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.leaf(Kind::Char);
        self.bytes(value.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<()> {
        self.leaf(Kind::Text);
        self.bytes(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.leaf(Kind::Bytes);
        self.bytes(value);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<()> {
        self.container(Kind::Option, 1);
        self.out.push(0);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        self.deeper()?;
        let node = self.container(Kind::Option, 1);
        self.out.push(1);
        self.go(node, 0);
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    fn serialize_unit(self) -> Result<()> {
        self.unit()
    }

    fn serialize_unit_struct(self, _: Text) -> Result<()> {
        self.unit()
    }

    #[inline]
    fn serialize_unit_variant(self, name: Text, index: u32, variant: Text) -> Result<()> {
        self.variant(name, index, variant)?;
        self.leaf(Kind::Unit);
        self.depth -= 1;
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: Text, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: Text,
        index: u32,
        variant: Text,
        value: &T,
    ) -> Result<()> {
        self.variant(name, index, variant)?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    #[inline(always)]
    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'w, 'o>> {
        Compound::list(self, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'w, 'o>> {
        Compound::tuple(self, len)
    }

    fn serialize_tuple_struct(self, _: Text, len: usize) -> Result<Compound<'w, 'o>> {
        Compound::tuple(self, len)
    }

    fn serialize_tuple_variant(
        self,
        name: Text,
        index: u32,
        variant: Text,
        len: usize,
    ) -> Result<Compound<'w, 'o>> {
        self.variant(name, index, variant)?;
        Ok(Compound { levels: 2, ..Compound::tuple(self, len)? })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'w, 'o>> {
        Compound::map(self, len)
    }

    #[inline(always)]
    fn serialize_struct(self, name: Text, len: usize) -> Result<Compound<'w, 'o>> {
        Compound::fields(self, name, len)
    }

    fn serialize_struct_variant(
        self,
        name: Text,
        index: u32,
        variant: Text,
        len: usize,
    ) -> Result<Compound<'w, 'o>> {
        self.variant(name, index, variant)?;
        Ok(Compound { levels: 2, ..Compound::fields(self, "", len)? })
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
