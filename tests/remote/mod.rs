//! An executor reached from other threads: what is asked for is done, and everybody is told.

mod spawned;
mod waiting;

use std::future::Future;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use dacapo::store::{Filter, MemoryStore};
use dacapo::{Builder, Ctx, Error, Executor, ParkReason, Remote, Result, Workflow};
use futures::FutureExt;
use futures::channel::oneshot;

const ECHO: Workflow<u32, u32> = Workflow::new("echo");

fn build() -> Builder {
    Executor::builder().workflow(ECHO, async |ctx: &Ctx, n: u32| -> Result<u32> {
        ctx.step("echo", async move || Ok::<_, Error>(n)).await
    })
}

/// Runs `call` on a thread of its own, and drives the executor until it is ready.
fn elsewhere<T: Send + 'static, F: Future<Output = T>>(
    executor: &Executor,
    call: impl FnOnce(Remote) -> F + Send + 'static,
) -> T {
    let remote = executor.remote();
    let (done, is_done) = oneshot::channel();
    let thread = thread::spawn(move || {
        let _ = done.send(futures::executor::block_on(call(remote)));
    });
    let answer = executor.block_on(is_done).expect("the thread does not panic");
    thread.join().expect("it does not panic");
    answer
}

/// A handler gives away the futures of a `Remote` that it was lent, for an id of its own: it compiles.
#[test]
fn futures_borrow_nothing() {
    fn cancel(remote: &Remote) -> impl Future<Output = Result<()>> + Send + use<> {
        let id = String::from("one");
        remote.cancel(&id)
    }
    fn parked(remote: &Remote) -> impl Future<Output = Result<usize>> + Send + use<> {
        let id = String::from("one");
        remote
            .with(move |executor| executor.parked().map(|runs| runs.len() + id.len() - 3))
            .map(|known| known?)
    }
    let executor = build().in_memory();
    let (cancelled, parked) = (cancel(&executor.remote()), parked(&executor.remote()));
    assert!(executor.block_on(cancelled).unwrap_err().is_not_found());
    assert_eq!(executor.block_on(parked).expect("memory"), 0);
}

/// Everything is `Send`, and what can be shared is.
#[test]
fn what_a_remote_gives_may_go_to_any_thread() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn sent<T: Send + 'static>(_: &T) {}
    let executor = build().in_memory();
    let remote = executor.remote();
    shared(&remote);
    // Neither input nor output has to be.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Local(PhantomData<Rc<()>>);
    const LOCAL: Workflow<Local, Local> = Workflow::new("local");
    let run = remote.start(LOCAL, "local", Local(PhantomData));
    sent(&run.accepted());
    sent(&run);
    sent(&remote.attach(ECHO, "one"));
    sent(&remote.with(|_| ()));
    sent(&(remote.runs(&Filter::new()), remote.parked(), remote.unregistered()));
    sent(&(remote.resume("one"), remote.verify("one"), remote.delete("one"), remote.failed()));
}

#[test]
fn four_threads_and_two_runtimes() {
    const EACH: u32 = 50;
    async fn serve(remote: Remote, thread: u32) -> Result<u32> {
        let mut sum = 0;
        for n in 0..EACH {
            let id = format!("{thread}-{n}");
            let run = remote.start(ECHO, &id, n);
            run.accepted().await?;
            let other = remote.attach(ECHO, &id);
            sum += run.await? + other.await?;
            remote.verify(&id).await?;
        }
        Ok(sum)
    }
    let executor = build().in_memory();
    let (told, sums): (Vec<_>, Vec<_>) = (0..4).map(|_| oneshot::channel()).unzip();
    let threads: Vec<_> = (0..)
        .zip(told)
        .map(|(thread, told)| {
            let served = serve(executor.remote(), thread);
            thread::spawn(move || {
                let runtime = || tokio::runtime::Builder::new_current_thread().build();
                let sum = match thread % 2 {
                    0 => futures::executor::block_on(served),
                    _ => runtime().expect("a runtime").block_on(served),
                };
                told.send(sum).expect("somebody waits");
            })
        })
        .collect();
    for sum in executor.block_on(dacapo::join_all(sums)) {
        assert_eq!(sum.expect("it is told").expect("nothing fails"), EACH * (EACH - 1));
    }
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
}

/// Those who ask for something keep their order, also between calls and starts.
#[test]
fn what_is_asked_for_is_done_in_its_order() {
    let executor = build().in_memory();
    let seen = elsewhere(&executor, async |remote: Remote| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let seen = seen.clone();
            let known = move |executor: &Executor| {
                let is_known = executor.attach(ECHO, "one").is_ok();
                seen.lock().expect("nobody panics").push((what, is_known));
            };
            remote.with(known)
        };
        let (before, after) = (note("before"), note("after"));
        let ((), run, ()) = futures::join!(
            async { before.await.expect("it is called") },
            async { remote.start(ECHO, "one", 1).await },
            async { after.await.expect("it is called") },
        );
        assert_eq!(run.expect("it ends"), 1);
        Arc::try_unwrap(seen).expect("they are done").into_inner().expect("nobody panics")
    });
    assert_eq!(seen, [("before", false), ("after", true)]);
}

