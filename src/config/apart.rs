//! Places that both programs would write, where each needs one of its own.
//!
//! # Does not
//!
//! Say whether a place can be written: `serving::checking` does.

use std::path::{Path, PathBuf};

use super::contradiction::Contradiction;
use super::program::Program;
use super::{Effective, Origin, Settings};

/// What a place is for, its key, and where it is.
type Place = (&'static str, &'static str, Option<PathBuf>);

/// The places that are one for both programs: the key to change, and what is wrong.
pub(super) fn find(effective: &Effective, found: &mut Vec<(&'static str, Contradiction)>) {
    let settings = &effective.settings;
    let (of_whoisd, of_web) = (places(settings), places(&settings.clone().of_web()));
    for ((what, key, place), (_, web_key, web_place)) in of_whoisd.into_iter().zip(of_web) {
        let (Some(place), Some(web_place)) = (place, web_place) else { continue };
        if settled(&place) != settled(&web_place) {
            continue;
        }
        // A default gives way.
        let is_set = effective.origin(web_key) != &Origin::Default;
        let (key, place, program) =
            if is_set { (web_key, web_place, Program::Whoisd) } else { (key, place, Program::Web) };
        found.push((key, Contradiction::OneFor { place, what, other: program.name() }));
    }
}

fn places(settings: &Settings) -> [Place; 3] {
    let keys = settings.program.keys();
    let state = match &settings.dir {
        Some(dir) => Some(settings.warden.state_path(dir)),
        None => settings.warden.state.clone(),
    };
    [
        ("the control socket", keys.control, settings.control_path()),
        ("the file of blocks", keys.blocks_state, state),
        ("the folder of the query log", keys.query_log_dir, settings.query_log.dir.clone()),
    ]
}

/// A path without links, as far as it exists.
fn settled(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = |part: &Path| {
        let real = part.canonicalize().ok()?;
        let rest = whole.strip_prefix(part).ok()?;
        Some(real.components().chain(rest.components()).collect())
    };
    whole.ancestors().find_map(real).unwrap_or_else(|| whole.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_settled_as_far_as_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("link")).unwrap();
        for path in ["a/b.json", "link/a/b.json", "link/link/./a/b.json"] {
            assert_eq!(settled(&folder.path().join(path)), real.join("a/b.json"), "{path}");
        }
        assert_ne!(settled(&real.join("a")), settled(&real.join("b")));
    }
}
