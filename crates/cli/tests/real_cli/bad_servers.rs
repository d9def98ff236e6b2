//! Servers that answer and still cannot carry a stream or a load: what is in the way is named with the exit code of a
//! precondition, and nothing was changed. One real server, spoilt in one way after another.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use cutover_clients::pg::{self, Client, PgAddress};

use crate::server::Server;
use crate::site::{Site, text};

struct Spoilt {
    site: Site,
    server: Server,
    runtime: tokio::runtime::Runtime,
}

impl Spoilt {
    fn sql(&self, statements: &str) {
        self.session(async |client| client.batch_execute(statements).await.unwrap());
    }

    fn ask(&self, query: &str) -> String {
        self.session(async |client| client.query_one(query, &[]).await.unwrap().get(0))
    }

    fn session<T>(&self, run: impl AsyncFnOnce(Client) -> T) -> T {
        let address: &PgAddress = &self.server.address;
        self.runtime.block_on(async {
            let client = pg::connect(address, "test").await.unwrap();
            run(client).await
        })
    }

    /// What a command must leave as it is.
    fn state(&self) -> String {
        self.ask(
            "SELECT concat_ws(' ',
               (SELECT string_agg(slot_name || slot_type || coalesce(plugin, '-'), ',' ORDER BY 1)
                  FROM pg_replication_slots),
               (SELECT string_agg(pubname || tablename, ',' ORDER BY 1) FROM pg_publication_tables),
               (SELECT string_agg(relname || relreplident::text, ',' ORDER BY 1)
                  FROM pg_class WHERE relkind = 'r' AND oid >= 16384))",
        )
    }

    /// The server, as a user would name it.
    fn place(&self) -> String {
        let folder = self.server.address.socket().unwrap();
        let folder = folder.parent().unwrap().display().to_string();
        let port = self.server.address.port;
        format!("host={folder} port={port} user=postgres dbname=postgres")
    }

    /// Runs a command against the server: it must be refused with these words.
    fn is_refused(&self, command: &str, words: &[&str]) {
        let place = self.place();
        let args: Vec<&str> = command.split(' ').chain(["--postgres", &place]).collect();
        let output = self.site.run(&args);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(3), "{command}: {said}");
        for word in words {
            assert!(said.contains(word), "{command} does not say {word}: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }

    /// And must change nothing.
    fn refused(&self, command: &str, words: &[&str]) {
        let before = self.state();
        self.is_refused(command, words);
        assert_eq!(self.state(), before, "{command} changed something");
    }

    /// Sets a setting that needs a restart.
    fn restarted_with(&self, setting: &str, value: &str) {
        self.sql(&format!("ALTER SYSTEM SET {setting} = '{value}'"));
        self.server.stop("fast");
        self.server.start_again();
    }
}

const SETUP: &str = "setup --slot cdc --publication cdc --table public.orders --apply";
const LOAD: &str = "generate --make-tables --duration 1";

#[test]
fn a_server_that_cannot_carry_a_stream_or_a_load_is_refused_and_left_as_it_is() {
    let spoilt = Spoilt {
        site: Site::new(),
        server: Server::start().unwrap(),
        runtime: tokio::runtime::Runtime::new().unwrap(),
    };
    spoilt.sql("CREATE TABLE public.orders (id int PRIMARY KEY)");
    spoilt.sql("CREATE DATABASE other");
    slots_of_another_kind(&spoilt);
    settings_that_are_too_small(&spoilt);
    tables_of_somebody_else(&spoilt);
    a_server_that_takes_no_writes(&spoilt);
    spoilt.site.assert_nothing_left();
}

fn slots_of_another_kind(spoilt: &Spoilt) {
    let drop = "SELECT pg_drop_replication_slot('cdc')";
    spoilt.sql("SELECT pg_create_physical_replication_slot('cdc')");
    spoilt.refused(SETUP, &["physical"]);
    spoilt.sql(drop);
    let elsewhere = PgAddress {
        database: "other".to_owned(),
        ..spoilt.server.address.clone()
    };
    spoilt.runtime.block_on(async {
        let client = pg::connect(&elsewhere, "test").await.unwrap();
        let make = "SELECT pg_create_logical_replication_slot('cdc', 'pgoutput')";
        client.batch_execute(make).await.unwrap();
    });
    spoilt.refused(SETUP, &["database other"]);
    spoilt.sql(drop);
    // One that ends with its session, and is that session's alone.
    spoilt.session(async |client| {
        let make = "SELECT pg_create_logical_replication_slot('cdc', 'pgoutput', true)";
        client.batch_execute(make).await.unwrap();
        tokio::task::block_in_place(|| spoilt.is_refused(SETUP, &["temporary"]));
    });
}

fn settings_that_are_too_small(spoilt: &Spoilt) {
    spoilt.restarted_with("wal_level", "replica");
    spoilt.refused(SETUP, &["wal_level", "logical"]);
    spoilt.restarted_with("wal_level", "logical");
    spoilt.restarted_with("max_replication_slots", "1");
    spoilt.sql("SELECT pg_create_physical_replication_slot('taken')");
    spoilt.refused(SETUP, &["max_replication_slots"]);
    spoilt.sql("SELECT pg_drop_replication_slot('taken')");
    spoilt.restarted_with("max_replication_slots", "10");
}

fn tables_of_somebody_else(spoilt: &Spoilt) {
    let absent = SETUP.replace("orders", "absent");
    spoilt.refused(&absent, &["absent"]);
    spoilt.refused(LOAD, &["LOAD-TABLES-003"]);
}

fn a_server_that_takes_no_writes(spoilt: &Spoilt) {
    spoilt.sql("DROP TABLE public.orders; CREATE TABLE public.kept (id int PRIMARY KEY)");
    let setup = SETUP.replace("orders", "kept");
    spoilt.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    spoilt.sql("SELECT pg_reload_conf()");
    spoilt.refused(LOAD, &["read-only"]);
    spoilt.session(async |client| {
        let back = "SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only";
        for statement in back.split("; ") {
            client.batch_execute(statement).await.unwrap();
        }
    });
    let data = spoilt.ask("SELECT current_setting('data_directory')");
    let owner = std::fs::metadata(&data).unwrap();
    spoilt.server.stop("fast");
    let signal = Path::new(&data).join("standby.signal");
    std::fs::write(&signal, "").unwrap();
    chown(&signal, Some(owner.uid()), Some(owner.gid())).unwrap();
    spoilt.server.start_again();
    assert_eq!(spoilt.ask("SELECT pg_is_in_recovery()::text"), "true");
    spoilt.refused(
        &setup,
        &["replays another server's log", "set up the primary"],
    );
    spoilt.refused(LOAD, &["read-only transaction", "name the primary"]);
}
