//! Places where a system should be and is not, or is and does not let us in.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use crate::certificates::Certificates;
use crate::running_lab::RunningLab;

/// One way in which one system is bad.
pub struct Bad {
    /// `p`ostgres, `k`afka or `c`onnect.
    pub system: char,
    /// What is wrong with it.
    pub what: &'static str,
    /// What is said of it on the command line, or the file that says it.
    said: Vec<String>,
    /// How a command ends.
    pub exit: i32,
    /// What the answer says.
    pub words: &'static [&'static str],
}

impl Bad {
    /// The arguments; `compare` takes an address without a flag.
    pub fn flags(&self, bare: bool) -> Vec<String> {
        let flag = |flag: &String| bare && flag == "--postgres";
        let said = self.said.iter().filter(|word| !flag(word));
        match bare {
            true => said
                .map(|word| word.replace("--password-file", "--right-password-file"))
                .collect(),
            false => said.cloned().collect(),
        }
    }
}

/// All of them, with the servers that are behind.
pub struct Places {
    pub bad: Vec<Bad>,
    _silent: TcpListener,
    _encrypted: Vec<Server>,
}

/// A server of the openssl program; ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Places {
    /// Opens what must listen.
    pub fn open(lab: &RunningLab) -> Places {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let hole = silent.local_addr().unwrap();
        let gone = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let mut places = Places {
            bad: Vec::new(),
            _silent: silent,
            _encrypted: Vec::new(),
        };
        places.postgres(lab, gone, hole);
        places.kafka(lab, gone, hole);
        places.connect(lab, gone, hole);
        places.encrypted(lab);
        places
    }

    fn add(
        &mut self,
        system: char,
        what: &'static str,
        said: &[&str],
        told: (i32, &'static [&'static str]),
    ) {
        let (exit, words) = told;
        let said = said.iter().map(|word| (*word).to_owned()).collect();
        self.bad.push(Bad {
            system,
            what,
            said,
            exit,
            words,
        });
    }

    fn postgres(&mut self, lab: &RunningLab, gone: SocketAddr, hole: SocketAddr) {
        let right = lab.private("right", &format!("{}\n", lab.secret));
        let wrong = lab.private("wrong", "canary-password\n");
        let port = lab.port("postgres-main");
        let worker = lab.port("connect");
        let here = format!("127.0.0.1:{port}");
        for statement in [
            "CREATE ROLE no_login NOLOGIN PASSWORD 'canary-password'",
            "CREATE DATABASE closed",
            "REVOKE CONNECT ON DATABASE closed FROM PUBLIC",
            "CREATE DATABASE no_door ALLOW_CONNECTIONS false",
        ] {
            lab.execute(statement);
        }
        let reach = (6, &["PostgreSQL"][..]);
        let login = (7, &["PostgreSQL"][..]);
        let by = |user: &str, place: &str| format!("{user}@{place}");
        let usual = |place: String| by("debezium", &place);
        let home = format!("{here}/testdb");
        for (what, place, password, told) in [
            (
                "unknown host",
                usual("no-such-host.invalid/testdb".into()),
                &right,
                reach,
            ),
            ("refused", usual(format!("{gone}/testdb")), &right, reach),
            ("black hole", usual(format!("{hole}/testdb")), &right, reach),
            (
                "another protocol",
                usual(format!("127.0.0.1:{worker}/testdb")),
                &right,
                reach,
            ),
            (
                "not encrypted",
                usual(format!("{home}?sslmode=require")),
                &right,
                reach,
            ),
            ("wrong password", usual(home.clone()), &wrong, login),
            ("role that is not there", by("nobody", &home), &wrong, login),
            (
                "role that may not log in",
                by("no_login", &home),
                &wrong,
                login,
            ),
            (
                "database that is not there",
                usual(format!("{here}/absent")),
                &right,
                (3, &["absent"][..]),
            ),
            (
                "database closed to the role",
                usual(format!("{here}/closed")),
                &right,
                login,
            ),
            (
                "database closed to all",
                usual(format!("{here}/no_door")),
                &right,
                (3, &["no_door"][..]),
            ),
        ] {
            let address = format!("postgresql://{place}");
            let said = ["--postgres", &address, "--password-file", password];
            self.add('p', what, &said, told);
        }
    }

    fn kafka(&mut self, lab: &RunningLab, gone: SocketAddr, hole: SocketAddr) {
        let broker = format!("127.0.0.1:{}", lab.port("kafka"));
        let postgres = format!("127.0.0.1:{}", lab.port("postgres-main"));
        let reach: (i32, &'static [&'static str]) = (6, &["Kafka"]);
        let (gone, hole) = (gone.to_string(), hole.to_string());
        for (what, place) in [
            ("unknown host", "no-such-host.invalid:9092"),
            ("refused", &gone),
            ("black hole", &hole),
            ("another protocol", &postgres),
        ] {
            self.add('k', what, &["--kafka", place], reach);
        }
        let properties = |name: &str, lines: &str| {
            lab.private(name, &format!("bootstrap.servers={broker}\n{lines}\n"))
        };
        let encrypted = properties("encrypted.properties", "security.protocol=SSL");
        self.add(
            'k',
            "not encrypted",
            &["--kafka-properties", &encrypted],
            reach,
        );
        let login = properties(
            "login.properties",
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
             sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
             username=\"u\" password=\"canary-password\";",
        );
        self.add(
            'k',
            "no login wanted",
            &["--kafka-properties", &login],
            (7, &["Kafka"]),
        );
    }

    fn connect(&mut self, lab: &RunningLab, gone: SocketAddr, hole: SocketAddr) {
        let reach: (i32, &'static [&'static str]) = (6, &["Kafka Connect"]);
        let denied: (i32, &'static [&'static str]) = (7, &["Kafka Connect"]);
        let worker = lab.port("connect");
        for (what, address, told) in [
            (
                "unknown host",
                "http://no-such-host.invalid:8083".to_owned(),
                reach,
            ),
            ("refused", format!("http://{gone}"), reach),
            ("black hole", format!("http://{hole}"), reach),
            (
                "another protocol",
                format!("http://127.0.0.1:{}", lab.port("postgres-main")),
                reach,
            ),
            (
                "not encrypted",
                format!("https://127.0.0.1:{worker}"),
                reach,
            ),
            (
                "wants a login",
                answering("401 Unauthorized", "who are you"),
                denied,
            ),
            (
                "keeps us out",
                answering("403 Forbidden", "not you"),
                denied,
            ),
            (
                "a page of a proxy",
                answering("200 OK", "<html>welcome</html>"),
                reach,
            ),
            (
                "broken proxy",
                answering("502 Bad Gateway", "<html>bad gateway</html>"),
                reach,
            ),
        ] {
            self.add('c', what, &["--connect", &address], told);
        }
    }

    /// Servers that speak TLS, with certificates that must not be trusted.
    fn encrypted(&mut self, lab: &RunningLab) {
        let certificates = Certificates::make(&lab.site.path("certificates"));
        let ca = certificates.path("ca.pem");
        for (what, name) in [
            ("certificate that has expired", "expired"),
            ("certificate of another host", "elsewhere"),
            ("certificate of another authority", "foreign"),
        ] {
            let port = self.serve(lab, &certificates, name);
            let file =
                format!("[connect]\naddress = \"https://127.0.0.1:{port}\"\nca = \"{ca}\"\n");
            let whole = std::fs::read_to_string(lab.site.path("cutover.toml")).unwrap();
            let (rest, _) = whole.split_once("[connect]").unwrap();
            let path = lab.private(&format!("{name}.toml"), &format!("{rest}{file}"));
            self.add(
                'c',
                what,
                &["--config", &path],
                (6, &["Kafka Connect", "certificate"]),
            );
        }
    }

    fn serve(&mut self, lab: &RunningLab, certificates: &Certificates, name: &str) -> u16 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = Command::new("openssl")
            .args([
                "s_server",
                "-quiet",
                "-www",
                "-accept",
                &format!("127.0.0.1:{port}"),
            ])
            .args(["-cert", &certificates.path(&format!("{name}.pem"))])
            .args(["-key", &certificates.path(&format!("{name}.key"))])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self._encrypted.push(Server(child.unwrap()));
        let there = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        lab.site
            .wait("a server that encrypts", || there().then_some(()));
        port
    }
}

/// The address of a proxy that answers everything with this, as long as the test's process lives.
fn answering(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}");
            let _ = write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    format!("http://{address}")
}
