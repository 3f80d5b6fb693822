//! A run as HTML: its spectrum, its course, its phases, how it was made.
//!
//! # Invariants
//!
//! - A run that must not be used says so first, in words and not by colour alone.
//! - At most [`POINTS_MAX`] places along the time: a long run is drawn by its stretches.
//!
//! # Does not
//!
//! Leave anything out that the text report has.

use std::collections::BTreeMap;

use super::axis::{Axis, percentile_place};
use super::page::{Row, Table, cards, escape, facts, figure, page, section};
use super::plot::{Plot, Series};
use super::text::{PERCENTILES, method_rows, phases, summary};
use super::units::{bytes, count, decimal, percent, percentile, time, time_of};
use crate::result::{Latency, Method, RunResult, Second};
use crate::sweep::{failed_share, percentile_ns};

/// Most places along the time axis.
const POINTS_MAX: usize = 400;

/// A run as one HTML file.
#[must_use]
pub fn run_html(result: &RunResult) -> String {
    let title = format!("WHOIS load test: {} queries per second", decimal(result.asked_per_s));
    let mut body = heading(&title, &result.method);
    if let Some(reason) = &result.invalid {
        body.push_str(&format!(
            "<p class=\"bad\" role=\"note\"><strong>Invalid, do not use:</strong> {}</p>\n",
            escape(reason)
        ));
    }
    body.push_str(&cards(&run_cards(result)));
    body.push_str(&section("Latency", &spectrum_section(result)));
    body.push_str(&section("Where the time goes", &phases_section(result)));
    if !result.by_kind.is_empty() {
        body.push_str(&section("By kind of query", &kinds_section(result)));
    }
    body.push_str(&section("Second by second", &course_section(result)));
    body.push_str(&section("Failures and checks", &failures_section(result)));
    let rows: Vec<_> =
        summary(result).into_iter().filter(|(name, _)| !SHOWN_ABOVE.contains(name)).collect();
    body.push_str(&section("Totals", &facts(&micro(rows))));
    body.push_str(&method_sections(&result.method));
    page(&title, &body)
}

/// Rows of the summary that have a section of their own.
const SHOWN_ABOVE: &[&str] = &["Failed", "Checked"];

/// Title, date, machine.
pub(super) fn heading(title: &str, method: &Method) -> String {
    let known = |text: &str| if text.is_empty() { "unknown".to_owned() } else { escape(text) };
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"soft\">{}, commit {}, on {} x {}, kernel {}</p>\n\
         </header>\n",
        escape(title),
        known(&method.started),
        known(&method.commit),
        method.processor_count,
        known(&method.processor),
        known(&method.kernel),
    )
}

/// Method, profile, and what was not measured.
pub(super) fn method_sections(method: &Method) -> String {
    let mut body = facts(&micro(method_rows(method)));
    if !method.profile.is_empty() {
        let profile = escape(&method.profile);
        body.push_str(&format!("<h3>Profile</h3>\n<pre tabindex=\"0\">{profile}</pre>\n"));
    }
    let item = |item: &String| format!("<li>{}</li>\n", escape(item));
    let items: String = method.not_measured.iter().map(item).collect();
    let items = if items.is_empty() {
        "<p>The result does not say.</p>\n".to_owned()
    } else {
        format!("<ul>\n{items}</ul>\n")
    };
    section("Method", &body) + &section("Not measured", &items)
}

/// Rows of latencies: count, mean, percentiles, maximum.
pub(super) fn latency_table<'a>(
    name: &str,
    rows: impl IntoIterator<Item = (&'a str, &'a Latency)>,
) -> String {
    let mut head = vec![name.to_owned(), "count".to_owned(), "mean".to_owned()];
    head.extend(PERCENTILES.map(percentile));
    head.push("max".to_owned());
    let row = |(name, latency): (&str, &Latency)| {
        let mut cells = vec![
            name.trim_start().to_owned(),
            count(latency.count),
            sign(time_of(latency.mean_ns)),
        ];
        cells.extend(PERCENTILES.map(|at| {
            percentile_ns(latency, at).map_or_else(|| "–".to_owned(), |value| sign(time(value)))
        }));
        cells.push(sign(time(latency.max_ns)));
        Row { class: "", cells }
    };
    Table { words: &[0], head, rows: rows.into_iter().map(row).collect() }.html(name)
}

