use durable_runtime::prelude::*;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct ShipError;

impl std::fmt::Display for ShipError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not shipped")
    }
}

#[durable_step(at_most_once)]
async fn ship(n: u32) -> Result<u32, ShipError> {
    Ok(n)
}

fn main() {}
