use durable_runtime::prelude::*;

struct Shop {
    sold: u32,
}

impl Shop {
    #[durable_step]
    async fn sell(&mut self) {
        self.sold += 1;
    }
}

fn main() {}
