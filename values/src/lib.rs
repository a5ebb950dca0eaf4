//! Values as small as postcard's, read by the names of their fields and variants.
//!
//! A value is written as [postcard](https://docs.rs/postcard) writes it, behind the number of its
//! **shape**. A shape is what serde's serializer said of the type while values of it were written:
//! the names of structs, fields and variants, and what kinds of values stand where. It is kept
//! once, by whoever keeps the values, and a reader goes along the shape that the value was written
//! with. So
//!
//! 1. a value is never read through another shape than its own;
//! 2. what cannot be read back is refused when it is written;
//! 3. fields and variants may be added, removed, reordered and, with serde's `alias`, renamed, and
//!    integers may become wider;
//! 4. a program without the types can show any value.
//!
//! Nothing is derived but serde's own traits.
//!
//! ```
//! use dacapo_values::{Shapes, number_of};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! enum Event {
//!     Created,
//!     Paid { cents: u64 },
//! }
//!
//! let shapes = Shapes::new();
//! let mut bytes = Vec::new();
//! shapes.encode(&Event::Paid { cents: 250 }, &mut bytes)?;
//! assert_eq!(bytes.len(), 4, "the shape, the variant, and two bytes of 250");
//! assert_eq!(shapes.view(&bytes)?.to_string(), "Paid { cents: 250 }");
//!
//! // What is new in a value makes a new shape. The old one stays, and so do its values.
//! let mut more = Vec::new();
//! shapes.encode(&Event::Created, &mut more)?;
//! assert_eq!(shapes.describe(number_of(&bytes)?)?, "enum Event { Paid { cents: u64 } }");
//! assert_eq!(shapes.describe(number_of(&more)?)?, "enum Event { Created, Paid { cents: u64 } }");
//!
//! // Another build.
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! enum Later {
//!     Refunded,
//!     Paid { cents: u128, #[serde(default)] note: String },
//! }
//! assert_eq!(shapes.decode::<Later>(&bytes)?, Later::Paid { cents: 250, note: "".into() });
//! assert_eq!(
//!     shapes.decode::<Later>(&more).unwrap_err().to_string(),
//!     "unknown variant `Created`, expected `Refunded` or `Paid`; \
//!      it was recorded as enum Event { Created, Paid { cents: u64 } }"
//! );
//! # Ok::<(), dacapo_values::Error>(())
//! ```
//!
//! # Bytes
//!
//! A value is a number (varint) and a body. The numbers below 32 are kinds and need no shape: 1 is
//! anything, 2 to 18 are unit, bool, i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64,
//! char, text, bytes; 32 + n is shape n. The body, by the node of the shape that it stands at:
//!
//! | node | bytes |
//! |---|---|
//! | leaf | as in postcard: varint, zigzag, little-endian floats; a unit has none |
//! | option | 0, or 1 and the value |
//! | list, map | count and elements |
//! | tuple, struct, fields of a variant | the parts in their order |
//! | *loose* struct: one of which some values lack a field | for each field its place + 1 and the value; then 0 |
//! | enum | the place of the variant in the shape, and what it holds |
//! | newtype struct | as what it holds |
//! | any: values of several kinds were seen there | a kind (2 to 22) and the value, in which structs are maps, variants are a text and a value, and all is *any* again |
//!
//! Tuples of more than 64 parts are lists.
//!
//! # Growth
//!
//! A shape only widens: what was unknown becomes what is seen; two kinds in one place become *any*;
//! a variant that is new is one more; a struct whose fields are not all there, or in another order,
//! becomes loose, and so do two structs of different names in one place. One name is one node, so
//! recursive types end. Each shape that came out of it has a number of its own.
//!
//! # Reading
//!
//! As in JSON with the following additions. Integers are read as any integer that holds the value,
//! and as a float if that is exact. `T` and `Option<T>`, a newtype and its inside, a text and a unit
//! variant, a struct and a map are read as each other. All of serde's attributes work; what serde
//! buffers (`flatten`, `untagged`, `tag`) takes a byte more for each value, and cannot hold integers
//! of 128 bits or IP addresses: they are refused there.
//!
//! What is silent is what is silent in JSON: parts of a tuple that change places, a name that means
//! something else, a field that is renamed without `alias` and has a `default`.
//!
//! # Limits
//!
//! 128 levels of options, lists, tuples, maps, structs and variants; 64 MiB a value, or what
//! [`Shapes::max_bytes`] says; 1,000,000 more parts without bytes than bytes; 1,000 nodes a shape,
//! beyond which what is new is *any*; 64 shapes of one type in a process, after which all of its
//! values are *any*.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod error;
mod limits;
mod kind;
mod varint;

mod shape;
mod stored;
mod describe;

mod write;
mod unread;
mod read;

mod secret;
mod view;
mod compare;

mod types;
mod shapes;
mod decode;
mod encode;
mod detached;
mod leaves;
mod moved;

pub use compare::Comparison;
pub use decode::number_of;
pub use detached::Detached;
pub use error::{Error, Result};
pub use leaves::Leaf;
pub use secret::Secret;
pub use shapes::Shapes;
pub use view::View;
