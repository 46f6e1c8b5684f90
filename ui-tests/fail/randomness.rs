use durable_runtime::prelude::*;

mod rand {
    pub fn random<T: Default>() -> T {
        T::default()
    }
}

#[durable_execution]
async fn execution() -> u64 {
    rand::random::<u64>()
}

fn main() {}
