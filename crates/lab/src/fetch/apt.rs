//! Debian packages of any suite, unpacked and relocated: no installation, no root, the host's
//! packages untouched.
//!
//! apt works on package lists of our own inside the part, so the host may be of another suite. The
//! mirror is the one that the host is configured with, read from `/etc/apt` at run time. Programs
//! are then patched to use the loader and libraries that came with them; the patching program comes
//! from the same suite, and is run through that suite's loader, so nothing of the host's has to
//! fit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Job, verify};
use crate::catalog::Source;
use crate::error::LabError;
use crate::host::Need;
use crate::spawn::{self, Launch};

/// Where Debian keeps the keys of its archive.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// How long unpacking one package may take.
const UNPACK_DEADLINE: Duration = Duration::from_secs(120);

/// Fetches the packages and unpacks them into the part.
pub(super) async fn fetch(job: &Job<'_>) -> Result<(), LabError> {
    let Source::Apt {
        suite,
        packages,
        keep,
        drop,
    } = &job.part.source
    else {
        return Ok(());
    };
    let apt = Apt::prepare(job, suite)?;
    let dpkg = Need::Dpkg.find()?;
    let update = apt.call(job, &apt.folder, &["-q", "update"]);
    let end = job.run(update, "apt-get update", &apt.folder).await?;
    // apt-get update succeeds even when every list failed; what follows would blame the packages.
    if end.output.lines().any(|line| line.starts_with("Err:")) && !apt.has_lists() {
        return Err(job.failed("apt-get update", &end));
    }
    let mut wanted = vec!["-q", "-y", "-s", "install"];
    wanted.extend(packages.iter().map(String::as_str));
    let plan = job
        .run(apt.call(job, &apt.folder, &wanted), "apt-get", &apt.folder)
        .await?;
    let names = chosen(&plan.output, keep, drop);
    let debs = apt.folder.join("debs");
    std::fs::create_dir_all(&debs).map_err(LabError::io("create", &debs))?;
    let mut download = vec!["-q", "download"];
    download.extend(names.iter().map(String::as_str));
    job.run(apt.call(job, &debs, &download), "apt-get", &debs)
        .await?;
    for deb in verify::files_in(&debs)? {
        let unpack = job
            .tool("dpkg", &dpkg, job.root)
            .args(["-x"])
            .arg_path(&deb)
            .args(["."]);
        let end = spawn::run(unpack, UNPACK_DEADLINE).await?;
        if !end.status.success() {
            return Err(job.failed("dpkg", &end));
        }
    }
    Ok(())
}

/// Makes programs use the loader and the libraries of the part.
pub(super) async fn relocate(job: &Job<'_>, programs: &[String]) -> Result<(), LabError> {
    let libraries = library_folder(job)?;
    let loader = libraries.join("ld-linux-x86-64.so.2");
    let patch = job.root.join("usr/bin/patchelf");
    for program in verify::programs_at(job.root, programs)? {
        if !super::elf::is_elf(&program)? {
            continue;
        }
        let launch = Launch::new("patchelf", &loader, job.root, &job.log)
            .args(["--library-path"])
            .arg_path(&libraries)
            .arg_path(&patch)
            .args(["--set-interpreter"])
            .arg_path(&loader)
            .args(["--force-rpath", "--set-rpath"])
            .arg_path(&libraries)
            .arg_path(&program);
        let end = spawn::run(launch, UNPACK_DEADLINE).await?;
        if !end.status.success() {
            let (part, reason) = (job.part.label(), end.last_lines(3));
            return Err(LabError::Broken {
                part,
                program,
                reason,
            });
        }
    }
    Ok(())
}

fn library_folder(job: &Job<'_>) -> Result<PathBuf, LabError> {
    let folder = job.root.join("usr/lib/x86_64-linux-gnu");
    let loader = "ld-linux-x86-64.so.2";
    if folder.join(loader).exists() {
        return Ok(folder);
    }
    // Before the merged /usr of trixie, libraries are spread over two folders: bring them into one.
    let old = job.root.join("lib/x86_64-linux-gnu");
    for file in verify::files_in(&old)? {
        if let Some(name) = file.file_name() {
            let target = folder.join(name);
            if !target.exists() {
                std::fs::rename(&file, &target).map_err(LabError::io("move", &file))?;
            }
        }
    }
    Ok(folder)
}

/// An apt with lists, cache and status of its own.
struct Apt {
    program: PathBuf,
    folder: PathBuf,
    config: PathBuf,
}

