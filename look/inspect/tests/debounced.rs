//! A run whose input was replaced while it waited shows the one that it begins with.

use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::{Ctx, Debounce, Error, Executor, Workflow};
use dacapo_inspect::{Listing, Recorded, Source, View};

const INDEX: Workflow<String, usize> = Workflow::new("index");

/// More of them than records are read to list a run.
const CALLS: usize = 30;

#[test]
fn the_last_input_is_shown_and_found() {
    let index = async |_: &Ctx, text: String| Ok::<_, Error>(text.len());
    let builder = Executor::builder().workflow(INDEX, index).clock(VirtualClock::default());
    let executor = builder.in_memory();
    let wait = Debounce::new(Duration::from_secs(3_600));
    let call = |n: usize| executor.debounce(INDEX, "page", wait, format!("draft <{n}>"));
    let first = call(0).expect("it is submitted");
    for n in 1..CALLS {
        executor.block_on(call(n).expect("it waits").accepted()).expect("it is committed");
    }
    assert_shows_the_last(&executor);
    executor.block_on(first).expect("it ends");
    assert_shows_the_last(&executor);
}

fn assert_shows_the_last(executor: &Executor) {
    let source = Source::new(executor);
    let listing = |text: &str| {
        let listing = Listing { grep: Some(text.into()), ..Listing::default() };
        source.list(&listing, 10, |_| ()).expect("it is read").len()
    };
    let last = format!("draft <{}>", CALLS - 1);
    assert_eq!(listing(&last), 1, "it is found by its input");
    assert_eq!(listing("draft <0>"), 0, "that is not its input");

    let info = executor.runs(&dacapo::store::Filter::new()).expect("they are read").remove(0);
    let json = format!("{last:?}");
    let run = source.run(&info, View::default()).expect("it is read");
    assert_eq!(run.input.as_ref().map(|input| input.json()), Some(&*json));
    let value = |which| {
        source.value(&info, which).expect("it is read").map(|value| value.json().to_owned())
    };
    assert_eq!(value(Recorded::Input), Some(json));
    assert_eq!(value(Recorded::Record(0)).as_deref(), Some(r#""draft <0>""#));
    assert_eq!(value(Recorded::Record(3)).as_deref(), Some(r#""draft <3>""#));

    let checked = source.check(|_| ()).expect("it is read");
    assert!(checked.values >= CALLS as u64, "each of them is looked at: {}", checked.values);
}
