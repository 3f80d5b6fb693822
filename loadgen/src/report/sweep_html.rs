//! A sweep as HTML: latency against rate with the knee, every step, their spectra.
//!
//! # Invariants
//!
//! - Invalid steps are drawn apart and never joined with the others.
//!
//! # Does not
//!
//! Repeat the report of a run: each step has its own.

use super::axis::Axis;
use super::html::{heading, method_sections, sign, spectrum_plot, spectrum_points};
use super::page::{Row, Table, cards, escape, figure, page, section};
use super::plot::{Look, Mark, Plot, Series};
use super::text::knee_text;
use super::units::{count, decimal, percent, percentile, time, time_of};
use crate::result::{Method, Objective, RunResult, SweepResult};
use crate::sweep::{failed_share, judge, knee_index, objective_text, percentile_ns, steps_by_rate};

/// A sweep as one HTML file.
#[must_use]
pub fn sweep_html(sweep: &SweepResult) -> String {
    let title = "WHOIS load test: sweep over rates";
    let unknown = Method::default();
    let method = sweep.steps.first().map_or(&unknown, |step| &step.method);
    let mut body = heading(title, method);
    body.push_str(&cards(&sweep_cards(sweep)));
    body.push_str(&format!("<p>{}.</p>\n", escape(&knee_text(sweep))));
    body.push_str(&section("Latency against rate", &curve_section(sweep)));
    body.push_str(&section("Steps", &steps_table(sweep)));
    body.push_str(&section("Spectra of the steps", &spectra_section(sweep)));
    body.push_str(
        "<p class=\"soft\">The method is that of the first step; the others differ in their rate.\
         </p>\n",
    );
    body.push_str(&method_sections(method));
    page(title, &body)
}

fn sweep_cards(sweep: &SweepResult) -> Vec<(&'static str, String, String)> {
    let objective = &sweep.objective;
    let knee = sweep.knee_per_s.map_or_else(
        || ("none".to_owned(), "no rate met the objective".to_owned()),
        |knee| (decimal(knee), "per second".to_owned()),
    );
    let invalid = sweep.steps.iter().filter(|step| step.invalid.is_some()).count();
    vec![
        ("Knee", knee.0, knee.1),
        ("Objective", objective_short(objective), String::new()),
        ("May fail", percent(objective.error_share_max), "at most".to_owned()),
        ("Steps", count(sweep.steps.len() as u64), format!("{invalid} invalid")),
    ]
}

fn curve_section(sweep: &SweepResult) -> String {
    let steps = steps_by_rate(sweep);
    let points = |at: f64, invalid: bool| -> Vec<(f64, f64)> {
        let chosen = steps.iter().filter(|step| step.invalid.is_some() == invalid);
        chosen
            .filter_map(|step| Some((step.asked_per_s, percentile_ns(&step.latency, at)? as f64)))
            .collect()
    };
    let objective = &sweep.objective;
    let mut shown = vec![50.0, 99.0, 99.9];
    if !shown.iter().any(|at: &f64| (at - objective.percentile).abs() < 1e-9) {
        shown.push(objective.percentile);
    }
    let mut series: Vec<_> = shown
        .iter()
        .enumerate()
        .map(|(index, at)| {
            let line = Series::kind(&percentile(*at), index, points(*at, false));
            Series { dots: true, ..line }
        })
        .collect();
    let invalid = points(objective.percentile, true);
    if !invalid.is_empty() {
        let name = format!("{}, invalid step", percentile(objective.percentile));
        series.push(Series { dots: true, joined: false, ..Series::kind(&name, 5, invalid) });
    }
    let bound_ns = objective.latency_us.saturating_mul(1_000) as f64;
    let mut marks = vec![Mark::Across(bound_ns, objective_short(objective))];
    if let Some(knee) = sweep.knee_per_s {
        marks.push(Mark::Up(knee, format!("knee {}", decimal(knee))));
    }
    let all = || series.iter().flat_map(|series| series.points.iter());
    let rates: Vec<_> = all().map(|point| point.0).chain(sweep.knee_per_s).collect();
    let plot = Plot {
        description: format!("Latency against rate; {}", knee_text(sweep)),
        x: Axis::rate("Queries due per second", &rates),
        y: Axis::time(
            "Latency from the due time (logarithmic)",
            all().map(|point| point.1).chain([bound_ns]),
        ),
        series,
        marks,
    };
    figure(
        &plot.html(),
        &format!(
            "Each point is a run of its own. The objective is {}; the knee is the highest rate \
             that met it.",
            objective_text(objective).replace(" us", " µs")
        ),
    )
}

/// The bound on the latency, as short as possible.
fn objective_short(objective: &Objective) -> String {
    let bound = sign(time(objective.latency_us.saturating_mul(1_000)));
    format!("{} ≤ {bound}", percentile(objective.percentile))
}

fn steps_table(sweep: &SweepResult) -> String {
    let head = [
        "asked/s",
        "objective",
        "answered/s",
        "failed",
        "median",
        "p99",
        "p99.9",
        "largest",
        "server CPU",
        "late",
    ];
    let knee = knee_index(sweep);
    let row = |(index, step): (usize, &RunResult)| {
        let at = |at: f64| {
            percentile_ns(&step.latency, at).map_or_else(|| "–".to_owned(), |v| sign(time(v)))
        };
        let cpu = step
            .server
            .as_ref()
            .map_or_else(|| "–".to_owned(), |usage| sign(time_of(usage.cpu_us_per_query * 1e3)));
        let knee = knee == Some(index);
        let judgement = match judge(step, &sweep.objective) {
            Ok(()) if knee => "met, the knee".to_owned(),
            Ok(()) => "met".to_owned(),
            Err(missed) => missed.to_string().replace(" us", " µs"),
        };
        let cells = vec![
            decimal(step.asked_per_s),
            judgement,
            decimal(step.achieved_per_s),
            percent(failed_share(step)),
            at(50.0),
            at(99.0),
            at(99.9),
            sign(time(step.latency.max_ns)),
            cpu,
            count(step.late_count),
        ];
        Row { class: if knee { "knee" } else { "" }, cells }
    };
    let rows = steps_by_rate(sweep).into_iter().enumerate().map(row).collect();
    Table { words: &[1], head: head.map(str::to_owned).to_vec(), rows }.html("Steps by rate")
}

fn spectra_section(sweep: &SweepResult) -> String {
    let steps = steps_by_rate(sweep);
    let knee = knee_index(sweep);
    let last = steps.len().saturating_sub(1).max(1) as f64;
    let line = |(index, step): (usize, &&RunResult)| {
        let place = index as f64 / last;
        let knee = knee == Some(index);
        let note = match (&step.invalid, knee) {
            (Some(_), _) => ", invalid",
            (None, true) => ", the knee",
            (None, false) => "",
        };
        Series {
            name: format!("{} per s{note}", decimal(step.asked_per_s)),
            points: spectrum_points(&step.latency),
            look: if knee { Look::Chosen(place) } else { Look::Order(place) },
            dots: false,
            joined: true,
        }
    };
    let series: Vec<_> = steps.iter().enumerate().map(line).collect();
    let plot = spectrum_plot("Latency at every percentile, one line for each step", series);
    figure(&plot.html(), "From the lowest rate (blue) to the highest (red); the knee is heavier.")
}
