//! The part of JSONPath (RFC 9535) that the table of fields, `redacted` members and ICANN's profile
//! use: names, places, `[*]`, `[:n]`, filters of equal texts joined by `&&`.

use serde_json::Value;

/// The values at a path.
pub(crate) fn at<'v>(path: &str, root: &'v Value) -> Vec<&'v Value> {
    let rest = path.strip_prefix('$').unwrap_or_else(|| panic!("{path}: begins with $"));
    steps(rest, vec![root])
}

fn steps<'v>(mut path: &str, mut found: Vec<&'v Value>) -> Vec<&'v Value> {
    while !path.is_empty() {
        if let Some(rest) = path.strip_prefix('.') {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, rest) = rest.split_at(end);
            found = found.into_iter().filter_map(|value| value.get(name)).collect();
            path = rest;
        } else {
            let inside = path.strip_prefix('[').unwrap_or_else(|| panic!("{path}: a bracket"));
            let end = closing(inside);
            let (step, rest) = (&inside[..end], &inside[end + 1..]);
            found = found.into_iter().flat_map(|value| selected(step, value)).collect();
            path = rest;
        }
    }
    found
}

/// Where the bracket that is open at the start is closed.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 0 => return at,
            ']' => depth -= 1,
            _ => {}
        }
    }
    panic!("{text}: no closing bracket")
}

fn selected<'v>(step: &str, value: &'v Value) -> Vec<&'v Value> {
    let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if step == "*" {
        return all.iter().collect();
    }
    if let Some(end) = step.strip_prefix(':') {
        return all.iter().take(end.parse().unwrap()).collect();
    }
    if let Some(filter) = step.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        let holds =
            |element: &&Value| filter.split("&&").all(|part| is_equal(part.trim(), element));
        return all.iter().filter(holds).collect();
    }
    let place: usize = step.parse().unwrap_or_else(|_| panic!("{step}: a place"));
    all.get(place).into_iter().collect()
}

/// Whether a comparison such as `@.roles[0]=='abuse'` holds for an element.
fn is_equal(comparison: &str, element: &Value) -> bool {
    let (path, text) = comparison.split_once("==").unwrap();
    let text = text.trim().trim_matches('\'');
    let path = path.trim().strip_prefix('@').unwrap();
    steps(path, vec![element]).iter().any(|value| value.as_str() == Some(text))
}
