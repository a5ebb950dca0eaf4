//! A run whose replay ends the process: held with the program, and deleted, before it has ended three.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use dacapo::{Builder, Channel, Ctx, Error, Executor, Result, Workflow};

use crate::PROGRAM;

const PARSE: Workflow<bool, u64> = Workflow::new("parse");
const MORE: Channel<u64> = Channel::new("more");

/// The release "abort" of this program has a bug that one run comes to.
pub(crate) fn add(builder: Builder, release: &str) -> Builder {
    let aborts = release == "abort";
    builder.channel(MORE).workflow(PARSE, async move |ctx: &Ctx, is_poisoned: bool| {
        let n = ctx.step("read", async || Ok::<_, Error>(7)).await?;
        if aborts && is_poisoned {
            std::process::abort();
        }
        // It is replayed at each open: it does not only wait.
        let busy = ctx.step("busy", async || std::future::pending::<Result<u64>>().await);
        let more = async { Ok(ctx.receive(MORE).await) };
        Ok::<_, Error>(n + dacapo::race(more, busy).await?)
    })
}

fn call(program: &Path, folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.current_dir(folder).args(args).env(PROGRAM, "abort").env("COLUMNS", "200");
    command.env("TZ", "UTC").env_remove("DACAPO_FILE").output().expect("it is called")
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is text");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

pub(crate) fn test() -> Result<()> {
    let folder = crate::folder("poisoned");
    let executor = add(Executor::builder(), "good").open(folder.join("orders.redb"))?;
    executor.block_on(async {
        for (id, is_poisoned) in [("good-1", false), ("poisoned-1", true), ("good-2", false)] {
            executor.start(PARSE, id, is_poisoned)?.accepted().await?;
        }
        for _ in 0..20 {
            dacapo::yield_now().await;
        }
        Ok::<_, Error>(())
    })?;
    drop(executor);
    let own = std::env::current_exe().expect("it has a path");
    let send = || call(&own, &folder, &["send", "good-1", "more", "1"]);
    let signal = send().status.signal();
    assert_eq!(signal, Some(6), "it aborts");

    let dacapo =
        |args: &[&str]| said(&call(Path::new(env!("CARGO_BIN_EXE_dacapo")), &folder, args));
    let stats = dacapo(&["stats"]).1;
    assert!(stats.contains(" 1 time while one of good-1 and 2 others was replayed"), "{stats}");
    // Whoever opens it in between takes nothing back.
    assert_eq!(dacapo(&["fork", "good-2", "--at", "1", "--as", "copy"]).0, Some(0));
    assert_eq!(dacapo(&["delete", "copy", "--yes"]).0, Some(0));
    assert_eq!(send().status.signal(), Some(6), "it aborts again");
    let stats = dacapo(&["stats"]).1;
    let line = " 2 times while poisoned-1 was replayed or dropped (after 3 it is parked): dacapo hold poisoned-1";
    assert!(stats.contains(line), "{stats}");

    // Who only looks runs none of its code, also with a program that has it: it would end that.
    let looks = |at: &str| {
        for args in [
            &["why", "poisoned-1"][..],
            &["parked", "poisoned-1", "-q"],
            &["show", "poisoned-1", "--json"],
        ] {
            let looked = call(&own, &folder, args);
            assert_eq!(looked.status.signal(), None, "{at}: {args:?}");
        }
    };
    looks("it ended the process");

    // A rehearsal has to run it. The fourth knows who has ended the three before.
    let rehearse = || call(&own, &folder, &["check", "--code"]);
    for end in 1..=3 {
        assert_eq!(rehearse().status.signal(), Some(6), "rehearsal {end}");
    }
    let (code, out, err) = said(&rehearse());
    assert_eq!(code, Some(4), "{out}{err}");
    assert!(out.contains("poisoned-1") && out.contains("ended the process"), "{out}{err}");

    // Neither the program nor one of one's own runs its code for it.
    for (program, id) in [(&env!("CARGO_BIN_EXE_dacapo").into(), "poisoned-1"), (&own, "good-2")] {
        let bare = |args: &[&str]| said(&call(program, &folder, args));
        let (code, out, err) = bare(&["hold", id]);
        assert_eq!((code, &*out), (Some(2), ""), "{err}");
        assert!(err.contains("1 run would be held: say --yes"), "{err}");
        let held = bare(&["hold", id, "--yes"]);
        assert_eq!(held, (Some(0), "orders.redb: 1 run held\n".into(), String::new()));
        // Nor is any more said of those that were replayed with it.
        assert!(!dacapo(&["stats"]).1.contains("unusual"));
        let (code, _, err) = bare(&["hold", id, "--yes"]);
        assert_eq!(code, Some(5), "{err}");
        assert!(err.contains("is parked already: nothing was held"), "{err}");
        let (code, out, _) = bare(&["parked", id]);
        assert_eq!(code, Some(0));
        assert!(out.contains(" on request ") && out.contains("somebody holds it"), "{out}");
        assert!(out.contains(&format!("dacapo resume {id}")), "{out}");
    }
    looks("it is held");
    assert_eq!(said(&send()), (Some(0), "good-1 has it, on channel \"more\"\n".into(), "".into()));
    assert!(!dacapo(&["stats"]).1.contains("unusual"));
    assert_eq!(dacapo(&["hold", "nobody", "--yes"]).0, Some(3));
    assert_eq!(dacapo(&["hold", "good-1", "--yes"]).0, Some(5), "it has ended");
    assert_eq!(dacapo(&["hold", "--all", "--yes"]).1, "orders.redb: 0 runs held\n");
    let deleted = dacapo(&["delete", "poisoned-1", "--yes"]);
    assert_eq!((deleted.0, &*deleted.1), (Some(0), "orders.redb: 1 run deleted\n"));
    assert_eq!(dacapo(&["why", "poisoned-1"]).0, Some(3));
    let resumed = said(&call(&own, &folder, &["resume", "good-2", "--yes"]));
    assert_eq!(resumed, (Some(0), "orders.redb: 1 run resumed\n".into(), String::new()));
    assert_eq!(dacapo(&["check"]).0, Some(0));
    Ok(())
}
