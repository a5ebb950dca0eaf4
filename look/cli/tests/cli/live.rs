//! A process that has the file open is asked by the socket beside it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use dacapo::{Builder, Channel, Ctx, Error, Executor, Result, Retry, Workflow};
use dacapo_control::Control;

use crate::support::{Called, dacapo, folder, orders};

/// A process that serves a file of a folder, until this is dropped.
pub(crate) struct Live(dacapo::Spawned);

impl Live {
    pub(crate) fn new(file: &Path, build: impl FnOnce() -> Builder + Send + 'static) -> Self {
        Self::with(file, Control::beside_file(), build)
    }

    pub(crate) fn with(
        file: &Path,
        control: Control,
        build: impl FnOnce() -> Builder + Send + 'static,
    ) -> Self {
        let spawned = dacapo::spawn(build, file).expect("it opens");
        control.serve_remote(&spawned.remote()).expect("it is served");
        Self(spawned)
    }

    pub(crate) fn remote(&self) -> dacapo::Remote {
        self.0.remote()
    }
}

/// What the program of this test is called in a header is not the same each time.
fn at_rest(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find("process ") {
        Some(at) if line.contains(".redb") => {
            let rest = line[at..].find(')').map_or("", |end| &line[at + end + 1..]);
            format!("{}at rest{rest}\n", &line[..at])
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn a_process_shows_what_its_file_shows() {
    let folder = folder("live");
    let file = folder.join("orders.redb");
    fs::copy(orders().join("orders.redb"), &file).expect("it is there");
    let all = [
        &["list"][..],
        &["list", "--state", "failed,parked", "--workflow", "order"],
        &["list", "--attribute", "customer=ada", "--prefix", "order-"],
        &["list", "--before", "crawl-1", "-n", "2"],
        &["list", "--grep", "250000"],
        &["list", "--prefix", "nobody"],
        &["show", "order-1001", "--values"],
        &["show", "order-1001", "--at", "9"],
        &["show", "crawl-1"],
        &["show", "crawl-1", "--only", "failed"],
        &["show", "order-1003", "--all"],
        &["value", "order-1001", "input"],
        &["value", "order-1001", "@7"],
        &["value", "order-1001", "99"],
        &["parked"],
        &["parked", "stuck-1"],
        &["parked", "-q"],
        &["why", "order-1002"],
        &["why", "remote-1"],
        &["check"],
        &["export", "order-1001"],
        &["show", "nobody"],
        &["export", "nobody"],
        &["list", "--before", "nobody"],
    ];
    let call =
        |args: &[&str]| [&[][..], &["--json"]].map(|json| dacapo(&folder, &[args, json].concat()));
    let live = Live::new(&file, Executor::builder);
    let asked: Vec<_> = all.iter().map(|args| call(args)).collect();
    assert!(asked[0][0].out.starts_with("orders.redb · process "), "{:?}", asked[0][0]);
    drop(live);
    assert!(!folder.join("orders.redb.sock").exists());
    for (args, asked) in all.iter().zip(asked) {
        for (asked, read) in asked.into_iter().zip(call(args)) {
            let asked = Called { out: at_rest(&asked.out), ..asked };
            assert_eq!(asked.err, read.err, "{args:?}");
            assert_eq!((asked.out, asked.code), (read.out, read.code), "{args:?}");
        }
    }
}

const ORDER: Workflow<u64, u64> = Workflow::new("order");
const APPROVAL: Channel<bool> = Channel::new("approval");

fn build() -> Builder {
    Executor::builder().channel(APPROVAL).workflow(ORDER, async |ctx: &Ctx, cents: u64| {
        ctx.step("reserve", async || Ok::<_, Error>(())).await?;
        match ctx.receive(APPROVAL).await {
            true => ctx.step("charge", async move || Ok::<_, Error>(cents)).await,
            false => Err(Error::new("not approved")),
        }
    })
}

/// A process with these orders, which wait for their approval.
fn waiting(name: &str, ids: &[&str]) -> (PathBuf, Live) {
    let folder = folder(name);
    let live = Live::new(&folder.join("orders.redb"), build);
    let remote = live.0.remote();
    for id in ids {
        let started = dacapo_inspect::wait(remote.start(ORDER, id, 7).accepted(), LONG);
        started.expect("in time").expect("it is started");
    }
    (folder, live)
}

pub(crate) const LONG: Duration = Duration::from_secs(20);

fn state(folder: &Path, id: &str) -> String {
    let called = dacapo(folder, &["why", id, "--json"]);
    let why: serde_json::Value = serde_json::from_str(&called.out).expect("it is JSON");
    why["state"].as_str().expect("it has one").to_owned()
}

/// What is sent is held against its type, and whoever is refused knows what was wrong.
#[test]
fn what_is_sent_is_of_the_type_that_the_program_has() {
    let (folder, live) = waiting("live-types", &["a-1"]);
    for (args, says) in [
        (["send", "a-1", "approval", "5"], "not of the type of the channel: invalid type: integer"),
        (["send", "a-1", "aproval", "true"], "not known here: check the name, or give the channel"),
        (["start", "order", "a-2", "true"], "not of the type of workflow \"order\": invalid type"),
    ] {
        let refused = dacapo(&folder, &args);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{args:?}: {refused:?}");
        assert!(refused.err.contains(says), "{args:?}: {refused:?}");
    }
    drop(live);
}

/// What runs in a process is changed by it.
#[test]
fn runs_of_a_process_are_cancelled_and_taken_up() {
    let (folder, live) = waiting("live-acts", &["a-1", "a-2", "b-1", "b-2"]);
    let dry = dacapo(&folder, &["cancel", "--prefix", "a-", "--dry-run"]);
    let runs = "   a-2  order  running\n   a-1  order  running\n";
    assert_eq!(dry.out, format!("{runs}orders.redb: 2 runs would be asked to end\n"));
    let unsure = dacapo(&folder, &["cancel", "a-1"]);
    assert_eq!((unsure.code, unsure.out.as_str()), (2, ""), "{unsure:?}");
    assert!(unsure.err.contains("1 run would be asked to end: say --yes"), "{unsure:?}");
    let done = dacapo(&folder, &["cancel", "--prefix", "a-", "--yes"]);
    assert_eq!(done.out, "orders.redb: 2 runs asked to end\n", "{done:?}");
    assert_eq!(
        (state(&folder, "a-1"), state(&folder, "b-1")),
        ("cancelled".into(), "running".into())
    );
    let ended = dacapo(&folder, &["cancel", "a-1", "--yes"]);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(
        ended.err.contains("has ended (it is cancelled): nothing was asked to end"),
        "{ended:?}"
    );

    // Those that failed are all; whom somebody cancelled has to be named.
    let none = dacapo(&folder, &["retry", "--all", "--yes"]);
    assert_eq!(none.out, "orders.redb: 0 runs retried\n");
    let one = dacapo(&folder, &["retry", "a-1", "--yes", "--json"]);
    assert_eq!(one.out, "{\"kind\":\"retried\",\"runs\":1,\"dry_run\":false}\n", "{one:?}");
    assert_eq!(state(&folder, "a-1"), "running");
    let shown = dacapo(&folder, &["show", "a-1"]).out;
    let first = shown.lines().next().unwrap_or_default();
    assert!(first.contains("· from ") && !first.contains("after"), "it goes on: {shown}");
    assert!(!shown.contains(" error "), "it has failed no longer: {shown}");

    let fork = dacapo(&folder, &["fork", "a-1", "--at", "1"]);
    assert_eq!(fork.code, 0, "{fork:?}");
    assert!(fork.out.starts_with("a-1-fork-1 is a copy of a-1\n"), "{}", fork.out);
    assert!(fork.out.contains("It is parked until: dacapo resume a-1-fork-1"), "{}", fork.out);
    let resumed = dacapo(&folder, &["resume", "--reason", "on request", "--yes"]);
    assert_eq!(
        (resumed.code, resumed.out.as_str()),
        (0, "orders.redb: 1 run resumed\n"),
        "{resumed:?}"
    );
    assert_eq!(state(&folder, "a-1-fork-1"), "running");
    let forked = dacapo(&folder, &["fork", "b-1", "--at", "1", "--as", "b-1"]);
    assert_eq!(forked.code, 1, "{forked:?}");
    assert!(forked.err.contains("there is a run \"b-1\" already"), "{}", forked.err);

    let exported = dacapo(&folder, &["export", "a-2", "-o", "a-2.jsonl"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let gone = dacapo(&folder, &["delete", "--prefix", "a-", "--state", "cancelled", "--yes"]);
    assert_eq!(gone.out, "orders.redb: 1 run deleted\n");
    assert_eq!(dacapo(&folder, &["why", "a-2"]).code, 3);
    let taken = dacapo(&folder, &["import", "a-2.jsonl"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    assert_eq!(state(&folder, "a-2"), "cancelled");
    assert_eq!(dacapo(&folder, &["import", "a-2.jsonl"]).code, 1);
    drop(live);
    assert_eq!(dacapo(&folder, &["check"]).code, 0);
    let asked = dacapo(&folder, &["cancel", "b-1", "--yes"]);
    assert_eq!(asked.code, 5, "{asked:?}");
    assert!(asked.err.contains("dacapo_cli::run(builder)"), "{}", asked.err);
}

/// What is held in a process stays where it is, and has by then what came meanwhile.
#[test]
fn runs_of_a_process_are_held() {
    let (folder, live) = waiting("live-hold", &["a-1", "a-2", "b-1"]);
    let held = dacapo(&folder, &["hold", "--prefix", "a-", "--yes"]);
    assert_eq!((held.code, &*held.out), (0, "orders.redb: 2 runs held\n"), "{held:?}");
    assert_eq!((state(&folder, "a-1"), state(&folder, "b-1")), ("parked".into(), "running".into()));
    let again = dacapo(&folder, &["hold", "a-1", "--yes"]);
    assert_eq!(again.code, 5, "{again:?}");
    assert!(again.err.contains("is parked already"), "{again:?}");
    assert_eq!(dacapo(&folder, &["hold", "nobody", "--yes"]).code, 3);
    let socket = folder.join("orders.redb.sock");
    let spoken = spoken(&socket, "POST /api/runs/a-2/hold HTTP/1.1\r\nHost: d\r\n\r\n");
    assert!(spoken.starts_with("HTTP/1.1 409 "), "{spoken}");
    let sent = dacapo(&folder, &["send", "a-1", "approval", "true"]);
    assert_eq!((sent.code, state(&folder, "a-1")), (0, "parked".into()), "{sent:?}");
    let resumed = dacapo(&folder, &["resume", "a-1", "--yes"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(dacapo(&folder, &["watch", "a-1"]).code, 0);
    assert_eq!(dacapo(&folder, &["hold", "a-1", "--yes"]).code, 5, "it has ended");
    let deleted = dacapo(&folder, &["delete", "a-2", "--yes"]);
    assert_eq!((deleted.code, &*deleted.out), (0, "orders.redb: 1 run deleted\n"), "{deleted:?}");
    drop(live);
}

#[test]
fn what_is_given_as_json_is_read_by_the_process() {
    let (folder, live) = waiting("live-json", &["a"]);
    let started = dacapo(&folder, &["start", "order", "b", "9", "--attribute", "customer=ada"]);
    assert_eq!((started.code, &*started.out), (0, "b is started: order\n"), "{started:?}");
    let of_ada = dacapo(&folder, &["list", "--attribute", "customer=ada", "--json"]);
    assert!(of_ada.out.contains(r#""id":"b""#), "{of_ada:?}");
    for args in [
        &["start", "order", "c", "-1"][..],
        &["start", "nothing", "c", "1"],
        &["start", "order", "a", "1"],
        &["send", "a", "approval", "1"],
        &["send", "a", "nothing", "1"],
    ] {
        let refused = dacapo(&folder, args);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{args:?}: {refused:?}");
    }
    assert_eq!(dacapo(&folder, &["send", "nobody", "approval", "true"]).code, 3);
    let sent = dacapo(&folder, &["send", "a", "approval", "true", "--json"]);
    assert_eq!(sent.out, "{\"kind\":\"taken\",\"id\":\"a\"}\n", "{sent:?}");
    assert_eq!(dacapo(&folder, &["watch", "a"]).code, 0);
    assert_eq!(dacapo(&folder, &["send", "a", "approval", "true"]).code, 5, "it has ended");
    drop(live);
    for args in [&["start", "order", "d", "1"][..], &["send", "b", "approval", "true"]] {
        let rest = dacapo(&folder, args);
        assert_eq!(rest.code, 5, "{rest:?}");
        assert!(rest.err.contains("dacapo_cli::run(builder)"), "{}", rest.err);
    }
}

#[test]
fn a_run_is_watched_to_its_end() {
    let (folder, live) = waiting("live-watch", &["good", "bad"]);
    let remote = live.0.remote();
    for (id, approval, code, last) in
        [("good", true, 0, "completed: 7"), ("bad", false, 4, "failed: not approved")]
    {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dacapo"));
        command.current_dir(&folder).args(["watch", id]).stdout(std::process::Stdio::piped());
        let mut watch = command.spawn().expect("it is called");
        let mut out = watch.stdout.take().expect("it is a pipe");
        let mut first = [0; 1];
        out.read_exact(&mut first).expect("it says how it stands");
        let sent = dacapo_inspect::wait(remote.send(id, APPROVAL, approval), LONG);
        sent.expect("in time").expect("it is sent");
        let mut text = String::new();
        out.read_to_string(&mut text).expect("it is text");
        assert_eq!(watch.wait().expect("it ends").code(), Some(code), "{text}");
        assert!(text.trim_end().ends_with(last), "{text}");
        assert!(text.contains("message \"approval\""), "{text}");
    }
    let ended = dacapo(&folder, &["watch", "good"]);
    assert_eq!((ended.code, ended.out.lines().count()), (0, 1), "{ended:?}");
    assert_eq!(dacapo(&folder, &["watch", "nobody"]).code, 3);
    drop(live);
    let rest = dacapo(&folder, &["watch", "good"]);
    assert_eq!(rest.code, 5, "{rest:?}");
    assert!(rest.err.contains("nothing happens in a file at rest"), "{}", rest.err);
}

/// As curl has it, and any other client.
fn spoken(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("somebody serves it");
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is text");
    answer
}

#[test]
fn any_client_is_answered() {
    let (folder, _live) = waiting("live-http", &["a"]);
    let socket = folder.join("orders.redb.sock");
    let mode = fs::symlink_metadata(&socket).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let others = fs::read_dir(&folder).expect("it is there").count();
    assert_eq!(others, 2, "the file and its socket");

    let answer = spoken(&socket, "GET /api/runs HTTP/1.1\r\nHost: d\r\nAccept: */*\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").expect("it has a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let lines: Vec<serde_json::Value> =
        body.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("answer"), Some("run"), Some("end")]);
    assert_eq!((&lines[0]["v"], &lines[1]["id"]), (&1.into(), &"a".into()));

    for (request, status) in [
        ("GET /api/runs/nobody HTTP/1.1\r\n\r\n", "404"),
        ("GET /api/runs?state=busy HTTP/1.1\r\n\r\n", "400"),
        ("GET /api/runs?nobody=1 HTTP/1.1\r\n\r\n", "400"),
        ("GET /api/nothing HTTP/1.1\r\n\r\n", "400"),
        ("GET /api/runs/a/cancel HTTP/1.1\r\n\r\n", "400"),
        ("DELETE /api/runs/a HTTP/1.1\r\n\r\n", "400"),
        ("POST /api/runs/a/resume HTTP/1.1\r\n\r\n", "409"),
        ("POST /api/delete HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "400"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = spoken(&socket, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(answer.contains(r#"{"kind":"error","code":"#), "{answer}");
    }
    assert_eq!(state(&folder, "a"), "running");
    let done = spoken(&socket, "POST /api/runs/a/cancel HTTP/1.1\r\n\r\n");
    assert!(done.contains(r#"{"kind":"done","id":"a","act":"cancel"}"#), "{done}");
    assert_eq!(state(&folder, "a"), "cancelled");
}

#[test]
fn what_is_too_large_is_refused() {
    let (folder, _live) = waiting("live-large", &[]);
    let socket = folder.join("orders.redb.sock");
    let head = format!("GET /api HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(16 << 10));
    let body = format!("POST /api/import HTTP/1.1\r\nContent-Length: {}\r\n\r\n", (1 << 20) + 1);
    for (request, says) in [(head, "16 KiB at most"), (body, "1 MiB at most")] {
        let answer = spoken(&socket, &request);
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(says), "{answer}");
    }
    fs::write(folder.join("large"), vec![b'x'; (1 << 20) + 1]).expect("it is written");
    let import = dacapo(&folder, &["import", "large"]);
    assert_eq!(import.code, 2, "{import:?}");
    assert!(import.err.contains("larger than 1 MiB, and nothing was changed"), "{import:?}");
}

#[test]
fn more_than_a_few_wait_outside() {
    let (folder, _live) = waiting("live-many", &[]);
    let socket = folder.join("orders.redb.sock");
    let open = || UnixStream::connect(&socket).expect("somebody serves it");
    let silent: Vec<_> = (0..32).map(|_| open()).collect();
    let refused = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        spoken(&socket, "GET /api HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503 ")
    });
    assert!(refused);
    drop(silent);
    let again = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        spoken(&socket, "GET /api HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 ")
    });
    assert!(again);
}

/// A socket that nobody serves any more says nothing about the file.
#[test]
fn sockets_that_are_left_are_passed_over() {
    let folder = folder("live-stale");
    let file = folder.join("orders.redb");
    let socket = folder.join("orders.redb.sock");
    drop(Executor::builder().open(&file).expect("it is made"));
    drop(UnixListener::bind(&socket).expect("it is bound"));
    assert!(socket.exists());
    let read = dacapo(&folder, &["list"]);
    assert_eq!((read.code, read.err.as_str()), (0, ""), "{read:?}");
    assert!(read.out.contains("at rest"), "{}", read.out);
    assert!(socket.exists(), "to look changes nothing");

    // In use, and the socket is none of the one who has it open.
    let held = Executor::builder().open(&file).expect("it is there");
    let refused = dacapo(&folder, &["list"]);
    assert_eq!(refused.code, 6, "{refused:?}");
    // Who has the file takes its place.
    Control::beside_file().serve(&held).expect("it is served");
    drop(held);
    assert!(!socket.exists());

    fs::write(&socket, "text").expect("it is written");
    let held = Executor::builder().open(&file).expect("it is there");
    let refused = Control::beside_file().serve(&held).expect_err("something else is there");
    assert!(refused.to_string().contains("something else is there"), "{refused}");
    assert_eq!(fs::read(&socket).expect("it is there"), b"text");
    let long = folder.join("x".repeat(100));
    let refused = Control::at(long).serve(&held).expect_err("it is too long");
    assert!(refused.to_string().contains("longer than 100 bytes"), "{refused}");
}

#[test]
fn a_socket_is_named() {
    let folder = folder("live-named");
    let held = dacapo::spawn(build, folder.join("orders.redb")).expect("it opens");
    Control::at(folder.join("s")).serve_remote(&held.remote()).expect("it is served");
    let list = dacapo(&folder, &["list", "--socket", "s"]);
    assert_eq!(list.code, 0, "{list:?}");
    assert!(list.out.starts_with("orders.redb · process "), "{}", list.out);
    drop(held);
    let nobody = dacapo(&folder, &["list", "--socket", "s"]);
    assert_eq!(nobody.code, 6, "{nobody:?}");
    assert!(nobody.err.contains("nobody serves the socket s"), "{}", nobody.err);
}

/// Somebody who speaks otherwise is not asked.
#[test]
fn another_version_is_refused() {
    let folder = folder("live-version");
    let socket = folder.join("s");
    let listener = UnixListener::bind(&socket).expect("it is bound");
    let serves = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody calls");
        let mut asked = [0; 1000];
        let _ = stream.read(&mut asked).expect("it asks");
        let answer = "HTTP/1.1 200 OK\r\n\r\n{\"v\":2,\"kind\":\"hello\"}\n{\"kind\":\"end\"}\n";
        stream.write_all(answer.as_bytes()).expect("it listens");
    });
    let refused = dacapo(&folder, &["list", "--socket", "s"]);
    serves.join().expect("it answered");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("speaks version 2, and this program version 1"), "{refused:?}");
}

/// While the executor blocks, whoever asks is told by what, and what is known.
#[test]
fn who_is_busy_says_so() {
    let folder = folder("live-busy");
    const BLOCKS: Workflow<bool, ()> = Workflow::new("blocks");
    let (begins, begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let build = move || {
        let channels = std::rc::Rc::new((begins, released));
        // As a call that blocks, for so long as the test wants.
        let block = move || -> Result<()> {
            channels.0.send(()).expect("the test waits for it");
            let _ = channels.1.recv();
            Ok(())
        };
        Executor::builder().workflow(BLOCKS, async move |ctx: &Ctx, in_a_step| -> Result<()> {
            let block = block.clone();
            if !in_a_step {
                return block();
            }
            ctx.step("block", async move || block()).await
        })
    };
    let live = Live::new(&folder.join("orders.redb"), build);
    // Dropped before: a test that fails blocks nobody.
    let release = release;
    for (id, in_a_step, doing) in [
        ("one", true, r#"polls step 1 "block" of run "one""#),
        ("two", false, r#"polls the workflow of run "two""#),
    ] {
        let remote = live.0.remote();
        let start = std::thread::spawn(move || {
            dacapo_inspect::wait(remote.start(BLOCKS, id, in_a_step).accepted(), LONG)
        });
        begun.recv().expect("it begins");
        let busy = dacapo(&folder, &["list"]);
        assert_eq!((busy.code, &*busy.out), (6, ""), "{busy:?}");
        let says = format!("does not answer: it {doing}, in a turn that began ");
        assert!(busy.err.contains(&says), "{}", busy.err);
        assert_eq!(busy.err.lines().count(), 1, "{}", busy.err);
        let stats = dacapo(&folder, &["stats"]);
        assert_eq!((stats.code, &*stats.err), (0, ""), "{stats:?}");
        assert!(stats.out.contains(&format!(" busy     it {doing}, in a turn of ")), "{stats:?}");
        let stats: serde_json::Value =
            serde_json::from_str(&dacapo(&folder, &["stats", "--json"]).out).expect("it is JSON");
        assert_eq!(stats["busy"]["run"], id);
        assert!(stats["busy"]["lasts"].as_u64() >= Some(4_000_000_000), "{stats}");
        assert!(stats["last_commit_at"].is_string(), "{stats}");
        release.send(()).expect("it is waited for");
        start.join().expect("it does not panic").expect("in time").expect("it is started");
        let called = dacapo(&folder, &["list"]);
        assert_eq!(called.code, 0, "{called:?}");
    }
    let stats = dacapo(&folder, &["stats", "--json"]).out;
    assert!(!stats.contains("busy") && stats.contains(r#""completed":2"#), "{stats}");
}

/// So is who is not driven.
#[test]
fn who_is_not_driven_says_so() {
    let folder = folder("live-undriven");
    let executor = build().open(folder.join("orders.redb")).expect("it opens");
    Control::beside_file().serve(&executor).expect("it is served");
    let run = executor.start(ORDER, "a", 7).expect("nobody has the id");
    executor.block_on(run.accepted()).expect("it is started");
    let busy = dacapo(&folder, &["list"]);
    assert_eq!(busy.code, 6, "{busy:?}");
    assert!(busy.err.contains("does not answer: it is not driven, for "), "{}", busy.err);
    let stats = dacapo(&folder, &["stats"]);
    assert!(stats.out.contains(" runs     1 running"), "{stats:?}");
}

/// Of a step that is tried again, also by the socket.
#[test]
fn a_process_says_how_many_attempts_there_may_be() {
    const PATIENT: Retry = Retry::exponential(Duration::from_secs(3600)).max_attempts(20);
    let folder = folder("live-attempts");
    let live = Live::new(&folder.join("orders.redb"), || {
        Executor::builder().workflow(ORDER, async |ctx: &Ctx, _: u64| {
            let charge = async || Err::<u64, _>(Error::new("the bank is down"));
            ctx.step("charge", charge).retry(PATIENT).await
        })
    });
    let remote = live.remote();
    let started = dacapo_inspect::wait(remote.start(ORDER, "a-1", 7).accepted(), LONG);
    started.expect("in time").expect("it is started");
    let retrying = || dacapo_inspect::wait(remote.retrying(), LONG).expect("in time");
    while retrying().expect("it lives").is_empty() {}
    for (args, told) in [
        (&["list", "--json"][..], "\"attempts\":1,\"attempts_max\":20,"),
        (&["list"], "step 1, attempt 1 of 20"),
        (&["show", "a-1"], "charge ×1 of 20 ↻"),
        (&["why", "a-1"], "attempt 1 of 20: the bank is down"),
        (&["why", "a-1", "--json"], "\"attempts\":1,\"attempts_max\":20,"),
    ] {
        let called = dacapo(&folder, args);
        assert!(called.out.contains(told), "{args:?}: {called:?}");
    }
    let mut watch = Command::new(env!("CARGO_BIN_EXE_dacapo"));
    watch.current_dir(&folder).args(["watch", "a-1"]).env("COLUMNS", "80");
    let mut watch = watch.stdout(Stdio::piped()).spawn().expect("it is called");
    let mut lines = BufReader::new(watch.stdout.take().expect("it is a pipe")).lines();
    let said = |line: io::Result<String>| {
        line.expect("it is text").contains("attempt 1 of 20 failed: the bank is down")
    };
    assert!(lines.any(said), "it says so before it waits");
    dacapo_inspect::wait(remote.cancel("a-1"), LONG).expect("in time").expect("it is asked");
    watch.wait().expect("it ends");
}
