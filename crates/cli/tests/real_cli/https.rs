//! HTTPS to a real worker of Kafka Connect, which wants a login and then a certificate besides, and to a real schema
//! registry, with certificates made for the test.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cutover_lab::stack::RegistrySpec;
use cutover_lab::{Home, Stack, StackSpec};
use cutover_model::EventSink;

use crate::certificates::Certificates;
use crate::site::{Site, text};

const BASIC_AUTH: &str = "org.apache.kafka.connect.rest.basic.auth.extension";

/// A worker that was started with other settings; ends with the test.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

/// How the lab starts its worker.
struct Start {
    words: Vec<String>,
    folder: String,
    /// Of its file of properties, which is the last word.
    settings: String,
}

impl Start {
    fn of(stack: &Stack, site: &Site) -> Start {
        let info = stack.connect.info();
        let line = std::fs::read(format!("/proc/{}/cmdline", info.pid.unwrap())).unwrap();
        let words = line
            .split(|byte| *byte == 0)
            .filter(|word| !word.is_empty());
        let mut words: Vec<String> = words
            .map(|word| String::from_utf8(word.to_vec()).unwrap())
            .collect();
        let settings = std::fs::read_to_string(words.pop().unwrap()).unwrap();
        words.insert(1, logins(site));
        Start {
            words,
            folder: info.folder.display().to_string(),
            settings,
        }
    }

    /// The same with settings added: a later line of a file of properties counts.
    fn with(&self, site: &Site, name: &str, added: &str) -> Worker {
        let file = site.path(&format!("{name}.properties"));
        std::fs::write(&file, format!("{}\n{added}\n", self.settings)).unwrap();
        let mut log = std::fs::File::create(site.path(&format!("{name}.log"))).unwrap();
        writeln!(log, "{:?}", self.words).unwrap();
        let worker = Command::new(&self.words[0])
            .args(&self.words[1..])
            .arg(file)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Worker(worker.unwrap())
    }
}

/// Who may talk to the worker, and the argument of its Java that says so.
fn logins(site: &Site) -> String {
    let users = site.path("worker.users").display().to_string();
    std::fs::write(&users, "operator=canary-login\n").unwrap();
    let module = format!("{BASIC_AUTH}.PropertyFileLoginModule");
    let file = site.path("worker.jaas").display().to_string();
    let text = format!("KafkaConnect {{ {module} required file=\"{users}\"; }};\n");
    std::fs::write(&file, text).unwrap();
    format!("-Djava.security.auth.login.config={file}")
}

fn says(site: &Site, args: &[&str], code: i32) -> String {
    let mut command = site.command(args);
    let output = command.current_dir(site.folder.path()).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(
        !said.contains("panicked") && !said.contains("canary"),
        "{said}"
    );
    said
}

fn configured(site: &Site, name: &str, lines: &str) -> String {
    let path = site.path(name);
    std::fs::write(&path, lines).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[test]
fn connect_and_the_registry_are_spoken_to_over_https() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let site = Site::new();
    let certificates = Certificates::make(&site.path("certificates"));
    certificates.openssl(
        "pkcs12 -export -in server.both -out server.p12 -passout pass:canary-store -name server",
    );
    let home = Home::locate(None, Some(site.path("state"))).unwrap();
    let mut spec = StackSpec::new("https", site.path("logs"));
    spec.registry = Some(RegistrySpec::default());
    let mut stack = runtime
        .block_on(Stack::up(&home, spec, &EventSink::none()))
        .unwrap();
    let registry = encrypted_registry(&runtime, (&site, &mut stack), &certificates);
    let port = free_port();
    let store = certificates.path("server.p12");
    let added = format!(
        "listeners=https://127.0.0.1:{port}\nrest.advertised.listener=https\nrest.advertised.port={port}\n\
         listeners.https.ssl.keystore.location={store}\nlisteners.https.ssl.keystore.type=PKCS12\n\
         listeners.https.ssl.keystore.password=canary-store\n\
         listeners.https.ssl.key.password=canary-store\n\
         rest.extension.classes={BASIC_AUTH}.BasicAuthSecurityRestExtension\n"
    );
    let start = Start::of(&stack, &site);
    runtime
        .block_on(stack.connect.stop(Duration::from_secs(20)))
        .unwrap();
    let worker = start.with(&site, "login", &added);
    let address = format!("https://127.0.0.1:{port}");
    the_worker(&site, &certificates, &address);
    drop(worker);
    certificates.keytool(
        "-importcert -noprompt -alias ca -file ca.pem -keystore trust.p12 -storetype PKCS12 -storepass canary-store",
    );
    let certified = format!(
        "{added}listeners.https.ssl.client.auth=required\nlisteners.https.ssl.truststore.type=PKCS12\n\
         listeners.https.ssl.truststore.location={}\nlisteners.https.ssl.truststore.password=canary-store\n",
        certificates.path("trust.p12")
    );
    let worker = start.with(&site, "certified", &certified);
    the_worker_that_wants_a_certificate(&site, &certificates, &address);
    drop(worker);
    the_registry(&site, &certificates, &registry);
    runtime.block_on(stack.down()).unwrap();
    site.assert_nothing_left();
}

