use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    step!("connect", { u64::from(std::net::TcpStream::connect("localhost:80").is_ok()) }).await
}
