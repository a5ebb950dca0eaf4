//! Runs that move to another file as text.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo::sim::VirtualClock;
use dacapo::store::{Filter, MemoryStore, RunState};
use dacapo::{
    Attempt, Builder, Channel, Ctx, Cut, Either, Error, Executor, ParkReason, Result, Start,
    Timestamp, Topic, Workflow, select, yield_now,
};
use serde::{Deserialize, Serialize};

use super::{open, open_at};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Price {
    net: u64,
    note: Option<String>,
}

const PAY: Workflow<Price, Price> = Workflow::new("pay");
const PARENT: Workflow<u32, u32> = Workflow::new("parent");
const CHILD: Workflow<u32, u32> = Workflow::new("child");
const ROUNDS: Workflow<Price, Vec<u32>> = Workflow::new("rounds");
const GO: Channel<u32> = Channel::new("go");
const SEEN: Topic<Price> = Topic::new("seen");

type Keys = Rc<RefCell<Vec<String>>>;

fn build(keys: &Keys) -> Builder {
    let keys = keys.clone();
    let pay = async move |ctx: &Ctx, price: Price| -> Result<Price> {
        let (keys, drawn) = (keys.clone(), ctx.random());
        ctx.publish(SEEN, price.clone());
        let paid = ctx.step_with("pay", async move |attempt: Attempt| {
            keys.borrow_mut().push(attempt.key().to_owned());
            std::future::pending::<()>().await;
            Ok::<_, Error>(drawn)
        });
        let net = match select(ctx.receive(GO), paid).await {
            Either::First(net) => net,
            Either::Second(paid) => return Err(Error::new(format_args!("{paid:?}"))),
        };
        ctx.step("again", async || Ok::<_, Error>(())).await?;
        Ok(Price { net: net.into(), ..price })
    };
    Executor::builder()
        .workflow(PAY, pay)
        .workflow(PARENT, async |ctx: &Ctx, n: u32| ctx.child(CHILD, n).await)
        .workflow(CHILD, async |ctx: &Ctx, n: u32| Ok::<_, Error>(n + ctx.receive(GO).await))
        .workflow(ROUNDS, async |ctx: &Ctx, price: Price| -> Result<Vec<u32>> {
            if ctx.pass() == 1 {
                return ctx.again(ROUNDS, price).await;
            }
            Ok(vec![ctx.receive(GO).await, ctx.receive(GO).await])
        })
}

fn price() -> Price {
    Price { net: 250, note: Some("<b>\u{1b}[2J".into()) }
}

fn exported(executor: &Executor, ids: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    executor.export(ids, &mut bytes).expect("they are there");
    bytes
}

/// Another machine, whose file has other shapes and other keys, and whose clock is behind.
fn elsewhere(keys: &Keys) -> Executor {
    const OTHER: Workflow<Vec<Option<u8>>, ()> = Workflow::new("other");
    let builder = build(keys).workflow(OTHER, async |_: &Ctx, _| Ok::<_, Error>(()));
    let (executor, _) = open(builder, MemoryStore::new());
    for id in ["a", "b", "c"] {
        let run = executor.start(OTHER, id, vec![Some(1)]).expect("new");
        executor.block_on(run).expect("it ends");
    }
    executor
}

#[test]
fn a_run_goes_on_elsewhere_with_its_keys_and_its_values() {
    let (keys, clock) = (Keys::default(), VirtualClock::new(Timestamp::from_nanos(1 << 60)));
    let (executor, _) = open_at(build(&keys), MemoryStore::new(), clock);
    let options = Start::new().attribute("customer", "ada");
    let _run = executor.start_with(PAY, "pay", price(), options).expect("new");
    executor.block_on(async {
        yield_now().await;
        yield_now().await;
    });
    let key = keys.take().remove(0);
    let text = exported(&executor, &["pay"]);
    drop(executor);

    let executor = elsewhere(&keys);
    assert_eq!(executor.import(&text[..]).expect("it is whole"), ["pay"]);
    let parked = executor.parked().expect("readable").remove(0);
    assert_eq!((&*parked.id, parked.reason), ("pay", ParkReason::OnRequest));
    executor.verify("pay").expect("it is repeated");
    assert_eq!(executor.latest("pay", SEEN).expect("readable"), Some(price()));
    let ada = Filter::new().attribute("customer", "ada");
    assert_eq!(executor.runs(&ada).expect("readable").len(), 1);

    executor.resume("pay").expect("it goes on");
    executor.block_on(async {
        yield_now().await;
        yield_now().await;
    });
    assert_eq!(keys.take(), [key], "whoever is called knows it");
    executor.block_on(executor.send("pay", GO, 7)).expect("it waits");
    let run = executor.attach(PAY, "pay").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), Price { net: 7, ..price() });
    executor.verify("pay").expect("it is repeated");

    // And once more, from there.
    let text = exported(&executor, &["pay"]);
    let third = elsewhere(&keys);
    third.import(&text[..]).expect("it is whole");
    third.verify("pay").expect("it is repeated");
    let run = third.attach(PAY, "pay").expect("it has ended");
    assert_eq!(third.block_on(run).expect("it has ended"), Price { net: 7, ..price() });
}

