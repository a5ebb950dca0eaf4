//! Levels, bytes, and parts that take no bytes.

use std::collections::BTreeMap;
use std::thread;

use dacapo_values::{Comparison, Shapes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::support::{encode, refused, restarted, round};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Branch(Box<Tree>),
    Fields { inner: Box<Tree> },
    Pair(Box<Tree>, ()),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t")]
enum Tagged {
    Leaf { n: u8 },
    Branch { inner: Box<Tagged> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Chain {
    End,
    Next(Box<Chain>),
}

fn chain(levels: usize) -> Chain {
    (1..levels).fold(Chain::End, |chain, _| Chain::Next(Box::new(chain)))
}

fn tree(levels: usize) -> Tree {
    (1..levels).fold(Tree::Leaf, |tree, _| Tree::Branch(Box::new(tree)))
}

fn tagged(levels: usize) -> Tagged {
    let branch = |inner, _| Tagged::Branch { inner: Box::new(inner) };
    (1..levels).fold(Tagged::Leaf { n: 1 }, branch)
}

fn json(levels: usize) -> serde_json::Value {
    (0..levels).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]))
}

const DEEP: &str = "it nests more than 128 levels deep";

#[test]
fn the_deepest_value() {
    let shapes = Shapes::new();
    round(&shapes, tree(128));
    assert_eq!(refused(&shapes, &tree(129)), DEEP);
    round(&shapes, tagged(128));
    assert_eq!(refused(&shapes, &tagged(129)), DEEP);
    round(&shapes, json(128));
    assert_eq!(refused(&shapes, &json(129)), DEEP);
    round(&shapes, tree(128));
}

/// Bytes that nobody wrote may say so; no thread could read what they say.
#[test]
fn bytes_that_nest_deeper_than_any_value() {
    let shapes = Shapes::new();
    round(&shapes, json(0));
    round(&shapes, serde_json::json!("of another kind, so anything may stand there"));
    let deepest = round(&shapes, json(128));
    assert_eq!(deepest[1..3], deepest[3..5], "a list of one");
    let deeper = [&deepest[..3], &deepest[1..]].concat();
    let read = shapes.decode::<serde_json::Value>(&deeper);
    assert!(read.as_ref().is_err_and(|why| why.is_damaged()), "{read:?}");
    assert!(shapes.view(&deeper).is_err() && shapes.compare(&deeper, &deeper).is_err());
}

/// Variants with fields take two levels, in writing and in reading.
#[test]
fn a_variant_with_parts_takes_two_levels() {
    let fields = |tree, _| Tree::Fields { inner: Box::new(tree) };
    let pair = |tree, _| Tree::Pair(Box::new(tree), ());
    let shapes = Shapes::new().read_back_all();
    round(&shapes, (0..63).fold(tree(2), fields));
    round(&shapes, (0..63).fold(tree(2), pair));
    assert_eq!(refused(&shapes, &(0..63).fold(tree(3), fields)), DEEP);
    assert_eq!(refused(&shapes, &(0..63).fold(tree(3), pair)), DEEP);
}

/// Threads of small systems and of thread pools have small stacks, and a build without
/// optimizations needs most.
#[test]
fn the_deepest_value_needs_little_stack() {
    fn on_a_small_stack<T>(kib: usize, value: fn(usize) -> T, look: fn(&Shapes, &[u8]))
    where
        T: Serialize + DeserializeOwned + 'static,
    {
        let work = move || {
            let shapes = Shapes::new();
            let bytes = encode(&shapes, &value(128)).expect("it is recorded");
            let shapes = restarted(&shapes);
            shapes.decode::<T>(&bytes).expect("it is read");
            assert!(encode(&shapes, &value(129)).is_err());
            look(&shapes, &bytes);
        };
        let thread = thread::Builder::new().stack_size(kib << 10).spawn(work);
        thread.expect("there is a thread").join().expect("the stack is large enough");
    }
    fn look(shapes: &Shapes, bytes: &[u8]) {
        shapes.view(bytes).expect("it is shown").to_string();
        shapes.each_leaf(bytes, &mut |_| ()).expect("it is read");
        assert_eq!(shapes.compare(bytes, bytes), Ok(Comparison::Same));
    }
    on_a_small_stack(128, chain, |_, _| ());
    on_a_small_stack(512, tree, look);
    on_a_small_stack(512, tagged, look);
    on_a_small_stack(512, json, look);
}

