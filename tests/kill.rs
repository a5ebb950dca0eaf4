//! A real process, killed again and again; its effects are counted from outside.

mod mailer;
mod order;
mod service;
mod town;

use std::collections::BTreeSet;
use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use dacapo::store::RedbStore;

use super::coverage;
use order::{Site, end, spawn, wait};

/// What an uninterrupted run leaves.
struct Reference {
    keys: BTreeSet<String>,
    results: String,
}

/// Follows a site from one end of a process to the next.
#[derive(Default)]
struct Watch {
    /// Lines in the ledger, whole ones, in their order.
    lines: Vec<String>,
    committed: BTreeSet<String>,
    /// Lines of steps whose outcomes were not committed when their process ended: one for each body
    /// that was in flight, and had done its work.
    lost: usize,
}

impl Watch {
    /// A process has ended: looks at what it has left. Returns how many effects it had.
    fn look(&mut self, site: &Site) -> usize {
        let (lines, committed) = (site.ledger(), site.committed());
        assert!(lines.starts_with(&self.lines), "the ledger only grows");
        let added = &lines[self.lines.len()..];
        for (place, key) in added.iter().enumerate() {
            assert!(!self.committed.contains(key), "{key} ran again after it was committed");
            assert!(!added[..place].contains(key), "{key} ran twice in one process");
        }
        assert!(committed.is_superset(&self.committed), "a commit was lost");
        let written: BTreeSet<_> = lines.iter().cloned().collect();
        assert!(committed.is_subset(&written), "an outcome is committed before its effect");
        self.lost += added.iter().filter(|key| !committed.contains(*key)).count();
        let added = added.len();
        (self.lines, self.committed) = (lines, committed);
        added
    }

    /// The last process has finished: everything must be as if there had been one only.
    fn check(&mut self, site: &Site, reference: &Reference) {
        self.look(site);
        let keys: BTreeSet<_> = self.lines.iter().cloned().collect();
        assert_eq!(keys, reference.keys);
        assert_eq!(self.committed, reference.keys);
        assert_eq!(site.results(), reference.results);
        // One line for each key, and one more for each body that a kill interrupted behind its effect.
        assert_eq!(self.lines.len(), keys.len() + self.lost);
    }
}

/// Runs the orders of a file without a crash.
fn uninterrupted(site: &Site, args: &[&str]) -> Reference {
    let summary = site.finish(args);
    let lines = site.ledger();
    let keys: BTreeSet<_> = lines.iter().cloned().collect();
    assert_eq!(keys.len(), lines.len(), "without a crash every step runs once");
    assert!(summary.ends_with(&format!(" replayed_steps=0 executed_steps={}", keys.len())));
    Reference { keys, results: site.results() }
}

fn reference() -> &'static Reference {
    static REFERENCE: OnceLock<Reference> = OnceLock::new();
    REFERENCE.get_or_init(|| uninterrupted(&Site::new("reference"), &[]))
}

/// The orders that ship with the example, so many times, each time with other ids.
fn orders(copies: usize) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders.json");
    let text = fs::read_to_string(path).unwrap();
    let orders: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(orders.len() >= 200);
    let copy = |copy| {
        orders.iter().cloned().map(move |mut order| {
            order["id"] = format!("{}-{copy}", order["id"].as_str().unwrap()).into();
            order
        })
    };
    serde_json::Value::Array((0..copies).flat_map(copy).collect()).to_string()
}

/// Pseudo-random numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }
}

/// Whether this time has passed since now.
fn after(delay: Duration) -> impl FnMut() -> bool {
    let began = Instant::now();
    move || began.elapsed() >= delay
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// `DACAPO_KILLS` and `DACAPO_SEED` make it longer, and another one.
#[test]
fn killed_50_times_on_one_file_it_ends_as_if_it_had_never_been() {
    let (kills, seed) = (setting("DACAPO_KILLS", 50), setting("DACAPO_SEED", 1));
    let site = Site::new("random");
    let (mut random, mut watch) = (Random(seed), Watch::default());
    let (mut copies, mut killed, mut without_effect) = (1, 0, 0);
    fs::write(site.path("orders"), orders(copies)).unwrap();
    while killed < kills {
        let mut command = site.order();
        let child = spawn(command.args(["--orders", "orders", "--results", "results"]));
        // A third come while the process starts and replays, the others after some effects.
        let output = if random.below(3) == 0 {
            wait(child, after(Duration::from_micros(random.below(60_000))))
        } else {
            let path = site.path("ledger");
            let length = || fs::metadata(&path).map_or(0, |ledger| ledger.len());
            let enough = length() + random.below(5000);
            wait(child, || length() > enough)
        };
        match output {
            None => killed += 1,
            // It was too quick for us: there is more to do.
            Some(output) => {
                assert!(output.status.success(), "seed {seed}, kill {killed}: {output:?}");
                copies += 1;
                fs::write(site.path("orders"), orders(copies)).unwrap();
            }
        }
        without_effect += u64::from(watch.look(&site) == 0);
    }
    let done = watch.committed.len();
    site.finish(&["--orders", "orders"]);

    let other = Site::new("random-reference");
    fs::copy(site.path("orders"), other.path("orders")).unwrap();
    watch.check(&site, &uninterrupted(&other, &["--orders", "orders"]));
    coverage::add(&format!("kills={killed}"));
    println!(
        "seed {seed}: {killed} kills, {without_effect} of them before any effect; {copies} x the \
         orders; {done} of {} steps committed under fire, {} effects twice",
        watch.committed.len(),
        watch.lost
    );

    // Nothing is left to do.
    let before = site.files();
    let summary = site.finish(&["--orders", "orders"]);
    assert!(summary.ends_with(" replayed_steps=0 executed_steps=0"), "{summary}");
    assert_eq!(site.ledger(), watch.lines);
    assert_eq!(site.files()[&site.path("results")], before[&site.path("results")]);
}

/// Told to end, it ends by itself, and what is recorded is all that took place: nothing is repeated.
#[cfg(unix)]
#[test]
fn told_to_end_it_repeats_nothing() {
    let (site, reference) = (Site::new("told"), reference());
    let mut watch = Watch::default();
    for _ in 0..4 {
        let child = spawn(&mut site.order());
        let (id, before, begun) = (child.id().to_string(), watch.lines.len(), Instant::now());
        while site.ledger().len() < before + 20 && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let told = std::process::Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("there is a `kill`").success());
        let output = end(child);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.starts_with("stopped"), "{text}");
        assert!(watch.look(&site) > 0);
        assert_eq!(watch.lost, 0, "all effects are recorded");
    }
    site.finish(&[]);
    watch.check(&site, reference);
    assert_eq!(watch.lost, 0);
}

