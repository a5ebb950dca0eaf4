//! The service example as a process that is ended under load.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use super::order::{Site, binary, end};
use super::town::{PATIENCE, Town, Wish};
use super::{Random, setting};

/// Orders that are placed for each end of the service.
const ORDERS_PER_END: u64 = 17;
const CLIENTS: u64 = 8;

/// Starts the service, and tells the clients where it is.
fn start(site: &Site, town: &Town) -> Child {
    let mut command = Command::new(binary("service"));
    command.current_dir(&site.directory).args(["db", "ledger", "127.0.0.1:0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
    town.port.store(port.unwrap_or_else(|| panic!("no port: {line:?}")), SeqCst);
    child
}

/// What the bank did, by order: step and key, each once.
type Done = BTreeMap<String, BTreeSet<(String, String)>>;

/// The same as its ledger has it, and how many lines there are.
fn ledger(site: &Site) -> (Done, usize) {
    let text = fs::read_to_string(site.path("ledger")).unwrap();
    let mut done = Done::new();
    for line in text.lines() {
        let fields: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let [order, step, key] = <[_; 3]>::try_from(fields).expect("a line has three fields");
        done.entry(order).or_default().insert((step, key));
    }
    (done, text.lines().count())
}

/// What there is after a service was ended again and again, and then had its time.
struct After {
    states: BTreeMap<String, String>,
    done: Done,
    /// Lines of the ledger beyond one for each effect.
    twice: usize,
    /// Orders that were under way when the service ended, all ends together.
    cut_off: u64,
}

/// Has clients place orders, and the service ended by `stop` meanwhile, so many times.
fn storm(name: &str, ends: u64, seed: u64, stop: impl Fn(Child)) -> After {
    let (site, mut random) = (Site::new(name), Random(seed));
    let town = Town::default();
    let length = || fs::metadata(site.path("ledger")).map_or(0, |ledger| ledger.len());
    let mut cut_off = 0;
    let child = thread::scope(|scope| {
        let mut child = start(&site, &town);
        for _ in 0..CLIENTS {
            scope.spawn(|| town.client(ends * ORDERS_PER_END));
        }
        for _ in 0..ends {
            town.open.fetch_add(ORDERS_PER_END, SeqCst);
            // After some effects, or soon: a few ends come before any.
            let (enough, began) = (length() + random.below(1_000), Instant::now());
            while length() < enough && began.elapsed() < Duration::from_millis(400) {
                thread::sleep(Duration::from_micros(500));
            }
            thread::sleep(Duration::from_micros(random.below(5_000)));
            let begun = town.next.load(SeqCst).min(town.open.load(SeqCst));
            cut_off += begun.saturating_sub(town.done.load(SeqCst));
            stop(child);
            child = start(&site, &town);
        }
        child
    });
    let began = Instant::now();
    while town.list().values().any(|state| state == "Running") {
        assert!(began.elapsed() < PATIENCE, "{:?}", town.list());
        thread::sleep(Duration::from_millis(10));
    }
    let states = town.list();
    tell(child);
    let (done, lines) = ledger(&site);
    let twice = lines - done.values().map(BTreeSet::len).sum::<usize>();
    After { states, done, twice, cut_off }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Tells the service to end, which it does by itself.
fn tell(child: Child) {
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(told.expect("there is a `kill`").success());
    assert!(end(child).status.success());
}

/// `DACAPO_KILLS` and `DACAPO_SEED` make it longer, and another one.
#[cfg(unix)]
#[test]
fn a_service_killed_under_load_loses_no_order_and_charges_none_twice() {
    let (kills, seed) = (setting("DACAPO_KILLS", 30), setting("DACAPO_SEED", 1));
    let after = storm("service", kills, seed, kill);
    let orders = kills * ORDERS_PER_END;
    check(orders, &after.states, &after.done);
    assert!(after.cut_off >= kills, "under load");
    let given_back = after.states.values().filter(|state| *state == "Failed").count();
    let effects: usize = after.done.values().map(BTreeSet::len).sum();
    println!(
        "seed {seed}: {kills} kills of the service, {} times an order was under way; {orders} orders: \
         {} charged, {given_back} given back, none lost, none charged twice; {} of {effects} effects \
         asked for twice",
        after.cut_off,
        after.states.len() - given_back,
        after.twice
    );
}

/// Told to end, it does so under load, with clients that watch, and nothing is asked of the bank twice.
#[cfg(unix)]
#[test]
fn a_service_told_to_end_under_load_repeats_nothing() {
    let after = storm("service-told", 6, setting("DACAPO_SEED", 1), tell);
    check(6 * ORDERS_PER_END, &after.states, &after.done);
    assert_eq!(after.twice, 0);
}

/// Every order is there and has ended as its client was told, and the bank did what that says, once.
fn check(orders: u64, states: &BTreeMap<String, String>, done: &Done) {
    assert_eq!(states.len() as u64, orders);
    assert_eq!(done.len() as u64, orders, "all of them reached the bank, and no others");
    for order in 0..orders {
        let (id, wish) = (format!("order-{order}"), Wish::of(order));
        let steps: Vec<_> = done[&id].iter().map(|(step, _)| step.as_str()).collect();
        match (wish, &*states[&id]) {
            (Wish::Cheap | Wish::Granted | Wish::Hasty, "Completed") => {
                assert_eq!(steps, ["capture", "hold"], "{id}");
            }
            (Wish::Denied | Wish::Cancelled, "Failed") => {
                assert_eq!(steps, ["hold", "release"], "{id}");
            }
            // It was cut off at any point, also in the bank.
            (Wish::Hasty, "Failed") => {
                let times = |what: &str| steps.iter().filter(|step| **step == what).count();
                assert_eq!(times("release"), 1, "{id}: {steps:?}");
                assert!(times("hold") <= 1 && times("capture") <= 1, "{id}: {steps:?}");
            }
            (_, state) => panic!("{id} is {state}: {steps:?}"),
        }
    }
}
