//! Errors about PostgreSQL, Kafka Connect, Kafka and the schema registry.

use super::{Explanation, Family, entry};

const OF: Family = Family::Error;

/// By code.
pub const ALL: &[Explanation] = &[
    entry(
        OF,
        "PG-CONNECT-001",
        [
            "PostgreSQL does not take a connection at this address.",
            "The address in the message, and the server's log.",
            "Not started, another port, listen_addresses, a firewall, or TLS that one side does not want.",
            "Try `psql` with the same address from the same machine.",
        ],
    ),
    entry(
        OF,
        "PG-CONNECT-002",
        [
            "Something took the connection to PostgreSQL's address and then said nothing.",
            "The address in the message; `psql` with it hangs in the same way.",
            "A firewall, a proxy whose server is gone, another program on this port, or a server stopped by SIGSTOP.",
            "Look at what listens there (`ss -ltnp` on that machine) and at what lies between.",
        ],
    ),
    entry(
        OF,
        "PG-CONNECT-003",
        [
            "Somebody answers at PostgreSQL's address who does not speak its protocol.",
            "The address in the message.",
            "The port of another program, or of a proxy that wants its own greeting.",
            "Compare the port with `SHOW port` of the server.",
        ],
    ),
    entry(
        OF,
        "PG-DECODE-001",
        [
            "A message of the replication stream was not understood.",
            "The message's kind and position in the text.",
            "A protocol of a newer server, or a damaged connection.",
            "Keep the run folder and report it with the server's version.",
        ],
    ),
    entry(
        OF,
        "PG-IO-001",
        [
            "The connection to PostgreSQL broke off while it was in use.",
            "The server's log around that time.",
            "The server stopped or crashed, or a network device dropped an idle connection.",
            "Try again once the server answers.",
        ],
    ),
    entry(
        OF,
        "PG-LOGIN-001",
        [
            "PostgreSQL refused the login.",
            "Role, database and method in the message; pg_hba.conf.",
            "A wrong password, no line for this address, or a role without REPLICATION.",
            "Mend the line or the password; passwords come from a file, PGPASSWORD or ~/.pgpass, never from arguments.",
        ],
    ),
    entry(
        OF,
        "PG-TLS-001",
        [
            "A file of the encrypted connection to PostgreSQL cannot be used.",
            "The file in the message: sslrootcert, sslcert or sslkey.",
            "It is no PEM, it is open to others, or its key is encrypted.",
            "Give PEM and a key without password, mode 600; `cutover config show` names the files.",
        ],
    ),
    entry(
        OF,
        "PG-MISSING-001",
        [
            "Something that must be there (slot, publication, table) does not exist.",
            "Its name in the message; pg_replication_slots, pg_publication.",
            "Another database, or it was dropped by the upgrade.",
            "Make it, or name the right database.",
        ],
    ),
    entry(
        OF,
        "PG-PROTOCOL-001",
        [
            "The server answered in a way that the replication protocol does not have.",
            "What was expected and what came, in the message.",
            "A pooler between (PgBouncer does not pass replication on), or something that is not PostgreSQL.",
            "Connect to the server itself.",
        ],
    ),
    entry(
        OF,
        "PG-REPLICATION-001",
        [
            "The server refused a replication command.",
            "SQLSTATE and message.",
            "The slot is in use or lost, wal_level is not logical, or no slot or sender is free.",
            "Follow the server's message; `SELECT * FROM pg_replication_slots` shows the slot.",
        ],
    ),
    entry(
        OF,
        "PG-SQL-001",
        [
            "A statement failed.",
            "SQLSTATE and message; what it was for stands before them.",
            "Missing rights, a setting that does not allow it, or a server that is shutting down.",
            "Grant what is missing; the least rights of each command are in its help.",
        ],
    ),
    entry(
        OF,
        "PG-WAIT-001",
        [
            "Something was not seen on the server within its time.",
            "The last state seen, in the message.",
            "A long transaction, a standby that lags, or a slot that nobody reads.",
            "Look at that state, remove its cause, try again.",
        ],
    ),
    entry(
        OF,
        "CONNECT-ADDRESS-001",
        [
            "The text is not the address of a Connect worker.",
            "The address as it was read.",
            "http:// is missing, or a path was added.",
            "Write http://host:port.",
        ],
    ),
    entry(
        OF,
        "CONNECT-TLS-001",
        [
            "A file of the encrypted connection to Kafka Connect cannot be used.",
            "The file in the message: connect.ca, connect.certificate or connect.key.",
            "It is no PEM, it is open to others, or its key is encrypted.",
            "Give certificates as PEM and a key without password, mode 600.",
        ],
    ),
    entry(
        OF,
        "CONNECT-ADDRESS-002",
        [
            "Something answers there that is not Kafka Connect.",
            "The address and the answer.",
            "The port of another service, or a proxy's page.",
            "Use the worker's REST port, usually 8083.",
        ],
    ),
    entry(
        OF,
        "CONNECT-BUSY-001",
        [
            "Kafka Connect is rebalancing and takes no change now.",
            "The worker's log.",
            "A worker joined or left, or a connector was just changed.",
            "Wait a few seconds and try again.",
        ],
    ),
    entry(
        OF,
        "CONNECT-CONNECTOR-001",
        [
            "There is no connector of this name.",
            "The list at /connectors.",
            "A typing error, another worker group, or it was deleted.",
            "Name one of the list.",
        ],
    ),
    entry(
        OF,
        "CONNECT-DENIED-001",
        [
            "Kafka Connect denied access.",
            "The status code, 401 or 403.",
            "Credentials are missing or wrong.",
            "Give the worker's user and password.",
        ],
    ),
    entry(
        OF,
        "CONNECT-MASKED-001",
        [
            "A value of the configuration is masked, so the configuration was not sent back.",
            "The option's name; its value is not known here.",
            "The worker, or a provider, hides secrets when a configuration is read.",
            "Give the value through a provider reference, for example ${file:…}.",
        ],
    ),
    entry(
        OF,
        "CONNECT-OFFSET-001",
        [
            "The connector has several stored offsets, and none is that of its topic.prefix.",
            "GET /connectors/NAME/offsets.",
            "topic.prefix was changed, which means another offset key.",
            "Set the old prefix again, or remove offsets that nobody uses.",
        ],
    ),
    entry(
        OF,
        "CONNECT-REFUSED-001",
        [
            "Kafka Connect refused the request.",
            "Status and message; for a configuration the list of what is wrong.",
            "An option that the version does not know, or a connector that must be stopped first.",
            "`cutover lint` shows what a version refuses.",
        ],
    ),
    entry(
        OF,
        "CONNECT-SERVER-001",
        [
            "Kafka Connect failed inside (5xx).",
            "The message, and the worker's log.",
            "Kafka is not reachable for the worker, or a plug-in threw.",
            "Mend what the log names and try again.",
        ],
    ),
    entry(
        OF,
        "CONNECT-UNREACHABLE-001",
        [
            "Kafka Connect does not answer.",
            "The address; whether the worker's process runs.",
            "Not started, still starting, or another host.",
            "Try `curl` with the address.",
        ],
    ),
    entry(
        OF,
        "CONNECT-VERSION-001",
        [
            "This version of Kafka Connect does not know the call.",
            "The worker's version at /.",
            "Offsets can be changed by REST from 3.6 on, connectors stopped from 3.5 on.",
            "Offsets of older workers are written into their offsets topic; see the runbooks for cp-7.5.",
        ],
    ),
    entry(
        OF,
        "KAFKA-CONFIG-001",
        [
            "The Kafka client does not take its configuration.",
            "The option in the message.",
            "A value that the client library does not know.",
            "Correct the option.",
        ],
    ),
    entry(
        OF,
        "KAFKA-CUTOFF-001",
        [
            "Records were removed from a topic while it was being read.",
            "retention.ms, retention.bytes and cleanup.policy of the topic.",
            "Retention or compaction ran meanwhile.",
            "Raise retention for the time of the upgrade and record again.",
        ],
    ),
    entry(
        OF,
        "KAFKA-LOGIN-001",
        [
            "The brokers refuse the login.",
            "What the library says in the message; the broker's log names the principal and the mechanism.",
            "A wrong user or password, or a mechanism that the listener does not have.",
            "Put sasl.mechanism and sasl.jaas.config right; Kafka's own tools must get in with the same file.",
        ],
    ),
    entry(
        OF,
        "KAFKA-TLS-001",
        [
            "No connection to a broker came to be, because of its encryption.",
            "What the library says in the message; security.protocol on both sides.",
            "An unknown authority, a certificate of another host or one that has expired, or one side in the clear.",
            "Give the authority as PEM or PKCS12 (ssl.truststore.type), and the names that the brokers advertise.",
        ],
    ),
    entry(
        OF,
        "KAFKA-DENIED-001",
        [
            "Access to a topic was denied.",
            "The topic and the principal; the broker's authorizer log.",
            "An ACL for READ, WRITE or DESCRIBE is missing.",
            "Add the ACL.",
        ],
    ),
    entry(
        OF,
        "KAFKA-READ-001",
        [
            "A partition could not be read.",
            "The cause after the message.",
            "A leader that changed, or a connection that broke.",
            "Try again once the partition has a leader.",
        ],
    ),
    entry(
        OF,
        "KAFKA-SCATTERED-001",
        [
            "A connector's offset stands in several partitions of the offsets topic.",
            "The partitions in the message.",
            "Somebody wrote an offset by hand with another key or partitioner.",
            "Write a tombstone for the wrong one; nothing is written before.",
        ],
    ),
    entry(
        OF,
        "KAFKA-SETTINGS-001",
        [
            "The settings of a topic could not be read.",
            "The topic; ACL for DESCRIBE_CONFIGS.",
            "Missing rights, or a broker that does not answer.",
            "Grant DESCRIBE_CONFIGS.",
        ],
    ),
    entry(
        OF,
        "KAFKA-SILENT-001",
        [
            "Nothing came from a partition although its end was not reached.",
            "Offset and end in the message; leader and in-sync replicas.",
            "A broker that hangs, or a transaction that stays open.",
            "See that the partition has a leader; look for hanging transactions.",
        ],
    ),
    entry(
        OF,
        "KAFKA-TOPIC-001",
        [
            "There is no such topic or partition.",
            "The name in the message, and the list of topics.",
            "Nothing was published yet, another topic.prefix, or a routing transformation.",
            "Compare the name with the connector's configuration.",
        ],
    ),
    entry(
        OF,
        "KAFKA-UNREACHABLE-001",
        [
            "Kafka does not answer.",
            "The bootstrap address, and what brokers advertise.",
            "Not started, a wrong listener, or TLS and SASL that one side does not want.",
            "Try `kcat -L -b ADDRESS` from the same machine.",
        ],
    ),
    entry(
        OF,
        "KAFKA-WRITE-001",
        [
            "A record could not be written.",
            "The cause after the message.",
            "Missing rights, too few in-sync replicas, or a record that is too large.",
            "Mend the cause and try again; what was written is named.",
        ],
    ),
    entry(
        OF,
        "KAFKA-WRITE-002",
        [
            "What was written is not what is read back at its offset.",
            "Topic, partition and offset.",
            "An interceptor or proxy changes records, or the topic was made anew.",
            "Do not go on: look at that record with another tool first.",
        ],
    ),
    entry(
        OF,
        "REGISTRY-ADDRESS-001",
        [
            "The text is not an address of a schema registry that can be asked.",
            "The address as it was read.",
            "https, or a missing http://.",
            "Write http://host:port with its path.",
        ],
    ),
    entry(
        OF,
        "REGISTRY-TLS-001",
        [
            "A file of the encrypted connection to the schema registry cannot be used.",
            "The file in the message: registry.ca, registry.certificate or registry.key.",
            "It is no PEM, it is open to others, or its key is encrypted.",
            "Give certificates as PEM and a key without password, mode 600.",
        ],
    ),
    entry(
        OF,
        "REGISTRY-ADDRESS-002",
        [
            "Something answers there that is not a schema registry.",
            "Address and status.",
            "The path of Confluent's interface is missing (Apicurio: /apis/ccompat/v7).",
            "Add the path.",
        ],
    ),
    entry(
        OF,
        "REGISTRY-ANSWER-001",
        [
            "The registry's answer for one schema is larger than any schema.",
            "The schema's id.",
            "Another service, or a damaged registry.",
            "Ask for the schema with `curl` and look at it.",
        ],
    ),
    entry(
        OF,
        "REGISTRY-DENIED-001",
        [
            "The registry denied access.",
            "The status code.",
            "Credentials are missing or wrong.",
            "Give them in the address that --registry or CUTOVER_REGISTRY holds.",
        ],
    ),
    entry(
        OF,
        "REGISTRY-SERVER-001",
        [
            "The registry failed inside.",
            "Status and message, and its log.",
            "Its own storage is not reachable.",
            "Mend the registry; nothing passes without schemas.",
        ],
    ),
    entry(
        OF,
        "REGISTRY-UNREACHABLE-001",
        [
            "The registry does not answer.",
            "Its address in the connector's converter options.",
            "Not started, or an address that only the worker can reach.",
            "Name it with --registry as seen from here.",
        ],
    ),
];