/// Its certificate, its login, and what is said where one of them is wrong.
fn the_worker(site: &Site, certificates: &Certificates, address: &str) {
    let ca_store = certificates.path("ca.pem");
    let anonymous = |ca: &str| format!("[connect]\naddress = \"{address}\"\nca = \"{ca}\"\n");
    let as_user = |password: &str, ca: &str| {
        anonymous(ca) + &format!("user = \"operator\"\npassword = \"{password}\"\n")
    };
    let with = |ca: &str| as_user("canary-login", ca);
    let good = configured(site, "good.toml", &with(&ca_store));
    site.wait("worker over HTTPS", || {
        let mut command = site.command(&["connector", "list", "--config", &good]);
        (command.output().unwrap().status.code() == Some(0)).then_some(())
    });
    let other = configured(
        site,
        "other.toml",
        &with(&certificates.path("other-ca.pem")),
    );
    let said = says(site, &["connector", "list", "--config", &other], 6);
    assert!(
        said.contains("CONNECT-UNREACHABLE-001") && said.contains("UnknownIssuer"),
        "{said}"
    );
    let none = configured(site, "none.toml", &with("/absent.pem"));
    let said = says(site, &["connector", "list", "--config", &none], 2);
    assert!(said.contains("CONNECT-TLS-001"), "{said}");
    for (name, lines) in [
        ("wrong.toml", as_user("canary-wrong", &ca_store)),
        ("nobody.toml", anonymous(&ca_store)),
    ] {
        let file = configured(site, name, &lines);
        let said = says(site, &["connector", "list", "--config", &file], 7);
        assert!(said.contains("CONNECT-DENIED-001"), "{said}");
    }
    // In the clear to a port that is encrypted.
    let clear = address.replace("https", "http");
    says(site, &["connector", "list", "--connect", &clear], 6);
}

/// It lets nobody in without a certificate that its authority signed, and asks for the login besides.
fn the_worker_that_wants_a_certificate(site: &Site, certificates: &Certificates, address: &str) {
    let private = |name: &str| {
        let path = certificates.path(name);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode).unwrap();
        path
    };
    let with = |name: &str, lines: &str| {
        let ca = certificates.path("ca.pem");
        let all = format!(
            "[connect]\naddress = \"{address}\"\nca = \"{ca}\"\nuser = \"operator\"\n\
             password = \"canary-login\"\n{lines}"
        );
        configured(site, name, &all)
    };
    let pair = |certificate: &str, key: &str| {
        let (certificate, key) = (certificates.path(certificate), certificates.path(key));
        format!("certificate = \"{certificate}\"\nkey = \"{key}\"\n")
    };
    let list = |file: &str, code: i32| says(site, &["connector", "list", "--config", file], code);
    let good = with("certified.toml", &pair("certified.pem", "certified.key"));
    site.wait("worker that wants a certificate", || {
        let mut command = site.command(&["connector", "list", "--config", &good]);
        (command.output().unwrap().status.code() == Some(0)).then_some(())
    });
    // Both in one file.
    let both = format!("certificate = \"{}\"\n", private("certified.both"));
    list(&with("both.toml", &both), 0);
    for (name, lines) in [
        ("uncertified.toml", String::new()),
        ("stranger.toml", pair("other-ca.pem", "other-ca.key")),
    ] {
        let said = list(&with(name, &lines), 6);
        assert!(
            said.contains("CONNECT-UNREACHABLE-001") && said.to_lowercase().contains("certificate"),
            "{said}"
        );
    }
    std::fs::copy(certificates.path("certified.key"), site.path("open.key")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(site.path("open.key"), mode).unwrap();
    let open = format!(
        "certificate = \"{}\"\nkey = \"{}\"\n",
        certificates.path("certified.pem"),
        site.path("open.key").display()
    );
    for (name, lines, word) in [
        ("unfit.toml", pair("certified.pem", "server.key"), "fit"),
        (
            "keyless.toml",
            pair("certified.pem", "absent.key"),
            "absent.key",
        ),
        ("open.toml", open, "chmod 600"),
    ] {
        let said = list(&with(name, &lines), 2);
        assert!(
            said.contains("CONNECT-TLS-001") && said.contains(word),
            "{said}"
        );
    }
    // A certificate is no login here.
    let wrong = std::fs::read_to_string(&good).unwrap();
    let wrong = wrong.replace("canary-login", "canary-wrong");
    list(&configured(site, "certified-wrong.toml", &wrong), 7);
}

