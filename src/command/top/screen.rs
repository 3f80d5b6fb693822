//! The lines of the screen, for a given size.
//!
//! # Invariants
//!
//! - `no-colour-alone`: colour and weight repeat what a word or a sign says already.
//! - `any-size`: what does not fit is cut; no size is too small to be drawn.
//!
//! # Does not
//!
//! Know terminals: the same lines go to a pipe.

use std::cmp::Ordering;
use std::fmt::Write as _;

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use snapshot_format::dump::Utc;

use super::rates::{PhaseTimes, Rates, ShardRates, as_f64};
use super::text::{bytes, clean, count, micros, percent, rate, span};
use crate::observe::readout::Figures;

/// Load from which on a core is marked: it has little left for a burst.
const LOAD_HIGH: f64 = 0.9;
/// Width for which the columns are made, characters; what is more goes to the bars.
const WIDTH: usize = 80;
/// Longest bar, characters.
const BAR_MAX: usize = 40;
/// Lines of the smallest table of cores, before what stands below it goes.
const CORE_ROWS_MIN: usize = 1;
/// Line of the head before which tiers stand, where there are some: after the outcomes.
const TIERS_AT: usize = 4;
/// Width of a source in the narrowest table, characters.
const SOURCE_WIDTH: usize = 32;
/// Sources that are shown at most where there is room.
const SOURCES_MAX: usize = 20;

/// What is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Screen {
    /// The last reading.
    pub(super) figures: Figures,
    /// What happened before it; `None` for the first reading.
    pub(super) rates: Option<Rates>,
    pub(super) paused: bool,
    pub(super) sort: Sort,
    /// Cores scrolled away at the top.
    pub(super) first: usize,
    /// Why there is no newer reading.
    pub(super) problem: Option<String>,
}

/// By what cores are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Core,
    Load,
    Rate,
    Open,
    Lookup,
}

impl Sort {
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Core => Self::Load,
            Self::Load => Self::Rate,
            Self::Rate => Self::Open,
            Self::Open => Self::Lookup,
            Self::Lookup => Self::Core,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Load => "load",
            Self::Rate => "rate",
            Self::Open => "open",
            Self::Lookup => "look-up",
        }
    }

    /// Most first, but cores by their number.
    fn compare(self, one: &ShardRates, other: &ShardRates) -> Ordering {
        let slow = |shard: &ShardRates| shard.lookup.as_ref().and_then(|times| times.p99_us);
        let by = match self {
            Self::Core => Ordering::Equal,
            Self::Load => other.load.unwrap_or(0.0).total_cmp(&one.load.unwrap_or(0.0)),
            Self::Rate => other.queries.total_cmp(&one.queries),
            Self::Open => other.open.cmp(&one.open),
            Self::Lookup => slow(other).cmp(&slow(one)),
        };
        by.then_with(|| one.core.cmp(&other.core))
    }
}

const HEADER: Style = Style::new().add_modifier(Modifier::REVERSED);
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
const ALARM: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

