//! Says which commit a program is built from, and with which features, for `--version`: of git, of
//! a tarball that `git archive` made (`.commit`), or of the variable WHOISD_COMMIT; else "unknown".
//! Shared by the packages that are programs.
//!
//! # Invariants
//!
//! - `no-network`, and no failure: without git, or without a repository, the build goes on.
//! - `not-stale`: an optimised build runs it again for a new commit and for changed sources. A
//!   debug build does not, so that a commit alone compiles nothing, and says "or later".

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Characters of a commit that are shown.
const COMMIT_CHARS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=WHOISD_COMMIT");
    let root = root();
    let optimised = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = named().or_else(|| of_git(&root, optimised)).or_else(|| of_tarball(&root));
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=WHOISD_COMMIT={commit}");
    println!("cargo::rustc-env=WHOISD_FEATURES={}", features());
}

/// Folder of the workspace: this package's, or the one above it.
fn root() -> PathBuf {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let above = package.parent().filter(|above| above.join("snapshot-format").is_dir());
    above.map_or_else(|| package.clone(), Path::to_owned)
}

/// What the packager says.
fn named() -> Option<String> {
    let named = env::var("WHOISD_COMMIT").ok()?;
    let good = !named.is_empty() && named.bytes().all(|byte| byte.is_ascii_graphic());
    good.then_some(named)
}

fn of_git(root: &Path, optimised: bool) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // A tarball that lies within somebody else's repository is not of that repository.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if fs::canonicalize(top).ok()? != fs::canonicalize(root).ok()? {
        return None;
    }
    let commit: String = git(&["rev-parse", "HEAD"])?.chars().take(COMMIT_CHARS).collect();
    if !optimised {
        return Some(format!("{commit} or later, debug build"));
    }
    let head = git(&["symbolic-ref", "--quiet", "HEAD"]).unwrap_or_default();
    for name in ["HEAD", "packed-refs", &head] {
        if let Some(path) = git(&["rev-parse", "--git-path", name])
            && !name.is_empty()
        {
            again_for(&root.join(path));
        }
    }
    for name in ["src", "snapshot-format/src", "loadgen/src", "Cargo.toml", "Cargo.lock"] {
        again_for(&root.join(name));
    }
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit} with changes") })
}

fn again_for(path: &Path) {
    // A path that is not there would have every build run this.
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

/// What `git archive` has put into the tarball.
fn of_tarball(root: &Path) -> Option<String> {
    let path = root.join(".commit");
    again_for(&path);
    let text = fs::read_to_string(path).ok()?;
    let commit: String = text.trim().chars().take(COMMIT_CHARS).collect();
    let good = !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then_some(commit)
}

/// The package's features that are on.
fn features() -> String {
    let on = env::vars().filter_map(|(name, _)| {
        let feature = name.strip_prefix("CARGO_FEATURE_")?;
        (feature != "DEFAULT").then(|| feature.to_ascii_lowercase().replace('_', "-"))
    });
    let mut on: Vec<_> = on.collect();
    on.sort_unstable();
    if on.is_empty() { "none".to_owned() } else { on.join("+") }
}
