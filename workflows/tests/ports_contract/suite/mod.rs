//! What every implementation of the ports does, written once and run against each of them.
//!
//! `contract!` makes a test of each rule; the binary that uses it says how a fresh world is made.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(unreachable_pub, missing_docs, reason = "test binaries share this module")]

pub mod artifacts;
pub mod callbacks;
pub mod dead_letters;
pub mod events;
pub mod executions;
pub mod records;

use std::{any::Any, sync::Arc, time::SystemTime};

use durable_runtime::protocol::Timestamp;
use workflows::{
    ports::{Artifacts, Callbacks, DeadLetterQueue, Events, NewRecord, Records, WorkflowId},
    research::{Parameters, ResearchInput},
};

/// Empty stores, and a durable execution service with a workflow that waits for a callback.
pub struct World {
    pub records: Arc<dyn Records>,
    pub callbacks: Arc<dyn Callbacks>,
    pub dead_letters: Arc<dyn DeadLetterQueue>,
    pub artifacts: Arc<dyn Artifacts>,
    pub events: Arc<dyn Events>,
    /// What has to live as long as the stores.
    pub _keep: Box<dyn Any + Send>,
}

/// One test for each rule. `$world` makes a fresh world; `$notes` are attributes for every test.
#[macro_export]
macro_rules! contract {
    (@test $world:path, { $($note:tt)* }, $port:ident, $rule:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $($note)*
        async fn $rule() {
            $crate::suite::$port::$rule(&$world().await).await;
        }
    };
    ($world:path, $notes:tt, $($port:ident { $($rule:ident),* $(,)? })*) => {
        $(mod $port {
            $($crate::contract!(@test $world, $notes, $port, $rule);)*
        })*
    };
}

/// The rules of the five stores.
#[macro_export]
macro_rules! stores_contract {
    ($world:path $(, $($note:tt)+)?) => {
        $crate::contract! {
            $world,
            { $($($note)+)? },
            records {
                a_record_is_created_once,
                everything_of_a_change_is_on_record,
                an_ended_workflow_stays_ended,
                a_late_change_is_refused,
                changes_at_the_same_time_all_count,
                one_of_many_endings_wins,
                a_key_stands_for_one_request,
                one_of_many_claims_wins,
                lists_are_newest_first_and_complete,
                a_list_has_only_the_status_asked_for,
                what_is_not_there_is_not_found,
            }
            callbacks {
                a_token_leads_to_its_workflow,
                the_first_outcome_stands,
                one_of_many_outcomes_wins,
                large_outcomes_are_kept_whole,
                expired_results_are_gone,
                delivery_is_noted,
                history_has_one_line_for_a_request,
                a_dead_letter_is_open_until_it_is_redriven,
                odd_tokens_are_tokens,
            }
            dead_letters {
                a_callback_is_kept_whole_until_it_is_released,
                a_large_callback_is_kept,
                letters_of_the_store_are_none_of_the_queues,
            }
            artifacts {
                what_is_put_is_read_back_and_replaced,
                large_artifacts_come_back_whole,
                a_link_opens_the_artifact,
                nothing_outside_of_the_store_can_be_named,
            }
            events {
                an_event_is_on_record_once,
            }
        }
    };
}

pub fn new_record(id: &str) -> NewRecord {
    let input = ResearchInput::new("a topic", Parameters::default()).unwrap();
    NewRecord { id: WorkflowId::named(id), input }
}

pub fn now() -> Timestamp {
    SystemTime::now().into()
}
