//! The whole service on an engine in virtual time, with every actor in memory.

use std::{sync::Arc, time::Duration};

use durable_engine::ResultError;
use durable_testing::{TestEngine, virtual_time};
use serde_json::{Value, json};
use workflows::{
    callback::{Answer, Authentication, Headers, Request, callback_handler},
    error::WorkflowError,
    host::{CallbackIntake, ExecutionView, Service},
    local::EngineExecutions,
    ports::{AgentTask, Ports, Settings, WorkflowId},
    research::{Approval, Delivery, Job, Parameters, ResearchInput, Status, research_workflow},
};

use crate::memory::Memory;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

pub(crate) struct Application {
    pub(crate) memory: Memory,
    pub(crate) test: TestEngine,
    pub(crate) service: Service,
    callbacks: CallbackIntake,
    ports: Ports,
}

/// Runs `test` on an application with these settings.
pub(crate) fn with(settings: Settings, test: impl AsyncFnOnce(Application)) {
    virtual_time(async {
        let (memory, engine) = (Memory::default(), TestEngine::new());
        let executions = EngineExecutions::new(engine.engine());
        let ports = memory.ports(Arc::new(executions.clone()), settings);
        let service = Service::new(ports.clone(), Arc::new(executions.clone()));
        let callbacks = CallbackIntake::new(ports.clone(), executions, Authentication::default());
        let (for_research, for_callbacks) = (ports.clone(), ports.clone());
        engine.register(move |job: Job| research_workflow(for_research.clone(), job));
        engine.register(move |request: Request| callback_handler(for_callbacks.clone(), request));
        test(Application { memory, test: engine, service, callbacks, ports }).await;
    });
}

impl Application {
    pub(crate) async fn start(&self) -> WorkflowId {
        let input = ResearchInput::new("structured concurrency", Parameters::default()).unwrap();
        self.service.start(input, None).await.unwrap().workflow_id
    }

    /// The next task; its agent has accepted it, and that is on record.
    pub(crate) async fn next_task(&self) -> AgentTask {
        let task = self.memory.next_task().await;
        self.settle().await;
        task
    }

    /// Lets everything run that can.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    pub(crate) async fn call_back(&self, body: &Value) -> Answer {
        let answer = self.callbacks.receive(Headers::default(), body.to_string().as_bytes()).await;
        self.settle().await;
        answer
    }

    pub(crate) async fn succeed(&self, task: &AgentTask, result: Value) {
        let body = json!({ "token": task.callback_token, "status": "SUCCESS", "result": result });
        let answer = self.call_back(&body).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("callback_delivered")));
    }

    /// The researcher has answered: the analyst's task.
    pub(crate) async fn researched(&self) -> AgentTask {
        let task = self.next_task().await;
        self.succeed(&task, json!({ "findings": ["one"] })).await;
        self.next_task().await
    }

    /// Researcher and analyst have answered.
    pub(crate) async fn analysed(&self) {
        let task = self.researched().await;
        self.succeed(&task, json!({ "themes": ["two"] })).await;
    }

    pub(crate) async fn decide(&self, id: &WorkflowId, approved: bool) {
        self.service.decide(id, Approval { approved, comment: Some("so be it".to_owned()) }).await.unwrap();
        self.settle().await;
    }

    pub(crate) async fn view(&self, id: &WorkflowId) -> ExecutionView {
        self.service.execution(id).await.unwrap()
    }

    pub(crate) async fn status(&self, id: &WorkflowId) -> Status {
        self.view(id).await.workflow.status
    }

    /// Waits for the end, in virtual time, and gives what the workflow returned.
    pub(crate) async fn outcome(&self, id: &WorkflowId) -> Result<Delivery, ResultError<WorkflowError>> {
        let ports = self.ports.clone();
        let function = move |job: Job| research_workflow(ports.clone(), job);
        self.test.engine().attach(&function, id.as_str()).await.unwrap().result().await
    }

    /// Waits for the end of a workflow that fails; gives its typed error after checking that record, audit
    /// trail and event tell the same.
    pub(crate) async fn failure(&self, id: &WorkflowId) -> WorkflowError {
        let error = match self.outcome(id).await {
            Err(ResultError::Failed(error)) => error,
            other => panic!("it did not fail: {other:?}"),
        };
        let view = self.view(id).await;
        assert_eq!(view.workflow.status, Status::Failed);
        assert_eq!(view.workflow.current_step, None);
        assert_eq!(view.workflow.error, Some(error.to_string()));
        let last = view.audit.last().unwrap();
        assert_eq!((last.to, last.who.as_str()), (Status::Failed, "fail_workflow"));
        let state = self.memory.state();
        let event = state.events.last().unwrap();
        assert_eq!(event.kind, "workflow_failed");
        assert_eq!(event.detail, json!({ "kind": error.kind(), "error": error.to_string() }));
        error
    }

    /// Virtual time since the start, to the second.
    pub(crate) fn seconds(&self) -> u64 {
        self.test.elapsed().as_secs()
    }
}
