// SPDX-License-Identifier: GPL-2.0

use std::convert::Infallible;
use std::os::fd::FromRawFd;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::Response;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // SAFETY: the descriptor was inherited for this.
    let listener = unsafe { std::net::TcpListener::from_raw_fd(3) };
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            let service = service_fn(move |_| async move {
                println!("{}", peer.ip());
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(format!(
                    "{}\n",
                    peer.ip()
                )))))
            });
            let builder = Builder::new(TokioExecutor::new());
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