impl Apt {
    fn prepare(job: &Job<'_>, suite: &str) -> Result<Apt, LabError> {
        let program = Need::Apt.find()?;
        if !Path::new(KEYRING).exists() {
            return Err(LabError::Missing {
                need: Need::Keyring,
                detail: String::new(),
            });
        }
        let folder = job.work().join("apt");
        for child in ["lists/partial", "cache/archives/partial"] {
            let path = folder.join(child);
            std::fs::create_dir_all(&path).map_err(LabError::io("create", path))?;
        }
        let mirrors = mirrors(Path::new("/etc/apt"));
        let text = sources(&mirrors, suite).ok_or_else(|| LabError::NoMirror {
            part: job.part.label(),
            reason: "no Debian archive is configured in /etc/apt".to_owned(),
        })?;
        let config = folder.join("apt.conf");
        let root = folder.display();
        let settings = format!(
            "Dir::State \"{root}\";\nDir::State::status \"{root}/status\";\n\
             Dir::State::lists \"{root}/lists\";\nDir::Cache \"{root}/cache\";\n\
             Dir::Etc::sourcelist \"{root}/suite.sources\";\nDir::Etc::sourceparts \"-\";\n\
             Acquire::Languages \"none\";\nAPT::Install-Recommends \"false\";\n\
             APT::Sandbox::User \"\";\nDebug::NoLocking \"1\";\n"
        );
        let files = [
            ("status", ""),
            ("suite.sources", text.as_str()),
            ("apt.conf", &settings),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(LabError::io("write", &path))?;
        }
        Ok(Apt {
            program,
            folder,
            config,
        })
    }

    fn call(&self, job: &Job<'_>, folder: &Path, args: &[&str]) -> Launch {
        job.tool("apt-get", &self.program, folder)
            .env("APT_CONFIG", &self.config)
            .args(args)
    }

    fn has_lists(&self) -> bool {
        let lists = verify::files_in(&self.folder.join("lists")).unwrap_or_default();
        lists
            .iter()
            .any(|file| file.to_string_lossy().contains("Packages"))
    }
}

/// Archive addresses that the host is configured with, in both file formats of apt.
fn mirrors(etc: &Path) -> Vec<String> {
    let mut files = verify::files_in(&etc.join("sources.list.d")).unwrap_or_default();
    files.push(etc.join("sources.list"));
    let mut found = Vec::new();
    for file in files {
        let kind = file
            .extension()
            .and_then(|end| end.to_str())
            .unwrap_or_default()
            .to_owned();
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for line in text.lines().map(str::trim) {
            match kind.as_str() {
                "sources" => {
                    let uris = line.strip_prefix("URIs:").unwrap_or_default();
                    found.extend(uris.split_whitespace().map(str::to_owned));
                }
                "list" if line.starts_with("deb ") => {
                    found.extend(
                        line.split_whitespace()
                            .find(|word| word.contains("://"))
                            .map(str::to_owned),
                    );
                }
                _ => {}
            }
        }
    }
    found
}

/// Our own source list: the suite, and its security updates where the host has an archive of them.
fn sources(mirrors: &[String], suite: &str) -> Option<String> {
    let ends = |name: &str| {
        mirrors
            .iter()
            .find(|uri| uri.trim_end_matches('/').ends_with(&format!("/{name}")))
    };
    let entry = |uri: &String, suite: &str| {
        format!(
            "Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n\n"
        )
    };
    let mut text = entry(ends("debian")?, suite);
    if let Some(security) = ends("debian-security") {
        text.push_str(&entry(security, &format!("{suite}-security")));
    }
    Some(text)
}

/// Of what apt would install, the packages that a relocated tree needs.
fn chosen(plan: &str, keep: &[String], drop: &[String]) -> Vec<String> {
    plan.lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next())
        .filter(|name| keep.iter().any(|start| name.starts_with(start.as_str())))
        .filter(|name| !drop.iter().any(|part| name.contains(part.as_str())))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_read_from_both_formats() {
        let etc = tempfile::tempdir().unwrap();
        let parts = etc.path().join("sources.list.d");
        std::fs::create_dir(&parts).unwrap();
        let text = "Types: deb\nURIs: http://a.example/debian http://b.example/debian\nSuites: x\n";
        std::fs::write(parts.join("debian.sources"), text).unwrap();
        std::fs::write(
            parts.join("off.list.disabled"),
            "deb http://no.example/debian x main\n",
        )
        .unwrap();
        let list = "# deb http://no.example/debian x\n\
                    deb [signed-by=/k] http://c.example/debian-security x main\n";
        std::fs::write(etc.path().join("sources.list"), list).unwrap();
        let found = mirrors(etc.path());
        assert_eq!(
            found,
            [
                "http://a.example/debian",
                "http://b.example/debian",
                "http://c.example/debian-security"
            ]
        );
        let text = sources(&found, "trixie").unwrap();
        assert!(text.contains("URIs: http://a.example/debian\nSuites: trixie\n"));
        assert!(text.contains("Suites: trixie-security\n"));
    }

    #[test]
    fn machine_without_a_debian_archive_has_no_sources() {
        assert_eq!(
            sources(&["http://a.example/ubuntu".to_owned()], "trixie"),
            None
        );
    }

    #[test]
    fn packages_are_chosen_by_name() {
        let plan = "Inst libc6 (2.41)\nInst perl-base (5)\nInst libllvm19 (1)\nConf libc6\n\
                    Inst postgresql-17 (17.11)\nInst libc-bin (2)\n";
        let words = |list: &[&str]| {
            list.iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        let names = chosen(
            plan,
            &words(&["lib", "postgresql-17"]),
            &words(&["llvm", "perl", "libc-"]),
        );
        assert_eq!(names, ["libc6", "postgresql-17"]);
    }
}
