//! Artifacts and their links.

use std::time::Duration;

use workflows::ports::{ArtifactRef, StoreError};

use super::World;

pub async fn what_is_put_is_read_back_and_replaced(world: &World) {
    for (key, content_type) in [
        ("w/report.md", "text/markdown; charset=utf-8"),
        ("w/analysis.json", "application/json"),
        ("w/other", "application/octet-stream"),
    ] {
        for content in [b"first".to_vec(), Vec::new(), vec![0, 255, 10]] {
            let reference = world.artifacts.put(key.to_owned(), content.clone()).await.unwrap();
            assert_eq!(reference.parts().unwrap().1, key);
            let fetched = world.artifacts.get(reference).await.unwrap();
            assert_eq!((fetched.bytes, fetched.content_type), (content, content_type));
        }
    }
    let bucket = world.artifacts.put("x".to_owned(), Vec::new()).await.unwrap();
    let missing = ArtifactRef::new(bucket.parts().unwrap().0, "w/missing.json");
    let error = world.artifacts.get(missing).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(_)), "{error:?}");
}

pub async fn large_artifacts_come_back_whole(world: &World) {
    // One byte around the size of a part, and several parts.
    for size in [5 * 1024 * 1024, 5 * 1024 * 1024 + 1, 12_345_678] {
        let content: Vec<u8> =
            (0..size).map(|at: usize| (at.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
        let reference = world.artifacts.put("w/large.json".to_owned(), content.clone()).await.unwrap();
        let fetched = world.artifacts.get(reference).await.unwrap();
        assert_eq!(fetched.bytes.len(), size);
        assert!(fetched.bytes == content, "{size} bytes come back in another order");
        assert_eq!(fetched.content_type, "application/json");
    }
}

/// Whether the link can be followed is for tests that have a server; here it names the artifact and is signed.
pub async fn a_link_opens_the_artifact(world: &World) {
    let reference = world.artifacts.put("w/report.md".to_owned(), b"# Report".to_vec()).await.unwrap();
    let link = async |seconds| {
        let url = world.artifacts.presign(reference.clone(), Duration::from_secs(seconds)).await.unwrap();
        let (path, query) = url.split_once('?').unwrap();
        assert!(path.starts_with("http"), "{url}");
        assert!(path.ends_with("/w/report.md"), "{url}");
        query.to_owned()
    };
    assert_ne!(link(60).await, link(3_600).await, "how long it is valid is part of the link");
}

pub async fn nothing_outside_of_the_store_can_be_named(world: &World) {
    let bucket = world.artifacts.put("x".to_owned(), Vec::new()).await.unwrap();
    let bucket = bucket.parts().unwrap().0.to_owned();
    for key in ["../x", "/etc/passwd", "a/../../x", "a//b", ".hidden", "a b", "a/", "a\\b", "%2e%2e/x"] {
        assert!(world.artifacts.put(key.to_owned(), Vec::new()).await.is_err(), "{key}");
        assert!(world.artifacts.get(ArtifactRef::new(&bucket, key)).await.is_err(), "{key}");
        let link = world.artifacts.presign(ArtifactRef::new(&bucket, key), Duration::from_secs(1)).await;
        assert!(link.is_err(), "{key}");
    }
    let elsewhere = world.artifacts.get(ArtifactRef::new("somebody-elses", "x")).await.unwrap_err();
    assert!(matches!(elsewhere, StoreError::NotFound(_)), "{elsewhere:?}");
}
