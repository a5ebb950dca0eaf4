//! Runs that are talked to, and talk to each other.

mod again;
mod cancel;
mod children;
mod found;
mod left;
mod messages;
mod questions;
mod trouble;
mod topics;

use dacapo::sim::Sim;
use dacapo::{Channel, Error, Executor, Result, Value};

/// What a client does that must get through: again until the run is there, and no more once it ended.
async fn send<T: Value + Clone>(
    executor: &Executor,
    sim: &Sim,
    to: &str,
    (channel, message, key): (Channel<T>, T, &str),
) -> Result<()> {
    loop {
        sim.latency().await;
        match executor.send(to, channel, message.clone()).key(key).await {
            Err(error) if error.is_not_found() => {}
            sent => return unless_ended(sent),
        }
    }
}

fn unless_ended(done: Result<()>) -> Result<()> {
    done.or_else(|error: Error| if error.is_ended() { Ok(()) } else { Err(error) })
}
