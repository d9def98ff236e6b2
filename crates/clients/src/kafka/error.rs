//! What can go wrong with Kafka.

use cutover_model::{Classified, ExitCode, Permanence};
use rdkafka::types::RDKafkaErrorCode;

/// An error of a Kafka client.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The library refused the configuration.
    #[error("configure the Kafka client")]
    Config {
        /// Cause.
        #[source]
        source: Box<rdkafka::error::KafkaError>,
    },
    /// No broker answers.
    #[error("Kafka at {bootstrap} does not answer")]
    Unreachable {
        /// Bootstrap servers.
        bootstrap: String,
        /// Cause.
        #[source]
        source: Box<rdkafka::error::KafkaError>,
    },
    /// The brokers do not let us in.
    #[error("Kafka at {bootstrap} refuses the login: {reason}")]
    Login {
        /// Bootstrap servers.
        bootstrap: String,
        /// What the library says.
        reason: String,
    },
    /// No encrypted connection came to be, or one where none was expected.
    #[error("Kafka at {bootstrap}: no connection, because of its encryption: {reason}")]
    Tls {
        /// Bootstrap servers.
        bootstrap: String,
        /// What the library says.
        reason: String,
    },
    /// There is no such topic or partition.
    #[error("there is no partition {partition} of topic '{topic}'")]
    NoPartition {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// Records were removed (retention, deletion of records) between asking and reading.
    #[error("topic '{topic}' partition {partition}: records were removed while being read")]
    CutOff {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// Nothing came although the partition should hold more.
    #[error(
        "topic '{topic}' partition {partition}: nothing came for {seconds} s at offset {next}, \
         {to} was to be reached"
    )]
    Silent {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Offset to go on from.
        next: i64,
        /// Offset to be reached.
        to: i64,
        /// How long.
        seconds: f64,
        /// Last trouble of the connection.
        #[source]
        source: Option<Box<rdkafka::error::KafkaError>>,
    },
    /// Authentication or authorisation.
    #[error("access to topic '{topic}' was denied")]
    Denied {
        /// Topic.
        topic: String,
        /// Cause.
        #[source]
        source: Box<rdkafka::error::KafkaError>,
    },
    /// The settings of a topic could not be read.
    #[error("read the settings of topic '{topic}'")]
    Settings {
        /// Topic.
        topic: String,
        /// Cause.
        #[source]
        source: Box<rdkafka::error::KafkaError>,
    },
    /// An offset stands in several partitions of the offsets topic.
    #[error(
        "topic '{topic}': the offset of connector '{connector}' stands in partitions {partitions:?}"
    )]
    Scattered {
        /// Topic.
        topic: String,
        /// Connector.
        connector: String,
        /// Where.
        partitions: Vec<i32>,
    },
    /// A record was not taken.
    #[error("write to topic '{topic}'")]
    Write {
        /// Topic.
        topic: String,
        /// Cause.
        #[source]
        source: Box<rdkafka::error::KafkaError>,
    },
    /// A record was acknowledged, and something else was read at its place.
    #[error(
        "topic '{topic}' partition {partition}: offset {offset} does not hold what was written"
    )]
    NotReadBack {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Place.
        offset: i64,
    },
    /// Anything else the broker or the library says: bad checksum, unsupported compression, …
    #[error("read topic '{topic}' partition {partition}")]
    Read {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Cause.
        #[source]
        source: Box<rdkafka::error::KafkaError>,
    },
}

impl KafkaError {
    pub(super) fn of_partition(
        topic: &str,
        partition: i32,
        source: rdkafka::error::KafkaError,
    ) -> KafkaError {
        use RDKafkaErrorCode as Code;
        let topic = topic.to_owned();
        match source.rdkafka_error_code() {
            Some(Code::UnknownPartition | Code::UnknownTopic | Code::UnknownTopicOrPartition) => {
                KafkaError::NoPartition { topic, partition }
            }
            Some(Code::OffsetOutOfRange | Code::AutoOffsetReset) => {
                KafkaError::CutOff { topic, partition }
            }
            Some(
                Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::SaslAuthenticationFailed
                | Code::Authentication,
            ) => KafkaError::Denied {
                topic,
                source: Box::new(source),
            },
            _ => KafkaError::Read {
                topic,
                partition,
                source: Box::new(source),
            },
        }
    }

