//! Numbers: of one width to any that holds the value, and to floats where that is exact.

use core::fmt;

use serde::de::Visitor;

use super::{Reader, damaged};
use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::varint;

/// A number as it was recorded.
#[derive(Clone, Copy)]
pub(crate) enum Number {
    Unsigned(u64),
    Signed(i64),
    Wide(u128),
    WideSigned(i128),
    F32(f32),
    F64(f64),
}

impl Reader<'_, '_> {
    /// A number of `kind`; anything else cannot stand here.
    pub(crate) fn number(&mut self, kind: Kind) -> Result<Number> {
        Ok(match kind {
            Kind::U8 => Number::Unsigned(self.byte()?.into()),
            Kind::U16 => Number::Unsigned(u64::from(self.varint().and_then(fit::<u16>)?)),
            Kind::U32 => Number::Unsigned(u64::from(self.varint().and_then(fit::<u32>)?)),
            Kind::U64 => Number::Unsigned(self.varint()?),
            Kind::I8 => Number::Signed((self.byte()? as i8).into()),
            Kind::I16 => {
                Number::Signed(i64::from(i16::try_from(self.signed()?).map_err(|_| damaged())?))
            }
            Kind::I32 => {
                Number::Signed(i64::from(i32::try_from(self.signed()?).map_err(|_| damaged())?))
            }
            Kind::I64 => Number::Signed(self.signed()?),
            Kind::U128 => Number::Wide(self.wide()?),
            Kind::I128 => {
                let value = self.wide()?;
                Number::WideSigned((value >> 1) as i128 ^ -((value & 1) as i128))
            }
            Kind::F32 => Number::F32(f32::from_le_bytes(self.array()?)),
            Kind::F64 => Number::F64(f64::from_le_bytes(self.array()?)),
            _ => return Err(damaged()),
        })
    }

    #[inline]
    pub(super) fn signed(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn wide(&mut self) -> Result<u128> {
        varint::take_wide(&mut self.rest).ok_or_else(damaged)
    }
}

#[inline]
pub(super) fn fit<A: TryFrom<u64>>(value: u64) -> Result<A> {
    A::try_from(value).map_err(|_| damaged())
}

impl Number {
    #[inline]
    pub(crate) fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Signed(value) => visitor.visit_i64(value),
            Self::Wide(value) => visitor.visit_u128(value),
            Self::WideSigned(value) => visitor.visit_i128(value),
            Self::F32(value) => visitor.visit_f32(value),
            Self::F64(value) => visitor.visit_f64(value),
        }
    }

    /// The same in fewer bits, if it fits: serde's integers take no 128 bits.
    pub(super) fn narrow(self) -> Number {
        let (unsigned, signed) = match self {
            Self::Wide(value) => (u64::try_from(value).ok(), None),
            Self::WideSigned(value) => (u64::try_from(value).ok(), i64::try_from(value).ok()),
            _ => return self,
        };
        unsigned.map(Self::Unsigned).or(signed.map(Self::Signed)).unwrap_or(self)
    }

    pub(super) fn to_f64(self) -> Result<f64> {
        // The largest ones are rounded up, and back down.
        let (float, is_exact) = match self {
            Self::Unsigned(value) => {
                (value as f64, value as f64 as u64 == value && value != u64::MAX)
            }
            Self::Signed(value) => {
                (value as f64, value as f64 as i64 == value && value != i64::MAX)
            }
            Self::Wide(value) => {
                (value as f64, value as f64 as u128 == value && value != u128::MAX)
            }
            Self::WideSigned(value) => {
                (value as f64, value as f64 as i128 == value && value != i128::MAX)
            }
            Self::F32(value) => return Ok(value.into()),
            Self::F64(value) => return Ok(value),
        };
        if is_exact { Ok(float) } else { Err(inexact(self)) }
    }

    pub(super) fn to_f32(self) -> Result<f32> {
        if let Self::F32(value) = self {
            return Ok(value);
        }
        let float = self.to_f64()?;
        let narrow = float as f32;
        let is_exact = f64::from(narrow) == float || float.is_nan();
        if is_exact { Ok(narrow) } else { Err(inexact(self)) }
    }
}

#[cold]
fn inexact(number: Number) -> Error {
    Error::undecodable(format_args!("{number} is no number of the type that is asked for"))
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            Self::Wide(value) => value.fmt(f),
            Self::WideSigned(value) => value.fmt(f),
            Self::F32(value) => write!(f, "{value:?}"),
            Self::F64(value) => write!(f, "{value:?}"),
        }
    }
}