impl Screen {
    /// The lines of a screen of this size: at most `height`, each cut at `width` characters.
    pub(super) fn lines(&mut self, width: usize, height: usize) -> Vec<Line<'static>> {
        let mut lines = self.head(width);
        let rates = self.rates.clone().unwrap_or_default();
        let bottom_rows = rates.phases.len().max(1) + 1;
        // One line each for the header of the cores, an empty one, and the keys.
        let around = lines.len() + 1;
        let room = height.saturating_sub(around + 1);
        let with_bottom = room.saturating_sub(bottom_rows + 1) >= CORE_ROWS_MIN;
        let core_rows = if with_bottom { room - bottom_rows - 1 } else { room };
        // No further than until the last core is seen: the way back is then as long as it looks.
        self.first = self.first.min(rates.shards.len().saturating_sub(core_rows));
        lines.extend(self.cores(&rates, width, core_rows));
        if with_bottom {
            lines.push(Line::default());
            let room = height.saturating_sub(lines.len() + 1);
            lines.extend(bottom(&rates, width, room.min(SOURCES_MAX + 1)));
        }
        lines.truncate(height.saturating_sub(1));
        if height > 1 {
            lines.resize(height - 1, Line::default());
        }
        if height > 0 {
            lines.push(Line::styled(self.keys(), STRONG));
        }
        lines.into_iter().map(|line| cut(line, width)).collect()
    }

    /// All of it as text: what a pipe gets.
    pub(super) fn text(&self) -> String {
        let rates = self.rates.clone().unwrap_or_default();
        let mut lines = self.head(WIDTH);
        lines.extend(self.cores(&rates, WIDTH, rates.shards.len()));
        lines.push(Line::default());
        lines.extend(bottom(&rates, WIDTH, SOURCES_MAX + 1));
        let mut text = String::new();
        for line in lines {
            let line: String = line.iter().map(|span| span.content.as_ref()).collect();
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn keys(&self) -> String {
        let pause = if self.paused { "p goes on" } else { "p pauses" };
        let sort = self.sort.word();
        format!("q quits  {pause}  s sorts (by {sort})  up, down: cores")
    }

    /// The lines above the cores.
    fn head(&self, width: usize) -> Vec<Line<'static>> {
        let figures = &self.figures;
        let rates = self.rates.clone().unwrap_or_default();
        let up_ms = figures.at_ms.saturating_sub(figures.started_ms);
        let up_s = u64::try_from(up_ms / 1_000).unwrap_or(0);
        let mut title = format!(
            "whoisd {}, process {}, up {}",
            clean(&figures.version),
            figures.pid,
            span(up_s)
        );
        if self.paused {
            title.push_str(", PAUSED");
        }
        if figures.draining {
            title.push_str(", DRAINING");
        }
        let time = Utc(figures.at_ms / 1_000 * 1_000).to_string();
        let gap = width.saturating_sub(title.chars().count() + time.chars().count()).max(2);
        let title = format!("{title}{:gap$}{time}", "");
        let mut lines = vec![
            Line::styled(title, STRONG),
            Line::from(self.data()),
            Line::from(traffic(&rates)),
            Line::from(shares(&rates)),
            Line::from(self.policy(&rates)),
            Line::from(log(&rates)),
        ];
        if !rates.tiers.is_empty() {
            lines.insert(TIERS_AT, Line::from(tiers(&rates)));
        }
        if let Some(problem) = &self.problem {
            lines.push(Line::styled(format!("! {}", clean(problem)), ALARM));
        } else if self.rates.is_none() {
            lines.push(Line::from("rates follow with the second reading"));
        }
        lines
    }

    fn data(&self) -> String {
        let figures = &self.figures;
        let mut text = format!(
            "data      generation {}, serial {}, {} old",
            count(figures.generation),
            count(figures.serial),
            span(figures.data_age_s)
        );
        match &figures.feed {
            None => text.push_str(", no feed"),
            Some(feed) => {
                let word = if feed.connected { "connected" } else { "NOT CONNECTED" };
                let _ = write!(text, ", feed {word}, {} waiting", count(feed.backlog));
                if let Some(error) = &feed.error {
                    let _ = write!(text, "; {}", clean(error));
                }
            }
        }
        text
    }

    fn policy(&self, rates: &Rates) -> String {
        let figures = &self.figures;
        let mut text = "refused  ".to_owned();
        let refused = rates.refusals.iter().filter(|(_, rate)| *rate > 0.0);
        for (reason, per_s) in refused.clone() {
            let _ = write!(text, " {} {}/s,", clean(reason), rate(*per_s));
        }
        if refused.count() == 0 {
            text.push_str(" nobody,");
        }
        let _ = write!(text, " {} blocks", count(figures.blocks));
        if figures.mining_flags > 0 {
            let _ = write!(text, ", {} flags", count(figures.mining_flags));
        }
        if let Some(limiter) = figures.limiter {
            let full = as_f64(limiter.entries) / as_f64(limiter.capacity.max(1));
            let _ = write!(text, ", limits {} full", percent(full));
            if rates.evictions > 0.0 {
                let _ = write!(text, ", {} evicted/s", rate(rates.evictions));
            }
            if rates.dry_run > 0.0 {
                let _ = write!(text, ", dry run {}/s", rate(rates.dry_run));
            }
        }
        text
    }

    /// The table of cores, with its header.
    fn cores(&self, rates: &Rates, width: usize, rows: usize) -> Vec<Line<'static>> {
        let bar_width = (8 + width.saturating_sub(WIDTH)).min(BAR_MAX);
        let mut shards: Vec<&ShardRates> = rates.shards.iter().collect();
        shards.sort_by(|one, other| self.sort.compare(one, other));
        let first = self.first;
        let shown = shards.iter().skip(first).take(rows);
        let header = format!(
            "{:>4} {:load$} {:>7} {:>6} {:>12} {:>12} {:>6} {:>6} {:>5}",
            "CORE",
            "LOAD",
            "RATE/S",
            "OPEN",
            "LOOK-UP*",
            "WRITE*",
            "CUT/S",
            "DROP/S",
            "",
            load = bar_width + 8,
        );
        let mut header = header.trim_end().to_owned();
        if shards.len() > rows {
            let last = first + shown.len();
            let _ = write!(header, "  {}-{last} of {}", first + 1, shards.len());
        }
        let pad = width.saturating_sub(header.chars().count());
        let mut lines = vec![Line::styled(format!("{header}{:pad$}", ""), HEADER)];
        lines.extend(shown.map(|shard| core_line(shard, bar_width)));
        lines
    }
}

