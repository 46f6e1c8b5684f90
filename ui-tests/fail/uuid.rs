use durable_runtime::prelude::*;

mod uuid {
    pub struct Uuid;

    impl Uuid {
        pub fn new_v4() -> Self {
            Self
        }

        pub fn as_u128(&self) -> u128 {
            4
        }
    }
}

#[durable_execution]
async fn execution() -> u64 {
    uuid::Uuid::new_v4().as_u128() as u64
}

fn main() {}
