//! Links of the documents lead somewhere, no file names one machine, and the README stays short.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::source::{assert_none, files_below, relative, root};

const README_LINES_MAX: usize = 130;

#[test]
fn nothing_committed_names_one_machine() {
    let mut paths = Vec::new();
    files_below(&root(), &mut paths);
    let places = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/")];
    let mut findings = Vec::new();
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (index, line) in text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place)) {
                findings.push(format!("{}:{}: {line}", relative(&path), index + 1));
            }
        }
    }
    assert_none("absolute paths of one machine", &findings);
}

/// Targets of the links `[text](target)` of a page.
fn links(page: &str) -> Vec<&str> {
    page.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)).collect()
}

/// What a link may name after `#`: the headings of a page, as GitHub turns them into anchors.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept =
            heading.trim_start_matches('#').trim().chars().filter_map(|letter| match letter {
                ' ' => Some('-'),
                '-' | '_' => Some(letter),
                _ => letter.is_alphanumeric().then(|| letter.to_ascii_lowercase()),
            });
        kept.collect()
    };
    headings.map(anchor).collect()
}

/// Why a link of a page in `folder` leads nowhere.
fn dead(folder: &Path, page: &str, link: &str) -> Option<String> {
    let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = folder.join(target);
    if !path.exists() {
        return Some(format!("{link}: there is no such file"));
    }
    let text = match target {
        "" => page.to_owned(),
        _ => fs::read_to_string(path).unwrap_or_default(),
    };
    let found = anchor.is_empty() || anchors(&text).contains(anchor);
    (!found).then(|| format!("{link}: there is no such heading"))
}

#[test]
fn every_relative_link_of_a_document_leads_somewhere() {
    let mut paths = Vec::new();
    files_below(&root(), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    let (mut findings, mut count) = (Vec::new(), 0);
    for path in paths {
        let page = fs::read_to_string(&path).unwrap();
        let folder = path.parent().unwrap();
        for link in links(&page).into_iter().filter(|link| !link.contains("://")) {
            count += 1;
            let finding = dead(folder, &page, link);
            findings.extend(finding.map(|why| format!("{}: {why}", relative(&path))));
        }
    }
    assert_none("links to nothing", &findings);
    assert!(count > 100, "the walk finds only {count} links");
}

#[test]
fn every_page_of_the_manual_that_a_file_names_is_there() {
    let mut paths = Vec::new();
    files_below(&root(), &mut paths);
    let is_of_path = |letter: char| letter.is_ascii_alphanumeric() || "./_-".contains(letter);
    let (mut findings, mut count) = (Vec::new(), 0);
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let words = text.split(|letter| !is_of_path(letter)).map(|word| word.trim_matches('.'));
        for page in words.filter(|word| word.starts_with("docs/") && word.ends_with(".md")) {
            count += 1;
            if !root().join(page).exists() && page != "docs/PAGE.md" {
                findings.push(format!("{}: {page}", relative(&path)));
            }
        }
    }
    assert_none("pages that are not there", &findings);
    assert!(count > 10, "the walk finds only {count} names");
}

#[test]
fn a_link_to_nothing_is_seen() {
    let page = "# A \"b\" c\n[x](y.md) and [z](https://example.org/)\n## `d-e`, F\n[g](#a-b-c)\n";
    assert_eq!(links(page), ["y.md", "https://example.org/", "#a-b-c"]);
    assert_eq!(anchors(page), ["a-b-c", "d-e-f"].map(str::to_owned).into());
    let dead = |link: &str| dead(&root(), page, link);
    assert_eq!(dead("#a-b-c"), None);
    assert_eq!(dead("README.md#what-it-does"), None);
    assert_eq!(dead("y.md").unwrap(), "y.md: there is no such file");
    assert_eq!(dead("#a").unwrap(), "#a: there is no such heading");
    assert_eq!(dead("README.md#a").unwrap(), "README.md#a: there is no such heading");
}

#[test]
fn the_readme_stays_short() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines, at most {README_LINES_MAX}");
}
