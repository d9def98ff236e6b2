//! Replication slots: the connector's own, and others that hold log back. Statements are given, never executed.

use cutover_clients::pg::slot_details::SlotDetail;
use cutover_model::doctor::Diagnosis;
use cutover_model::lint::Severity::{Error, Note, Warning};
use cutover_model::table::quote_literal;

use super::facts::{ConnectorFacts, DoctorFacts, ServerSide};
use super::found;

pub(super) fn findings(facts: &DoctorFacts) -> Vec<Diagnosis> {
    let Some(server) = &facts.server else {
        return Vec::new();
    };
    let own = facts.connector.as_ref().map(ConnectorFacts::slot);
    let mut all = Vec::new();
    if let Some(connector) = &facts.connector {
        let detail = server
            .slots
            .iter()
            .find(|detail| detail.slot.name == connector.slot());
        match detail {
            None => all.push(missing(connector)),
            Some(detail) => all.extend(of_connector(server, connector, detail)),
        }
    }
    let others = server
        .slots
        .iter()
        .filter(|detail| Some(detail.slot.name.as_str()) != own);
    all.extend(others.filter(|detail| !detail.slot.active).map(idle));
    all.extend(unbounded(server));
    all
}

fn drop(name: &str) -> String {
    format!("SELECT pg_drop_replication_slot({})", quote_literal(name))
}

fn create(name: &str) -> String {
    format!(
        "SELECT pg_create_logical_replication_slot({}, 'pgoutput')",
        quote_literal(name)
    )
}

/// Which configuration this asks for: the question is whether the tables are to be read again.
fn missing(connector: &ConnectorFacts) -> Diagnosis {
    let name = connector.slot();
    let evidence =
        "it is not there: nothing holds what is committed now, and a start makes a new slot that \
        begins where the log ends"
            .to_owned();
    let remedy = format!(
        "while nobody writes: {}, then cutover connector offsets set --to-slot; with events that may be \
            missing, read the \
         tables again (snapshot.mode=initial and cutover connector offsets reset) or close the gap (cutover gap)",
        create(name)
    );
    found(
        "CUT-DOC-030",
        Error,
        format!("slot {name}"),
        (evidence, remedy),
    )
}

fn of_connector(
    server: &ServerSide,
    connector: &ConnectorFacts,
    detail: &SlotDetail,
) -> Vec<Diagnosis> {
    let name = &detail.slot.name;
    let subject = format!("slot {name}");
    if let Some(told) = other_kind(server, connector, detail) {
        let remedy = format!(
            "give the connector another slot.name, or if nobody needs this one: {}; {}",
            drop(name),
            create(name)
        );
        return vec![found("CUT-DOC-033", Error, subject, (told, remedy))];
    }
    if detail.slot.is_lost() {
        let why = detail
            .invalidation
            .as_deref()
            .unwrap_or("the server does not say why");
        let evidence = format!(
            "it is lost ({why}): the server has removed log that the connector has not read, and RUNNING hides it"
        );
        let remedy = format!(
            "cutover connector stop {}; {}; {}; then the offset: cutover connector offsets set --to-slot; \
                what was committed \
             in between is missing: cutover gap, or a new snapshot",
            connector.state.name,
            drop(name),
            create(name)
        );
        return vec![found("CUT-DOC-031", Error, subject, (evidence, remedy))];
    }
    alive(connector, detail)
}

