//! The environment variables of a function's process: ours, then Lambda's, then the function's own.

use std::net::SocketAddr;

use super::pool::ProcessSettings;

/// Whether our own environment has credentials to work with; these are then left alone, for functions that call
/// other services of AWS.
fn has_credentials() -> bool {
    ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Everything that is set on top of our own environment, later ones over earlier ones.
pub(super) fn variables(settings: &ProcessSettings, runtime_api: SocketAddr) -> Vec<(String, String)> {
    let name = settings.name.as_str();
    let directory = settings.directory.display().to_string();
    let mut variables: Vec<(&str, String)> = vec![
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", settings.memory.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[$LATEST]{}", uuid::Uuid::new_v4().simple())),
        ("AWS_ENDPOINT_URL_LAMBDA", format!("http://{}", settings.endpoint)),
        ("LAMBDA_TASK_ROOT", directory.clone()),
        ("LAMBDA_RUNTIME_DIR", directory),
        ("_HANDLER", settings.handler.clone()),
        ("TZ", ":UTC".to_owned()),
    ];
    variables.push(("AWS_REGION", settings.region.clone()));
    variables.push(("AWS_DEFAULT_REGION", settings.region.clone()));
    // Clients sign with something; nobody checks the signatures here.
    if !has_credentials() {
        variables.push(("AWS_ACCESS_KEY_ID", "local".to_owned()));
        variables.push(("AWS_SECRET_ACCESS_KEY", "local".to_owned()));
        variables.push(("AWS_SESSION_TOKEN", "local".to_owned()));
    }
    let own = settings.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(own).collect()
}
