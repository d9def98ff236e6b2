//! The scenarios that are part of the program, in display order: what `rehearse` knows by name, and the cells of the
//! matrix. To add one: write `scenarios/<name>.toml`, add it here; a test compares the list with the folder.

/// A shipped scenario.
#[derive(Debug)]
pub struct Shipped {
    /// Name.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

impl Shipped {
    const fn new(name: &'static str, text: &'static str) -> Shipped {
        Shipped { name, text }
    }
}

/// The main job: one upgrade done right, one as people's runbooks have it.
pub const MAIN_JOB: [&str; 2] = ["minor", "dump-restore-baseline"];

/// Every shipped scenario, in display order.
pub const ALL: &[Shipped] = &[
    Shipped::new("restart", include_str!("../../../scenarios/restart.toml")),
    Shipped::new(
        "restart-running",
        include_str!("../../../scenarios/restart-running.toml"),
    ),
    Shipped::new("crash", include_str!("../../../scenarios/crash.toml")),
    Shipped::new(
        "crash-running",
        include_str!("../../../scenarios/crash-running.toml"),
    ),
    Shipped::new("minor", include_str!("../../../scenarios/minor.toml")),
    Shipped::new(
        "minor-paused",
        include_str!("../../../scenarios/minor-paused.toml"),
    ),
    Shipped::new(
        "pg-upgrade-15-17",
        include_str!("../../../scenarios/pg-upgrade-15-17.toml"),
    ),
    Shipped::new(
        "pg-upgrade-16-17",
        include_str!("../../../scenarios/pg-upgrade-16-17.toml"),
    ),
    Shipped::new(
        "pg-upgrade-16-18",
        include_str!("../../../scenarios/pg-upgrade-16-18.toml"),
    ),
    Shipped::new(
        "pg-upgrade-17-18",
        include_str!("../../../scenarios/pg-upgrade-17-18.toml"),
    ),
    Shipped::new(
        "pg-upgrade-link-16-18",
        include_str!("../../../scenarios/pg-upgrade-link-16-18.toml"),
    ),
    Shipped::new(
        "pg-upgrade-documented",
        include_str!("../../../scenarios/pg-upgrade-documented.toml"),
    ),
    Shipped::new(
        "pg-upgrade-undrained",
        include_str!("../../../scenarios/pg-upgrade-undrained.toml"),
    ),
    Shipped::new(
        "pg-upgrade-five-seconds",
        include_str!("../../../scenarios/pg-upgrade-five-seconds.toml"),
    ),
    Shipped::new(
        "pg-upgrade-kept-offset-16-18",
        include_str!("../../../scenarios/pg-upgrade-kept-offset-16-18.toml"),
    ),
    Shipped::new(
        "pg-upgrade-kept-offset-17-18",
        include_str!("../../../scenarios/pg-upgrade-kept-offset-17-18.toml"),
    ),
    Shipped::new(
        "pg-upgrade-when-needed",
        include_str!("../../../scenarios/pg-upgrade-when-needed.toml"),
    ),
    Shipped::new(
        "restore-latest",
        include_str!("../../../scenarios/restore-latest.toml"),
    ),
    Shipped::new(
        "restore-latest-16",
        include_str!("../../../scenarios/restore-latest-16.toml"),
    ),
    Shipped::new(
        "restore-request",
        include_str!("../../../scenarios/restore-request.toml"),
    ),
    Shipped::new(
        "restore-offsets-deleted",
        include_str!("../../../scenarios/restore-offsets-deleted.toml"),
    ),
    Shipped::new(
        "restore-wrong-config",
        include_str!("../../../scenarios/restore-wrong-config.toml"),
    ),
    Shipped::new(
        "restore-when-needed",
        include_str!("../../../scenarios/restore-when-needed.toml"),
    ),
    Shipped::new(
        "restore-unarchived-request",
        include_str!("../../../scenarios/restore-unarchived-request.toml"),
    ),
    Shipped::new(
        "restore-unarchived",
        include_str!("../../../scenarios/restore-unarchived.toml"),
    ),
    Shipped::new(
        "restore-immediate-request",
        include_str!("../../../scenarios/restore-immediate-request.toml"),
    ),
    Shipped::new(
        "restore-immediate",
        include_str!("../../../scenarios/restore-immediate.toml"),
    ),
    Shipped::new(
        "restore-time-request",
        include_str!("../../../scenarios/restore-time-request.toml"),
    ),
    Shipped::new(
        "restore-time",
        include_str!("../../../scenarios/restore-time.toml"),
    ),
    Shipped::new(
        "base-backup",
        include_str!("../../../scenarios/base-backup.toml"),
    ),
    Shipped::new(
        "base-backup-opened",
        include_str!("../../../scenarios/base-backup-opened.toml"),
    ),
    Shipped::new(
        "dump-restore",
        include_str!("../../../scenarios/dump-restore.toml"),
    ),
    Shipped::new(
        "dump-restore-baseline",
        include_str!("../../../scenarios/dump-restore-baseline.toml"),
    ),
    Shipped::new(
        "blue-green",
        include_str!("../../../scenarios/blue-green.toml"),
    ),
    Shipped::new(
        "blue-green-early-slot",
        include_str!("../../../scenarios/blue-green-early-slot.toml"),
    ),
    Shipped::new(
        "blue-green-kept-offset",
        include_str!("../../../scenarios/blue-green-kept-offset.toml"),
    ),
    Shipped::new(
        "blue-green-five-seconds",
        include_str!("../../../scenarios/blue-green-five-seconds.toml"),
    ),
    Shipped::new(
        "promotion",
        include_str!("../../../scenarios/promotion.toml"),
    ),
    Shipped::new(
        "promotion-failover-slot",
        include_str!("../../../scenarios/promotion-failover-slot.toml"),
    ),
    Shipped::new(
        "promotion-late-slot",
        include_str!("../../../scenarios/promotion-late-slot.toml"),
    ),
    Shipped::new(
        "pg-upgrade-back",
        include_str!("../../../scenarios/pg-upgrade-back.toml"),
    ),
    Shipped::new(
        "pg-upgrade-back-kept-offset",
        include_str!("../../../scenarios/pg-upgrade-back-kept-offset.toml"),
    ),
    Shipped::new(
        "dump-restore-back",
        include_str!("../../../scenarios/dump-restore-back.toml"),
    ),
    Shipped::new(
        "blue-green-back",
        include_str!("../../../scenarios/blue-green-back.toml"),
    ),
    Shipped::new(
        "promotion-back",
        include_str!("../../../scenarios/promotion-back.toml"),
    ),
    Shipped::new(
        "minor-cp75",
        include_str!("../../../scenarios/minor-cp75.toml"),
    ),
    Shipped::new(
        "dump-restore-baseline-cp75",
        include_str!("../../../scenarios/dump-restore-baseline-cp75.toml"),
    ),
    Shipped::new(
        "dump-restore-cp75",
        include_str!("../../../scenarios/dump-restore-cp75.toml"),
    ),
    Shipped::new(
        "minor-broken-off",
        include_str!("../../../scenarios/minor-broken-off.toml"),
    ),
    Shipped::new(
        "pg-upgrade-broken-off",
        include_str!("../../../scenarios/pg-upgrade-broken-off.toml"),
    ),
    Shipped::new(
        "promotion-broken-off",
        include_str!("../../../scenarios/promotion-broken-off.toml"),
    ),
    Shipped::new(
        "dump-restore-broken-off",
        include_str!("../../../scenarios/dump-restore-broken-off.toml"),
    ),
];
