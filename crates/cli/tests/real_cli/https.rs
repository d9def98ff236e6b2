//! HTTPS to a real worker of Kafka Connect, which wants a login besides, and to a real schema registry, with
//! certificates made for the test.

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

/// The command of the lab's worker with settings added: a later line of a file of properties counts.
fn worker(stack: &Stack, site: &Site, added: &str) -> (Vec<String>, String) {
    let info = stack.connect.info();
    let line = std::fs::read(format!("/proc/{}/cmdline", info.pid.unwrap())).unwrap();
    let words = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    let mut words: Vec<String> = words
        .map(|word| String::from_utf8(word.to_vec()).unwrap())
        .collect();
    let settings = std::fs::read_to_string(words.pop().unwrap()).unwrap();
    let file = site.path("https.properties").display().to_string();
    std::fs::write(&file, format!("{settings}\n{added}\n")).unwrap();
    words.push(file);
    words.insert(1, logins(site));
    (words, info.folder.display().to_string())
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
    let registry = encrypted_registry(&runtime, &mut stack, &certificates);
    let port = free_port();
    let store = certificates.path("server.p12");
    let added = format!(
        "listeners=https://127.0.0.1:{port}\nrest.advertised.listener=https\nrest.advertised.port={port}\n\
         listeners.https.ssl.keystore.location={store}\nlisteners.https.ssl.keystore.type=PKCS12\n\
         listeners.https.ssl.keystore.password=canary-store\n\
         listeners.https.ssl.key.password=canary-store\n\
         rest.extension.classes={BASIC_AUTH}.BasicAuthSecurityRestExtension\n"
    );
    let (command, folder) = worker(&stack, &site, &added);
    runtime
        .block_on(stack.connect.stop(Duration::from_secs(20)))
        .unwrap();
    let mut log = std::fs::File::create(site.path("worker.log")).unwrap();
    writeln!(log, "{command:?}").unwrap();
    let worker = Command::new(&command[0])
        .args(&command[1..])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    let worker = Worker(worker.unwrap());
    let address = format!("https://127.0.0.1:{port}");
    the_worker(&site, &certificates, &address);
    the_registry(&site, &certificates, &registry);
    drop(worker);
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

/// The lab's registry, with a port of HTTPS beside its own; gives its address.
fn encrypted_registry(
    runtime: &tokio::runtime::Runtime,
    stack: &mut Stack,
    certificates: &Certificates,
) -> String {
    let registry = stack.registry.as_mut().unwrap();
    let port = free_port();
    let folder = registry.info().folder.join("config");
    std::fs::create_dir_all(&folder).unwrap();
    let settings = format!(
        "quarkus.http.ssl-port={port}\nquarkus.http.ssl.certificate.files={}\n\
         quarkus.http.ssl.certificate.key-files={}\nquarkus.http.insecure-requests=enabled\n",
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
        registry.ready().await.unwrap();
    });
    let path = url.split_once("//").unwrap().1.split_once('/').unwrap().1;
    format!("https://127.0.0.1:{port}/{path}")
}

fn the_registry(site: &Site, certificates: &Certificates, address: &str) {
    let doctor = |name: &str, ca: &str, code: i32| {
        let file = configured(
            site,
            name,
            &format!(
                "[registry]\naddress = \"{address}\"\nca = \"{}\"\n",
                certificates.path(ca)
            ),
        );
        says(
            site,
            &["doctor", "--config", &file, "--output", "json"],
            code,
        )
    };
    // The registry alone is named, so other parts were not looked at.
    let said = doctor("registry.toml", "ca.pem", 5);
    assert!(said.contains("schema registry at https://"), "{said}");
    let said = doctor("registry-other.toml", "other-ca.pem", 6);
    assert!(said.contains("UnknownIssuer"), "{said}");
}
