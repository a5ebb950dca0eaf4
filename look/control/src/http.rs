//! One request of a connection, within limits.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use crate::ask::usage;
use crate::problem::Problem;
use crate::query::Target;

/// So many bytes the head of a request may have,
const HEAD: usize = 16 << 10;

/// and so many its body.
pub(crate) const BODY: usize = 1 << 20;

/// So long it may take until all of it is there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A request.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub(crate) is_post: bool,
    pub(crate) target: Target,
    pub(crate) body: Vec<u8>,
}

/// What a request can be read from: it is told how long to wait for more.
pub(crate) trait Patient: Read {
    fn wait_for(&self, limit: Duration) -> io::Result<()>;
}

/// What the head of a request says.
struct Head {
    is_post: bool,
    target: Target,
    length: usize,
    /// Where the body begins.
    end: usize,
}

/// Reads a request.
///
/// # Errors
///
/// What is wrong with it; `None` within: whoever asked has gone.
pub(crate) fn read(from: &mut impl Patient) -> Result<Request, Option<Problem>> {
    let (mut bytes, began) = (Vec::new(), Instant::now());
    let head = loop {
        if let Some(head) = head(&bytes).map_err(Some)? {
            break head;
        }
        if bytes.len() >= HEAD {
            return Err(Some(usage("the head of a request has 16 KiB at most")));
        }
        let room = HEAD - bytes.len();
        more(from, &mut bytes, room, began)?;
    };
    if head.length > BODY {
        return Err(Some(usage("a body has 1 MiB at most")));
    }
    let all = head.end + head.length;
    while bytes.len() < all {
        let room = all - bytes.len();
        more(from, &mut bytes, room, began)?;
    }
    // One request a connection: what comes behind it is nobody's.
    bytes.truncate(all);
    let body = bytes.split_off(head.end);
    Ok(Request { is_post: head.is_post, target: head.target, body })
}

fn more(
    from: &mut impl Patient,
    bytes: &mut Vec<u8>,
    room: usize,
    began: Instant,
) -> Result<(), Option<Problem>> {
    let late = || Some(usage("a request has to be there within 10 s"));
    let left = PATIENCE.checked_sub(began.elapsed()).filter(|left| !left.is_zero());
    from.wait_for(left.ok_or_else(late)?).map_err(|_| None)?;
    let mut part = [0; 4 << 10];
    let room = room.min(part.len());
    match from.read(&mut part[..room]) {
        Ok(0) => Err(None),
        Ok(read) => {
            bytes.extend_from_slice(&part[..read]);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
        {
            Err(late())
        }
        Err(_) => Err(None),
    }
}

/// What a head says. `None`: it is not all there.
fn head(bytes: &[u8]) -> Result<Option<Head>, Problem> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(bytes).map_err(|why| usage(format_args!("no HTTP: {why}")))?;
    let httparse::Status::Complete(end) = parsed else { return Ok(None) };
    let method = request.method.unwrap_or_default();
    let is_post = match method {
        "GET" => false,
        "POST" => true,
        _ => return Err(usage(format_args!("{method} is none of GET and POST"))),
    };
    let path = request.path.unwrap_or_default();
    let target = Target::read(path).ok_or_else(|| usage("the address cannot be read"))?;
    let mut length = None;
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(usage("a body comes with its Content-Length"));
        }
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).unwrap_or_default();
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let read = is_number.then(|| text.parse::<usize>().ok()).flatten();
            let read = read.ok_or_else(|| usage("the Content-Length is no number"))?;
            if length.replace(read).is_some_and(|other| other != read) {
                return Err(usage("there are two Content-Lengths"));
            }
        }
    }
    Ok(Some(Head { is_post, target, length: length.unwrap_or_default(), end }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    /// Gives what it has in pieces.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let some = self.1.min(self.0.len());
            let read = self.0[..some].as_ref().read(to)?;
            self.0 = &self.0[read..];
            Ok(read)
        }
    }

    impl Patient for Pieces<'_> {
        fn wait_for(&self, _limit: Duration) -> io::Result<()> {
            Ok(())
        }
    }

    fn of(text: &[u8]) -> Result<Request, Option<Problem>> {
        read(&mut Pieces(text, 7))
    }

    #[test]
    fn a_request_is_read_in_pieces() {
        let request = of(b"POST /api/x?a=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabcd");
        let request = request.expect("it is one");
        assert!(request.is_post);
        assert_eq!((request.target.get("a"), &*request.body), (Some("1"), &b"abc"[..]));
        let request = of(b"GET / HTTP/1.0\r\n\r\n").expect("it is one");
        assert!(!request.is_post && request.body.is_empty());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let long = |name: &str| format!("GET / HTTP/1.1\r\n{name}: {}\r\n\r\n", "x".repeat(20_000));
        let cases = [
            (b"GET /%zz HTTP/1.1\r\n\r\n".to_vec(), "address"),
            (b"PUT / HTTP/1.1\r\n\r\n".to_vec(), "none of GET and POST"),
            (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec(), "two"),
            (b"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n".to_vec(), "no number"),
            (
                b"GET / HTTP/1.1\r\nContent-Length: 9999999999999999999999\r\n\r\n".to_vec(),
                "no number",
            ),
            (b"GET / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n".to_vec(), "1 MiB"),
            (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), "Content-Length"),
            (b"\0\0\0\0\0\0\0\0".to_vec(), "no HTTP"),
            (long("X").into_bytes(), "16 KiB"),
        ];
        for (bytes, says) in cases {
            let refused = of(&bytes).expect_err("it is none").expect("somebody is told");
            assert_eq!(refused.code, Code::Usage);
            assert!(refused.message.contains(says), "{says}: {refused}");
        }
        for gone in [&b""[..], b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"] {
            assert_eq!(of(gone), Err(None));
        }
    }
}
