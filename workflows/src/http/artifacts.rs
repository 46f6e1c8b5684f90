//! `/artifacts/...`: what a signed link opens until it expires.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::error::HttpError;
use crate::{
    host::ServiceError,
    local::{ArtifactDirectory, LinkError},
    ports::Artifacts,
};

#[derive(Deserialize)]
pub(super) struct Signature {
    #[serde(default)]
    expires: String,
    #[serde(default)]
    signature: String,
}

pub(super) async fn read(
    State(artifacts): State<Arc<ArtifactDirectory>>,
    Path(key): Path<String>,
    Query(link): Query<Signature>,
) -> Result<Response, HttpError> {
    let reference = artifacts.verify_link(&key, &link.expires, &link.signature).map_err(|error| {
        let status = match error {
            LinkError::Forged => StatusCode::FORBIDDEN,
            LinkError::Expired => StatusCode::GONE,
        };
        HttpError::new(status, error.to_string())
    })?;
    let fetched = artifacts.get(reference).await.map_err(ServiceError::from)?;
    // Agents write the content: a browser must show it as what it is and run none of it.
    let headers = [
        (header::CONTENT_TYPE, fetched.content_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox"),
    ];
    Ok((headers, fetched.bytes).into_response())
}