fn core_line(shard: &ShardRates, bar_width: usize) -> Line<'static> {
    let high = shard.load.is_some_and(|load| load >= LOAD_HIGH);
    let load = match shard.load {
        Some(load) => {
            let filled = filled(load, bar_width);
            let mark = if high { "!" } else { " " };
            let bar = format!("[{}{}]", "|".repeat(filled), " ".repeat(bar_width - filled));
            format!("{bar}{:>4.0}%{mark}", load * 100.0)
        }
        None => format!("{:>width$} ", "-", width = bar_width + 7),
    };
    let times = |times: &Option<PhaseTimes>| match times {
        Some(times) => format!("{}/{}", micros(times.p50_us), micros(times.p99_us)),
        None => "-".to_owned(),
    };
    let line = format!(
        "{:>4} {load:<width$} {:>7} {:>6} {:>12} {:>12} {:>6} {:>6}",
        shard.core,
        rate(shard.queries),
        count(shard.open),
        times(&shard.lookup),
        times(&shard.write),
        rate(shard.deadlines),
        rate(shard.log_dropped),
        width = bar_width + 8,
    );
    if high { Line::styled(line, ALARM) } else { Line::from(line) }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a width of at most BAR_MAX"
)]
fn filled(share: f64, width: usize) -> usize {
    ((share * as_f64(width as u64)).round().max(0.0) as usize).min(width)
}

fn traffic(rates: &Rates) -> String {
    let open: u64 = rates.shards.iter().map(|shard| shard.open).sum();
    format!(
        "traffic   {} queries/s, {} open, {} out, {} in, {} accepted/s",
        rate(rates.sum(|shard| shard.queries)),
        count(open),
        bytes(rates.sum(|shard| shard.sent_bytes)),
        bytes(rates.sum(|shard| shard.received_bytes)),
        rate(rates.sum(|shard| shard.accepted)),
    )
}

fn shares(rates: &Rates) -> String {
    let all: f64 = rates.outcomes.iter().map(|(_, rate)| rate).sum();
    if all <= 0.0 {
        return "outcomes  no query".to_owned();
    }
    let shares = rates.outcomes.iter().filter(|(_, rate)| *rate > 0.0);
    let shares: Vec<_> =
        shares.map(|(name, rate)| format!("{} {}", clean(name), percent(rate / all))).collect();
    format!("outcomes  {}", shares.join(", "))
}

fn tiers(rates: &Rates) -> String {
    let all = rates.tiers.iter().map(|(name, per_s)| format!("{} {}/s", clean(name), rate(*per_s)));
    format!("tiers     {}", all.collect::<Vec<_>>().join(", "))
}

fn log(rates: &Rates) -> String {
    let turns: f64 = rates.sum(|shard| shard.completions_per_turn);
    let shards = as_f64(rates.shards.len().max(1) as u64);
    format!(
        "log       {} entries/s, {} dropped/s, {} written; ring {:.1} a turn",
        rate(rates.sum(|shard| shard.log_entries)),
        rate(rates.sum(|shard| shard.log_dropped)),
        bytes(rates.log_written_bytes),
        turns / shards,
    )
}

/// Phases at the left, sources at the right, `rows` lines with the header.
fn bottom(rates: &Rates, width: usize, rows: usize) -> Vec<Line<'static>> {
    let phases = std::iter::once(format!(
        "{:<10} {:>6} {:>6} {:>6} {:>6}",
        "PHASE", "p50", "p90", "p99", "p99.9"
    ))
    .chain(rates.phases.iter().map(|phase| {
        format!(
            "{:<10} {:>6} {:>6} {:>6} {:>6}",
            clean(&phase.name),
            micros(phase.p50_us),
            micros(phase.p90_us),
            micros(phase.p99_us),
            micros(phase.p999_us),
        )
    }));
    let room = SOURCE_WIDTH + width.saturating_sub(WIDTH);
    let sources = std::iter::once(format!("{:<room$} {:>7}", "SOURCE", "RATE/S")).chain(
        rates.sources.iter().map(|source| {
            let per_s = source.rate.map_or_else(|| "new".to_owned(), rate);
            let named = named_source(&source.prefix, &source.standing, room);
            format!("{named:<room$} {per_s:>7}")
        }),
    );
    let (mut phases, mut sources) = (phases, sources);
    let mut lines = Vec::new();
    for row in 0..rows {
        let (phase, source) = (phases.next(), sources.next());
        if phase.is_none() && source.is_none() {
            break;
        }
        let text = format!("{:<38} {}", phase.unwrap_or_default(), source.unwrap_or_default());
        let pad = if row == 0 { width.saturating_sub(text.chars().count()) } else { 0 };
        let style = if row == 0 { HEADER } else { Style::new() };
        lines.push(Line::styled(format!("{text}{:pad$}", ""), style));
    }
    lines
}

/// A source with what the lists make of it, as far as there is room.
fn named_source(prefix: &str, standing: &str, room: usize) -> String {
    let (prefix, standing) = (clean(prefix), clean(standing));
    let named: String = format!("{prefix} {standing}").chars().take(room).collect();
    named.trim_end_matches([',', ' ']).to_owned()
}

/// A line of at most `width` characters; all that it holds are of one column.
fn cut(line: Line<'static>, width: usize) -> Line<'static> {
    let style = line.style;
    let text: String = line.iter().flat_map(|span| span.content.chars()).take(width).collect();
    Line::styled(text, style)
}
