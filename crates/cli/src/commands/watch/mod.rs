//! `cutover watch`: looks again and again, and shows it as lines, a screen, JSON, a page and metrics.
//!
//! Looks, markers, keys and requests each have a task; this one takes what they bring, has it judged, and shows it.

mod desk;
mod keyboard;
mod screen;
mod serve;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_clients::kafka::Kafka;
use cutover_clients::wait::{Poll, pause, until};
use cutover_model::watch::{Liveness, WatchedMarkers};
use cutover_model::{ExitCode, Failure};
use cutover_report::watch::lines::whole;
use cutover_report::watch::watch_json;
use cutover_upgrade::UpgradeError;
use cutover_upgrade::start::Starting;
use cutover_upgrade::watch::{Eyes, Limits, MarkerSettings, Markers, Sample};
use tokio::sync::{mpsc, watch};

use self::desk::Desk;
use self::screen::{Key, Screen};
use super::Settings;
use crate::args::WatchArgs;
use crate::config::{self, Systems};
use crate::output::{self, Outcome};

/// Between the two looks of `--once`, so that there are rates.
const APART: Duration = Duration::from_secs(1);

/// Watches. Whatever it waits for, a signal ends it: what it holds is given back when it is dropped.
pub async fn run(arguments: &WatchArgs, settings: Settings) -> Outcome {
    match watched(arguments, settings).await {
        Ok(outcome) => outcome,
        Err(failure) => Outcome::Failed(failure),
    }
}

fn refused(code: &str, message: impl Into<String>, remedy: &str) -> Failure {
    Failure::new(ExitCode::Usage, code, message, remedy)
}

async fn watched(arguments: &WatchArgs, settings: Settings) -> Result<Outcome, Failure> {
    let one = &arguments.one;
    let systems = config::load(&one.systems.said(one.name.as_deref()))?;
    if systems.connect.is_none() && systems.kafka.is_none() {
        systems.need_postgres()?;
    }
    let address = match &arguments.listen {
        Some(text) => Some(serve::address(text, arguments.listen_anywhere)?),
        None => None,
    };
    let kafka = systems.kafka.as_ref().map(Kafka::at).transpose();
    let kafka = kafka.map_err(|error| Failure::of(&error))?.map(Arc::new);
    let markers = match arguments.markers {
        Some(seconds) => Some(begin(&systems, kafka.as_ref(), seconds).await?),
        None => None,
    };
    let eyes = Eyes::new(
        systems.connect.clone(),
        systems.connector.clone(),
        systems.postgres.clone(),
        kafka,
    );
    let desk = Desk::new(Limits {
        lag_seconds: f64::from(arguments.max_lag),
        retained_bytes: i64::from(arguments.max_kept) * 1024 * 1024,
    });
    if arguments.once {
        return once(eyes, desk, markers, settings).await;
    }
    let listener = match address {
        Some(address) => Some(serve::bind(address).await?),
        None => None,
    };
    let interval = Duration::from_secs(arguments.interval);
    let show = Show::of(arguments.plain, settings)?;
    let service = listener.map(|listener| {
        let (sender, shown) = watch::channel(Arc::new(serve::Shown::default()));
        let server = serve::Server {
            shown,
            every: arguments.interval,
        };
        (sender, tokio::spawn(server.run(listener)))
    });
    let sender = service.as_ref().map(|(sender, _)| sender);
    let outcome = follow((eyes, interval), desk, markers, (show, sender)).await;
    if let Some((_, task)) = service {
        task.abort();
    }
    outcome
}

/// Begins to write markers, if everything is there for them.
async fn begin(
    systems: &Systems,
    kafka: Option<&Arc<Kafka>>,
    seconds: u64,
) -> Result<Markers, Failure> {
    let (Some(connect), Some(postgres), Some(kafka)) = (&systems.connect, &systems.postgres, kafka)
    else {
        return Err(refused(
            "CLI-WATCH-001",
            "a marker is written into PostgreSQL and looked for in the connector's topic in Kafka",
            "name PostgreSQL, Kafka and Connect, or watch without --markers",
        ));
    };
    let begun = async {
        let starting = Starting::find(connect.clone(), systems.connector.as_deref()).await?;
        let interval = Duration::from_secs(seconds);
        let settings = MarkerSettings::of(&starting, interval).await?;
        Markers::start(settings, postgres.clone(), Arc::clone(kafka)).await
    };
    begun.await.map_err(|error| Failure::of(&error))
}

async fn once(
    mut eyes: Eyes,
    mut desk: Desk,
    markers: Option<Markers>,
    settings: Settings,
) -> Result<Outcome, Failure> {
    desk.take(eyes.look().await, &WatchedMarkers::default());
    let proven = match &markers {
        Some(markers) => settled(markers).await?,
        None => {
            pause(APART).await;
            WatchedMarkers::default()
        }
    };
    desk.take(eyes.look().await, &proven);
    let Some(report) = &desk.told.report else {
        return Ok(Outcome::text(""));
    };
    let exit = ExitCode::numbered(report.exit_code).unwrap_or(ExitCode::Unknown);
    if settings.json {
        let text = watch_json(report, true).map_err(|error| Failure::of(&error))?;
        return Ok(Outcome::Done(text, exit));
    }
    Ok(Outcome::Done(whole(report, settings.result_look()), exit))
}

