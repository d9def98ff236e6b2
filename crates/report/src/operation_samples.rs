//! Hand-made reports of work on running systems, for the tests of their formats; no system made them.

use cutover_model::Lsn;

/// A deployment that was changed and whose task failed.
pub fn connector() -> cutover_model::connector::ConnectorReport {
    use cutover_model::connector::{
        CONNECTOR_FORMAT, ConnectorReport, ConnectorState, Health, OptionChange, TaskState,
    };
    let masked = || Some("********".to_owned());
    ConnectorReport {
        format: CONNECTOR_FORMAT.into(),
        action: "deploy".into(),
        changed: true,
        said: vec!["connector orders changed".into()],
        connectors: vec![ConnectorState {
            name: "orders".into(),
            health: Health::TaskFailed,
            state: Some("RUNNING".into()),
            trace: None,
            tasks: vec![TaskState {
                id: 0,
                state: "FAILED".into(),
                trace: Some("org.x.ConnectException: no \u{1b}[2Jslot".into()),
            }],
            code: Some("CONNECT-TASK-001".into()),
        }],
        changes: vec![
            OptionChange {
                option: "database.password".into(),
                before: masked(),
                after: masked(),
                secret: true,
            },
            OptionChange {
                option: "slot.name".into(),
                before: None,
                after: Some("s".into()),
                secret: false,
            },
        ],
        config: None,
        exit_code: 3,
    }
}

/// An offset that was written to a slot's position.
pub fn offsets() -> cutover_model::connector::OffsetsReport {
    use cutover_model::connector::{
        DecodedOffset, Health, OFFSETS_FORMAT, OffsetChange, OffsetsReport, ServerPlace, SlotPlace,
    };
    let at = |lsn: u64| Some(Lsn(lsn).into());
    let offset = DecodedOffset {
        partition: serde_json::json!({"server": "cdc"}),
        lsn: at(26_000_447),
        lsn_proc: at(26_000_447),
        lsn_commit: at(26_000_448),
        transaction: Some(741),
        time: Some("2026-01-01T00:00:00Z".into()),
        message_type: Some("COMMIT".into()),
        events_processed: Some(1),
        snapshot: Some("snapshot=true".into()),
        fields: serde_json::Map::new(),
    };
    OffsetsReport {
        format: OFFSETS_FORMAT.into(),
        connector: "orders".into(),
        health: Health::Stopped,
        offsets: vec![offset.clone()],
        slot: Some(SlotPlace {
            name: "s".into(),
            found: true,
            active: false,
            restart: at(26_000_448),
            confirmed: at(26_000_448),
            wal_status: Some("reserved".into()),
        }),
        server: Some(ServerPlace {
            address: "u@h:5432/d".into(),
            version: "17.1".into(),
            system_id: "7".into(),
            timeline: 1,
            end: Lsn(26_000_500).into(),
        }),
        compared: vec!["offset is where slot s is confirmed to".into()],
        prediction: None,
        change: Some(OffsetChange {
            before: None,
            after: Some(offset),
            applied: true,
            way: Some("written by Connect".into()),
            undo: Some("undo/orders.json".into()),
        }),
        exit_code: 0,
    }
}

/// A flag, a default, an option that is not followed and a note.
pub fn configuration() -> cutover_model::configuration::ConfigurationReport {
    use cutover_model::configuration::{
        CONFIGURATION_FORMAT, ConfigurationReport, LeftOut, Origin, OriginKind, ShownSetting,
    };
    let origin = |kind, name: &str| Origin {
        kind,
        name: name.into(),
    };
    let setting = |key: &str, value: &str, origin| ShownSetting {
        key: key.into(),
        value: value.into(),
        secret: false,
        origin,
    };
    ConfigurationReport {
        format: CONFIGURATION_FORMAT.into(),
        file: Some("cutover.toml".into()),
        settings: vec![
            setting(
                "kafka.bootstrap",
                "h\u{1b}[1m:9092",
                origin(OriginKind::Flag, "--kafka"),
            ),
            setting("postgres.port", "5432", origin(OriginKind::Default, "")),
        ],
        left_out: vec![LeftOut {
            key: "group.id".into(),
            why: "no consumer group is joined".into(),
            origin: origin(OriginKind::Properties, "client.properties"),
        }],
        notes: vec!["~/.pgpass is open to others".into()],
    }
}

/// A server that lacks a slot.
pub fn setup() -> cutover_model::setup::SetupReport {
    use cutover_model::setup::{SETUP_FORMAT, SetupItem, SetupReport, SetupState};
    let item = |subject: &str, state, found: &str, statement: Option<&str>| SetupItem {
        subject: subject.into(),
        state,
        found: found.into(),
        statement: statement.map(str::to_owned),
        remedy: None,
    };
    let slot = "SELECT pg_create_logical_replication_slot('s', 'pgoutput')";
    SetupReport {
        format: SETUP_FORMAT.into(),
        server: "u@h:5432/d".into(),
        items: vec![
            item(
                "server",
                SetupState::Present,
                "PostgreSQL 17.1, wal_level logical",
                None,
            ),
            item("slot s", SetupState::Wanted, "not there", Some(slot)),
        ],
        changed: false,
        exit_code: 0,
    }
}

/// A missing slot, and Kafka that nobody named.
pub fn doctor() -> cutover_model::doctor::DoctorReport {
    use cutover_model::doctor::{DOCTOR_FORMAT, Diagnosis, DoctorReport, NotLookedAt};
    DoctorReport {
        format: DOCTOR_FORMAT.into(),
        looked_at: vec!["Kafka Connect at http://h:8083".into()],
        not_looked_at: vec![NotLookedAt {
            part: "Kafka".into(),
            why: "nothing says where it is".into(),
            code: None,
        }],
        findings: vec![Diagnosis {
            code: "CUT-DOC-030".into(),
            severity: cutover_model::Severity::Error,
            subject: "slot s".into(),
            evidence: "it is not \u{1b}[2Jthere".into(),
            remedy: "SELECT pg_create_logical_replication_slot('s', 'pgoutput')".into(),
        }],
        prediction: None,
        exit_code: 3,
    }
}
