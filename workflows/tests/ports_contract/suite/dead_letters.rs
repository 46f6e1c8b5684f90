//! The queue of callbacks that could not be stored.

use std::time::Duration;

use serde_json::json;
use workflows::ports::{Kept, Outcome, Unstored};

use super::{World, now};

fn unstored(id: &str, seconds: u64, outcome: Outcome) -> Unstored {
    Unstored {
        id: id.to_owned(),
        token: format!("token-{id}"),
        outcome,
        digest: format!("digest-{id}"),
        reason: "Failed to store callback result".to_owned(),
        at: now().after(Duration::from_secs(seconds)),
    }
}

async fn callbacks(world: &World) -> Vec<Unstored> {
    world.dead_letters.kept().await.unwrap().into_iter().map(|kept| kept.callback).collect()
}

pub async fn a_callback_is_kept_whole_until_it_is_released(world: &World) {
    let odd = "\u{0}\t\u{1f}\u{7f}\u{ffff}\u{fffe} \\ufffe \"🦀\" <&>";
    let failure = Outcome::Failure { error_type: Some(odd.to_owned()), message: odd.to_owned() };
    let success = Outcome::Success { result: json!({ odd: [1, -2.5, null, odd] }) };
    let [second, first] = [unstored("one", 9, failure), unstored("../two §", 0, success)];
    for callback in [&second, &first] {
        world.dead_letters.keep(callback.clone()).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(
            callbacks(world).await,
            [first.clone(), second.clone()],
            "oldest first; looking takes none away"
        );
    }
    let kept = world.dead_letters.kept().await.unwrap();
    let receipt = |id: &str| {
        let kept: Vec<&Kept> = kept.iter().filter(|kept| kept.callback.id == id).collect();
        kept[0].receipt.clone()
    };
    for _ in 0..2 {
        world.dead_letters.release(receipt(&first.id)).await.unwrap();
    }
    assert_eq!(callbacks(world).await, [second]);
}

pub async fn a_large_callback_is_kept(world: &World) {
    let large = unstored("large", 0, Outcome::Success { result: json!("ü".repeat(500_000)) });
    world.dead_letters.keep(large.clone()).await.unwrap();
    assert_eq!(callbacks(world).await, [large]);
}

/// A store that comes back for a moment may leave both a letter and a kept callback.
pub async fn letters_of_the_store_are_none_of_the_queues(world: &World) {
    let callback = unstored("both", 0, Outcome::Success { result: json!(1) });
    world.dead_letters.keep(callback.clone()).await.unwrap();
    world.callbacks.bury(callback.letter()).await.unwrap();
    assert_eq!(callbacks(world).await, std::slice::from_ref(&callback));
    assert_eq!(world.callbacks.dead_letters().await.unwrap().len(), 1);
    world.callbacks.redriven(callback.id.clone()).await.unwrap();
    assert_eq!(callbacks(world).await, [callback], "only who holds its receipt releases it");
}
