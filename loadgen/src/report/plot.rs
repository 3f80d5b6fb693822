//! Plots as inline SVG, twice: for wide and for narrow windows, so that letters keep their size.
//!
//! # Invariants
//!
//! - Colours come from the page's style sheet by class, so that light and dark both work; lines
//!   differ in their dashes too.
//! - A label that would touch its neighbour is left out; its tick stays.
//!
//! # Does not
//!
//! Know what is drawn.

use super::axis::Axis;
use super::page::escape;

/// A plot: axes, lines, marks.
#[derive(Debug)]
pub(super) struct Plot {
    /// What it shows, for those who do not see it.
    pub(super) description: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    pub(super) marks: Vec<Mark>,
}

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// Its name in the legend.
    pub(super) name: String,
    /// Places in data units, in the order in which they are joined; a gap where y cannot be shown.
    pub(super) points: Vec<(f64, f64)>,
    /// How it looks.
    pub(super) look: Look,
    /// Draw a dot at every point.
    pub(super) dots: bool,
    /// Join the points.
    pub(super) joined: bool,
}

/// How a line looks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    /// One of a few that differ in kind: colour and dashes.
    Kind(usize),
    /// One of many in an order: a place from 0 to 1 between cold and hot.
    Order(f64),
    /// As [`Look::Order`], drawn heavier.
    Chosen(f64),
}

/// A line across the plot with a label.
#[derive(Debug, Clone)]
pub(super) enum Mark {
    /// At one y.
    Across(f64, String),
    /// At one x.
    Up(f64, String),
}

/// Colours that the style sheet has for kinds.
pub(super) const KINDS: usize = 6;

/// The size of one drawing and its margins, in CSS pixels.
struct Frame {
    class: &'static str,
    width: f64,
    height: f64,
}

const FRAMES: [Frame; 2] = [
    Frame { class: "wide", width: 860.0, height: 360.0 },
    Frame { class: "narrow", width: 340.0, height: 280.0 },
];
const MARGIN_LEFT: f64 = 62.0;
const MARGIN_RIGHT: f64 = 14.0;
const MARGIN_TOP: f64 = 28.0;
const MARGIN_BOTTOM: f64 = 42.0;
/// Points of a line that are nearer to one another are drawn once, pixels.
const NEAR: f64 = 0.4;
/// Width of a letter at the font size of the style sheet (12 px), on the wide side.
const LETTER: f64 = 6.7;

impl Series {
    /// A joined line of a kind.
    pub(super) fn kind(name: &str, index: usize, points: Vec<(f64, f64)>) -> Self {
        let look = Look::Kind(index % KINDS);
        Self { name: name.to_owned(), points, look, dots: false, joined: true }
    }
}

impl Look {
    fn attributes(self) -> String {
        match self {
            Self::Kind(index) => format!("class=\"line k{index}\""),
            Self::Order(place) => format!("class=\"line order\" style=\"--h:{:.0}\"", hue(place)),
            Self::Chosen(place) => {
                format!("class=\"line order chosen\" style=\"--h:{:.0}\"", hue(place))
            }
        }
    }
}

/// From blue over violet to red.
fn hue(place: f64) -> f64 {
    210.0 + 150.0 * place.clamp(0.0, 1.0)
}

impl Plot {
    /// The drawings and their legend.
    pub(super) fn html(&self) -> String {
        let mut html: String = FRAMES.iter().map(|frame| self.svg(frame)).collect();
        if self.series.len() > 1 {
            html.push_str("<ul class=\"legend\">\n");
            for series in &self.series {
                let look = series.look.attributes();
                let shape = if series.joined {
                    format!("<path {look} d=\"M1 6H27\"/>")
                } else {
                    format!("<g {look} fill-opacity=\"0\"><circle cx=\"14\" cy=\"6\" r=\"4\"/></g>")
                };
                html.push_str(&format!(
                    "<li><svg width=\"28\" height=\"12\" aria-hidden=\"true\">{shape}</svg> \
                     {}</li>\n",
                    escape(&series.name)
                ));
            }
            html.push_str("</ul>\n");
        }
        html
    }

    fn svg(&self, frame: &Frame) -> String {
        let Frame { class, width, height } = frame;
        let mut svg = format!(
            "<svg class=\"plot {class}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" aria-label=\"{}\">\n",
            escape(&self.description)
        );
        svg.push_str(&self.ticks(frame));
        for series in &self.series {
            svg.push_str(&self.line(frame, series));
        }
        for mark in &self.marks {
            svg.push_str(&self.mark(frame, mark));
        }
        svg.push_str(&format!(
            "<text class=\"name\" x=\"4\" y=\"14\">{}</text>\n\
             <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n</svg>\n",
            escape(&self.y.label),
            width - MARGIN_RIGHT,
            height - 6.0,
            escape(&self.x.label)
        ));
        svg
    }

