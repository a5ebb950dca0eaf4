//! The world as it is: services take time, and what they do is in a ledger.

use std::cell::{Cell, OnceCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use dacapo::Attempt;
use futures::future::LocalBoxFuture;

use crate::ledger::Ledger;
use crate::shop::Outside;

#[derive(Default)]
pub(crate) struct Street {
    ledger: OnceCell<Ledger>,
    effects: Cell<u64>,
}

impl Street {
    pub(crate) fn write_to(&self, ledger: Ledger) {
        assert!(self.ledger.set(ledger).is_ok(), "there is one ledger");
    }

    /// How many lines this process has written.
    pub(crate) fn effects(&self) -> u64 {
        self.effects.get()
    }
}

impl Outside for Street {
    fn delay<'a>(&'a self, attempt: &'a Attempt) -> LocalBoxFuture<'a, ()> {
        Box::pin(async {
            smol::Timer::after(latency(attempt.key())).await;
        })
    }

    fn write<'a>(&'a self, attempt: &'a Attempt, step: &'a str) -> LocalBoxFuture<'a, ()> {
        let line = format!("{}\t{step}\t{}\n", attempt.run_id(), attempt.key());
        let ledger = self.ledger.get().expect("bodies begin when the ledger is open");
        Box::pin(async move {
            ledger.append(line).await;
            self.effects.set(self.effects.get() + 1);
        })
    }
}

/// Some milliseconds, the same for a key every time.
fn latency(key: &str) -> Duration {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    Duration::from_millis(5 + hasher.finish() % 300)
}
