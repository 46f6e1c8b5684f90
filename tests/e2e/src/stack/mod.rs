//! Everything that a scenario plays on: stores, functions, agents, the HTTP API, and faults before the stores.

pub mod lambda;
pub mod moto;
pub mod observer;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    agents::Agents,
    api::{Api, Callbacks},
    gateway::{Format, Gateway, Listening},
    invoke::Invoke,
    proofs::{API_KEY, HMAC_SECRET, WEBHOOK_SECRET},
    proxy::Proxy,
    receiver::Receiver,
    template::{Function, Template},
};
use lambda::{Hosted, Lambda};
use moto::Moto;
use observer::Observer;

/// Seconds that reviewers have in the impatient stack.
const APPROVAL_SECONDS: u64 = 6;
/// Seconds that its agents may stay silent: the least that there is.
const SILENCE_SECONDS: u64 = 60;

/// What the stacks are built from.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The deployment template.
    pub template: PathBuf,
    /// The folder of the functions' programs.
    pub programs: PathBuf,
    /// The `durable` program.
    pub durable: PathBuf,
    /// An interpreter with moto.
    pub python: PathBuf,
    /// What the embedded agents search in.
    pub corpus: PathBuf,
    /// The tests of the adapters for AWS.
    pub adapter_tests: PathBuf,
    /// A folder for everything that is written; it exists and is empty.
    pub folder: PathBuf,
}

/// One deployment of the template.
#[derive(Debug)]
pub struct Stack {
    /// Its workflow API.
    pub api: Api,
    /// Where callbacks are sent.
    pub callback_url: String,
    /// Sees its notifications and events.
    pub observer: Observer,
    /// Its functions.
    pub functions: Vec<Function>,
    _gateway: Gateway,
}

/// The deployments, and what they share.
#[derive(Debug)]
pub struct World {
    /// As a user deploys it.
    pub patient: Stack,
    /// Reviewers and agents have seconds.
    pub impatient: Stack,
    /// Senders of callbacks prove who they are, others are told of callbacks, and a REST API stands before it.
    pub guarded: Stack,
    /// Scripted agents of all of them.
    pub agents: Agents,
    /// Who calls back.
    pub callbacks: Callbacks,
    /// Whom the guarded stack tells of callbacks.
    pub receiver: Receiver,
    /// Before DynamoDB.
    pub dynamodb: Proxy,
    /// Before S3.
    pub s3: Proxy,
    /// The stores themselves.
    pub moto: Moto,
    /// The functions' host.
    pub lambda: Lambda,
    /// The tests of the adapters for AWS.
    pub adapter_tests: PathBuf,
}

