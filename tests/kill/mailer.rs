//! The mailer example, killed again and again: what the mail server got, what the tables hold, and when runs were
//! admitted are looked at from outside, each time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dacapo::store::{Filter, RunState};
use dacapo::{Executor, Table};
use serde::Deserialize;

use super::order::{Site, binary, end, spawn, wait};
use super::{Random, after, setting};

#[derive(serde::Serialize, Deserialize)]
struct Account {
    cents: u64,
    mails: u64,
}

const ACCOUNTS: Table<String, Account> = Table::new("accounts");
const MAILS: Table<(String, u64), u64> = Table::new("mails");
/// What they begin with, in cents.
const CUSTOMERS: [(&str, u64); 4] =
    [("ada", 1_000_000), ("bob", 500), ("eve", 1_000_000), ("joe", 0)];
/// So many may be admitted in such a time.
const RATE: (usize, Duration) = (20, Duration::from_millis(100));

fn mailer(site: &Site, mails: u32) -> Command {
    let mut command = Command::new(binary("mailer"));
    command.current_dir(&site.directory).args(["db", "ledger", &mails.to_string()]);
    command
}

/// What the server got: the numbers of the mails of each customer in their order, each once. How many came again.
fn sent(site: &Site) -> (BTreeMap<String, u64>, usize) {
    let text = fs::read_to_string(site.path("ledger")).unwrap_or_default();
    let (mut last, mut again) = (BTreeMap::<String, (u64, String)>::new(), 0);
    for line in text.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let [customer, number, key, _] = fields[..] else { panic!("another form: {line:?}") };
        let this = (number.parse().expect("a number"), key.to_owned());
        let before = last.get(customer).map_or(0, |(number, _)| *number);
        if last.get(customer) == Some(&this) {
            again += 1;
        } else {
            assert_eq!(this.0, before + 1, "in their order: {line}");
            last.insert(customer.into(), this);
        }
    }
    (last.into_iter().map(|(customer, (number, _))| (customer, number)).collect(), again)
}

/// The tables agree with each other, and with what the server got but for the mail that is under way. How many
/// mails each customer has.
fn look(site: &Site, db: &Path) -> BTreeMap<String, u64> {
    let (sent, _) = sent(site);
    let executor = Executor::builder().open(db).unwrap();
    let mails = executor.read(|tables| {
        let mut mails = BTreeMap::new();
        for (customer, account) in tables.range(ACCOUNTS, ..) {
            let first =
                CUSTOMERS.iter().find(|(name, _)| *name == customer).expect("one of them").1;
            let of = (customer.clone(), 0)..(customer.clone(), u64::MAX);
            let paid: Vec<_> = tables.range(MAILS, of).collect();
            let numbers = paid.iter().map(|((_, number), _)| *number);
            assert!(numbers.eq(1..=account.mails), "{customer}: {paid:?}");
            let cost: u64 = paid.iter().map(|(_, cents)| cents).sum();
            assert_eq!(account.cents + cost, first, "{customer}");
            let sent = sent.get(&customer).copied().unwrap_or_default();
            assert!(sent == account.mails || sent + 1 == account.mails, "{customer}: {sent}");
            mails.insert(customer, account.mails);
        }
        mails
    });
    let runs = executor.runs(&Filter::new()).unwrap();
    let place = |run: &dacapo::RunInfo| run.queue.clone().filter(|place| place.name == "outgoing");
    let mut admitted: Vec<_> =
        runs.iter().filter_map(place).filter_map(|place| place.admitted_at).collect();
    admitted.sort_unstable();
    for pair in admitted.windows(RATE.0 + 1) {
        let time = Duration::from_nanos(pair[RATE.0] - pair[0]);
        assert!(time >= RATE.1, "{} in {time:?}", RATE.0 + 1);
    }
    mails.unwrap()
}

/// `DACAPO_KILLS` and `DACAPO_SEED` make it longer, and another one.
#[test]
fn a_mailer_killed_50_times_sends_what_is_paid_for_in_its_order() {
    let (kills, seed) = (setting("DACAPO_KILLS", 50), setting("DACAPO_SEED", 1));
    let (site, mut random) = (Site::new("mailer"), Random(seed));
    let (mut mails, mut killed) = (150, 0);
    while killed < kills {
        // Some come while the process starts.
        let delay = Duration::from_millis(random.below(150));
        match wait(spawn(&mut mailer(&site, mails)), after(delay)) {
            None => killed += 1,
            // It was too quick for us: there is more to do.
            Some(output) => {
                assert!(output.status.success(), "seed {seed}, kill {killed}: {output:?}");
                mails += 10;
            }
        }
        if site.path("db").exists() {
            fs::copy(site.path("db"), site.path("copy")).unwrap();
            look(&site, &site.path("copy"));
        }
    }
    let output = end(spawn(&mut mailer(&site, mails)));
    assert!(output.status.success(), "{output:?}");
    let has = look(&site, &site.path("db"));
    let (sent, again) = sent(&site);
    assert_eq!(has, sent, "the ledger outside and the table inside");

    let executor = Executor::builder().open(site.path("db")).unwrap();
    let runs = executor.runs(&Filter::new()).unwrap();
    assert!(runs.iter().all(|run| run.state == RunState::Completed), "{runs:?}");
    let nights = runs.iter().filter(|run| run.workflow == "statements").count() as u64;
    for (customer, cents) in CUSTOMERS {
        let paid = u64::from(mails).min(cents / 5);
        assert_eq!(sent[customer], paid + nights, "{customer}");
    }
    let all: u64 = sent.values().sum();
    println!(
        "seed {seed}: {kills} kills of the mailer; {mails} mails for each customer, {nights} nights; {all} sent, \
         {again} of them again"
    );
}