#[test]
fn killed_while_it_makes_its_file_it_finishes_the_next_time() {
    let mut random = Random(setting("DACAPO_SEED", 1));
    for round in 0..20 {
        let site = Site::new("create");
        fs::write(site.path("orders"), FEW_ORDERS).unwrap();
        let args = ["--orders", "orders", "--cooling-off", "1"];
        let delay = Duration::from_micros(random.below(15_000));
        let _output = wait(spawn(site.order().args(args)), after(delay));
        let summary = site.finish(&args);
        assert!(summary.starts_with("orders=2 completed=1 refused=1 "), "{round}: {summary}");
    }
}

const FEW_ORDERS: &str = r#"[
    {"id": "a", "customer": "ada", "skus": ["tea"], "cents": 450},
    {"id": "b", "customer": "bob", "skus": [], "cents": 100001, "approval": {"denied": "no"}}
]"#;

#[test]
fn it_crashes_right_after_the_nth_effect_and_goes_on_the_next_time() {
    let site = Site::new("nth");
    let mut watch = Watch::default();
    for lines in [1, 2, 50, 300, 700] {
        let child = spawn(site.order().args(["--crash-after", &lines.to_string()]));
        let output = end(child);
        assert!(!output.status.success());
        assert!(output.stdout.is_empty(), "{output:?}");
        assert_eq!(watch.look(&site), lines);
    }
    let unfinished = watch.committed.len();
    let summary = site.finish(&[]);
    let executed = reference().keys.len() - unfinished;
    assert!(summary.ends_with(&format!("executed_steps={executed}")), "{summary}");
    watch.check(&site, reference());
}

/// One line on stderr, nothing on stdout, the status, and not one file changed or made.
fn check_refused(site: &Site, args: &[&str], status: i32, message: &str) {
    let before = site.files();
    let output = end(spawn(site.order().args(args)));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert!(text.starts_with("order: ") && text.contains(message), "{text}");
    assert!(text.ends_with('\n') && text.lines().count() == 1, "{text}");
    assert!(output.stdout.is_empty());
    assert!(site.files() == before, "{args:?} changed a file");
}

#[test]
fn wrong_orders_are_refused_before_anything_is_touched() {
    let order = r#"{"id": "a", "customer": "b", "skus": [], "cents": 1}"#;
    let cases = [
        (order, "orders: invalid type: map, expected a sequence at line 1 column 0"),
        ("[", "orders: EOF while parsing a list"),
        (r#"[{"id": 7}]"#, "orders: invalid type: integer `7`, expected a string at line 1"),
        (r#"[{"id": "a"}]"#, "orders: missing field `customer`"),
        (&format!("[{order}, {order}]"), r#"the order id "a" is empty, has a tab, or comes twice"#),
    ];
    let site = Site::new("orders");
    for (orders, message) in cases {
        fs::write(site.path("orders"), orders).unwrap();
        check_refused(&site, &["--orders", "orders"], 2, message);
    }
    check_refused(&site, &["--orders", "nowhere"], 2, "nowhere: ");
    check_refused(&site, &["--order", "orders"], 2, "invalid option '--order'; see --help");
    check_refused(&site, &["--crash-after", "0"], 2, "counts lines from 1");
    check_refused(&site, &["--crash-after"], 2, "missing argument");
}

#[test]
fn a_store_that_cannot_be_opened_is_left_as_it_is() {
    let site = Site::new("store");
    site.finish(&[]);
    let whole = fs::read(site.path("db")).unwrap();

    let held = RedbStore::open(site.path("db")).unwrap();
    check_refused(&site, &[], 1, "db is open already");
    drop(held);

    let half = &whole[..whole.len() / 2];
    let (zeros, text) = (&vec![0; 8192][..], &b"these are the minutes of the last meeting\n"[..]);
    let cases = [(half, "db is damaged"), (text, "db is not a dacapo store"), (zeros, "db is")];
    for (bytes, message) in cases {
        fs::write(site.path("db"), bytes).unwrap();
        check_refused(&site, &[], 1, message);
    }
    check_refused(&site, &["--db", "nowhere/db"], 1, "nowhere/db: its directory does not exist");
}
