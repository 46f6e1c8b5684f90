use durable_runtime::prelude::*;

struct Shop {
    sold: u32,
}

impl Shop {
    #[durable_step]
    async fn sell(&self) -> u32 {
        self.sold + 1
    }
}