/// Waits until the first marker came back or is overdue, or could not be written.
async fn settled(markers: &Markers) -> Result<WatchedMarkers, Failure> {
    let interval = markers.state.borrow().interval_seconds.unwrap_or_default();
    let deadline = Duration::from_secs_f64(interval * 2.0 + 1.0);
    let settled = until(
        "a marker",
        deadline,
        Duration::from_millis(50),
        async || {
            let state = markers.state.borrow().clone();
            Ok::<_, UpgradeError>(if state.liveness == Liveness::Waiting {
                Poll::NotYet("on its way".to_owned())
            } else {
                Poll::Ready(state)
            })
        },
    );
    let settled = settled.await.map_err(UpgradeError::from);
    settled.map_err(|error| Failure::of(&error))
}

/// How what is new is shown.
enum Show {
    /// An object a line.
    Json,
    /// A line for each look and each event.
    Lines(Settings),
    /// A screen.
    Screen(Box<Screen>),
}

impl Show {
    fn of(plain: bool, settings: Settings) -> Result<Show, Failure> {
        let look = settings.result_look();
        let both = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        if settings.json {
            Ok(Show::Json)
        } else if both && look.live && !plain {
            Ok(Show::Screen(Box::new(Screen::open(look)?)))
        } else {
            Ok(Show::Lines(settings))
        }
    }

    /// Shows it; false if nobody reads any more.
    fn tell(&mut self, desk: &Desk, looked: bool) -> bool {
        let Some(report) = &desk.told.report else {
            return true;
        };
        match self {
            Show::Json => watch_json(report, false).is_ok_and(|line| output::stream(&line)),
            Show::Lines(settings) => {
                let lines = desk.news(looked, settings.result_look());
                output::stream(&lines)
            }
            Show::Screen(screen) => screen.draw(&desk.told),
        }
    }
}

/// A watch that no longer looks must not go on showing what it saw last.
fn broke_off() -> Failure {
    Failure::defect("the watch broke off: a part of it that looks has ended")
}

/// What came.
enum News {
    Look(Box<Sample>),
    Markers,
    /// What looks or writes markers is gone.
    BrokeOff,
    Key(Key),
}

type Service<'a> = Option<&'a watch::Sender<Arc<serve::Shown>>>;

async fn follow(
    (mut eyes, interval): (Eyes, Duration),
    mut desk: Desk,
    markers: Option<Markers>,
    (mut show, service): (Show, Service<'_>),
) -> Result<Outcome, Failure> {
    let (sender, mut looks) = mpsc::channel(1);
    let looking = tokio::spawn(async move {
        loop {
            let begun = Instant::now();
            if sender.send(eyes.look().await).await.is_err() {
                return;
            }
            pause(interval.saturating_sub(begun.elapsed())).await;
        }
    });
    let mut state = markers.as_ref().map(|markers| markers.state.clone());
    loop {
        let known = desk.markers().clone();
        let news = tokio::select! {
            Some(sample) = looks.recv() => News::Look(Box::new(sample)),
            () = gone(&looking) => News::BrokeOff,
            () = changed(state.as_mut(), &known) => News::Markers,
            key = pressed(&mut show) => News::Key(key),
        };
        if markers.as_ref().is_some_and(Markers::broke_off) {
            return Err(broke_off());
        }
        let now = state.as_ref().map(|state| state.borrow().clone());
        let now = now.unwrap_or_default();
        let goes_on = match news {
            News::Look(sample) => {
                desk.take(*sample, &now);
                show.tell(&desk, true)
            }
            News::Markers => {
                desk.judge_again(&now);
                show.tell(&desk, false)
            }
            News::BrokeOff => return Err(broke_off()),
            News::Key(Key::Quit) => break,
            News::Key(key) => match &mut show {
                Show::Screen(screen) => screen.press(key, &desk.told),
                _ => true,
            },
        };
        if let Some(service) = service {
            service.send_replace(Arc::new(serve::Shown::of(&desk.told)));
        }
        if !goes_on {
            break;
        }
    }
    looking.abort();
    Ok(Outcome::text(""))
}

/// Ends when the task has.
async fn gone(task: &tokio::task::JoinHandle<()>) {
    while !task.is_finished() {
        pause(Duration::from_millis(500)).await;
    }
}

/// Ends when markers prove something else than what is known.
async fn changed(state: Option<&mut watch::Receiver<WatchedMarkers>>, known: &WatchedMarkers) {
    let Some(state) = state else {
        return std::future::pending().await;
    };
    loop {
        {
            let now = state.borrow_and_update();
            if (now.liveness, now.skipped) != (known.liveness, known.skipped) {
                return;
            }
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}

async fn pressed(show: &mut Show) -> Key {
    match show {
        Show::Screen(screen) => screen.pressed().await,
        _ => std::future::pending().await,
    }
}