/// What a deployment has that others don't.
struct Deployment<'a> {
    name: &'a str,
    format: Format,
    /// Parameters of the template.
    parameters: Vec<(&'static str, String)>,
    /// Variables that the template can't say here.
    variables: Vec<(&'static str, String)>,
}

/// A deployment whose functions don't run yet.
struct Prepared {
    format: Format,
    functions: Vec<Function>,
    listening: Listening,
    observer: Observer,
    hosted: BTreeMap<String, Hosted>,
}

impl World {
    /// Starts everything.
    ///
    /// # Errors
    ///
    /// Something does not start.
    pub async fn start(parts: &Parts) -> Result<Self> {
        let template = Template::read(&parts.template)?;
        let moto = Moto::start(&parts.python, &parts.folder.join("moto.log")).await?;
        let dynamodb = Proxy::before(moto.address).await?;
        let s3 = Proxy::before(moto.address).await?;
        let agents = Agents::start().await?;
        let receiver = Receiver::start().await?;

        let direct = format!("http://{}", moto.address);
        let common: BTreeMap<String, String> = [
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_REGION", moto::REGION.to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url()),
            ("AWS_ENDPOINT_URL_S3", s3.url()),
            ("AWS_ENDPOINT_URL_SNS", direct.clone()),
            ("AWS_ENDPOINT_URL_SQS", direct.clone()),
            ("AWS_ENDPOINT_URL_EVENTBRIDGE", direct),
            ("AWS_ENDPOINT_URL_BEDROCK_AGENTCORE", agents.agentcore().to_owned()),
            ("CORPUS_DIR", parts.corpus.to_str().context("the corpus is not UTF-8")?.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let prepare = |deployment| prepare(deployment, &template, parts, &moto, &agents, common.clone());
        let mut patient = prepare(Deployment {
            name: "patient",
            format: Format::HttpApi,
            parameters: Vec::new(),
            variables: Vec::new(),
        })
        .await?;
        let mut impatient = prepare(Deployment {
            name: "impatient",
            format: Format::HttpApi,
            parameters: vec![("AgentHeartbeatTimeoutSeconds", SILENCE_SECONDS.to_string())],
            variables: vec![("APPROVAL_TIMEOUT_SECONDS", APPROVAL_SECONDS.to_string())],
        })
        .await?;
        let mut guarded = prepare(Deployment {
            name: "guarded",
            format: Format::RestApi,
            parameters: vec![
                ("CallbackApiKey", API_KEY.to_owned()),
                ("CallbackHmacSecret", HMAC_SECRET.to_owned()),
                ("CallbackWebhookSecret", WEBHOOK_SECRET.to_owned()),
            ],
            // The template takes https:// addresses only.
            variables: vec![("CALLBACK_WEBHOOK_URLS", receiver.url().to_owned())],
        })
        .await?;

        let mut hosted = BTreeMap::new();
        for deployment in [&mut patient, &mut impatient, &mut guarded] {
            hosted.append(&mut deployment.hosted);
        }
        let lambda = Lambda::start(&parts.durable, &hosted, &parts.folder).await?;
        let invoke = Invoke::at(&lambda.url)?;
        agents.connect(invoke.clone());
        Ok(Self {
            patient: patient.open(&template, &invoke)?,
            impatient: impatient.open(&template, &invoke)?,
            guarded: guarded.open(&template, &invoke)?,
            agents,
            callbacks: Callbacks::new()?,
            receiver,
            dynamodb,
            s3,
            moto,
            lambda,
            adapter_tests: parts.adapter_tests.clone(),
        })
    }

    /// Waits until somebody was told `sign` of a workflow.
    ///
    /// # Errors
    ///
    /// Nobody is.
    pub async fn observe(&self, stack: &Stack, workflow_id: &str, sign: &str) -> Result<()> {
        stack.observer.wait_for(&self.moto, workflow_id, sign).await
    }

    /// Ends everything.
    pub async fn stop(self) {
        self.lambda.stop().await;
    }
}

async fn prepare(
    deployment: Deployment<'_>,
    template: &Template,
    parts: &Parts,
    moto: &Moto,
    agents: &Agents,
    mut given: BTreeMap<String, String>,
) -> Result<Prepared> {
    let Deployment { name, format, parameters: own_parameters, variables } = deployment;
    given.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let listening = Listening::start().await?;
    given.insert("CALLBACK_API_URL".to_owned(), format!("{}/callbacks", listening.url()));
    let functions = template.functions(name)?;
    // One of each kind: a runtime of AgentCore, and Lambda functions.
    let scripted = format!("{name}-scripted");
    let agent = format!("{name}-agent:live");
    let mut parameters = BTreeMap::from([
        ("ResearcherAgentArn", Agents::runtime_arn(&agent)),
        ("AnalystAgentArn", lambda_arn(&scripted)),
        ("WriterAgentArn", lambda_arn(&scripted)),
    ]);
    parameters.extend(own_parameters);
    let stores = template.stores(&functions, arn, &given);
    let outputs = moto.create_stack(name, &stores.body, &parameters).await?;

    let mut hosted = BTreeMap::new();
    let mut resolved = BTreeMap::new();
    for function in &functions {
        let mut environment = given.clone();
        for (output, (logical_id, variable)) in &stores.variables {
            if *logical_id == function.logical_id {
                let value = outputs.get(output).with_context(|| format!("{variable} was not resolved"))?;
                environment.insert(variable.clone(), value.clone());
            }
        }
        resolved.extend(environment.clone());
        hosted.insert(function.name.clone(), host(function, &parts.programs, environment)?);
    }
    let endpoint = Hosted {
        url: Some(agents.before(&agent)),
        timeout: "60s".to_owned(),
        concurrency: 64,
        ..Hosted::default()
    };
    hosted.insert(scripted, endpoint);
    let known = |name: &str| resolved.get(name).with_context(|| format!("no function knows {name}"));
    let observer = moto
        .observe(&format!("{name}-observer"), known("APPROVAL_SNS_TOPIC_ARN")?, known("EVENT_BUS_NAME")?)
        .await?;
    Ok(Prepared { format, functions, listening, observer: Observer::new(observer), hosted })
}

fn host(function: &Function, programs: &Path, environment: BTreeMap<String, String>) -> Result<Hosted> {
    let program = programs.join(&function.binary);
    let program = program.to_str().context("the path of the programs is not UTF-8")?;
    Ok(Hosted {
        command: vec![program.to_owned()],
        durable: function.execution_timeout.is_some(),
        timeout: format!("{}s", function.timeout),
        execution_timeout: function.execution_timeout.map(|seconds| format!("{seconds}s")),
        memory: function.memory,
        // On Lambda each environment has a folder for the index to itself; here they would share it.
        concurrency: if function.binary == "agent" { 1 } else { 16 },
        environment,
        ..Hosted::default()
    })
}

impl Prepared {
    fn open(self, template: &Template, invoke: &Invoke) -> Result<Stack> {
        let url = self.listening.url().to_owned();
        let routes = template.routes(&self.functions, |function| format!("{}:live", function.name))?;
        Ok(Stack {
            api: Api::new(&url)?,
            callback_url: format!("{url}/callbacks"),
            observer: self.observer,
            functions: self.functions,
            _gateway: self.listening.serve(self.format, routes, invoke.clone()),
        })
    }
}

/// As the template's aliases are named at the development server.
fn arn(function: &Function) -> String {
    lambda_arn(&function.name)
}

fn lambda_arn(name: &str) -> String {
    format!("arn:aws:lambda:{}:000000000000:function:{name}:live", moto::REGION)
}
