//! The pictures of the design, over runs of the example `order`: of a process, and at rest.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dacapo::{Remote, Start};

use crate::commands::transcript_in;
use crate::deployed::{Still, first_days, next_orders, next_release};
use crate::live::{LONG, Live};
use crate::support::{dacapo, folder, snapshot};
use crate::workflow::ORDER;

#[test]
fn orders_at_rest() {
    let folder = folder("mocks");
    first_days(&folder.join("orders.redb")).expect("they are made");
    let text = transcript_in(
        &folder,
        &[
            &["list"],
            &["show", "order-1001"],
            &["show", "order-1001", "--at", "9", "--values"],
            &["why", "order-1008"],
            &["why", "order-1007"],
            &["list", "--json", "--prefix", "order-1001"],
            &["show", "order-1001", "--json"],
            &["show", "x", "--json"],
        ],
    );
    snapshot("orders.txt", &text);
}

#[test]
fn orders_of_a_process() {
    let folder = folder("mocks-live");
    let file = folder.join("orders.redb");
    first_days(&file).expect("they are made");
    let clock = Still::new();
    let of_process = clock.clone();
    let live = Live::new(&file, move || next_release(of_process));
    let remote = live.remote();
    for order in next_orders() {
        let options = Start::new().attribute("customer", &order.customer);
        let run = remote.start_with(ORDER, &order.id.clone(), order, options);
        dacapo_inspect::wait(run.accepted(), LONG).expect("in time").expect("it is started");
    }
    settled(&remote);
    let text = transcript_in(
        &folder,
        &[
            &["list"],
            &["list", "--state", "failed,parked"],
            &["show", "order-1009"],
            &["why", "order-1009"],
            &["why", "order-1008"],
            &["parked"],
            &["parked", "order-997"],
            &["fork", "order-1001", "--before", "3", "--dry-run"],
            &["fork", "order-997", "--at", "1", "--dry-run"],
            &["stats"],
            &["why", "order-1009", "--json"],
            &["parked", "order-997", "--json"],
            &["stats", "--json"],
        ],
    );
    snapshot("orders-live.txt", &told(&text));
    let watched = watched(&folder, "order-1009", || {
        clock.pass(Duration::from_secs(1));
        settled(&remote);
    });
    snapshot("orders-watch.txt", &watched);
}

/// Until nothing goes on: a call is carried out in a turn, so some calls are some turns.
fn settled(remote: &Remote) {
    for _ in 0..50 {
        dacapo_inspect::wait(remote.with(|_| ()), LONG).expect("in time").expect("it is there");
    }
}

/// What is not the same each time: the process, how large the file is, and how many commits it took, for what shares
/// one depends on how busy the machine is; and the lines of the example, which others change.
fn told(text: &str) -> String {
    let lines = text.lines().map(masked).map(|line| {
        let line = &*line;
        let size = line.starts_with("orders.redb ") && line.contains("iB · process ");
        let line = match line.split_once("process ") {
            Some((before, rest)) if line.starts_with("orders.redb") => {
                let behind = rest.split_once(')').map_or("", |(_, behind)| behind);
                format!("{before}process 4711 (order){behind}")
            }
            _ => line.to_owned(),
        };
        if let Some((_, behind)) = line.split_once(", the last at ")
            && line.starts_with(" commits ")
        {
            format!(" commits  34, the last at {behind}\n")
        } else if size {
            format!("orders.redb 1 MiB{}\n", &line[line.find(" ·").unwrap_or(0)..])
        } else {
            line + "\n"
        }
    });
    lines.collect()
}

/// A line without the figures behind these.
fn masked(line: &str) -> String {
    let figures = [".rs:", "\"bytes\":", "\"commits\":", "\"count\":"];
    figures.into_iter().fold(line.to_owned(), |line, before| {
        let mut parts = line.split(before);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |line, part| {
            let behind = part.trim_start_matches(|c: char| c.is_ascii_digit());
            line + before + if behind == part { "" } else { "41" } + behind
        })
    })
}

/// What is watched of a run while `act` is done, as far as it is recorded: when somebody looks, and so what is
/// awaited then, is not the same each time.
fn watched(folder: &Path, id: &str, act: impl FnOnce()) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dacapo"));
    command.current_dir(folder).args(["watch", id]).env("COLUMNS", "80").env("TZ", "UTC");
    let mut watch = command.stdout(Stdio::piped()).spawn().expect("it is called");
    let mut out = watch.stdout.take().expect("it is a pipe");
    let mut first = [0; 1];
    out.read_exact(&mut first).expect("it says how it stands");
    act();
    let mut text = String::from_utf8(first.to_vec()).expect("it is text");
    out.read_to_string(&mut text).expect("it is text");
    let code = watch.wait().expect("it ends").code();
    let is_recorded = |line: &&str| !line.contains("awaited") && !line.contains("attempt");
    let lines = text.lines().filter(is_recorded);
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    format!("$ dacapo watch {id}\n{text}[{}]\n", code.unwrap_or(-1))
}

/// A machine whose clock was set wrong when the file was written last, or is now.
#[test]
fn a_clock_that_is_behind_is_told() {
    let folder = folder("behind");
    let file = folder.join("orders.redb");
    first_days(&file).expect("they are made");
    let clock = Still::new();
    clock.pass(Duration::from_secs(100 * 365 * 86_400));
    let ahead = clock.clone();
    let live = Live::new(&file, move || next_release(ahead));
    settled(&live.remote());
    let says = |args: &[&str]| dacapo(&folder, args).out;
    // However its lines are broken.
    let on_a_line =
        |args: &[&str]| says(args).split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
    for args in [&["stats"][..], &["list"], &["why", "order-997"]] {
        assert!(!says(args).contains("nusual"), "{args:?}: {}", says(args));
    }
    clock.back(Duration::from_secs(7_200));
    settled(&live.remote());
    let line = "the clock is 2 h 0 m behind the last commit: what waits for a time of day waits so much longer; \
                set the clock right\n";
    let (stats, list) = (on_a_line(&["stats"]), on_a_line(&["list"]));
    assert!(stats.ends_with(&format!(" unusual {line}")), "{stats}");
    assert!(list.ends_with(&format!("Unusual: {line}")), "{list}");
    for line in [says(&["stats"]), says(&["list"])].iter().flat_map(|text| text.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let why = says(&["why", "order-997"]);
    assert!(why.contains(&format!("Unusual: {line}")), "{why}");
    drop(live);
    let rest = says(&["stats"]);
    assert!(rest.contains("unusual  the clock is ") && rest.contains(" behind the last"), "{rest}");
    let rest = says(&["stats", "--json"]);
    assert!(rest.contains("\"clock_behind\":"), "{rest}");
}
