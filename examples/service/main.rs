//! A web service: axum on tokio's threads, in front of one executor on a thread of its own.
//!
//!     cargo run --example service -- shop.redb bank.ledger 127.0.0.1:8080
//!     curl localhost:8080/orders/7 -H 'content-type: application/json' -d '{"cents": 250000}'
//!     curl localhost:8080/orders/7/watch -N
//!     curl localhost:8080/orders/7/approval -H 'content-type: application/json' -d true
//!
//! Kill it at any moment and start it again: what a client was told is done, and nothing is charged
//! twice (`tests/kill/service.rs`). Ctrl-C and SIGTERM end it in order.

mod bank;
mod order;
mod web;

use std::sync::Arc;
use std::time::Duration;

use bank::Bank;
use dacapo::{BoxError, Executor};
use order::{ORDER, process};
use tokio::sync::Notify;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [db, ledger, address] = &*args else { return Err("usage: DB LEDGER ADDRESS".into()) };
    let told = Arc::new(Notify::new());
    let signal = told.clone();
    ctrlc::set_handler(move || signal.notify_one())?;

    let bank = Arc::new(Bank::open(ledger)?);
    let workflow = async move |ctx: &_, order| process(ctx, &bank, order).await;
    let executor = dacapo::spawn(|| Executor::builder().workflow(ORDER, workflow), db)?;
    let remote = executor.remote();
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    // When the executor has stopped all who wait are told, so no request keeps the server.
    let failed = remote.failed();
    let server = axum::serve(listener, web::routes(remote.clone()));
    let server = server.with_graceful_shutdown(async { drop(failed.await) });
    let end = async {
        tokio::select! {
            () = told.notified() => remote.shutdown(Duration::from_secs(10)).await,
            why = remote.failed() => Err(why), // Whoever manages this process may start it again.
        }
    };
    let (served, ended) = tokio::join!(server, end);
    served?;
    Ok(ended?)
}
