//! Types of other crates, and of the standard library.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::Bound;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDate, Utc};
use dacapo_values::Shapes;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::ordinary::Order;
use crate::support::{Value, encode, round, shown};

#[test]
fn they_are_read_back() {
    let shapes = Shapes::new();
    round(&shapes, Uuid::from_u128(7));
    round(&shapes, Decimal::new(1234, 2));
    round(&shapes, vec![Some(Decimal::MAX), None]);
    round(&shapes, (DateTime::<Utc>::UNIX_EPOCH, NaiveDate::MIN));
    round(&shapes, Url::parse("https://example.org/a?b=c").expect("a URL"));
    round(&shapes, (Duration::from_millis(1500), SystemTime::UNIX_EPOCH));
    for address in ["127.0.0.1", "::1"] {
        round(&shapes, address.parse::<IpAddr>().expect("an address"));
    }
    round(&shapes, "[::1]:80".parse::<SocketAddr>().expect("an address"));
    round(&shapes, Ok::<u8, Order>(1));
    round(&shapes, Err::<u8, Order>(Order::tea()));
    round(&shapes, (NonZeroU32::MIN, 0u64..3, 1u8..=2, Bound::Included(3u8)));
    round(&shapes, HashMap::from([(1u64, "a".to_string()), (2, "b".to_string())]));
    round(&shapes, HashMap::from([((1u8, Uuid::nil()), vec![Some(())])]));
    round(&shapes, (HashSet::from([1u8, 2]), BTreeSet::from([Some('x'), None])));
    round(&shapes, VecDeque::from([1i8, -1]));
    round(&shapes, (Rc::new(1u8), Arc::new(Order::tea()), Box::new("x".to_string())));
    round(&shapes, (Cow::<'static, str>::Borrowed("x"), PathBuf::from("/a/b")));
    round(&shapes, std::cell::RefCell::new(1u8));
    round(&shapes, std::marker::PhantomData::<u8>);
}

#[test]
fn they_are_shown() {
    assert_eq!(shown(Decimal::new(1234, 2)), "\"12.34\"");
    assert_eq!(shown(Duration::from_millis(1500)), "Duration { secs: 1, nanos: 500000000 }");
    assert_eq!(shown(Err::<u8, String>("no".into())), "Err(\"no\")");
    assert_eq!(shown("127.0.0.1".parse::<IpAddr>().expect("an address")), "V4(127, 0, 0, 1)");
    assert_eq!(shown(DateTime::<Utc>::UNIX_EPOCH), "\"1970-01-01T00:00:00Z\"");
    assert!(shown(Uuid::nil()).starts_with("b\"\\x00"));
}

/// Inside of what serde buffers, types see a reader that says it is for humans, and need not agree
/// with what they wrote.
#[test]
fn inside_of_what_serde_buffers() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged<T> {
        A { inner: T },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat<T> {
        #[serde(flatten)]
        inside: Inside<T>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inside<T> {
        inner: T,
    }
    fn check<T: Value + Clone>(inner: T) {
        let shapes = Shapes::new();
        round(&shapes, Tagged::A { inner: inner.clone() });
        round(&shapes, Flat { inside: Inside { inner } });
    }
    fn is_refused<T: Value + Clone>(inner: T) {
        let shapes = Shapes::new();
        assert!(encode(&shapes, &Tagged::A { inner: inner.clone() }).is_err());
        assert!(encode(&shapes, &Flat { inside: Inside { inner } }).is_err());
        assert!(shapes.is_empty());
    }
    check(DateTime::<Utc>::UNIX_EPOCH);
    check(Decimal::new(1234, 2));
    check((Duration::from_millis(1500), SystemTime::UNIX_EPOCH));
    check((Some(3u8), None::<u8>, 1.5f32, 'x', ()));
    check(([1u8; 32], Err::<u8, String>("x".into())));
    check(crate::ordinary::Event::all().to_vec());
    check(serde_json::json!({ "a": [1, null] }));
    check(HashMap::from([(1u64, 2u8)]));
    is_refused(u128::MAX);
    is_refused("::1".parse::<IpAddr>().expect("an address"));
}
