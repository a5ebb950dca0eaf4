//! A socket is served by threads of its own.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dacapo::{Error, Executor, Remote, Result};
use dacapo_inspect::wait;

use crate::answer::{Answer, Cut};
use crate::client::beside;
use crate::door::Door;
use crate::http::{self, PATIENCE, Patient};
use crate::place::Place;
use crate::problem::{Code, Problem};
use crate::route;

/// So many are answered at once.
const CONNECTIONS: usize = 32;

/// A socket by which a process is looked at and managed; see the [documentation of the crate](crate).
///
/// ```
/// use dacapo_control::{Control, Reached, Client};
///
/// # let folder = std::env::temp_dir().join(format!("dacapo-control-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).expect("it is made");
/// # let path = folder.join("orders.redb");
/// let executor = dacapo::spawn(dacapo::Executor::builder, &path)?;
/// Control::beside_file().serve_remote(&executor.remote())?;
/// let Reached::Live(client) = Client::reach(&folder.join("orders.redb.sock")).unwrap() else {
///     unreachable!("it is served");
/// };
/// assert_eq!(client.statistics().unwrap().unfinished, 0);
/// drop(executor);
/// assert!(!folder.join("orders.redb.sock").exists());
/// # std::fs::remove_dir_all(folder).expect("it is there");
/// # Ok::<(), dacapo::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "nothing is served until `serve` is called"]
pub struct Control {
    /// `None`: beside the file.
    path: Option<PathBuf>,
    rehearses: bool,
}

impl Control {
    /// A socket beside the file, with `.sock` behind its name, where the program `dacapo` looks for it.
    pub fn beside_file() -> Self {
        Self { path: None, rehearses: true }
    }

    /// A socket at a path, which is given to the program as `--socket`: where that of the file is too long, or
    /// its folder holds no sockets.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), rehearses: true }
    }

    /// Shows values by their recorded shapes alone, and no lines of source. Without this the code of a workflow runs
    /// (without its bodies) when somebody looks at a run of it, so that it is known where its operations stand in
    /// the source and, with the feature `view`, which types its values have; what it prints it prints again.
    pub fn without_rehearsals(self) -> Self {
        Self { rehearses: false, ..self }
    }

    /// Serves an executor from now on, until it is dropped; threads of its own do it. The socket is gone before
    /// the file is closed.
    ///
    /// # Errors
    ///
    /// If the store is no file and no path is named; if the path is longer than 100 bytes, something else is
    /// there, or no socket can be bound.
    pub fn serve(self, executor: &Executor) -> Result<()> {
        let file = executor.path();
        let path = match (self.path, &file) {
            (Some(path), _) => path,
            (None, Some(file)) => beside(file.as_ref()),
            (None, None) => {
                return Err(Error::new(
                    "there is no file to put a socket beside: name a path with Control::at",
                ));
            }
        };
        let (place, listener) = Place::bind(&path).map_err(Error::new)?;
        let door = Arc::new(Door::new(executor, file, self.rehearses));
        let serves = door.clone();
        let thread = thread::Builder::new().name("dacapo-control".into());
        let thread = thread.spawn(move || accept(&listener, &serves));
        let thread =
            thread.map_err(|why| Error::new(format_args!("no thread to be had: {why}")))?;
        executor.keep(Serving { place, door, thread: Some(thread) });
        Ok(())
    }

    /// The same of an executor on another thread, which drives it.
    ///
    /// # Errors
    ///
    /// As there, or if the executor has stopped or does not answer.
    pub fn serve_remote(self, remote: &Remote) -> Result<()> {
        let served = remote.with(move |executor| self.serve(executor));
        wait(served, PATIENCE).ok_or_else(|| Error::new("the executor does not answer"))??
    }
}

/// Kept by the executor.
#[derive(Debug)]
struct Serving {
    place: Place,
    door: Arc<Door>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.door.close();
        let thread = self.thread.take().expect("it is dropped once");
        if self.place.ring() {
            // It has said why it panicked, if it did.
            let _ = thread.join();
        }
    }
}

/// What the thread does that waits for callers.
fn accept(listener: &UnixListener, door: &Arc<Door>) {
    let count = Arc::new(AtomicUsize::new(0));
    loop {
        let accepted = listener.accept();
        if door.is_closed() {
            return;
        }
        match accepted {
            Ok((stream, _)) => answered_aside(stream, door, &count),
            // Too many files are open, most likely: there may be fewer soon.
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn answered_aside(stream: UnixStream, door: &Arc<Door>, count: &Arc<AtomicUsize>) {
    let place = Counted::new(count);
    if count.load(Ordering::Relaxed) > CONNECTIONS {
        let message = format_args!("{CONNECTIONS} others are answered already: try again");
        let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
        let _ = Answer::new(&stream, door.head.clone()).refuse(&Problem::new(Code::InUse, message));
        return let_go(&stream, Duration::from_millis(50));
    }
    let door = door.clone();
    let answer = move || {
        let _place = place;
        answer(&stream, &door);
    };
    // Without a thread the caller is let go.
    let _ = thread::Builder::new().name("dacapo-answer".into()).spawn(answer);
}

fn answer(stream: &UnixStream, door: &Door) {
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let mut answer = Answer::new(stream, door.head.clone());
    let done = match http::read(&mut &*stream) {
        Ok(request) => route::answer(door, request, &mut answer),
        Err(Some(problem)) => Err(Cut::By(problem)),
        Err(None) => Err(Cut::Gone),
    };
    if let Err(Cut::By(problem)) = done {
        // If whoever asked has gone, nobody is left to be told.
        let _ = answer.refuse(&problem);
    }
    drop(answer);
    let_go(stream, Duration::from_secs(1));
}

/// Ends a connection. Where something was sent that nobody has read, the other end would lose what it was told:
/// so it is read, but not for long.
fn let_go(stream: &UnixStream, limit: Duration) {
    let _ = stream.shutdown(Shutdown::Write);
    let (began, mut left) = (Instant::now(), 4 * http::BODY);
    let mut part = [0; 16 << 10];
    while left > 0
        && let Some(limit) = limit.checked_sub(began.elapsed()).filter(|limit| !limit.is_zero())
        && stream.set_read_timeout(Some(limit)).is_ok()
    {
        match (&mut &*stream).read(&mut part) {
            Ok(read) if read > 0 => left = left.saturating_sub(read),
            Ok(_) | Err(_) => return,
        }
    }
}

impl Patient for &UnixStream {
    fn wait_for(&self, limit: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(limit))
    }
}

/// One of those that are answered.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
