//! A stream whose tables and whose publication are not what they were: judged by what its records hold, and what they
//! do not hold is named.

use serde_json::Value;

use crate::existing::{insert, published, scenario, while_writing};
use crate::running_lab::RunningLab;

/// What a judgement of the states gives as its reasons.
fn reasons(lab: &RunningLab, code: i32) -> String {
    let judged = lab.json(&["verify"], code);
    let reasons = scenario(&judged)["reasons"].as_array().unwrap();
    let reasons: Vec<&str> = reasons.iter().map(|one| one.as_str().unwrap()).collect();
    reasons.join(" | ")
}

fn publication(lab: &RunningLab) -> String {
    let shown = lab.json(&["connector", "config"], 0);
    shown["config"]["publication.name"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Changes a row without any record of it.
fn unpublished(lab: &RunningLab, statement: &str) {
    let name = publication(lab);
    lab.execute(&format!(
        "ALTER PUBLICATION \"{name}\" DROP TABLE public.customers"
    ));
    lab.execute(statement);
    lab.execute(&format!(
        "ALTER PUBLICATION \"{name}\" ADD TABLE public.customers"
    ));
}

#[test]
fn a_stream_is_judged_across_the_history_of_its_tables_and_within_its_publication() {
    let lab = RunningLab::up("4.3.1", "3.7.0");
    lab.execute(&insert(1, 40));
    published(&lab, 40);
    what_was_filled_in_stands_for_what_older_records_lack(&lab);
    a_change_that_was_lost_since_is_no_pass(&lab);
    what_was_computed_for_each_row_is_not_known(&lab);
    rows_that_a_filter_leaves_out_are_not_lost(&lab);
    deletes_that_are_not_published_are_not_lost(&lab);
    another_column_under_the_name_convicts_nobody(&lab);
    columns_that_are_not_published_are_named(&lab);
    lab.down();
}

fn what_was_filled_in_stands_for_what_older_records_lack(lab: &RunningLab) {
    lab.execute(
        "ALTER TABLE public.customers ADD COLUMN nick text,
             ADD COLUMN level text NOT NULL DEFAULT 'plain', DROP COLUMN city",
    );
    lab.execute("UPDATE public.customers SET nick = 'n', revision = revision + 1 WHERE id <= 10");
    published(lab, 50);
    let told = reasons(lab, 0);
    for part in [
        "30 keys end with a record from before an ALTER TABLE",
        "content of public.customers.nick was not compared: records from before it was added",
        "content of public.customers.level was not compared: records from before it was added",
        "content of public.customers.city was not compared: records hold it, and the table does not",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

fn a_change_that_was_lost_since_is_no_pass(lab: &RunningLab) {
    for lost in ["nick = 'lost'", "level = 'gold'", "name = 'lost'"] {
        unpublished(
            lab,
            &format!("UPDATE public.customers SET {lost} WHERE id = 20"),
        );
        let told = reasons(lab, 5);
        assert!(
            told.contains("1 keys end with a record that does not hold the whole row"),
            "{lost}: {told}"
        );
        unpublished(
            lab,
            "UPDATE public.customers SET nick = NULL, level = 'plain', name = 'name 20' WHERE id = 20",
        );
        reasons(lab, 0);
    }
}

fn what_was_computed_for_each_row_is_not_known(lab: &RunningLab) {
    lab.execute("ALTER TABLE public.customers ADD COLUMN token uuid DEFAULT gen_random_uuid()");
    let told = reasons(lab, 5);
    assert!(
        told.contains("40 keys end with a record that does not hold"),
        "{told}"
    );
    lab.execute("UPDATE public.customers SET revision = revision + 1");
    published(lab, 90);
    let told = reasons(lab, 0);
    assert!(!told.contains("keys end with a record"), "{told}");
}

/// Nor does one of another type, whose older values read as other numbers now.
fn another_column_under_the_name_convicts_nobody(lab: &RunningLab) {
    lab.execute(
        "ALTER TABLE public.customers DROP COLUMN nick, ADD COLUMN nick text,
             ALTER COLUMN balance TYPE numeric(12,4)",
    );
    let told = reasons(lab, 5);
    let unknown = "40 keys end with a record that does not hold the whole row";
    assert!(told.contains(unknown), "{told}");
    lab.execute("UPDATE public.customers SET revision = revision + 1");
    published(lab, 131);
    reasons(lab, 0);
    unpublished(
        lab,
        "UPDATE public.customers SET nick = 'lost' WHERE id = 20",
    );
    // One event beyond the moment shows that the connector has passed what was lost.
    let later = |_| "UPDATE public.customers SET revision = revision + 1 WHERE id = 1".to_owned();
    while_writing(lab, later, || {
        let judged = lab.json(&["verify"], 4);
        assert_eq!(scenario(&judged)["counts"]["divergent"], 1, "{judged}");
    });
    unpublished(lab, "UPDATE public.customers SET nick = NULL WHERE id = 20");
}

fn rows_that_a_filter_leaves_out_are_not_lost(lab: &RunningLab) {
    let name = publication(lab);
    lab.execute(&format!(
        "ALTER PUBLICATION \"{name}\" SET TABLE public.customers WHERE (id < 1000), public.orders,
             public.order_events"
    ));
    lab.execute(
        "INSERT INTO public.customers (id, name, email, tier, balance, active, profile, created, revision)
             VALUES (2000, 'x', 'y', 'gold', 1, true, '{}', now(), 1)",
    );
    let told = reasons(lab, 5);
    assert!(
        told.contains("publishes rows of public.customers by a row filter only"),
        "{told}"
    );
    lab.execute("DELETE FROM public.customers WHERE id = 2000");
    reasons(lab, 0);
}

fn deletes_that_are_not_published_are_not_lost(lab: &RunningLab) {
    let name = publication(lab);
    lab.execute(&format!(
        "ALTER PUBLICATION \"{name}\" SET TABLE public.customers, public.orders, public.order_events"
    ));
    lab.execute(&format!(
        "ALTER PUBLICATION \"{name}\" SET (publish = 'insert, update')"
    ));
    reasons(lab, 0);
    lab.execute("DELETE FROM public.customers WHERE id = 7");
    let told = reasons(lab, 5);
    assert!(told.contains("does not publish deletes"), "{told}");
    lab.execute(
        "INSERT INTO public.customers (id, name, email, tier, balance, active, profile, created, revision)
             VALUES (7, 'x', 'y', 'gold', 1, true, '{}', now(), 9)",
    );
    lab.execute(&format!(
        "ALTER PUBLICATION \"{name}\" SET (publish = 'insert, update, delete, truncate')"
    ));
    published(lab, 91);
    reasons(lab, 0);
}

fn columns_that_are_not_published_are_named(lab: &RunningLab) {
    let name = publication(lab);
    lab.execute("ALTER TABLE public.customers REPLICA IDENTITY DEFAULT");
    lab.execute(&format!(
        "ALTER PUBLICATION \"{name}\" SET TABLE public.customers
             (id, name, email, tier, balance, active, profile, created, revision, level),
             public.orders, public.order_events"
    ));
    let update = |number: u32| {
        let id = number % 40 + 1;
        format!(
            "UPDATE public.customers SET name = 'w{number}', nick = 'w{number}', revision = revision + 1
                 WHERE id = {id}"
        )
    };
    // With a witness, which reads through the same publication.
    while_writing(lab, update, || {
        let judged = lab.json(&["verify", "--witness=5"], 0);
        let window = |one: &&Value| one["name"] == "window";
        let scenarios = judged["scenarios"].as_array().unwrap();
        let window = scenarios.iter().find(window).unwrap();
        assert!(
            window["counts"]["committed"].as_u64() > Some(50),
            "{window}"
        );
        assert_eq!(window["counts"]["committed"], window["counts"]["published"]);
        assert!(
            window.to_string().contains("does not publish it"),
            "{window}"
        );
    });
    let told = reasons(lab, 0);
    let left_out = format!(
        "content of public.customers.nick was not compared: publication '{name}' does not publish it"
    );
    assert!(told.contains(&left_out), "{told}");
    lab.execute(&format!(
        "ALTER PUBLICATION \"{name}\" SET TABLE public.customers (name, email), public.orders"
    ));
    let said = lab.says(&["verify"], 3);
    assert!(
        said.contains("column id of the key of public.customers"),
        "{said}"
    );
}