#[test]
fn the_largest_value() {
    let shapes = Shapes::new().max_bytes(1_000);
    let large = |bytes| format!("it takes {bytes} bytes, and at most 1000 can be recorded");
    round(&shapes, "x".repeat(998));
    assert_eq!(refused(&shapes, &"x".repeat(999)), large(1_001));
    assert_eq!(refused(&shapes, &"x".repeat(1 << 20)), large((1 << 20) + 3));
    round(&shapes, vec![1u8; 998]);
    assert_eq!(refused(&shapes, &vec![1u8; 999]), large(1_001));
    assert_eq!(refused(&shapes, &vec![vec![7u16; 300]; 300]), large(300 * 302 + 2));
    round(&shapes, vec!["x".repeat(99); 9]);
    assert_eq!(refused(&shapes, &vec!["x".repeat(99); 10]), large(1_001));
    let map: BTreeMap<u64, String> = (0..100).map(|n| (n, "x".repeat(9))).collect();
    assert_eq!(refused(&shapes, &map), large(1_101));
    round(&shapes, vec![vec![7u16; 300]; 3]);
}

/// What is too large is counted to its end, and not held.
#[test]
fn a_value_that_is_too_large_takes_no_memory() {
    let shapes = Shapes::new().max_bytes(1_000);
    let large = vec![vec![7u16; 300]; 300];
    round(&shapes, large[..2].to_vec());
    let mut bytes = Vec::new();
    shapes.encode(&large, &mut bytes).unwrap_err();
    assert!(bytes.capacity() < 4_000, "{}", bytes.capacity());
}

/// One that does not know its length puts it in afterwards, wherever the bytes are by then.
#[test]
fn large_values_of_unknown_length() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(transparent)]
    struct Unsized(Vec<Vec<String>>);
    impl Serialize for Unsized {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            struct Inner<'a>(&'a [String]);
            impl Serialize for Inner<'_> {
                fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                    let mut seq = s.serialize_seq(None)?;
                    self.0.iter().try_for_each(|text| seq.serialize_element(text))?;
                    seq.end()
                }
            }
            let mut seq = s.serialize_seq(None)?;
            self.0.iter().try_for_each(|list| seq.serialize_element(&Inner(list)))?;
            seq.end()
        }
    }
    let shapes = Shapes::new().max_bytes(10_000);
    let value = |count| Unsized(vec![vec!["x".repeat(9); 200]; count]);
    round(&shapes, value(3));
    assert_eq!(
        refused(&shapes, &value(6)),
        "it takes 12013 bytes, and at most 10000 can be recorded"
    );
    round(&shapes, value(4));
}

#[test]
fn without_a_limit_it_is_64_mib() {
    let shapes = Shapes::new();
    assert_eq!(
        refused(&shapes, &"x".repeat(70_000_000)),
        "it takes 70000004 bytes, and at most 67108864 can be recorded"
    );
}

#[test]
fn parts_that_take_no_bytes() {
    let shapes = Shapes::new();
    let units = |count| vec![(); count];
    let bytes = round(&shapes, units(1_000_000));
    assert_eq!(bytes.len(), 4);
    let why = "more than 1000000 of its parts take no bytes";
    assert_eq!(refused(&shapes, &units(1_000_005)), why);
    assert_eq!(refused(&shapes, &vec![units(1_000); 1_100]), why);

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Empty {}
    assert_eq!(refused(&shapes, &vec![Empty {}; 1_000_005]), why);
    assert_eq!(refused(&shapes, &vec![[(); 0]; 1_000_005]), why);
    // Sets and maps to nothing take bytes for their keys.
    let map: BTreeMap<u32, ()> = (0..1_100_000).map(|n| (n, ())).collect();
    let bytes = encode(&shapes, &map).expect("it is recorded");
    assert_eq!(shapes.decode::<BTreeMap<u32, ()>>(&bytes).expect("it is read").len(), 1_100_000);
}
