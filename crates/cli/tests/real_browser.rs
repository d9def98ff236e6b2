//! The HTML report in a real browser: opened from disk, seen, silent, and hostile names are text.
//!
//! The browser is Chromium (Debian's package `chromium`), or the program that CUTOVER_TEST_CHROMIUM names.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/hostile_run.rs"]
mod hostile_run;
#[path = "support/site.rs"]
mod site;

use std::path::Path;
use std::process::{Command, Output};

use hostile_run::SECRET;
use site::{Site, text};

/// What the browser prints before each message of a page's console.
const CONSOLE: &str = ":CONSOLE:";

/// A browser that hangs is ended after so many seconds.
const LIMIT: &str = "60";

/// Headless Chromium with a profile of its own.
fn browser(site: &Site, page: &Path, arguments: &[&str]) -> Output {
    let named = std::env::var("CUTOVER_TEST_CHROMIUM");
    let program = named.unwrap_or_else(|_| "chromium".into());
    let profile = format!("--user-data-dir={}", site.path("profile").display());
    let output = Command::new("timeout")
        .args([
            LIMIT,
            &program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
        ])
        .args(["--enable-logging=stderr", "--hide-scrollbars", &profile])
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} ended with {}: install Debian's package `chromium`, or name the program in \
         CUTOVER_TEST_CHROMIUM; it said: {}",
        output.status,
        text(&output)
    );
    output
}

fn dom(site: &Site, page: &Path) -> (String, String) {
    let output = browser(site, page, &["--dump-dom"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (String::from_utf8_lossy(&output.stdout).into_owned(), said)
}

fn picture(site: &Site, page: &Path, name: &str, arguments: &[&str]) -> Vec<u8> {
    let file = site.path(name);
    let shot = format!("--screenshot={}", file.display());
    browser(site, page, &[&[shot.as_str()], arguments].concat());
    let picture = std::fs::read(file).unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    picture
}

/// A folder judged by the real program.
fn judged(site: &Site, lost: i64) -> std::path::PathBuf {
    let folder = site.path("hostile");
    hostile_run::write(&folder, lost);
    let output = site.run(&["verify", folder.to_str().unwrap()]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    let page = folder.join("report.html");
    assert!(said.contains(page.to_str().unwrap()), "{said}");
    page
}

#[test]
fn a_page_with_a_thousand_findings_opens_from_disk_silently_and_hostile_names_stay_text() {
    let site = Site::new();
    let page = judged(&site, 1_000);
    let size = std::fs::metadata(&page).unwrap().len();
    assert!(size <= 2 << 20, "{size} bytes");
    let (dom, said) = dom(&site, &page);
    assert!(!said.contains(CONSOLE), "{said}");
    assert!(dom.contains("FAIL") && dom.contains("</svg>"), "{dom}");
    // The title is what a script that ran would have changed.
    let title = dom.split("<title>").nth(1).unwrap();
    assert!(title.starts_with("FAIL &lt;script&gt;"), "{title:.80}");
    for element in ["<script", "<img", "<b>"] {
        let inside = dom
            .find(element)
            .map(|at| dom[at..].chars().take(80).collect::<String>());
        assert_eq!(inside, None, "{element}");
    }
    assert!(!dom.contains('\u{202e}') && !dom.contains('\u{1b}'));
    assert!(dom.contains("key 1") && !dom.contains(SECRET));
    assert!(dom.contains("are listed; all of them stand") || dom.contains("These are all"));
}

#[test]
fn what_is_printed_on_a_console_and_what_a_script_does_would_be_noticed() {
    let site = Site::new();
    let page = site.path("control.html");
    let script = "<title>a</title><script>console.error('x');document.title='owned'</script>";
    std::fs::write(&page, script).unwrap();
    let (dom, said) = dom(&site, &page);
    assert!(
        said.contains(CONSOLE) && dom.contains("<title>owned"),
        "{said}{dom}"
    );
}

#[test]
fn the_page_is_seen_in_light_and_dark_on_paper_and_on_a_telephone() {
    let site = Site::new();
    let page = judged(&site, 20);
    let blank = site.path("blank.html");
    std::fs::write(&blank, "<!doctype html><title>blank</title>").unwrap();
    let large = "--window-size=1280,1600";
    let nothing = picture(&site, &blank, "blank.png", &[large]);
    let light = picture(&site, &page, "light.png", &[large]);
    let dark = picture(
        &site,
        &page,
        "dark.png",
        &[large, "--blink-settings=preferredColorScheme=0"],
    );
    let narrow = picture(&site, &page, "narrow.png", &["--window-size=500,900"]);
    for seen in [&light, &dark, &narrow] {
        assert!(
            seen.len() > 4 * nothing.len(),
            "{} of {}",
            seen.len(),
            nothing.len()
        );
    }
    assert_ne!(light, dark);
    let paper = site.path("paper.pdf");
    let print = format!("--print-to-pdf={}", paper.display());
    browser(&site, &page, &[&print]);
    let paper = std::fs::read(paper).unwrap();
    assert!(
        paper.starts_with(b"%PDF") && paper.len() > 20_000,
        "{}",
        paper.len()
    );
}

#[test]
fn a_report_is_made_again_in_every_form_and_shows_row_values_only_when_asked() {
    let site = Site::new();
    let page = judged(&site, 5);
    let folder = page.parent().unwrap().to_str().unwrap().to_owned();
    for (form, begins) in [
        ("html", "<!doctype html>"),
        ("md", "# FAIL"),
        ("junit", "<?xml"),
    ] {
        let output = site.run(&["report", &folder, "--format", form]);
        let made = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(made.starts_with(begins), "{form}: {made:.200}");
        assert!(!made.contains(SECRET), "{form}");
    }
    let file = site.path("shown.html");
    let output = site.run(&[
        "report",
        &folder,
        "--show-values",
        "-o",
        file.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(std::fs::read_to_string(&file).unwrap().contains(SECRET));
    let again = site.run(&["report", &folder, "--output", "json"]);
    let saved = std::fs::read_to_string(format!("{folder}/report.json")).unwrap();
    assert_eq!(String::from_utf8_lossy(&again.stdout), saved);
    let absent = site.path("absent");
    let refused = site.run(&["report", absent.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused).contains("RUN-FOLDER-002"),
        "{}",
        text(&refused)
    );
}
