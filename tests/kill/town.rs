//! Clients of the service example, who do not give up.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// What takes longer hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What a client wants of an order.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Wish {
    Cheap,
    Granted,
    Denied,
    /// Cancelled while it awaits its approval.
    Cancelled,
    /// Cancelled soon: it may be too late.
    Hasty,
}

impl Wish {
    pub(super) fn of(order: u64) -> Self {
        [Self::Cheap, Self::Granted, Self::Denied, Self::Cancelled, Self::Hasty][order as usize % 5]
    }

    fn cents(self) -> u64 {
        if matches!(self, Self::Cheap | Self::Hasty) { 450 } else { 250_000 }
    }
}

/// What clients and killer know of each other.
#[derive(Default)]
pub(super) struct Town {
    /// Where the service listens; another port after each start.
    pub(super) port: AtomicU64,
    /// So many orders may be placed: a few for each end of the service, so that all are under load.
    pub(super) open: AtomicU64,
    pub(super) next: AtomicU64,
    /// So many orders are where their clients want them.
    pub(super) done: AtomicU64,
}

impl Town {
    /// Sends a request; `None` if there was no answer. HTTP 1.0, so the answer ends with the connection.
    fn request(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut answer = String::new();
        self.connect(method, path, "", body)?.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    fn connect(&self, method: &str, path: &str, header: &str, body: &str) -> Option<TcpStream> {
        let port = u16::try_from(self.port.load(SeqCst)).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: localhost\r\n{header}content-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        Some(stream)
    }

    /// Repeats a request until it is answered by something else than "not now": done, or too late.
    fn insist(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let began = Instant::now();
        loop {
            match self.request(method, path, body) {
                Some((503, _)) | None => {}
                Some(answer) => {
                    // An answer that a kill cut off was given all the same, so it may be too late now.
                    assert!([200, 202, 409].contains(&answer.0), "{method} {path}: {answer:?}");
                    return answer;
                }
            }
            assert!(began.elapsed() < PATIENCE, "no answer to {method} {path}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Follows an order until it says `word`, over as many connections as that takes. Each piece of news
    /// comes once, in its order.
    fn watch_until(&self, id: &str, word: &str) {
        let (mut next, began) = (0_u64, Instant::now());
        loop {
            let last = next.checked_sub(1).map(|last| format!("last-event-id: {last}\r\n"));
            let path = format!("/orders/{id}/watch");
            let stream = self.connect("GET", &path, &last.unwrap_or_default(), "");
            for line in stream.into_iter().flat_map(|stream| BufReader::new(stream).lines()) {
                let Ok(line) = line else { break };
                if let Some(offset) = line.strip_prefix("id: ") {
                    assert_eq!(offset.parse(), Ok(next), "{id}");
                    next += 1;
                }
                if line.starts_with("data: ") && line.contains(word) {
                    return;
                }
            }
            assert!(began.elapsed() < PATIENCE, "{id} never says {word}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A client: takes one order after the other to where it wants it.
    pub(super) fn client(&self, orders: u64) {
        loop {
            let order = self.next.fetch_add(1, SeqCst);
            if order >= orders {
                return;
            }
            while order >= self.open.load(SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            self.take(
                &format!("order-{order}"),
                Wish::of(order),
                Duration::from_millis(order % 23),
            );
            self.done.fetch_add(1, SeqCst);
        }
    }

    fn take(&self, id: &str, wish: Wish, hesitation: Duration) {
        let path = |what: &str| format!("/orders/{id}{what}");
        let order = format!("{{\"cents\": {}}}", wish.cents());
        assert_eq!(self.insist("POST", &path(""), &order).0, 202);
        match wish {
            Wish::Cheap => assert_eq!(self.insist("POST", &path(""), &order).0, 202), // Once more.
            Wish::Granted => {
                self.watch_until(id, "AwaitsApproval");
                self.insist("POST", &path("/approval"), "true");
                self.watch_until(id, "Charged");
            }
            Wish::Denied => {
                self.insist("POST", &path("/approval"), "false");
                self.insist("POST", &path("/approval"), "false"); // The same message, or too late.
            }
            Wish::Cancelled => {
                self.watch_until(id, "AwaitsApproval");
                assert_eq!(self.insist("POST", &path("/cancel"), "").0, 200);
            }
            Wish::Hasty => {
                thread::sleep(hesitation);
                assert_eq!(self.insist("POST", &path("/cancel"), "").0, 200);
            }
        }
    }

    /// All orders with their states.
    pub(super) fn list(&self) -> BTreeMap<String, String> {
        let (status, list) = self.insist("GET", "/orders", "");
        assert_eq!(status, 200);
        let list: Vec<(String, String)> = serde_json::from_str(&list).unwrap();
        list.into_iter().collect()
    }
}
