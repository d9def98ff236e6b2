//! Certificates as the lab makes them for a test: an authority, a server of 127.0.0.1, one of another host, a client.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of certificates. Each name has `NAME.pem` and `NAME.key`, and `NAME.both` with key and chain.
pub struct Certificates(PathBuf);

impl Certificates {
    /// Makes all of them with the openssl program.
    pub fn make(folder: &Path) -> Certificates {
        std::fs::create_dir_all(folder).unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder, open).unwrap();
        let made = Certificates(folder.to_owned());
        for authority in ["ca", "other-ca"] {
            made.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={authority} \
                 -keyout {authority}.key -out {authority}.pem"
            ));
        }
        made.sign(
            "server",
            "localhost",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
        );
        made.sign(
            "elsewhere",
            "elsewhere.example",
            "subjectAltName=DNS:elsewhere.example",
        );
        made.sign("certified", "certified", "extendedKeyUsage=clientAuth");
        let here = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        made.sign_by("foreign", "localhost", here, ("other-ca", 2));
        // Was valid until yesterday.
        made.sign_by("expired", "localhost", here, ("ca", -1));
        made
    }

    fn sign(&self, name: &str, common: &str, extension: &str) {
        self.sign_by(name, common, extension, ("ca", 2));
    }

    fn sign_by(&self, name: &str, common: &str, extension: &str, (ca, days): (&str, i32)) {
        std::fs::write(self.0.join("extension"), extension).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={common} \
             -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days {days} \
             -extfile extension -out {name}.pem"
        ));
        let read = |file: String| std::fs::read_to_string(self.0.join(file)).unwrap();
        let both = read(format!("{name}.key")) + &read(format!("{name}.pem"));
        std::fs::write(self.0.join(format!("{name}.both")), both).unwrap();
        // The servers run as another user; their keys are given to them where it matters.
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(self.0.join(format!("{name}.both")), open).unwrap();
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.0.join(format!("{name}.key")), private).unwrap();
    }

    /// Runs openssl in the folder.
    pub fn openssl(&self, arguments: &str) {
        self.run("openssl", arguments);
    }

    /// Runs Java's own program for stores in the folder.
    pub fn keytool(&self, arguments: &str) {
        self.run("keytool", arguments);
    }

    fn run(&self, program: &str, arguments: &str) {
        let output = Command::new(program)
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let said = String::from_utf8_lossy(&output.stdout) + error;
        assert!(output.status.success(), "{program} {arguments}: {said}");
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}