#[test]
fn a_call_that_panics_is_an_error_of_its_caller_alone() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("it goes off");
        }
    }
    let executor = build().in_memory();
    let (error, dropped, sum) = elsewhere(&executor, async |remote: Remote| {
        let error = remote.with(|_| -> () { panic!("no tea") }).await.unwrap_err();
        let bomb = Bomb;
        let dropped = remote.with(move |_| drop(bomb)).await.unwrap_err();
        // An answer that nobody waits for is dropped there: nobody does when the call's turn comes.
        let (gone, is_gone) = std::sync::mpsc::channel();
        let mut answer = Box::pin(remote.with(move |_| {
            is_gone.recv().expect("it goes");
            Bomb
        }));
        assert!(futures::poll!(&mut answer).is_pending());
        drop(answer);
        gone.send(()).expect("the call waits");
        (error, dropped, remote.start(ECHO, "one", 1).await)
    });
    assert!(error.is_panic() && dropped.is_panic());
    assert_eq!(error.to_string(), "the call panicked: no tea");
    assert_eq!(dropped.to_string(), "the call panicked: it goes off");
    assert_eq!(sum.expect("the loop goes on"), 1);
}

/// The same message, from the handle and from `accepted`.
#[test]
fn errors_come_when_they_are_awaited() {
    const OTHER: Workflow<u32, u32> = Workflow::new("other");
    const AS_TEXT: Workflow<u32, String> = Workflow::new("echo");
    let executor = build().in_memory();
    executor.block_on(executor.start(ECHO, "one", 1).expect("new")).expect("it ends");
    let messages = elsewhere(&executor, async |remote: Remote| {
        let mut messages = Vec::new();
        for run in [
            remote.start(ECHO, "", 1),
            remote.start(OTHER, "two", 1),
            remote.start(OTHER, "one", 1),
            remote.attach(ECHO, "two"),
        ] {
            let refused = run.accepted().await.unwrap_err().to_string();
            assert_eq!(run.await.unwrap_err().to_string(), refused);
            messages.push(refused);
        }
        let run = remote.attach(AS_TEXT, "one");
        run.accepted().await.expect("it was");
        messages.push(run.await.unwrap_err().to_string());
        messages.push(remote.delete("two").await.unwrap_err().to_string());
        messages
    });
    assert_eq!(
        messages,
        [
            "a run needs an id that is not empty: take one of your own, such as the number of an order",
            "run \"two\" needs the workflow \"other\", which is not registered: add it with \
             Builder::workflow",
            "run \"one\" is one of workflow \"echo\", not of \"other\": attach to it with its own \
             workflow, or use another id",
            "there is no run \"two\": check the id, or start it",
            "the output of run \"one\" does not decode as alloc::string::String: invalid type: \
             integer `1`, expected a string; it was recorded as u32; ask for it as the type that it was, \
             or one that this may have become",
            "there is no run \"two\": check the id, or start it",
        ]
    );
}

/// A thread that asks again and again does not keep the runs from their turns.
#[test]
fn a_flood_of_calls() {
    let executor = build().in_memory();
    let remote = executor.remote();
    let has_ended = Arc::new(AtomicBool::new(false));
    let flag = has_ended.clone();
    let flood = thread::spawn(move || {
        let mut calls = Vec::new();
        while !flag.load(Ordering::SeqCst) {
            let mut call = Box::pin(remote.with(|_| ()));
            let _ = futures::FutureExt::now_or_never(&mut call);
            calls.push(call);
            if calls.len() > 10_000 {
                calls.clear();
            }
        }
    });
    assert_eq!(executor.block_on(executor.start(ECHO, "one", 7).expect("new")).expect("ends"), 7);
    has_ended.store(true, Ordering::SeqCst);
    flood.join().expect("it does not panic");
}

/// A workflow that awaits another thread's answer waits for what its history does not know. A body
/// may do so.
#[test]
fn a_workflow_that_awaits_a_remote_is_parked_and_a_body_may() {
    const ASK: Workflow<bool, u32> = Workflow::new("ask");
    let remote = Arc::new(Mutex::new(None::<Remote>));
    let slot = remote.clone();
    let executor = build()
        .workflow(ASK, async move |ctx: &Ctx, in_body: bool| -> Result<u32> {
            let remote = slot.lock().expect("nobody panics").clone().expect("it is set");
            match in_body {
                true => {
                    let body = async move || remote.start(ECHO, "other", 5).await;
                    ctx.step("ask", body).await
                }
                false => {
                    let tick = ctx.sleep(std::time::Duration::from_secs(3_600));
                    dacapo::race(async { drop(remote.with(|_| ()).await) }, tick).await;
                    Ok(0)
                }
            }
        })
        .open_with(MemoryStore::new())
        .expect("it opens");
    *remote.lock().expect("nobody panics") = Some(executor.remote());
    let body = executor.start(ASK, "body", true).expect("new");
    assert_eq!(executor.block_on(body).expect("it ends"), 5);
    let workflow = executor.start(ASK, "workflow", false).expect("new");
    assert!(executor.block_on(workflow).expect_err("it is parked").is_parked());
    assert_eq!(executor.parked().expect("readable")[0].reason, ParkReason::ForeignWake);
}
