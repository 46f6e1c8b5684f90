use durable_runtime::prelude::*;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Clear;

impl std::fmt::Display for Clear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("clear")
    }
}

#[durable_step]
async fn double(n: u32) -> Result<u32, Clear> {
    Ok(n * 2)
}