/// A slot of the right kind that still holds what it promised.
fn alive(connector: &ConnectorFacts, detail: &SlotDetail) -> Vec<Diagnosis> {
    let subject = format!("slot {}", detail.slot.name);
    let mut all = Vec::new();
    if detail
        .slot
        .wal_status
        .as_deref()
        .is_some_and(|status| status == "unreserved" || status == "extended")
    {
        let left = detail.safe_bytes.map_or_else(String::new, |bytes| {
            format!("; {bytes} bytes of log until it may be lost")
        });
        let evidence = format!(
            "wal_status is {}{left}",
            detail.slot.wal_status.as_deref().unwrap_or("-")
        );
        let remedy = "let the connector run and catch up, and until then ALTER SYSTEM SET \
            max_slot_wal_keep_size = '-1'; SELECT pg_reload_conf()"
            .to_owned();
        let severity = if detail.slot.wal_status.as_deref() == Some("unreserved") {
            Error
        } else {
            Warning
        };
        all.push(found(
            "CUT-DOC-032",
            severity,
            subject.clone(),
            (evidence, remedy),
        ));
    }
    if connector.runs() && !detail.slot.active {
        let evidence =
            "connector and tasks show RUNNING, and nobody reads the slot: nothing is delivered"
                .to_owned();
        let remedy = format!(
            "look again in a minute (a task reconnects); then cutover connector restart --all {}",
            connector.state.name
        );
        all.push(found(
            "CUT-DOC-034",
            Error,
            subject.clone(),
            (evidence, remedy),
        ));
    }
    if let Some(pid) = detail.slot.active_pid.filter(|_| !connector.runs()) {
        let evidence = format!(
            "process {pid} reads it while the connector is {}",
            connector.state.health
        );
        let remedy = format!(
            "find out who that is: SELECT application_name, client_addr, usename FROM pg_stat_replication \
                WHERE pid = {pid}; \
             if it should not be there: SELECT pg_terminate_backend({pid})"
        );
        all.push(found("CUT-DOC-035", Warning, subject, (evidence, remedy)));
    }
    all
}

fn other_kind(
    server: &ServerSide,
    connector: &ConnectorFacts,
    detail: &SlotDetail,
) -> Option<String> {
    let plugin = connector.option("plugin.name").unwrap_or("decoderbufs");
    if detail.kind != "logical" {
        return Some(format!("it is a {} slot", detail.kind));
    }
    if detail.temporary {
        return Some("it is temporary, and goes away with its session".to_owned());
    }
    if detail.database.as_deref() != Some(&server.database) {
        let database = detail.database.as_deref().unwrap_or("-");
        return Some(format!(
            "it is of database {database}, and the connector reads {}",
            server.database
        ));
    }
    (detail.slot.plugin != plugin).then(|| {
        format!(
            "it decodes with {}, and the connector asks for {plugin}",
            detail.slot.plugin
        )
    })
}

fn idle(detail: &SlotDetail) -> Diagnosis {
    let name = &detail.slot.name;
    let held = detail
        .retained_bytes
        .map_or_else(|| "log".to_owned(), |bytes| format!("{bytes} bytes of log"));
    let since = detail
        .inactive_since
        .as_deref()
        .map_or_else(String::new, |since| format!(" since {since}"));
    let state = if detail.slot.is_lost() {
        "is lost"
    } else {
        "holds back"
    };
    let evidence = match detail.slot.is_lost() {
        true => format!("nobody reads it{since}, and it is lost: it serves nobody any more"),
        false => format!("nobody reads it{since}, and it {state} {held}"),
    };
    let remedy = format!("if nobody will read it again: {}", drop(name));
    found(
        "CUT-DOC-036",
        Warning,
        format!("slot {name}"),
        (evidence, remedy),
    )
}

fn unbounded(server: &ServerSide) -> Option<Diagnosis> {
    let unbounded = server
        .settings
        .get("max_slot_wal_keep_size")
        .is_some_and(|size| size == "-1");
    if !unbounded || server.slots.is_empty() {
        return None;
    }
    let evidence =
        "max_slot_wal_keep_size is -1: a slot that nobody reads can fill the disk".to_owned();
    let remedy = "watch the log that slots hold back; a bound protects the disk, and loses the slot when it \
        is reached".to_owned();
    Some(found("CUT-DOC-037", Note, "the server", (evidence, remedy)))
}