    fn network(source: &rdkafka::error::KafkaError) -> bool {
        use RDKafkaErrorCode as Code;
        matches!(
            source.rdkafka_error_code(),
            Some(
                Code::BrokerTransportFailure
                    | Code::AllBrokersDown
                    | Code::Resolve
                    | Code::OperationTimedOut
                    | Code::RequestTimedOut
                    | Code::NetworkException
                    | Code::LeaderNotAvailable
                    | Code::NotLeaderForPartition
            )
        )
    }
}

impl Classified for KafkaError {
    fn permanence(&self) -> Permanence {
        match self {
            KafkaError::Unreachable { .. } | KafkaError::Silent { .. } => Permanence::Transient,
            KafkaError::Read { source, .. } | KafkaError::Write { source, .. }
                if KafkaError::network(source) =>
            {
                Permanence::Transient
            }
            _ => Permanence::Definite,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            KafkaError::Config { .. } => ExitCode::Usage,
            KafkaError::Unreachable { .. } | KafkaError::Silent { .. } | KafkaError::Tls { .. } => {
                ExitCode::Unreachable
            }
            KafkaError::Read { source, .. } | KafkaError::Write { source, .. }
                if KafkaError::network(source) =>
            {
                ExitCode::Unreachable
            }
            KafkaError::NoPartition { .. } | KafkaError::Scattered { .. } => ExitCode::Refused,
            KafkaError::Denied { .. } | KafkaError::Login { .. } => ExitCode::Denied,
            KafkaError::CutOff { .. }
            | KafkaError::Read { .. }
            | KafkaError::Settings { .. }
            | KafkaError::Write { .. }
            | KafkaError::NotReadBack { .. } => ExitCode::Unknown,
        }
    }

    fn remedy(&self) -> Option<String> {
        let advice = match self {
            KafkaError::Config { .. } => "check the bootstrap servers (host:port, comma separated)",
            KafkaError::Unreachable { .. } | KafkaError::Silent { .. } => {
                "check that the brokers are up, their advertised listeners reachable, and security.protocol theirs"
            }
            KafkaError::NoPartition { .. } => {
                "check topic.prefix and that the connector has published to this topic"
            }
            KafkaError::CutOff { .. } => {
                "raise the topic's retention for the length of the run and record again"
            }
            KafkaError::Login { .. } => {
                "check sasl.mechanism and sasl.jaas.config of the client.properties against the brokers"
            }
            KafkaError::Tls { .. } => {
                "check security.protocol, and that ssl.truststore.location holds the authority of the brokers as PEM"
            }
            KafkaError::Denied { .. } => "grant READ and DESCRIBE on the topic",
            KafkaError::Settings { .. } => "grant DESCRIBE_CONFIGS on the topic",
            KafkaError::Read { source, .. } | KafkaError::Write { source, .. }
                if KafkaError::network(source) =>
            {
                "check that the brokers are up, their advertised listeners reachable, and security.protocol theirs"
            }
            KafkaError::Scattered { .. } => {
                "a worker may take any of them at its next start: give the connector another name, which has an \
                 offset of its own, or remove the stray record"
            }
            KafkaError::Write { .. } => {
                "grant WRITE on the topic, and see that enough replicas are in sync"
            }
            KafkaError::NotReadBack { .. } => {
                "somebody else writes to the offsets topic: keep the connector stopped and try again"
            }
            KafkaError::Read { .. } => return None,
        };
        Some(advice.to_owned())
    }

    fn code(&self) -> &'static str {
        match self {
            KafkaError::Config { .. } => "KAFKA-CONFIG-001",
            KafkaError::Unreachable { .. } => "KAFKA-UNREACHABLE-001",
            KafkaError::NoPartition { .. } => "KAFKA-TOPIC-001",
            KafkaError::CutOff { .. } => "KAFKA-CUTOFF-001",
            KafkaError::Silent { .. } => "KAFKA-SILENT-001",
            KafkaError::Login { .. } => "KAFKA-LOGIN-001",
            KafkaError::Tls { .. } => "KAFKA-TLS-001",
            KafkaError::Denied { .. } => "KAFKA-DENIED-001",
            KafkaError::Read { .. } => "KAFKA-READ-001",
            KafkaError::Settings { .. } => "KAFKA-SETTINGS-001",
            KafkaError::Scattered { .. } => "KAFKA-SCATTERED-001",
            KafkaError::Write { .. } => "KAFKA-WRITE-001",
            KafkaError::NotReadBack { .. } => "KAFKA-WRITE-002",
        }
    }
}
