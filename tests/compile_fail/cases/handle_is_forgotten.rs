//! A start is certain when its commit is, so a handle that is let go of is let go of by name.

#![deny(unused_must_use)]

use dacapo::{Executor, Remote, Result, Workflow};

const NAP: Workflow<(), ()> = Workflow::new("nap");

fn here(executor: &Executor) -> Result<()> {
    executor.start(NAP, "one", ())?;
    executor.attach(NAP, "one")?;
    Ok(())
}

fn elsewhere(remote: &Remote) {
    remote.start(NAP, "one", ());
    remote.attach(NAP, "one");
}

fn main() {}
