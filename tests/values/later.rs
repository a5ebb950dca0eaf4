//! Pairs of builds: a run sleeps across the upgrade, and its output is read after the rollback.

use std::fmt::Debug;

use dacapo::Value;
use serde::{Deserialize, Serialize};

use super::{asleep, check_read_later, finished};
use dacapo::store::MemoryStore;

/// Both ways, by itself and inside of what holds it.
fn check<A, B>(before: &A, after: &B, back: &A)
where
    A: Value + Clone + Debug + PartialEq,
    B: Value + Clone + Debug + PartialEq,
{
    check_read_later(before.clone(), after.clone(), back.clone());
    check_read_later(vec![before.clone()], vec![after.clone()], vec![back.clone()]);
    check_read_later(Some(before.clone()), Some(after.clone()), Some(back.clone()));
    check_read_later(
        Ok::<_, String>(before.clone()),
        Ok::<_, String>(after.clone()),
        Ok::<_, String>(back.clone()),
    );
}

/// The first release.
mod one {
    use super::*;

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) struct Price {
        pub(super) net: u32,
        pub(super) tax: u32,
    }

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) enum Decision {
        Approve,
        Reject,
        Ask { whom: String },
    }
}

fn price() -> one::Price {
    one::Price { net: 100, tax: 19 }
}

fn decisions() -> [one::Decision; 3] {
    [one::Decision::Approve, one::Decision::Reject, one::Decision::Ask { whom: "ada".into() }]
}

#[test]
fn a_field_is_added() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Price {
        #[serde(default)]
        currency: String,
        net: u32,
        tax: u32,
    }
    check(&price(), &Price { currency: String::new(), net: 100, tax: 19 }, &price());
}

#[test]
fn a_field_is_removed() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Price {
        net: u32,
    }
    // Back again it has to have a default, as in every rollback.
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Before {
        net: u32,
        #[serde(default)]
        tax: u32,
    }
    check(&Before { net: 100, tax: 19 }, &Price { net: 100 }, &Before { net: 100, tax: 0 });
}

#[test]
fn fields_change_places() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Price {
        tax: u32,
        net: u32,
    }
    check(&price(), &Price { tax: 19, net: 100 }, &price());
}

#[test]
fn a_field_is_widened() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Price {
        net: u64,
        tax: Option<u128>,
    }
    check(&price(), &Price { net: 100, tax: Some(19) }, &price());
}

#[test]
fn a_field_is_renamed_with_an_alias() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Before {
        // A build that is to be rolled back to knows the new name.
        #[serde(alias = "amount")]
        net: u32,
        tax: u32,
    }
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Price {
        tax: u32,
        #[serde(alias = "net")]
        amount: u32,
    }
    let before = Before { net: 100, tax: 19 };
    check(&before, &Price { tax: 19, amount: 100 }, &before);
}

#[test]
fn variants_change_places() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    enum Decision {
        Reject,
        Approve,
        Ask { whom: String },
    }
    let after = [Decision::Approve, Decision::Reject, Decision::Ask { whom: "ada".into() }];
    for (before, after) in decisions().iter().zip(&after) {
        check(before, after, before);
    }
}

#[test]
fn a_variant_is_put_in_between() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    enum Decision {
        Approve,
        #[allow(dead_code, reason = "no run of the first build has it")]
        Wait(u64),
        Reject,
        Ask {
            whom: String,
        },
    }
    let after = [Decision::Approve, Decision::Reject, Decision::Ask { whom: "ada".into() }];
    for (before, after) in decisions().iter().zip(&after) {
        check(before, after, before);
    }
}

#[test]
fn a_variant_is_removed() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    enum Decision {
        Reject,
        Ask { whom: String },
    }
    let [approve, reject, ask] = decisions();
    check(&reject, &Decision::Reject, &reject);
    check(&ask, &Decision::Ask { whom: "ada".into() }, &ask);

    // What is gone is missed by the run that has it, and by no other.
    let stored = asleep(MemoryStore::new(), "approved", approve.clone());
    let stored = asleep(stored, "rejected", reject);
    let (end, stored) = finished::<Decision>(stored, "approved");
    let error = end.expect_err("there is no such decision");
    assert!(error.is_parked(), "{error}");
    let expected = "undecodable value: the input does not decode as \
                    dacapo::values::later::a_variant_is_removed::Decision: unknown variant `Approve`, \
                    expected `Reject` or `Ask`; it was recorded as enum Decision { Approve }; give what \
                    is new a #[serde(default)] and what is renamed an alias, or bring back the type, \
                    then call `Executor::resume`";
    assert_eq!(error.to_string(), format!("run \"approved\" is parked: {expected}"));
    let (end, stored) = finished::<Decision>(stored, "rejected");
    assert_eq!(end.expect("it is read").0, Decision::Reject);

    // The first build takes it up again.
    let (workflow, builder) = super::keep::<one::Decision>();
    let (executor, _, _) = super::open(builder, stored);
    executor.resume("approved").expect("the type is back");
    let run = executor.attach(workflow, "approved").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends").0, approve);
}

#[test]
fn a_variant_that_is_new_waits_for_its_build_after_a_rollback() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    enum Decision {
        Wait(u64),
        Reject,
        Approve,
    }
    let stored = asleep(MemoryStore::new(), "new", vec![Some(Decision::Wait(7))]);
    let stored = asleep(stored, "known", vec![Some(Decision::Approve), None]);
    let (end, stored) = finished::<Vec<Option<one::Decision>>>(stored, "new");
    let error = end.expect_err("the build before has no such decision");
    let expected = "unknown variant `Wait`, expected one of `Approve`, `Reject`, `Ask`; it was recorded as \
                    Vec<Option<enum Decision { Wait(u64) }>>";
    assert!(error.is_parked() && error.to_string().contains(expected), "{error}");
    let (end, stored) = finished::<Vec<Option<one::Decision>>>(stored, "known");
    assert_eq!(end.expect("it is read").0, [Some(one::Decision::Approve), None]);

    let (workflow, builder) = super::keep::<Vec<Option<Decision>>>();
    let (executor, _, _) = super::open(builder, stored);
    executor.resume("new").expect("its build is back");
    let run = executor.attach(workflow, "new").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends").0, [Some(Decision::Wait(7))]);
}

#[test]
fn a_field_that_has_no_default_is_missed() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Price {
        net: u32,
        tax: u32,
        cur: String,
    }
    let stored = asleep(MemoryStore::new(), "run", price());
    let error = finished::<Price>(stored, "run").0.expect_err("nothing says the currency");
    let expected = "missing field `cur`; it was recorded as Price { net: u32, tax: u32 }; give what is \
                    new a #[serde(default)] and what is renamed an alias, or bring back the type";
    assert!(error.is_parked() && error.to_string().contains(expected), "{error}");
}
