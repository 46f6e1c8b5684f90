//! A table, a bucket and whatever else a test needs, on a moto server that somebody started.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::{
    config::{Credentials, SharedCredentialsProvider},
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType,
    },
};
use durable_cli::DevServer;
use uuid::Uuid;
use workflows::aws::{
    Clients, DynamoCallbacks, DynamoRecords, EventBridgeEvents, LambdaExecutions, S3Artifacts,
    SqsDeadLetters, Table,
};

use crate::suite;

/// Clients of `endpoint` with made-up credentials.
pub(crate) fn clients(endpoint: &str) -> Clients {
    Clients::new(config(endpoint))
}

fn config(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id", "key", None, None, "test",
        )))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .build()
}

pub(crate) fn endpoint() -> String {
    std::env::var("MOTO_ENDPOINT").expect("MOTO_ENDPOINT says where a moto server listens")
}

/// A fresh table, with the keys and indexes of its documentation.
pub(crate) async fn table(clients: &Clients) -> (Table, String) {
    let name = format!("workflows-{}", Uuid::new_v4());
    let key =
        |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let index = |name: &str, keys: Vec<KeySchemaElement>, projection: Projection| {
        GlobalSecondaryIndex::builder()
            .index_name(name)
            .set_key_schema(Some(keys))
            .projection(projection)
            .build()
            .unwrap()
    };
    let keys_only = || Projection::builder().projection_type(ProjectionType::KeysOnly).build();
    let mut create = clients
        .dynamodb()
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range));
    for attribute in ["pk", "sk", "kind", "status", "listed", "token"] {
        let definition =
            AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S);
        create = create.attribute_definitions(definition.build().unwrap());
    }
    for (name, partition) in [("by_kind", "kind"), ("by_status", "status")] {
        let keys = vec![key(partition, KeyType::Hash), key("listed", KeyType::Range)];
        create = create.global_secondary_indexes(index(name, keys, keys_only()));
    }
    let included = Projection::builder()
        .projection_type(ProjectionType::Include)
        .non_key_attributes("workflow_id")
        .non_key_attributes("phase")
        .build();
    create = create.global_secondary_indexes(index("by_token", vec![key("token", KeyType::Hash)], included));
    create.send().await.unwrap();
    (Table::new(clients, &name), name)
}

pub(crate) async fn bucket(clients: &Clients) -> String {
    let name = format!("artifacts-{}", Uuid::new_v4());
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
        .build();
    clients.s3().create_bucket().bucket(&name).create_bucket_configuration(place).send().await.unwrap();
    name
}

/// A fresh queue, by its URL.
pub(crate) async fn queue(clients: &Clients) -> String {
    let name = format!("queue-{}", Uuid::new_v4());
    let created = clients.sqs().create_queue().queue_name(name).send().await.unwrap();
    created.queue_url.unwrap()
}

pub(crate) async fn world() -> suite::World {
    let clients = clients(&endpoint());
    let (table, _) = table(&clients).await;
    let queue = SqsDeadLetters::new(&clients, &queue(&clients).await);
    suite::World {
        records: Arc::new(DynamoRecords::new(table.clone())),
        callbacks: Arc::new(DynamoCallbacks::new(table.clone(), Some(queue.clone()))),
        dead_letters: Arc::new(queue),
        artifacts: Arc::new(S3Artifacts::new(&clients, &bucket(&clients).await)),
        events: Arc::new(EventBridgeEvents::new(&clients, table, None)),
        _keep: Box::new(clients),
    }
}

/// Executions on the dev server, which answers as Lambda does; their routes in a table of moto's.
pub(crate) async fn service() -> suite::executions::World {
    let (workflow, created) = suite::executions::workflow();
    let server = DevServer::builder().workflow(workflow).start().await.unwrap();
    let (table, _) = table(&clients(&endpoint())).await;
    let function = Some(workflows::research::RESEARCH_WORKFLOW.to_owned());
    suite::executions::World {
        executions: Arc::new(LambdaExecutions::new(&clients(&server.url()), table.clone(), function)),
        callbacks: Arc::new(DynamoCallbacks::new(table, None)),
        created: created.into(),
        _keep: Box::new(server),
    }
}
