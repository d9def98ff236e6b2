//! What a topic is set up to do with its records. Asked only when it matters: reading settings is a privilege of its
//! own (DESCRIBE_CONFIGS), which a reader of topics often lacks.

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError as Cause;

use super::{ASK_TIMEOUT, KafkaAddress, KafkaError};

const POLICY: &str = "cleanup.policy";

pub(super) fn compacted(address: &KafkaAddress, topic: &str) -> Result<bool, KafkaError> {
    let failed = |source: Cause| KafkaError::Settings {
        topic: topic.to_owned(),
        source: Box::new(source),
    };
    let client: AdminClient<DefaultClientContext> =
        super::client(address).create().map_err(failed)?;
    let options = AdminOptions::new().request_timeout(Some(ASK_TIMEOUT));
    let asked = [ResourceSpecifier::Topic(topic)];
    let answer = client.describe_configs(&asked, &options);
    // The client's own thread completes the answer; there is nothing else to drive.
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| failed(Cause::AdminOpCreation(error.to_string())))?;
    let mut resources = runtime.block_on(answer).map_err(failed)?;
    let resource = resources.pop();
    let resource =
        resource.ok_or_else(|| failed(Cause::AdminOpCreation("an empty answer".to_owned())))?;
    let resource = resource.map_err(|code| failed(Cause::AdminOp(code)))?;
    let policy = resource.get(POLICY).and_then(|entry| entry.value.clone());
    policy.map_or_else(
        || {
            Err(failed(Cause::AdminOpCreation(format!(
                "no {POLICY} in the answer"
            ))))
        },
        |policy| Ok(policy.contains("compact")),
    )
}
