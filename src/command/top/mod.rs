//! `whoisd top`: a live view of a running server, as `htop` is for a machine.
//!
//! ```text
//! client   a reading over the control socket
//! ending   a terminal that goes away, and signals
//! rates    two readings into what happens per second
//! screen   lines for a size          text   numbers as the screen shows them
//! ```
//!
//! # Invariants
//!
//! - `terminal-given-back`: however the view ends (a key, a signal, an error, a panic), the
//!   terminal is as it was.
//!
//! # Does not
//!
//! Change anything at the server.

mod client;
mod ending;
mod rates;
mod screen;
pub(super) mod text;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, stdout};
use std::panic;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::{cursor, execute};
use ratatui::widgets::Paragraph;
use ratatui::{DefaultTerminal, Frame};

pub(super) use self::client::Client;
use self::ending::Ending;
pub(super) use self::rates::Rates;
use self::screen::Screen;
use super::control::ControlOptions;
use super::{Failure, output};
use crate::observe::clock;
use crate::observe::readout::Figures;

/// Longest wait for a key before signals and the time are looked at.
const KEY_WAIT: Duration = Duration::from_millis(100);

/// Watch a running server: load, rate, latency, outcomes, sources
///
/// Keys: q quits, p pauses, s sorts the cores by the next column, arrows scroll them. Columns with
/// a star are the median and the 99th percentile since the last reading; LOAD is the share of time
/// that the core's thread had a processor, marked ! from 90 % on; CUT/S are connections cut at a
/// deadline, DROP/S entries that the query log had no room for. Beside a source stands what the
/// lists make of it: allowed, denied, own limits, its tier; with limits off no source is counted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd top --dir /var/lib/whoisd\n  \
    whoisd top --config /etc/whoisd/whoisd.toml --once\n\n\
    Exit status: 0 ended; 1 no server answers, or the terminal is gone; 2 wrong usage; 3 the \
    configuration was refused.")]
pub(super) struct Options {
    #[command(flatten)]
    server: ControlOptions,

    /// Seconds between readings, 0.1 to 60
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    interval: Duration,

    /// Print one screen as text, made of two readings, and end
    #[arg(long)]
    once: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "no number of seconds".to_owned())?;
    if (0.1..=60.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("0.1 to 60 are allowed".to_owned())
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let client = Client { path: options.server.socket()? };
    let first = client.figures().map_err(Failure::failed)?;
    if options.once {
        thread::sleep(options.interval);
        let second = client.figures().map_err(Failure::failed)?;
        let rates = Rates::between(&first, &second);
        let screen = Screen { rates, figures: second, ..Screen::default() };
        return output::print(screen.text().as_bytes());
    }
    if !stdout().is_terminal() {
        let problem = "standard output is not a terminal; --once prints one screen as text";
        return Err(Failure::failed(problem));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        let problem = "TERM is \"dumb\", which has no screen; --once prints one screen as text";
        return Err(Failure::failed(problem));
    }
    live(&client, first, options.interval)
        .map_err(|error| Failure::failed(format!("the terminal: {error}")))
}

/// Gives the terminal back when it goes.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // There is nobody to tell if this fails.
    let _ = ratatui::try_restore();
    let _ = execute!(stdout(), cursor::Show);
}

/// Takes the terminal.
fn begin() -> io::Result<(Restore, DefaultTerminal)> {
    // Made first: it also gives back what a start that fails half-way has changed.
    let restore = Restore;
    let terminal = ratatui::try_init()?;
    // A panic leaves the screen by ratatui's hook, before its message; the cursor is ours, so that
    // the message stands where it can be read.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let _ = execute!(stdout(), cursor::Show);
        hook(info);
    }));
    Ok((restore, terminal))
}

fn live(client: &Client, first: Figures, interval: Duration) -> io::Result<()> {
    let ending = Ending::watch()?;
    let (_restore, mut terminal) = begin()?;
    let mut view = Live {
        client,
        screen: Screen { figures: first, ..Screen::default() },
        interval,
        next: clock::monotonic() + interval,
    };
    while !ending.is_asked() {
        view.draw(&mut terminal)?;
        let wait = view.next.saturating_duration_since(clock::monotonic());
        if event::poll(wait.min(KEY_WAIT))?
            && let Event::Key(key) = event::read()?
            && view.key(key) == Key::Quit
        {
            break;
        }
        view.read();
    }
    Ok(())
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Go,
    Quit,
}

struct Live<'a> {
    client: &'a Client,
    screen: Screen,
    interval: Duration,
    /// When the next reading is due.
    next: Instant,
}

impl Live<'_> {
    fn draw(&mut self, terminal: &mut DefaultTerminal) -> io::Result<()> {
        terminal.draw(|frame| draw(&mut self.screen, frame))?;
        Ok(())
    }

    /// Reads the figures, if it is time for that.
    fn read(&mut self) {
        let now = clock::monotonic();
        if now < self.next {
            return;
        }
        self.next = now + self.interval;
        if self.screen.paused {
            return;
        }
        match self.client.figures() {
            Ok(figures) => self.screen.take(figures),
            Err(problem) => self.screen.problem = Some(problem),
        }
    }

    fn key(&mut self, key: KeyEvent) -> Key {
        if key.kind == KeyEventKind::Release {
            return Key::Go;
        }
        self.screen.key(key)
    }
}

impl Screen {
    /// Goes on to the next reading.
    fn take(&mut self, figures: Figures) {
        self.rates = Rates::between(&self.figures, &figures);
        self.figures = figures;
        self.problem = None;
    }

    fn key(&mut self, key: KeyEvent) -> Key {
        let last = self.rates.as_ref().map_or(0, |rates| rates.shards.len().saturating_sub(1));
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Key::Quit,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Key::Quit;
            }
            KeyCode::Char('p') => self.paused = !self.paused,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Up => self.first = self.first.saturating_sub(1),
            KeyCode::Down => self.first = (self.first + 1).min(last),
            KeyCode::Home => self.first = 0,
            KeyCode::End => self.first = last,
            _ => {}
        }
        Key::Go
    }
}

fn draw(screen: &mut Screen, frame: &mut Frame<'_>) {
    let area = frame.area();
    frame.render_widget(Paragraph::new(screen.lines(area.width.into(), area.height.into())), area);
}
