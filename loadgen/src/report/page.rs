//! The frame of an HTML report: head, style, sections, tables.
//!
//! # Invariants
//!
//! - [`escape`] is the only way for a value into a page.
//! - The page refers to nothing outside of itself; its policy forbids it too.
//!
//! # Does not
//!
//! Know what a result is.

/// Column heads and rows of a table; the first column names the row.
pub(super) struct Table {
    /// Columns that hold words, by index: they are aligned left and may be broken.
    pub(super) words: &'static [usize],
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// A row, and its class: "" or one of the style sheet.
pub(super) struct Row {
    pub(super) class: &'static str,
    pub(super) cells: Vec<String>,
}

/// `text` escaped for HTML, in an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            // HTML forbids most control characters and all noncharacters.
            c if c.is_control() || is_noncharacter(c) => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A whole page around `body`, which is HTML; `title` is not.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n\
         </html>\n",
        escape(title),
        include_str!("page.css")
    )
}

/// A section of HTML under a heading.
pub(super) fn section(heading: &str, body: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", escape(heading))
}

/// A drawing with a caption below it.
pub(super) fn figure(drawing: &str, caption: &str) -> String {
    format!("<figure>\n{drawing}<figcaption>{}</figcaption>\n</figure>\n", escape(caption))
}

/// Large figures at the top: name, value, what else to say.
pub(super) fn cards(cards: &[(&str, String, String)]) -> String {
    let card = |(name, value, note): &(&str, String, String)| {
        let (name, value) = (escape(name), escape(value));
        // A figure and its unit stay on one line.
        let joined = value.rsplit_once(' ').map(|(figure, unit)| format!("{figure}\u{a0}{unit}"));
        let value = joined.unwrap_or(value);
        let note = if note.is_empty() {
            String::new()
        } else {
            format!(" <small>{}</small>", escape(note))
        };
        format!("<div><dt>{name}</dt><dd>{value}{note}</dd></div>\n")
    };
    format!("<dl class=\"cards\">\n{}</dl>\n", cards.iter().map(card).collect::<String>())
}

/// Names and values below one another.
pub(super) fn facts(rows: &[(&str, String)]) -> String {
    let row = |(name, value): &(&str, String)| {
        format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value))
    };
    format!("<dl class=\"facts\">\n{}</dl>\n", rows.iter().map(row).collect::<String>())
}

impl Table {
    /// The table, which scrolls by itself where it is too wide.
    pub(super) fn html(&self, name: &str) -> String {
        let words = |index| if self.words.contains(&index) { " class=\"words\"" } else { "" };
        let head = self.head.iter().enumerate().map(|(index, cell)| {
            format!("<th scope=\"col\"{}>{}</th>", words(index), escape(cell))
        });
        let mut html = format!(
            "<div class=\"scroll\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">\n<table>\n\
             <thead><tr>{}</tr></thead>\n<tbody>\n",
            escape(name),
            head.collect::<String>()
        );
        for Row { class, cells } in &self.rows {
            let class =
                if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
            html.push_str(&format!("<tr{class}>"));
            for (index, cell) in cells.iter().enumerate() {
                let (words, cell) = (words(index), escape(cell));
                html.push_str(&match index {
                    0 => format!("<th scope=\"row\"{words}>{cell}</th>"),
                    _ => format!("<td{words}>{cell}</td>"),
                });
            }
            html.push_str("</tr>\n");
        }
        html + "</tbody>\n</table>\n</div>\n"
    }
}

fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        assert_eq!(
            escape("<script>alert('x')</script> & \"y\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;"
        );
        assert_eq!(
            escape("a\u{0}\u{1b}\u{85}\u{ffff}\u{fdd0}b\nc"),
            "a\u{fffd}\u{fffd}\u{fffd}\
            \u{fffd}\u{fffd}b\nc"
        );
    }

    #[test]
    fn a_page_asks_for_nothing_from_outside() {
        let page = page("a < b", "");
        assert!(page.contains("<title>a &lt; b</title>"));
        for word in ["http:", "https:", "<script", "<link", "url(", "@import", "src="] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
