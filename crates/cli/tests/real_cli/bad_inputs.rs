//! Every command that works with a system, against every way in which that system can be out of reach or keep us out.
//!
//! The systems beside the bad one are those of a real lab, so that a command comes as far as it would at a user's.
//! Each answer must have the right exit code, one line of cause that names the place, a remedy and a stable code, and
//! must hold no secret. What is only bad in one command (a slot of another plugin, a masked option) has a test of its
//! own beside this table.

#[path = "bad_inputs/places.rs"]
mod places;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::running_lab::RunningLab;
use crate::site::text;
use places::{Bad, Places};

/// A command, and the systems that it cannot do without: `p`ostgres, `k`afka, `c`onnect.
type Used = (&'static str, &'static str);

const COMMANDS: [Used; 23] = [
    ("record", "ckp"),
    ("verify", "ckp"),
    ("verify --witness=1", "ckp"),
    ("doctor", "ckp"),
    ("watch --once", "ckp"),
    ("predict", "cp"),
    ("setup", "cp"),
    (
        "setup --slot s --publication p --table public.orders --apply",
        "p",
    ),
    ("generate --duration 1", "p"),
    ("init -o {folder}/made.toml", "c"),
    ("connector list", "c"),
    ("connector status", "c"),
    ("connector config", "c"),
    ("connector deploy {folder}/connector.json", "c"),
    ("connector pause", "c"),
    ("connector stop", "c"),
    ("connector resume", "c"),
    ("connector restart", "c"),
    ("connector delete --apply", "c"),
    ("connector offsets show", "cp"),
    ("connector offsets set --to-slot --apply", "c"),
    ("connector offsets reset --apply", "c"),
    ("gap close {folder}/runs/recorded/states --apply", "k"),
];

/// A reach that fails must not keep anybody waiting: the longest patience of a client, and some air for this machine.
const PATIENCE: Duration = Duration::from_secs(75);

#[test]
fn a_system_that_is_out_of_reach_or_keeps_us_out_is_named_by_every_command() {
    let lab = RunningLab::up("4.3.1", "3.7.0");
    let places = Places::open(&lab);
    a_recorded_run(&lab);
    let whole = lab.json(&["connector", "config"], 0)["config"].clone();
    let mut whole = whole;
    whole["database.password"] = lab.secret.clone().into();
    let deployed = serde_json::json!({"name": crate::running_lab::CONNECTOR, "config": whole});
    lab.private("connector.json", &deployed.to_string());
    let mut cases: VecDeque<(String, &Bad)> = VecDeque::new();
    for (command, used) in COMMANDS {
        let of_it = places.bad.iter().filter(|bad| used.contains(bad.system));
        cases.extend(of_it.map(|bad| (command.to_owned(), bad)));
    }
    for bad in places.bad.iter().filter(|bad| bad.system == 'p') {
        let command = "compare {good} --left-password-file {folder}/right";
        cases.push_back((command.to_owned(), bad));
    }
    // Those that wait go first, and beside each other.
    cases
        .make_contiguous()
        .sort_by_key(|(_, bad)| bad.what != "black hole");
    let number = cases.len();
    assert!(number > 200, "only {number} cases");
    let cases = Mutex::new(cases);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                while let Some((command, bad)) = next(&cases) {
                    if let Err(why) = judged(&lab, &command, bad) {
                        wrong.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    drop(places);
    lab.down();
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {number} answers are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn next<'a>(cases: &Mutex<VecDeque<(String, &'a Bad)>>) -> Option<(String, &'a Bad)> {
    cases.lock().unwrap().pop_front()
}

/// A run folder that `gap close` can work on.
fn a_recorded_run(lab: &RunningLab) {
    lab.execute("INSERT INTO public.order_events VALUES (1, 'test', now(), 1)");
    // Until the first record is in its topic there is nothing to record, which is refused.
    let recorded: serde_json::Value = lab.site.wait("a recorded run", || {
        let mut command = lab.site.command(&["record", "--output", "json", "--quiet"]);
        let output = command
            .current_dir(lab.site.folder.path())
            .output()
            .unwrap();
        output
            .status
            .success()
            .then(|| serde_json::from_slice(&output.stdout).unwrap())
    });
    let folder = recorded["run_dir"].as_str().unwrap();
    std::fs::rename(folder, lab.site.path("runs/recorded")).unwrap();
}

/// Runs one case; what is wrong with its answer.
fn judged(lab: &RunningLab, command: &str, bad: &Bad) -> Result<(), String> {
    let folder = lab.site.folder.path().display().to_string();
    let good = format!(
        "postgresql://debezium@127.0.0.1:{}/testdb",
        lab.port("postgres-main")
    );
    let line = command
        .replace("{folder}", &folder)
        .replace("{good}", &good);
    let mut words: Vec<&str> = line.split(' ').collect();
    let flags = bad.flags(command.starts_with("compare"));
    words.extend(flags.iter().map(String::as_str));
    let begun = Instant::now();
    let mut command = lab.site.command(&words);
    let output = command
        .current_dir(lab.site.folder.path())
        .env("PGPASSFILE", format!("{folder}/no-passwords"))
        .output()
        .unwrap();
    let took = begun.elapsed();
    let said = text(&output);
    let wrong = |what: String| Err(format!("{} | {}: {what}\n{said}", line, bad.what));
    // Of a watch 3 is an alert of the stream, and of that nothing was seen.
    let exit = match bad.exit {
        3 if line.starts_with("watch") => 5,
        exit => exit,
    };
    if output.status.code() != Some(exit) {
        let ended = output.status.code();
        return wrong(format!("ends with {ended:?}, not {exit}"));
    }
    for word in ["panicked", "backtrace", "canary", lab.secret.as_str()] {
        if said.contains(word) {
            return wrong(format!("says {word}"));
        }
    }
    if let Some(word) = bad.words.iter().find(|word| !said.contains(**word)) {
        return wrong(format!("does not say {word}"));
    }
    // What only looks goes on, and has no place of its own for a remedy.
    let looks = ["doctor", "watch"]
        .iter()
        .any(|word| line.starts_with(word));
    let remedy = said.contains("try:") || looks && said.contains(';');
    if !remedy {
        return wrong("says no remedy".into());
    }
    if took > PATIENCE {
        return wrong(format!("takes {took:?}"));
    }
    Ok(())
}