#[test]
fn children_come_along_that_are_waited_for() {
    let keys = Keys::default();
    let (executor, _) = open(build(&keys), MemoryStore::new());
    let _run = executor.start(PARENT, "parent", 5).expect("new");
    executor.block_on(async {
        yield_now().await;
        yield_now().await;
    });
    let text = exported(&executor, &["parent"]);
    let other = elsewhere(&keys);
    assert_eq!(other.import(&text[..]).expect("it is whole"), ["parent", "parent/1"]);
    other.resume("parent").expect("it goes on");
    other.resume("parent/1").expect("it goes on");
    other.block_on(other.send("parent/1", GO, 2)).expect("it waits");
    let run = other.attach(PARENT, "parent").expect("it is there");
    assert_eq!(other.block_on(run).expect("it ends"), 7);

    // A child by itself: nobody waits for it there.
    let text = exported(&executor, &["parent/1"]);
    let other = elsewhere(&keys);
    other.import(&text[..]).expect("it is whole");
    other.resume("parent/1").expect("it goes on");
    other.block_on(other.send("parent/1", GO, 2)).expect("it waits");
    let run = other.attach(CHILD, "parent/1").expect("it is there");
    assert_eq!(other.block_on(run).expect("it ends"), 7);
}

#[test]
fn a_later_pass_comes_without_those_before() {
    let keys = Keys::default();
    let (executor, _) = open(build(&keys), MemoryStore::new());
    let _run = executor.start(ROUNDS, "rounds", price()).expect("new");
    executor.block_on(executor.send("rounds", GO, 1)).expect("it waits");
    executor.block_on(yield_now());
    let text = exported(&executor, &["rounds"]);
    let other = elsewhere(&keys);
    other.import(&text[..]).expect("it is whole");
    other.resume("rounds").expect("it goes on");
    other.block_on(other.send("rounds", GO, 2)).expect("it waits");
    let run = other.attach(ROUNDS, "rounds").expect("it is there");
    assert_eq!(other.block_on(run).expect("it ends"), [1, 2]);
    other.block_on(other.delete("rounds")).expect("it has ended");
    assert_eq!(other.runs(&Filter::new()).expect("readable").len(), 3, "nobody else's runs go");
}