/// The spectrum of a distribution as places of a plot.
pub(super) fn spectrum_points(latency: &Latency) -> Vec<(f64, f64)> {
    let listed = if latency.spectrum.is_empty() { &latency.percentiles } else { &latency.spectrum };
    let point = |(at, value): &(f64, u64)| (percentile_place(*at, latency.count), *value as f64);
    listed.iter().map(point).collect()
}

/// Spectra of several distributions in one plot.
pub(super) fn spectrum_plot(description: &str, series: Vec<Series>) -> Plot {
    let points = || series.iter().flat_map(|series| series.points.iter());
    Plot {
        description: description.to_owned(),
        x: Axis::percentiles(points().map(|point| point.0)),
        y: Axis::time("Latency (logarithmic)", points().map(|point| point.1)),
        series,
        marks: Vec::new(),
    }
}

/// Times with the sign for micro.
pub(super) fn sign(time: String) -> String {
    time.strip_suffix(" us").map_or_else(|| time.clone(), |value| format!("{value} µs"))
}

fn micro(rows: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    let text = |text: String| sign(text).replace(" us ", " µs ");
    rows.into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn run_cards(result: &RunResult) -> Vec<(&'static str, String, String)> {
    let at = |at: f64| {
        percentile_ns(&result.latency, at).map_or_else(|| "–".to_owned(), |v| sign(time(v)))
    };
    let cpu = result.server.as_ref().map_or_else(
        || ("–".to_owned(), "not watched".to_owned()),
        |usage| (sign(time_of(usage.cpu_us_per_query * 1e3)), "a query".to_owned()),
    );
    let late = result.late_count as f64 / result.due_count.max(1) as f64;
    vec![
        ("Answered", decimal(result.achieved_per_s), "per second".to_owned()),
        ("Failed", percent(failed_share(result)), format!("of {}", count(result.due_count))),
        ("Median", at(50.0), String::new()),
        ("p99", at(99.0), String::new()),
        ("p99.9", at(99.9), String::new()),
        ("Largest", sign(time(result.latency.max_ns)), String::new()),
        ("Server CPU", cpu.0, cpu.1),
        ("Sent late", percent(late), "by the generator".to_owned()),
    ]
}

fn spectrum_section(result: &RunResult) -> String {
    let series = vec![
        Series::kind("from the due time", 0, spectrum_points(&result.latency)),
        Series::kind("from the start of connect", 1, spectrum_points(&result.service)),
    ];
    let plot = spectrum_plot("Latency at every percentile, from due time and from connect", series);
    figure(
        &plot.html(),
        "Time to the last byte at every percentile. It counts from when a query was due, whether \
         or not it could be sent then: a server that stalls cannot hide it. Where the two lines \
         part, queries waited in the generator.",
    )
}

fn phases_section(result: &RunResult) -> String {
    let phases = phases(result);
    let table = latency_table("from – to", phases);
    let series = phases.iter().skip(2).enumerate().map(|(index, (name, latency))| {
        Series::kind(name.trim_start(), index + 2, spectrum_points(latency))
    });
    let plot = spectrum_plot("Time of each phase at every percentile", series.collect());
    table
        + &figure(
            &plot.html(),
            "The phases of a connection, each with a spectrum of its own: percentiles of phases do \
             not add up.",
        )
}

fn kinds_section(result: &RunResult) -> String {
    let kinds = || result.by_kind.iter().map(|(kind, latency)| (kind.as_str(), latency));
    let table = latency_table("kind", kinds());
    let series = kinds()
        .enumerate()
        .map(|(index, (kind, latency))| Series::kind(kind, index, spectrum_points(latency)));
    let plot = spectrum_plot("Latency at every percentile, by kind of query", series.collect());
    table + &figure(&plot.html(), "Time from the due time to the last byte, by kind of query.")
}

/// The run second by second, or stretch by stretch.
fn course_section(result: &RunResult) -> String {
    if result.seconds.is_empty() {
        return "<p>The result has no seconds.</p>\n".to_owned();
    }
    let length = result.seconds.len().div_ceil(POINTS_MAX);
    let stretches: Vec<&[Second]> = result.seconds.chunks(length).collect();
    let drawn = if length == 1 {
        String::new()
    } else {
        format!(" Each point is {length} s: rates are means, times the largest.")
    };
    let series = |name: &str, index: usize, value: &dyn Fn(&[Second]) -> f64| {
        let points = stretches.iter().map(|stretch| {
            (stretch.first().map_or(0.0, |second| second.at_s as f64), value(stretch))
        });
        Series::kind(name, index, points.collect())
    };
    let mean = |of: fn(&Second) -> u64| {
        move |seconds: &[Second]| {
            seconds.iter().map(of).sum::<u64>() as f64 / seconds.len().max(1) as f64
        }
    };
    let most = |of: fn(&Second) -> u64| {
        move |seconds: &[Second]| seconds.iter().map(of).max().unwrap_or(0) as f64
    };
    let rate = vec![
        series("due", 0, &mean(|second| second.due_count)),
        series("answered", 1, &mean(|second| second.answered_count)),
        series("failed", 5, &mean(|second| second.error_count)),
    ];
    let rate_axis = |series: &[Series]| Axis::from_zero("Queries per second", ys(series), decimal);
    let mut html = course("Queries due, answered and failed, by second", rate, rate_axis, &drawn);
    let latency = vec![
        series("largest", 5, &most(|second| second.max_ns)),
        series("p99", 1, &most(|second| second.p99_ns)),
        series("median", 0, &most(|second| second.p50_ns)),
    ];
    let time_axis = |series: &[Series]| Axis::time("Latency (logarithmic)", ys(series));
    html.push_str(&course("Latency from the due time, by second", latency, time_axis, &drawn));
    if result.seconds.iter().any(|second| second.server_resident_bytes > 0) {
        let memory = vec![series("memory", 0, &most(|second| second.server_resident_bytes))];
        let axis = |series: &[Series]| {
            Axis::from_zero("Memory of the server beside the page cache", ys(series), byte_text)
        };
        html.push_str(&course(
            "Memory of the server beside the page cache, by second",
            memory,
            axis,
            &drawn,
        ));
        let open = vec![series("open", 0, &most(|second| second.server_descriptor_count))];
        let axis = |series: &[Series]| {
            Axis::from_zero("Open descriptors of the server", ys(series), decimal)
        };
        html.push_str(&course("Open descriptors of the server, by second", open, axis, &drawn));
    }
    html
}

fn course(
    description: &str,
    series: Vec<Series>,
    axis: impl Fn(&[Series]) -> Axis,
    drawn: &str,
) -> String {
    let times = series.iter().flat_map(|series| series.points.iter().map(|point| point.0));
    let x = Axis::from_zero("Time since the measured part began, s", times, decimal);
    let y = axis(&series);
    let plot = Plot { description: description.to_owned(), x, y, series, marks: Vec::new() };
    figure(&plot.html(), &format!("{description}.{drawn}"))
}

fn ys(series: &[Series]) -> impl Iterator<Item = f64> {
    series.iter().flat_map(|series| series.points.iter().map(|point| point.1))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ticks are not negative"
)]
fn byte_text(value: f64) -> String {
    bytes(value.round() as u64)
}

fn failures_section(result: &RunResult) -> String {
    let table = |head: &str, counts: &BTreeMap<String, u64>| {
        let row = |(name, number): (&String, &u64)| {
            let share = *number as f64 / result.due_count.max(1) as f64;
            Row { class: "", cells: vec![name.clone(), count(*number), percent(share)] }
        };
        let head = vec![head.to_owned(), "count".to_owned(), "share of the due queries".to_owned()];
        Table { words: &[0], head, rows: counts.iter().map(row).collect() }
    };
    let mut html = if result.errors.values().all(|number| *number == 0) {
        "<p>Nothing failed.</p>\n".to_owned()
    } else {
        table("failure", &result.errors).html("Failures by kind")
    };
    html.push_str(&if result.checked.is_empty() {
        "<p>No answer was checked: they were counted, not read.</p>\n".to_owned()
    } else {
        table("check", &result.checked).html("Answers looked at by each check")
    });
    html
}
