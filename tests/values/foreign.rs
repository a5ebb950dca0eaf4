//! Types of other crates, without a line about them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::{Bound, Range};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use super::check_kept;

#[test]
fn ids_times_amounts_and_addresses() {
    check_kept(Uuid::from_u128(0x0123_4567_89ab_cdef));
    let at: DateTime<Utc> = DateTime::from_timestamp(2_000_000_000, 7).expect("a time");
    check_kept(at);
    check_kept(NaiveDate::from_ymd_opt(2026, 11, 26).expect("a day"));
    check_kept(Decimal::new(12_345, 2));
    check_kept(Url::parse("https://example.org/a?b=c").expect("a URL"));
    check_kept((Duration::from_millis(7), SystemTime::UNIX_EPOCH + Duration::from_secs(7)));
    check_kept(IpAddr::V4(Ipv4Addr::LOCALHOST));
    check_kept(IpAddr::V6(Ipv6Addr::LOCALHOST));
    check_kept(SocketAddr::from(([127, 0, 0, 1], 80)));
}

#[test]
fn what_the_standard_library_has() {
    check_kept(Err::<u8, String>("no".into()));
    check_kept(NonZeroU32::new(7));
    check_kept::<(Range<u8>, Bound<u8>)>((1..3, Bound::Excluded(3)));
    check_kept((BTreeMap::from([(1, 'a')]), BTreeSet::from([2]), VecDeque::from([3])));
    check_kept((HashMap::from([(1, "a".to_owned())]), HashSet::from([2])));
    check_kept(Cow::<'static, str>::Owned("tea".into()));
    check_kept((Box::new(1), Rc::new(2), Arc::<str>::from("three")));
    check_kept([[1_u8; 2]; 3]);
    check_kept((u128::MAX, i128::MIN, f64::MIN_POSITIVE, 'ü'));
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Order {
    id: Uuid,
    placed: DateTime<Utc>,
    total: Decimal,
    from: IpAddr,
    shop: Url,
    lines: HashMap<String, Vec<Option<Decimal>>>,
}

#[test]
fn all_of_them_in_one() {
    check_kept(Order {
        id: Uuid::from_u128(7),
        placed: DateTime::from_timestamp(1_900_000_000, 0).expect("a time"),
        total: Decimal::new(-1, 28),
        from: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        shop: Url::parse("http://shop.example").expect("a URL"),
        lines: HashMap::from([("tea".into(), vec![Some(Decimal::ONE), None])]),
    });
}