#[test]
fn people_read_the_values() {
    let keys = Keys::default();
    let (executor, _) = open(build(&keys), MemoryStore::new());
    let _run = executor.start(PAY, "pay", price()).expect("new");
    executor.block_on(yield_now());
    let text = String::from_utf8(exported(&executor, &["pay"])).expect("it is text");
    assert!(text.contains(r#""values":[{"net":250,"note":"<b>\u001b[2J"}]"#), "{text}");
    assert!(text.contains(r#""describes":"Price { net: u64, note: Option<String> }""#), "{text}");
    assert!(text.contains(r#""shows":"start of workflow \"pay\"""#), "{text}");
}

#[test]
fn what_cannot_be_imported_is_refused_and_nothing_changes() {
    let keys = Keys::default();
    let (executor, _) = open(build(&keys), MemoryStore::new());
    let _run = executor.start(PAY, "pay", price()).expect("new");
    let _parent = executor.start(PARENT, "parent", 5).expect("new");
    executor.block_on(async {
        yield_now().await;
        yield_now().await;
    });
    let text = String::from_utf8(exported(&executor, &["pay", "parent"])).expect("it is text");
    let lines: Vec<_> = text.lines().collect();
    let other = elsewhere(&keys);
    let refused = |text: &str, message: &str| {
        let error = other.import(text.as_bytes()).expect_err("it is refused");
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(other.runs(&Filter::new()).expect("readable").len(), 3);
    };
    refused("", "the export is damaged: it ends after 0 lines, and has no end: copy all of it");
    refused("no\n", "line 1 of the export cannot be read");
    refused(
        lines[1],
        r#"line 1 of the export is none: an export begins with a line of the kind "export""#,
    );
    // Each line that is left out, and each that was changed, is noticed.
    for at in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(at);
        let error = other.import(fewer.join("\n").as_bytes()).expect_err("a line is missing");
        assert!(error.to_string().contains("export"), "{at}: {error}");
        for (from, to) in [
            ("\"bytes\":\"", "\"bytes\":\"00"),
            ("\"commit\":", "\"commit\":9"),
            ("\"key\":", "\"key\":9"),
        ] {
            if lines[at].contains(from) {
                let mut changed: Vec<_> = lines.iter().map(ToString::to_string).collect();
                changed[at] = lines[at].replacen(from, to, 1);
                refused(
                    &changed.join("\n"),
                    &format!(
                        "line {} of the export has a wrong checksum: it was changed; export it anew",
                        at + 1
                    ),
                );
            }
        }
    }
    refused(
        &text.replace("\"format\":1", "\"format\":2"),
        "line 1 of the export is of format 2, with version 1 of the rules, and this build knows 1 and 1: \
         import it with a later one",
    );
    refused(&[&text, &*text].concat(), "stands behind the end");
    assert_eq!(other.runs(&Filter::new()).expect("readable").len(), 3);
    other.import(text.as_bytes()).expect("it is whole");
    let error = other.import(text.as_bytes()).expect_err("it is there");
    assert_eq!(
        error.to_string(),
        r#"there is a run "pay" already: import into another file, or delete that run"#
    );
    let error = executor.export(&["none"], &mut Vec::new()).expect_err("there is none");
    assert_eq!(error.to_string(), r#"there is no run "none": check the id, or start it"#);

    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = executor.export(&["pay"], &mut Full).expect_err("it is full");
    assert_eq!(error.to_string(), "the export cannot be written: no space left");
}

#[test]
fn a_fork_of_what_was_imported_has_keys_of_its_own() {
    let keys = Keys::default();
    let (executor, _) = open(build(&keys), MemoryStore::new());
    let _run = executor.start(PAY, "pay", price()).expect("new");
    executor.block_on(async {
        yield_now().await;
        yield_now().await;
    });
    let text = exported(&executor, &["pay"]);
    let other = elsewhere(&keys);
    let key = keys.take().remove(0);
    other.import(&text[..]).expect("it is whole");
    other.fork("pay", Cut::at(3), "copy").expect("it is cut");
    other.resume("copy").expect("it goes on");
    other.block_on(async {
        yield_now().await;
        yield_now().await;
    });
    let forked = keys.take().remove(0);
    assert_ne!(forked.rsplit('/').next(), key.rsplit('/').next());
    assert_eq!(other.runs(&Filter::new().states(&[RunState::Running])).expect("readable").len(), 1);
}

#[test]
fn an_exported_run_is_a_test() {
    let keys = Keys::default();
    let (executor, _) = open(build(&keys), MemoryStore::new());
    let _run = executor.start(PARENT, "parent", 5).expect("new");
    executor.block_on(async {
        yield_now().await;
        yield_now().await;
    });
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("parent.jsonl");
    std::fs::write(&path, exported(&executor, &["parent"])).expect("it is written");
    dacapo::sim::replay(build(&keys), &path).expect("it is repeated");
    let other = Executor::builder()
        .workflow(CHILD, async |_: &Ctx, n: u32| Ok::<_, Error>(n))
        .workflow(PARENT, async |ctx: &Ctx, n: u32| -> Result<u32> {
            ctx.step("other", async move || Ok::<_, Error>(n)).await
        });
    let error = dacapo::sim::replay(other, &path).expect_err("it is another");
    assert!(
        error.to_string().contains("record 1 of the history holds start of child 1 \"child\""),
        "{error}"
    );
    let error = dacapo::sim::replay(build(&keys), path.with_extension("none")).expect_err("none");
    assert!(error.to_string().contains("parent.none"), "{error}");
}
