//! Values compared by what they hold.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::view::View;

/// What came of [comparing](crate::Shapes::compare) two values.
///
/// ```
/// use dacapo_values::{Comparison, Shapes};
///
/// let shapes = Shapes::new();
/// let (mut one, mut other) = (Vec::new(), Vec::new());
/// shapes.encode(&vec![1u8, 2], &mut one)?;
/// shapes.encode(&vec![2u64, 1], &mut other)?;
/// assert_eq!(shapes.compare(&one, &other)?, Comparison::Reordered);
/// # Ok::<(), dacapo_values::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// They hold the same.
    Same,
    /// They would, if the elements of some list were in another order: a set, perhaps.
    Reordered,
    /// They hold something different.
    Different,
}

pub(crate) fn compare(one: &View, other: &View) -> Comparison {
    if normal(one, Lists::AsTheyAre) == normal(other, Lists::AsTheyAre) {
        Comparison::Same
    } else if normal(one, Lists::Sorted) == normal(other, Lists::Sorted) {
        Comparison::Reordered
    } else {
        Comparison::Different
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Lists {
    AsTheyAre,
    Sorted,
}

/// A text that is the same for values that hold the same: maps and structs by their keys, and no
/// matter what is an option, how wide a number is, or what names its struct has.
fn normal(view: &View, lists: Lists) -> String {
    let part = |view: &View| normal(view, lists);
    match view {
        View::Map(entries) => {
            sorted(entries.iter().map(|(key, value)| part(key) + ": " + &part(value)).collect())
        }
        View::Struct(_, fields) => {
            let field = |(key, value): &(String, View)| alloc::format!("{key:?}: {}", part(value));
            sorted(fields.iter().map(field).collect())
        }
        View::List(parts) => {
            let parts = parts.iter().map(part).collect::<Vec<_>>();
            match lists {
                Lists::AsTheyAre => alloc::format!("[{}]", parts.join(", ")),
                Lists::Sorted => alloc::format!("[{}]", sorted(parts)),
            }
        }
        View::Tuple(parts) => {
            alloc::format!("[{}]", parts.iter().map(part).collect::<Vec<_>>().join(", "))
        }
        View::Some(held) => match **held {
            View::Unit | View::None | View::Some(_) => alloc::format!("Some({})", part(held)),
            _ => part(held),
        },
        View::Variant(name, held) => alloc::format!("{name}({})", part(held)),
        View::F32(value) => alloc::format!("{:?}", f64::from(*value)),
        view => view.to_string(),
    }
}

fn sorted(mut parts: Vec<String>) -> String {
    parts.sort_unstable();
    alloc::format!("{{{}}}", parts.join(", "))
}
