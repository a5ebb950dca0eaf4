//! Files of which room is free.

use std::fs;

use dacapo::{Channel, Ctx, Error, Executor, Workflow};

use crate::live::{LONG, Live};
use crate::support::{Called, dacapo, folder};

const ORDER: Workflow<u64, u64> = Workflow::new("order");
const APPROVAL: Channel<bool> = Channel::new("approval");

/// What is free in a file goes back to the system while its process goes on, and by itself when it is closed.
#[test]
fn what_is_free_is_given_back() {
    const LETTER: Workflow<String, usize> = Workflow::new("letter");
    let letters = || {
        Executor::builder()
            .workflow(LETTER, async |_: &Ctx, text: String| Ok::<_, Error>(text.len()))
            .workflow(ORDER, async |ctx: &Ctx, _: u64| match ctx.receive(APPROVAL).await {
                true => Ok(1),
                false => Err(Error::new("not approved")),
            })
            .channel(APPROVAL)
    };
    let folder = folder("compact");
    let file = folder.join("orders.redb");
    let write = |executor: &Executor, name: &str| {
        for number in 0..20 {
            let id = format!("{name}-{number}");
            let text = "a".repeat(500_000);
            let letter = executor.start(LETTER, &id, text).expect("it is new");
            executor.block_on(letter).expect("it ends");
        }
    };
    let length = || fs::metadata(&file).expect("it is there").len();
    let freed = |call: &Called| {
        let line: serde_json::Value = serde_json::from_str(&call.out).expect("it is JSON");
        assert_eq!((call.code, &line["kind"]), (0, &"compacted".into()));
        assert!(line["bytes"].as_u64().is_some_and(|bytes| bytes <= length()), "{line}");
        line["freed"].as_u64().expect("it is a number")
    };
    let executor = letters().open(&file).expect("it is made");
    write(&executor, "early");
    drop(executor);

    let live = Live::new(&file, letters);
    let started = dacapo_inspect::wait(live.remote().start(ORDER, "order-7", 7).accepted(), LONG);
    started.expect("in time").expect("it is started");
    let pruned = dacapo(&folder, &["prune", "--keep", "3", "--yes"]);
    assert_eq!(pruned.out, "orders.redb: 17 runs deleted\n", "{pruned:?}");
    let before = length();
    let compacted = dacapo(&folder, &["compact", "--json"]);
    assert!(freed(&compacted) >= 5_000_000 && length() < before / 2, "{compacted:?} of {before}");
    let again = dacapo(&folder, &["compact"]);
    assert!(again.out.starts_with("orders.redb: no room in it is free, "), "{again:?}");
    assert_eq!(dacapo(&folder, &["send", "order-7", "approval", "true"]).code, 0);
    let ended = dacapo_inspect::wait(live.remote().attach(ORDER, "order-7"), LONG);
    assert_eq!(ended.expect("in time").expect("it goes on"), 1);
    drop(live);

    let executor = letters().open(&file).expect("it opens");
    write(&executor, "late");
    drop(executor);
    let before = length();
    assert_eq!(
        dacapo(&folder, &["prune", "--keep", "0", "--yes"]).out,
        "orders.redb: 24 runs deleted\n"
    );
    assert!(length() < before / 2, "{before} bytes became {}", length());
    assert_eq!(dacapo(&folder, &["check"]).code, 0);
    assert!(freed(&dacapo(&folder, &["compact", "--json"])) < 1_000_000);
}
