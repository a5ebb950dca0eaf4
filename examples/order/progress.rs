//! What the user sees meanwhile, on stderr.

use std::cell::Cell;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use dacapo::{Event, Observer};

pub(crate) struct Progress {
    orders: usize,
    ended: Cell<usize>,
    steps: Cell<u64>,
    began: Instant,
    shown: Cell<Instant>,
    is_terminal: bool,
}

/// Counts the outcomes of steps, replayed and live.
impl Observer for Progress {
    fn observe(&self, _run: &str, event: Event<'_>) {
        if let Event::Delivered(_, record) = event
            && record.finished_step().is_some()
        {
            self.steps.set(self.steps.get() + 1);
            self.show_now_and_then();
        }
    }
}

impl Progress {
    pub(crate) fn new(orders: usize) -> Self {
        let (now, is_terminal) = (Instant::now(), stderr().is_terminal());
        let (ended, steps, shown) = (Cell::new(0), Cell::new(0), Cell::new(now));
        Self { orders, ended, steps, began: now, shown, is_terminal }
    }

    /// How many outcomes of steps there were.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.get()
    }

    pub(crate) fn order_ended(&self) {
        self.ended.set(self.ended.get() + 1);
        self.show_now_and_then();
    }

    /// Puts a line of its own between the others.
    pub(crate) fn say(&self, line: &str) {
        let clear = if self.is_terminal { "\r\x1b[K" } else { "" };
        eprintln!("{clear}{line}");
    }

    /// Shows where it stands at the end.
    pub(crate) fn end(&self) {
        self.show();
        if self.is_terminal {
            eprintln!();
        }
    }

    fn show_now_and_then(&self) {
        let pause = Duration::from_millis(if self.is_terminal { 50 } else { 1000 });
        if self.shown.get().elapsed() >= pause {
            self.show();
        }
    }

    fn show(&self) {
        self.shown.set(Instant::now());
        let (ended, orders, steps) = (self.ended.get(), self.orders, self.steps.get());
        let seconds = self.began.elapsed().as_secs_f32();
        let line = format!("{seconds:5.1} s: {ended} of {orders} orders ended, {steps} steps");
        match self.is_terminal {
            true => eprint!("\r\x1b[K{line}"),
            false => eprintln!("{line}"),
        }
    }
}
