//! The two applications as they are deployed, driven end to end on one machine.
//!
//! The Lambda binaries run behind `durable dev`; stores are moto's, made by CloudFormation from the deployment
//! template; the HTTP API is a small stand-in for API Gateway with the template's routes. Proxies before DynamoDB and
//! S3 refuse, stall and cut connections; scripted agents answer as scenarios want it; a receiver of webhooks is down
//! now and then; processes are killed.

pub mod agents;
pub mod api;
pub mod gateway;
pub mod invoke;
pub mod proofs;
pub mod proxy;
pub mod receiver;
pub mod report;
pub mod scenarios;
pub mod stack;
pub mod template;