    fn ticks(&self, frame: &Frame) -> String {
        let (left, right) = (MARGIN_LEFT, frame.width - MARGIN_RIGHT);
        let (top, bottom) = (MARGIN_TOP, frame.height - MARGIN_BOTTOM);
        let mut svg = String::from("<g class=\"grid\">\n");
        let mut labels = String::new();
        for (value, label) in &self.y.ticks {
            let Some(y) = frame.y(&self.y, *value) else { continue };
            svg.push_str(&format!("<path d=\"M{left:.1} {y:.1}H{right:.1}\"/>\n"));
            labels.push_str(&format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                left - 6.0,
                y + 4.0,
                escape(label)
            ));
        }
        let mut free_from = f64::NEG_INFINITY;
        for (value, label) in &self.x.ticks {
            let Some(x) = frame.x(&self.x, *value) else { continue };
            svg.push_str(&format!("<path d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>\n"));
            let half = label.chars().count() as f64 * LETTER / 2.0;
            let middle = x.min(frame.width - half - 1.0);
            if middle - half >= free_from {
                labels.push_str(&format!(
                    "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                    bottom + 16.0,
                    escape(label)
                ));
                free_from = middle + half + LETTER;
            }
        }
        svg.push_str("</g>\n");
        svg + &labels
    }

    fn line(&self, frame: &Frame, series: &Series) -> String {
        let mut path = String::new();
        let mut dots = String::new();
        let mut last: Option<(f64, f64)> = None;
        for (x, y) in &series.points {
            let Some((x, y)) = frame.x(&self.x, *x).zip(frame.y(&self.y, *y)) else {
                last = None;
                continue;
            };
            // A dot for a point without neighbours: the ends of lines are round.
            match last {
                None => path.push_str(&format!("M{x:.1} {y:.1}h0")),
                // Nearer than can be seen: thousands of points must not make a large file.
                Some((x0, y0)) if (x - x0).abs().max((y - y0).abs()) < NEAR && !series.dots => {
                    continue;
                }
                Some(_) => path.push_str(&format!("L{x:.1} {y:.1}")),
            }
            last = Some((x, y));
            if series.dots {
                dots.push_str(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"));
            }
        }
        let look = series.look.attributes();
        let mut svg = String::new();
        if series.joined && !path.is_empty() {
            svg.push_str(&format!("<path {look} d=\"{path}\"/>\n"));
        }
        if !dots.is_empty() {
            let hollow = if series.joined { "" } else { " fill-opacity=\"0\"" };
            svg.push_str(&format!("<g {look}{hollow}>{dots}</g>\n"));
        }
        svg
    }

    fn mark(&self, frame: &Frame, mark: &Mark) -> String {
        let (left, right) = (MARGIN_LEFT, frame.width - MARGIN_RIGHT);
        let (top, bottom) = (MARGIN_TOP, frame.height - MARGIN_BOTTOM);
        let drawn = match mark {
            Mark::Across(value, label) => frame.y(&self.y, *value).map(|y| {
                // Below the line if there is no room above it.
                let text_y = if y - 6.0 < top + 10.0 { y + 14.0 } else { y - 6.0 };
                (format!("M{left:.1} {y:.1}H{right:.1}"), left + 6.0, text_y, "start", label)
            }),
            Mark::Up(value, label) => frame.x(&self.x, *value).map(|x| {
                let room = label.chars().count() as f64 * LETTER + 12.0;
                let (text_x, anchor) =
                    if x - room > left { (x - 6.0, "end") } else { (x + 6.0, "start") };
                (format!("M{x:.1} {top:.1}V{bottom:.1}"), text_x, top + 12.0, anchor, label)
            }),
        };
        let Some((path, x, y, anchor, label)) = drawn else { return String::new() };
        format!(
            "<path class=\"mark\" d=\"{path}\"/>\n\
             <text class=\"mark-text\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}\
             </text>\n",
            escape(label)
        )
    }
}

impl Frame {
    fn x(&self, axis: &Axis, value: f64) -> Option<f64> {
        let place = axis.place(value)?;
        Some(MARGIN_LEFT + place * (self.width - MARGIN_RIGHT - MARGIN_LEFT))
    }

    fn y(&self, axis: &Axis, value: f64) -> Option<f64> {
        let place = axis.place(value)?;
        let bottom = self.height - MARGIN_BOTTOM;
        Some(bottom - place * (bottom - MARGIN_TOP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::units::decimal;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        Plot {
            description: "a <b> & \"c\"".to_owned(),
            x: Axis::from_zero("x", points.iter().map(|point| point.0), decimal),
            y: Axis::log("y", points.iter().map(|point| point.1), decimal),
            series: vec![Series::kind("one", 0, points)],
            marks: vec![],
        }
    }

    #[test]
    fn a_point_that_cannot_be_shown_breaks_the_line() {
        let html = plot(vec![(1.0, 1.0), (2.0, 0.0), (3.0, 5.0), (4.0, 10.0)]).html();
        let line = html.lines().find(|line| line.contains("line k0")).unwrap();
        assert_eq!((line.matches('M').count(), line.matches('L').count()), (2, 1), "{line}");
    }

    #[test]
    fn nothing_to_draw_is_still_a_plot() {
        for points in [vec![], vec![(f64::NAN, f64::NAN)], vec![(0.0, 0.0)]] {
            let html = plot(points).html();
            assert!(html.contains("</svg>") && !html.contains("NaN"), "{html}");
        }
    }

    #[test]
    fn many_points_are_drawn_as_few() {
        let points = (0..100_000).map(|at| (f64::from(at), 5.0 + f64::from(at % 2) / 1e4));
        assert!(plot(points.collect()).html().len() < 60_000);
    }

    #[test]
    fn texts_are_escaped() {
        assert!(plot(vec![]).html().contains("aria-label=\"a &lt;b&gt; &amp; &quot;c&quot;\""));
    }

    #[test]
    fn labels_do_not_touch() {
        let mut plot = plot(vec![(1.0, 1.0)]);
        plot.x = Axis::percentiles([8.0]);
        let svg = plot.svg(&FRAMES[1]);
        assert!(svg.contains(">99.9<"), "{svg}");
        assert_ne!(svg.contains(">99.9999<"), svg.contains(">99.99999<"), "{svg}");
    }
}