/// The lab's registry, with a port of HTTPS beside its own; gives its address.
fn encrypted_registry(
    runtime: &tokio::runtime::Runtime,
    (site, stack): (&Site, &mut Stack),
    certificates: &Certificates,
) -> String {
    let registry = stack.registry.as_mut().unwrap();
    let port = free_port();
    let folder = registry.info().folder.join("config");
    std::fs::create_dir_all(&folder).unwrap();
    let settings = format!(
        "quarkus.http.ssl-port={port}\nquarkus.http.ssl.certificate.files={}\n\
         quarkus.http.ssl.certificate.key-files={}\nquarkus.http.insecure-requests=enabled\n\
         quarkus.http.auth.basic=true\nquarkus.security.users.embedded.enabled=true\n\
         quarkus.security.users.embedded.plain-text=true\n\
         quarkus.security.users.embedded.users.reader=canary-registry\n\
         quarkus.security.users.embedded.roles.reader=sr-readonly\n\
         quarkus.http.auth.permission.all.paths=/*\nquarkus.http.auth.permission.all.policy=authenticated\n",
        certificates.path("server.pem"),
        certificates.path("server.open.key"),
    );
    std::fs::copy(
        certificates.path("server.key"),
        certificates.path("server.open.key"),
    )
    .unwrap();
    let open = |path: &std::path::Path, mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(path, mode).unwrap();
    };
    open(certificates.path("server.open.key").as_ref(), 0o644);
    std::fs::write(folder.join("application.properties"), settings).unwrap();
    open(&folder, 0o755);
    open(&folder.join("application.properties"), 0o644);
    let url = registry.url();
    runtime.block_on(async {
        registry.stop(Duration::from_secs(20)).await.unwrap();
        registry.start().unwrap();
    });
    // The lab would ask it without a login.
    site.wait("the registry", || {
        std::net::TcpStream::connect(("127.0.0.1", port))
            .ok()
            .map(drop)
    });
    let path = url.split_once("//").unwrap().1.split_once('/').unwrap().1;
    format!("https://127.0.0.1:{port}/{path}")
}

fn the_registry(site: &Site, certificates: &Certificates, address: &str) {
    let doctor = |login: &str, ca: &str, code: i32| {
        let ca = certificates.path(ca);
        let lines = format!("[registry]\naddress = \"{address}\"\nca = \"{ca}\"\n{login}");
        let file = configured(site, "registry.toml", &lines);
        says(
            site,
            &["doctor", "--config", &file, "--output", "json"],
            code,
        )
    };
    // The registry alone is named, so other parts were not looked at.
    let login = |password: &str| format!("user = \"reader\"\npassword = \"{password}\"\n");
    let said = doctor(&login("canary-registry"), "ca.pem", 5);
    assert!(said.contains("schema registry at https://"), "{said}");
    let said = doctor(&login("canary-registry"), "other-ca.pem", 6);
    assert!(said.contains("UnknownIssuer"), "{said}");
    for denied in [login("canary-wrong"), String::new()] {
        let said = doctor(&denied, "ca.pem", 7);
        assert!(said.contains("REGISTRY-DENIED-001"), "{said}");
    }
}
