//! Exports spans by OpenTelemetry (OTLP over HTTP, as JSON) to a collector on this machine: the one at the address
//! that is given, or one of its own, which says what it got.
//!
//! `cargo run --manifest-path examples/telemetry/Cargo.toml --bin exported [127.0.0.1:4318]`

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use dacapo_telemetry::carry_out_orders;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let own = address.is_none().then(|| TcpListener::bind("127.0.0.1:0")).transpose()?;
    let address = match (&own, address) {
        (Some(own), _) => own.local_addr()?.to_string(),
        (None, address) => address.unwrap_or_default(),
    };
    let collector = own.map(|listener| thread::spawn(move || collect(&listener)));

    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Plain)
        .with_endpoint(format!("http://{address}/v1/traces"))
        .with_protocol(Protocol::HttpJson)
        .build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("orders"));
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(LevelFilter::INFO));
    tracing::subscriber::set_global_default(subscriber)?;

    assert_eq!(carry_out_orders(3)?, 600);
    // What is left is sent.
    provider.shutdown()?;
    println!("three orders were exported to {address}");
    if let Some(collector) = collector {
        // An empty one tells it that there is no more.
        TcpStream::connect(&address)?.write_all(b"\r\n")?;
        let got = collector.join().expect("it does not panic")?;
        let got: String = got.split_whitespace().collect();
        for (span, times) in [("run", 3), ("replay", 3), ("step", 6), ("attempt", 7)] {
            let found = got.matches(&format!("\"name\":\"{span}\"")).count();
            println!("  {span} ×{found}");
            assert_eq!(found, times, "{got}");
        }
        assert_eq!(
            got.matches("\"links\":[{").count(),
            3,
            "each replay has a link to its run: {got}"
        );
    }
    Ok(())
}

/// Sends a request to this machine; a service would take a client that knows TLS.
#[derive(Debug)]
struct Plain;

#[async_trait::async_trait]
impl HttpClient for Plain {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (address, path) =
            (request.uri().authority().ok_or("no address")?, request.uri().path());
        let mut stream = TcpStream::connect(address.as_str())?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let body = request.body();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        )?;
        stream.write_all(body)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).unwrap_or_default().parse::<u16>()?;
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}

/// Takes requests until one is empty, and gives the bodies of all.
fn collect(listener: &TcpListener) -> io::Result<String> {
    let mut got = String::new();
    loop {
        let (stream, _) = listener.accept()?;
        let mut lines = BufReader::new(&stream);
        let (mut length, mut line) = (0, String::new());
        while lines.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            line.clear();
        }
        if length == 0 {
            return Ok(got);
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body)?;
        got.push_str(&String::from_utf8_lossy(&body));
        (&stream)
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")?;
    }
}
