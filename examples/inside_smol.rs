//! The executor inside smol, with bodies that talk over TCP.
//!
//!     cargo run --example inside_smol
//!
//! Nothing is left on the disk.

use std::net::{Ipv4Addr, SocketAddr};

use dacapo::{BoxError, Ctx, Executor, Result, Workflow, try_join_all};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use smol::stream::StreamExt;

const ASK: Workflow<SocketAddr, Vec<u8>> = Workflow::new("ask");

/// Sends 50 bytes over 50 connections, all at once.
async fn ask(ctx: &Ctx, server: SocketAddr) -> Result<Vec<u8>> {
    let steps = (0..50).map(|n| ctx.step("ask", async move || double(server, n).await).of(&n));
    try_join_all(steps).await
}

async fn double(server: SocketAddr, n: u8) -> Result<u8, BoxError> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&[n]).await?;
    let mut answer = [0];
    stream.read_exact(&mut answer).await?;
    Ok(answer[0])
}

/// A service that doubles the byte that it is sent.
async fn serve(listener: TcpListener) {
    let mut clients = listener.incoming();
    while let Some(Ok(mut client)) = clients.next().await {
        let mut byte = [0];
        if client.read_exact(&mut byte).await.is_ok() {
            let _ = client.write_all(&[byte[0] * 2]).await;
        }
    }
}

fn main() -> Result<(), BoxError> {
    smol::block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let server = listener.local_addr()?;
        let _service = smol::spawn(serve(listener));

        let executor = Executor::builder().workflow(ASK, ask).in_memory();
        let run = executor.start(ASK, "ask-1", server)?;
        let answers = executor.run(run).await?;

        executor.verify("ask-1")?;
        assert!(answers.iter().enumerate().all(|(n, &answer)| usize::from(answer) == 2 * n));
        println!("50 steps over TCP, answers in the order of the questions; a replay agrees");
        Ok(())
    })
}
