//! A Java client's `client.properties` as it is, for librdkafka: the same words where both have them, other words for
//! the same thing where there is one, and by name what has none.
//!
//! Stands between a file that people have already and [`super::KafkaAddress`]. The rule it protects: an option of the
//! file that says how to log in or to encrypt is followed or refused, never passed over; only what has nothing to do
//! with reaching the cluster may be left out, and that is listed.

use std::borrow::Cow;

use super::KafkaError;
use super::address::library_can;
use super::stores::{Place, Store, authorities, own};
use crate::secret::Secret;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientProperties {
    /// `bootstrap.servers`, if the file has it.
    pub bootstrap: Option<String>,
    /// Settings by librdkafka's names, in the file's order.
    pub settings: Vec<(String, Secret)>,
    /// Options that were left out, with the reason.
    pub left_out: Vec<(String, &'static str)>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PropertiesError {
    /// No file of properties.
    #[error("line {line}: {reason}")]
    Syntax {
        /// Line of the file.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Options that would have to be followed and cannot be.
    #[error("{}", .0.join("; "))]
    Unsupported(Vec<String>),
    /// The library does not say what it can do.
    #[error(transparent)]
    Library(#[from] KafkaError),
}

/// Options with the same name and meaning in both libraries.
const SAME: [&str; 12] = [
    "security.protocol",
    "sasl.mechanism",
    "client.id",
    "client.dns.lookup",
    "metadata.max.age.ms",
    "reconnect.backoff.ms",
    "reconnect.backoff.max.ms",
    "connections.max.idle.ms",
    "ssl.cipher.suites",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.password",
    "ssl.keystore.password",
];

/// The same thing under another name.
const RENAMED: [(&str, &str); 5] = [
    ("request.timeout.ms", "socket.timeout.ms"),
    ("send.buffer.bytes", "socket.send.buffer.bytes"),
    ("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    ("ssl.truststore.certificates", "ssl.ca.pem"),
    ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
];

/// What the readers of cutover settle themselves, or what is of the Java library alone.
const NOT_NEEDED: [(&str, &str); 14] = [
    ("group.", "no consumer group is joined"),
    ("enable.auto.commit", "no offset is committed"),
    ("auto.", "offsets are chosen one by one"),
    (
        "isolation.level",
        "--isolation says it, read_committed if nobody does",
    ),
    ("fetch.", "sizes of requests are chosen by the reader"),
    ("max.", "sizes of requests are chosen by the reader"),
    ("key.", "bytes are read as they are"),
    ("value.", "bytes are read as they are"),
    ("acks", "every replica is waited for"),
    ("retries", "retries end with the deadline"),
    ("session.timeout.ms", "no consumer group is joined"),
    ("heartbeat.interval.ms", "no consumer group is joined"),
    ("metric", "there is no Java client"),
    ("interceptor.classes", "there is no Java client"),
];

/// Reads the text of a file.
///
/// # Errors
/// It is no file of properties, or asks for something that has to be followed and cannot be.
pub fn read(text: &str) -> Result<ClientProperties, PropertiesError> {
    let pairs = pairs(text)?;
    let mut taken = ClientProperties::default();
    let mut refused = Vec::new();
    let of = |name: &str| {
        let found = pairs.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.trim())
    };
    let store = |of_what: &str, option| {
        let path = of(&format!("ssl.{of_what}.location"));
        Place {
            store: Store::of(of(&format!("ssl.{of_what}.type")), path),
            path: path.unwrap_or_default(),
            password: of(option),
            option,
        }
    };
    let (trust, own) = (
        store("truststore", "ssl.truststore.password"),
        store("keystore", "ssl.keystore.password"),
    );
    for (key, value) in &pairs {
        let value = value.trim();
        if value.contains("${") {
            refused.push(format!(
                "{key}: a reference of a config provider (${{…}}) is not followed"
            ));
            continue;
        }
        let one = Pair {
            key,
            value,
            trust,
            own,
            key_password: of("ssl.key.password"),
        };
        if let Err(reason) = one.take(&mut taken) {
            refused.push(format!("{key}: {reason}"));
        }
    }
    refused.extend(missing_in_library(&taken)?);
    if refused.is_empty() {
        Ok(taken)
    } else {
        Err(PropertiesError::Unsupported(refused))
    }
}

struct Pair<'a> {
    key: &'a str,
    value: &'a str,
    trust: Place<'a>,
    own: Place<'a>,
    key_password: Option<&'a str>,
}

/// Why an option cannot be followed.
type Refused = Cow<'static, str>;

impl Pair<'_> {
    fn take(&self, taken: &mut ClientProperties) -> Result<(), Refused> {
        let (key, value) = (self.key, self.value);
        let mut set = |name: &str, value: &str| {
            taken.settings.push((name.to_owned(), Secret::new(value)));
        };
        match key {
            "bootstrap.servers" => taken.bootstrap = Some(value.to_owned()),
            "sasl.jaas.config" => {
                let (user, password) = login(value)?;
                set("sasl.username", &user);
                set("sasl.password", &password);
            }
            "ssl.endpoint.identification.algorithm" if value.is_empty() => set(key, "none"),
            "ssl.truststore.location" if self.trust.store == Store::Pem => {
                set("ssl.ca.location", value);
            }
            "ssl.truststore.location" => set("ssl.ca.pem", &authorities(&self.trust)?),
            "ssl.keystore.location" if self.own.store == Store::Pem => {
                set("ssl.certificate.location", value);
                set("ssl.key.location", value);
            }
            "ssl.keystore.location" => {
                let own = own(&self.own, self.key_password)?;
                set("ssl.certificate.pem", &own.chain);
                set("ssl.key.pem", own.key.reveal());
            }
            // It was opened with them.
            "ssl.keystore.password" | "ssl.key.password" if self.own.is_there() => {}
            "ssl.keystore.key" => set("ssl.key.pem", value),
            "ssl.truststore.password" if self.trust.is_there() => {}
            "ssl.truststore.type" | "ssl.keystore.type" | "ssl.truststore.password" => {
                taken
                    .left_out
                    .push((key.to_owned(), "said by the form of the file"));
            }
            "ssl.enabled.protocols" | "ssl.protocol" | "ssl.provider" => {
                taken
                    .left_out
                    .push((key.to_owned(), "the newest that both sides know is used"));
            }
            _ if SAME.contains(&key) => set(key, value),
            _ => return self.other(taken),
        }
        Ok(())
    }

    fn other(&self, taken: &mut ClientProperties) -> Result<(), Refused> {
        let key = self.key;
        if let Some((_, name)) = RENAMED.iter().find(|(java, _)| *java == key) {
            taken
                .settings
                .push(((*name).to_owned(), Secret::new(self.value)));
            return Ok(());
        }
        if key.starts_with("sasl.") || key.starts_with("ssl.") || key.starts_with("security.") {
            return Err("this option of the login or the encryption is not supported".into());
        }
        let known = NOT_NEEDED.iter().find(|(start, _)| key.starts_with(start));
        let reason = known.map_or(
            "not an option that is needed to reach a cluster",
            |(_, reason)| *reason,
        );
        taken.left_out.push((key.to_owned(), reason));
        Ok(())
    }
}

/// What the settings ask of the library and this build of it has not.
fn missing_in_library(taken: &ClientProperties) -> Result<Vec<String>, PropertiesError> {
    let of = |name: &str| {
        let found = taken.settings.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.reveal().to_uppercase())
    };
    let mut missing = Vec::new();
    let protocol = of("security.protocol").unwrap_or_default();
    if protocol.ends_with("SSL") && !library_can("ssl")? {
        missing.push(format!(
            "security.protocol={protocol}: this build speaks to Kafka without TLS"
        ));
    }
    if protocol.starts_with("SASL") {
        let mechanism = of("sasl.mechanism").unwrap_or_else(|| "GSSAPI".to_owned());
        let feature = match mechanism.as_str() {
            "PLAIN" => "sasl_plain",
            "SCRAM-SHA-256" | "SCRAM-SHA-512" => "sasl_scram",
            "OAUTHBEARER" => "sasl_oauthbearer",
            _ => "sasl_gssapi",
        };
        if !library_can(feature)? {
            missing.push(format!(
                "sasl.mechanism={mechanism}: this build does not have it"
            ));
        }
    }
    Ok(missing)
}

