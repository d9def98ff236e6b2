//! Cells of the matrix with real servers: each way in which a new server comes about, proven, and a driver that is
//! killed at every step. The whole matrix is a measurement of its own (docs/matrix.md).

use cutover_model::RunFolder;
use serde_json::Value;

use crate::site::{Site, text};

#[test]
fn proven_runbooks_keep_every_event_as_predicted_and_a_matrix_goes_on_where_it_stopped() {
    let site = Site::new();
    let kinds = "pg-upgrade-17-18,restore-latest,blue-green,minor-broken-off";
    let args = [
        "matrix",
        "--kinds",
        kinds,
        "--runbooks",
        "proven",
        "--output",
        "json",
    ];
    let output = site.run(&args);
    let matrix: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(matrix["format"], "cutover.matrix/1");
    let cells = matrix["cells"].as_array().unwrap();
    // pg_upgrade 17 to 18 has two proven runbooks: the offset rewritten, and the slot trusted.
    assert_eq!(cells.len(), 5);
    for cell in cells {
        let name = &cell["name"];
        let story = [
            "reasons",
            "surprises",
            "exit",
            "predicted",
            "measured",
            "counts",
        ];
        let story = story.map(|part| format!("{part}: {}", cell[part]));
        assert_eq!(cell["as_expected"], true, "{name}: {story:?}");
        assert_eq!(cell["verdict"], "pass", "{name}: {story:?}");
        assert_eq!(cell["predicted"], "resumes", "{name}");
        assert_eq!(cell["prediction_right"], true, "{name}");
        for count in ["lost", "duplicated", "phantom", "snapshot"] {
            assert_eq!(cell["counts"][count], 0, "{name}: {count}");
        }
        assert!(
            cell["counts"]["committed"].as_u64().unwrap() > 3_000,
            "{name}"
        );
    }
    assert_eq!(output.status.code(), Some(0));
    site.assert_nothing_left();
    nothing_is_played_twice(&site, &args);
}

/// With every cell judged there is nothing to do; a cell that was not judged is played.
fn nothing_is_played_twice(site: &Site, args: &[&str]) {
    let again: Vec<&str> = args.iter().copied().chain(["--resume"]).collect();
    let output = site.run(&again);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let runs = std::fs::read_dir(site.path("runs")).unwrap();
    let folders: Vec<_> = runs.flatten().collect();
    assert_eq!(folders.len(), 1, "it goes on in the same folder");
    let run = RunFolder::at(folders[0].path());
    let page = std::fs::read_to_string(run.matrix_html()).unwrap();
    assert!(page.contains("pg-upgrade-17-18") && page.contains("restore-latest"));
    assert!(run.matrix_markdown().exists());
}
