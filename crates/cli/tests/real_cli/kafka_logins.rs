//! Logins and encryption to a real broker out of a Java client's `client.properties`: every form that is right gets in,
//! and a wrong password, mechanism, authority, host name or a missing certificate ends with its own exit code and no
//! secret.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use cutover_lab::{Home, Stack, StackSpec};
use cutover_model::EventSink;
use tokio::runtime::Runtime;

use crate::certificates::Certificates;
use crate::site::{Site, text};

const PASSWORD: &str = "canary \"quoted\" pass";

/// Ports of the listeners that are added to the lab's own.
struct Listeners {
    /// SASL in the clear.
    login: u16,
    /// SASL over TLS.
    secure: u16,
    /// TLS with a certificate of the client.
    mutual: u16,
    /// TLS with a certificate of another host.
    elsewhere: u16,
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

impl Listeners {
    fn lease() -> Listeners {
        Listeners {
            login: free_port(),
            secure: free_port(),
            mutual: free_port(),
            elsewhere: free_port(),
        }
    }

    /// Lines that count instead of the lab's: the later line of a file of properties does.
    fn settings(&self, certificates: &Certificates, own: &str) -> String {
        let line = |name: &str| {
            let mut lines = own.lines();
            let found = lines.find_map(|line| line.strip_prefix(&format!("{name}=")));
            found.unwrap().to_owned()
        };
        let added = format!(
            "LOGIN://127.0.0.1:{},SECURE://127.0.0.1:{},\
             MUTUAL://127.0.0.1:{},ELSEWHERE://127.0.0.1:{}",
            self.login, self.secure, self.mutual, self.elsewhere
        );
        let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let password = PASSWORD.replace('"', "\\\\\"");
        let mut lines = format!(
            "listeners={},{added}\nadvertised.listeners={},{added}\n\
             listener.security.protocol.map={},LOGIN:SASL_PLAINTEXT,SECURE:SASL_SSL,\
             MUTUAL:SSL,ELSEWHERE:SSL\n\
             listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256\n\
             listener.name.login.plain.sasl.jaas.config={plain} user_reader=\"{password}\";\n\
             listener.name.login.scram-sha-256.sasl.jaas.config={scram}\n\
             listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-512\n\
             listener.name.secure.scram-sha-512.sasl.jaas.config={scram}\n\
             listener.name.mutual.ssl.client.auth=required\n",
            line("listeners"),
            line("advertised.listeners"),
            line("listener.security.protocol.map"),
        );
        for (listener, name) in [
            ("secure", "server"),
            ("mutual", "server"),
            ("elsewhere", "elsewhere"),
        ] {
            for (setting, value) in [
                ("keystore.type", "PEM".to_owned()),
                (
                    "keystore.location",
                    certificates.path(&format!("{name}.pkcs8")),
                ),
                ("truststore.type", "PEM".to_owned()),
                ("truststore.location", certificates.path("ca.pem")),
            ] {
                lines.push_str(&format!("listener.name.{listener}.ssl.{setting}={value}\n"));
            }
        }
        lines
    }
}

/// The words with which the lab started the broker.
fn command_line(stack: &Stack) -> Vec<String> {
    let pid = stack.kafka.info().pid.unwrap();
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let words = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    words
        .map(|word| String::from_utf8(word.to_vec()).unwrap())
        .collect()
}

/// Gives a user a password for both SCRAM mechanisms, with the broker's own tool.
fn scram_user(stack: &Stack, site: &Site) {
    let mut words = command_line(stack);
    let main = words.iter().position(|word| word == "kafka.Kafka").unwrap();
    words.truncate(main);
    for (mechanism, name) in [("SCRAM-SHA-256", "reader"), ("SCRAM-SHA-512", "reader")] {
        let added = format!("{mechanism}=[iterations=4096,password=canary-scram]");
        let output = Command::new(&words[0])
            .args(&words[1..])
            .args(["kafka.admin.ConfigCommand", "--bootstrap-server"])
            .args([&stack.kafka.bootstrap(), "--alter", "--add-config", &added])
            .args(["--entity-type", "users", "--entity-name", name])
            .current_dir(site.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = text(&output);
        assert!(
            output.status.success() && said.contains("Completed"),
            "{said}"
        );
    }
}

/// The broker again, with more listeners.
fn encrypt(
    runtime: &Runtime,
    stack: &mut Stack,
    listeners: &Listeners,
    certificates: &Certificates,
) {
    let file = stack.kafka.info().folder.join("server.properties");
    let own = std::fs::read_to_string(&file).unwrap();
    let owner = std::fs::metadata(&file).unwrap();
    for name in ["server", "elsewhere", "certified"] {
        // Java reads keys as PKCS8 only, behind the certificate or before it.
        certificates.openssl(&format!(
            "pkcs8 -topk8 -nocrypt -in {name}.key -out {name}.pk8"
        ));
        let read = |end: &str| {
            std::fs::read_to_string(certificates.path(&format!("{name}.{end}"))).unwrap()
        };
        let both = certificates.path(&format!("{name}.pkcs8"));
        std::fs::write(&both, read("pk8") + &read("pem")).unwrap();
        if name != "certified" {
            std::os::unix::fs::chown(&both, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&both, mode).unwrap();
    }
    let settings = listeners.settings(certificates, &own);
    std::fs::write(&file, format!("{own}\n{settings}")).unwrap();
    runtime.block_on(async {
        stack.kafka.stop(Duration::from_secs(20)).await.unwrap();
        stack.kafka.start().unwrap();
        stack.kafka.ready().await.unwrap();
    });
}

/// What `doctor` says of a broker that is reached by these properties alone.
fn says(site: &Site, properties: &str, code: i32) -> String {
    let private = |name: &str, lines: &str| {
        let path = site.path(name);
        std::fs::write(&path, lines).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode).unwrap();
        path.display().to_string()
    };
    private("client.properties", properties);
    let file = private(
        "kafka.toml",
        "[kafka]\nproperties = \"client.properties\"\n",
    );
    let output = site.run(&["doctor", "--config", &file, "--output", "json"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{properties}: {said}");
    assert!(
        !said.contains("panicked") && !said.contains("canary"),
        "{said}"
    );
    said
}

fn login(port: u16, protocol: &str, mechanism: &str, password: &str) -> String {
    let module = match mechanism {
        "PLAIN" => "plain.PlainLoginModule",
        _ => "scram.ScramLoginModule",
    };
    let password = password.replace('"', "\\\\\"");
    format!(
        "bootstrap.servers=127.0.0.1:{port}\nsecurity.protocol={protocol}\nsasl.mechanism={mechanism}\n\
         sasl.jaas.config=org.apache.kafka.common.security.{module} required username=\"reader\" \
         password=\"{password}\";\n"
    )
}

#[test]
fn kafka_is_logged_in_to_as_client_properties_say() {
    let runtime = Runtime::new().unwrap();
    let site = Site::new();
    let certificates = Certificates::make(&site.path("certificates"));
    let home = Home::locate(None, Some(site.path("state"))).unwrap();
    let spec = StackSpec::new("logins", site.path("logs"));
    let mut stack = runtime
        .block_on(Stack::up(&home, spec, &EventSink::none()))
        .unwrap();
    let listeners = Listeners::lease();
    scram_user(&stack, &site);
    encrypt(&runtime, &mut stack, &listeners, &certificates);
    in_the_clear(&site, &listeners);
    let trust = format!(
        "ssl.truststore.type=PEM\nssl.truststore.location={}\n",
        certificates.path("ca.pem")
    );
    over_tls(&site, &listeners, &certificates, &trust);
    by_certificate(&site, &listeners, &certificates, &trust);
    by_stores(&site, &listeners, &certificates);
    runtime.block_on(stack.down()).unwrap();
    site.assert_nothing_left();
}

/// Kafka alone is named, so the other parts were not looked at: 5 is what a good login ends with.
const IN: i32 = 5;

fn in_the_clear(site: &Site, listeners: &Listeners) {
    let form = |mechanism, password| login(listeners.login, "SASL_PLAINTEXT", mechanism, password);
    says(site, &form("PLAIN", PASSWORD), IN);
    says(site, &form("SCRAM-SHA-256", "canary-scram"), IN);
    says(site, &form("PLAIN", "canary-wrong"), 7);
    says(site, &form("SCRAM-SHA-256", "canary-wrong"), 7);
    // The listener does not offer it.
    says(site, &form("SCRAM-SHA-512", "canary-scram"), 7);
}

fn over_tls(site: &Site, listeners: &Listeners, certificates: &Certificates, trust: &str) {
    let form = |password| login(listeners.secure, "SASL_SSL", "SCRAM-SHA-512", password);
    says(site, &(form("canary-scram") + trust), IN);
    says(site, &(form("canary-wrong") + trust), 7);
    let other = trust.replace("ca.pem", "other-ca.pem");
    assert_ne!(other, trust, "{}", certificates.path("ca.pem"));
    let said = says(site, &(form("canary-scram") + &other), 6);
    assert!(said.contains("certificate"), "{said}");
}

fn by_certificate(site: &Site, listeners: &Listeners, certificates: &Certificates, trust: &str) {
    let form = |port| format!("bootstrap.servers=127.0.0.1:{port}\nsecurity.protocol=SSL\n{trust}");
    let own = format!(
        "ssl.keystore.type=PEM\nssl.keystore.location={}\n",
        certificates.path("certified.pkcs8")
    );
    says(site, &(form(listeners.mutual) + &own), IN);
    let said = says(site, &form(listeners.mutual), 6);
    assert!(said.contains("certificate"), "{said}");
    // The name is checked unless the client says otherwise, as a Java client does.
    let said = says(site, &form(listeners.elsewhere), 6);
    assert!(said.contains("certificate"), "{said}");
    let unchecked = "ssl.endpoint.identification.algorithm=\n";
    says(site, &(form(listeners.elsewhere) + unchecked), IN);
}

/// Stores as Java's tools make them.
fn make_stores(certificates: &Certificates) {
    for (store, kind, authority, how) in [
        ("trust.p12", "PKCS12", "ca", ""),
        ("legacy.p12", "PKCS12", "ca", "-J-Dkeystore.pkcs12.legacy"),
        ("other.p12", "PKCS12", "other-ca", ""),
        ("trust.jks", "JKS", "ca", ""),
        ("other.jks", "JKS", "other-ca", ""),
    ] {
        certificates.keytool(&format!(
            "-importcert -noprompt -alias ca -file {authority}.pem -keystore {store} -storetype {kind} \
             -storepass canary-store {how}"
        ));
    }
    // Of a program that knows nothing of trust.
    certificates.openssl(
        "pkcs12 -export -in certified.both -out openssl.p12 -passout pass:canary-store -name certified",
    );
    for (store, kind, how) in [
        ("own.p12", "PKCS12", ""),
        ("own-legacy.p12", "PKCS12", "-J-Dkeystore.pkcs12.legacy"),
        ("own.jks", "JKS", ""),
        (
            "own-other.jks",
            "JKS",
            "-srcalias certified -destkeypass canary-key",
        ),
    ] {
        certificates.keytool(&format!(
            "-importkeystore -noprompt -srckeystore openssl.p12 -srcstoretype PKCS12 -srcstorepass canary-store \
             -destkeystore {store} -deststoretype {kind} -deststorepass canary-store {how}"
        ));
    }
}

/// Lines that name a store.
fn store(certificates: &Certificates, what: &str, (name, kind): (&str, &str)) -> String {
    let kind = match kind {
        "" => String::new(),
        kind => format!("ssl.{what}store.type={kind}\n"),
    };
    let path = certificates.path(name);
    format!("{kind}ssl.{what}store.location={path}\nssl.{what}store.password=canary-store\n")
}

/// What Java's tools write is taken as it is, or refused with the command that mends it.
fn by_stores(site: &Site, listeners: &Listeners, certificates: &Certificates) {
    make_stores(certificates);
    let trust = |name, kind| store(certificates, "trust", (name, kind));
    let port = listeners.secure;
    let secure = login(port, "SASL_SSL", "SCRAM-SHA-512", "canary-scram");
    for (name, kind) in [
        ("trust.p12", "PKCS12"),
        ("trust.p12", "pkcs12"),
        ("legacy.p12", "PKCS12"),
        // As Java does: a file of this form is read, whatever it is called.
        ("trust.p12", "JKS"),
        ("trust.p12", ""),
        ("trust.jks", "JKS"),
        ("trust.jks", "PKCS12"),
        ("trust.jks", ""),
    ] {
        says(site, &(secure.clone() + &trust(name, kind)), IN);
    }
    // A key's own certificate is trusted if it signed itself: these stores are taken, and the broker's is not of it.
    for (name, kind) in [("self.jks", "JKS"), ("self.p12", "PKCS12")] {
        certificates.keytool(&format!(
            "-genkeypair -alias self -keyalg EC -dname CN=self -keystore {name} -storetype {kind} \
             -storepass canary-store -keypass canary-store"
        ));
        let said = says(site, &(secure.clone() + &trust(name, kind)), 6);
        assert!(said.contains("certificate"), "{name}: {said}");
    }
    // Java, too, reads this form without a password.
    let jks = trust("trust.jks", "JKS");
    let bare = jks.replace("ssl.truststore.password=canary-store\n", "");
    says(site, &(secure.clone() + &bare), IN);
    for other in ["other.p12", "other.jks"] {
        let said = says(site, &(secure.clone() + &trust(other, "")), 6);
        assert!(said.contains("certificate"), "{other}: {said}");
    }
    let good = trust("trust.p12", "PKCS12");
    for (lines, word) in [
        (
            good.replace("canary-store", "canary-wrong"),
            "does not open",
        ),
        (trust("absent.p12", "PKCS12"), "No such file"),
        (trust("ca.pem", "PKCS12"), "does not open"),
        (trust("openssl.p12", "PKCS12"), "keytool -importcert"),
        (jks.replace("canary-store", "canary-wrong"), "does not open"),
        (trust("ca.pem", "JKS"), "neither JKS nor PKCS12"),
        (trust("own.jks", "JKS"), "keytool -importcert"),
        (
            good.replace("ssl.truststore.password=canary-store\n", ""),
            "ssl.truststore.password is missing",
        ),
    ] {
        let said = says(site, &(secure.clone() + &lines), 2);
        let named = said.contains("CONFIG-KAFKA-001") && said.contains(word);
        assert!(named, "{word}: {said}");
    }
    by_key_stores(site, listeners, certificates, &good);
}

fn by_key_stores(site: &Site, listeners: &Listeners, certificates: &Certificates, trust: &str) {
    let own = |name, kind| store(certificates, "key", (name, kind));
    let port = listeners.mutual;
    let mutual = format!("bootstrap.servers=127.0.0.1:{port}\nsecurity.protocol=SSL\n{trust}");
    for (name, kind) in [
        ("own.p12", "PKCS12"),
        ("own.p12", ""),
        // As Java 8 wrote it, with RC2.
        ("own-legacy.p12", "PKCS12"),
        ("own.jks", "JKS"),
        ("own.jks", ""),
    ] {
        says(site, &(mutual.clone() + &own(name, kind)), IN);
    }
    let other = own("own-other.jks", "JKS");
    let key = |password: &str| format!("{other}ssl.key.password={password}\n");
    says(site, &(mutual.clone() + &key("canary-key")), IN);
    for alias in ["one", "two"] {
        certificates.keytool(&format!(
            "-importkeystore -noprompt -srckeystore own.p12 -srcstorepass canary-store -srcalias certified \
             -destkeystore two.p12 -deststoretype PKCS12 -deststorepass canary-store -destalias {alias}"
        ));
    }
    for (lines, word) in [
        (
            own("own-legacy.p12", "").replace("canary-store", "canary-wrong"),
            "does not open as PKCS12",
        ),
        (
            own("own.jks", "").replace("canary-store", "canary-wrong"),
            "does not open as JKS",
        ),
        (other.clone(), "does not open with its password"),
        (key("canary-wrong"), "does not open with its password"),
        (own("trust.jks", "JKS"), "holds no key"),
        (own("trust.p12", "PKCS12"), "holds no key"),
        (own("two.p12", "PKCS12"), "holds 2 keys"),
    ] {
        let said = says(site, &(mutual.clone() + &lines), 2);
        let named = said.contains("ssl.keystore.location") && said.contains(word);
        assert!(named, "{word}: {said}");
    }
}