/// User and password of `…LoginModule required username="…" password="…";`.
fn login(jaas: &str) -> Result<(String, String), &'static str> {
    let module = jaas.split_whitespace().next().unwrap_or_default();
    if !module.ends_with(".PlainLoginModule") && !module.ends_with(".ScramLoginModule") {
        return Err("only PlainLoginModule and ScramLoginModule are followed");
    }
    let option = |name: &str| {
        let at = jaas.find(&format!("{name}="))? + name.len() + 1;
        quoted(&jaas[at..])
    };
    match (option("username"), option("password")) {
        (Some(user), Some(password)) => Ok((user, password)),
        _ => Err("it names no username and password in quotes"),
    }
}

/// The text between the first pair of quotes; `\` takes the next character as it is.
fn quoted(text: &str) -> Option<String> {
    let mut characters = text.chars();
    let quote = characters
        .next()
        .filter(|quote| ['"', '\''].contains(quote))?;
    let mut value = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?),
            end if end == quote => return Some(value),
            other => value.push(other),
        }
    }
    None
}

/// Keys and values by the rules of `java.util.Properties`: comments, line continuation, escapes, three separators.
fn pairs(text: &str) -> Result<Vec<(String, String)>, PropertiesError> {
    let mut pairs = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut whole = line.trim_start().to_owned();
        if whole.is_empty() || whole.starts_with(['#', '!']) {
            continue;
        }
        while whole.chars().rev().take_while(|one| *one == '\\').count() % 2 == 1 {
            whole.pop();
            match lines.next() {
                Some((_, next)) => whole.push_str(next.trim_start()),
                None => break,
            }
        }
        let syntax = |reason| PropertiesError::Syntax {
            line: number + 1,
            reason,
        };
        let (key, value) = apart(&whole);
        let key = unescaped(&key).map_err(syntax)?;
        let value = unescaped(&value).map_err(syntax)?;
        if key.is_empty() {
            return Err(syntax("there is no name before the value"));
        }
        if value.is_empty() && !whole.contains(['=', ':']) {
            return Err(syntax("there is a name without = and value"));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Splits at the first `=`, `:` or white space that is not escaped.
fn apart(line: &str) -> (String, String) {
    let mut escaped = false;
    for (at, character) in line.char_indices() {
        if !escaped && (character == '=' || character == ':' || character.is_whitespace()) {
            let rest = line[at..].trim_start();
            let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (line[..at].to_owned(), rest.trim_start().to_owned());
        }
        escaped = character == '\\' && !escaped;
    }
    (line.to_owned(), String::new())
}

fn unescaped(text: &str) -> Result<String, &'static str> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = characters.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16)
                    .ok()
                    .filter(|_| digits.len() == 4);
                plain.push(
                    code.and_then(char::from_u32)
                        .ok_or("\\u is not followed by a character")?,
                );
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "# ours\n\
        bootstrap.servers = a:9092,\\\n    b:9092\n\
        security.protocol=SASL_PLAINTEXT\n\
        sasl.mechanism: PLAIN\n\
        sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\\n\
          username=\"app\" password=\"hunter\\\\\"2\";\n\
        group.id=reports\nkey.deserializer x.Y\nrequest.timeout.ms=5000\n";

    fn setting<'a>(read: &'a ClientProperties, name: &str) -> Option<&'a str> {
        let found = read.settings.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.reveal())
    }

    #[test]
    fn a_java_clients_file_is_taken_as_it_is() {
        let read = read(PLAIN).unwrap();
        assert_eq!(read.bootstrap.as_deref(), Some("a:9092,b:9092"));
        assert_eq!(setting(&read, "sasl.username"), Some("app"));
        assert_eq!(setting(&read, "sasl.password"), Some("hunter\"2"));
        assert_eq!(setting(&read, "socket.timeout.ms"), Some("5000"));
        let left: Vec<&str> = read.left_out.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(left, ["group.id", "key.deserializer"]);
        assert!(!format!("{read:?}").contains("hunter"));
    }

    #[test]
    fn what_would_have_to_be_followed_is_refused_by_name_and_without_its_value() {
        let refused = |text: &str| read(text).unwrap_err().to_string();
        let text = refused(
            "sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required password=\"hunter2\";\n\
             ssl.truststore.location=/a.jks\nsasl.login.callback.handler.class=x\nssl.key.password=${vault:hunter2}",
        );
        for word in [
            "sasl.jaas.config",
            "ssl.truststore.location",
            "sasl.login.callback",
            "ssl.key.password",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
        assert!(refused("security.protocol=SASL_PLAINTEXT").contains("GSSAPI"));
    }

    #[test]
    fn what_is_no_file_of_properties_is_refused_with_its_line() {
        for (text, line) in [
            ("a=1\n=2", "line 2"),
            ("a=\\uZZZZ", "line 1"),
            ("\n\nnonsense", "line 3"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(line), "{error}");
        }
        assert_eq!(
            read("! a comment\n\n").unwrap(),
            ClientProperties::default()
        );
    }

    #[test]
    fn certificates_as_pem_are_taken_where_the_library_has_tls_and_refused_where_it_has_not() {
        let read = read(
            "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=/ca.pem\n\
             ssl.keystore.type=PEM\nssl.keystore.location=/me.pem\nssl.endpoint.identification.algorithm=",
        );
        if library_can("ssl").unwrap() {
            let read = read.unwrap();
            assert_eq!(setting(&read, "ssl.ca.location"), Some("/ca.pem"));
            assert_eq!(setting(&read, "ssl.key.location"), Some("/me.pem"));
            assert_eq!(
                setting(&read, "ssl.endpoint.identification.algorithm"),
                Some("none")
            );
        } else {
            assert!(read.unwrap_err().to_string().contains("without TLS"));
        }
    }
}
