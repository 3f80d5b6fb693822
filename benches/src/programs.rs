//! The programs of a comparison: ours are built as this one was, others come from Debian.
//!
//! # Invariants
//!
//! - `best-effort-quiet`: services of packages that are installed here are not left running.
//!
//! # Does not
//!
//! Touch packages, services or files that were there before.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use clap::Args;

/// Debian asks this program whether a package may start its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Variables, or how they begin, that `cargo run` sets for the program that it runs.
const SAID_BY_CARGO: [&str; 5] =
    ["CARGO_BIN_", "CARGO_CRATE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_"];

/// 101: the action is forbidden by policy (Debian's invoke-rc.d).
const POLICY_TEXT: &str = "#!/bin/sh\nexit 101\n";

/// Command line of every program that starts whoisd.
#[derive(Debug, Clone, Args)]
pub struct ServedOptions {
    /// Core of the servers
    #[arg(long, value_name = "CORE", default_value_t = 0)]
    pub server_core: usize,
    /// Another whoisd than the one of this source
    #[arg(long, value_name = "PROGRAM")]
    pub whoisd: Option<PathBuf>,
    /// Take the programs beside this one as they are
    #[arg(long)]
    pub no_build: bool,
    /// Small sizes, one round: shows that the measurement works
    #[arg(long)]
    pub smoke: bool,
}

/// The programs that take part.
#[derive(Debug)]
pub struct Programs {
    /// Where those of this crate are.
    pub folder: PathBuf,
    /// whoisd.
    pub whoisd: PathBuf,
}

impl ServedOptions {
    /// Builds the programs, unless they are to be taken as they are.
    ///
    /// # Errors
    ///
    /// They cannot be built.
    pub fn programs(&self) -> io::Result<Programs> {
        self.programs_with(&[])
    }

    /// The same, and those of other packages.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn programs_with(&self, packages: &[&str]) -> io::Result<Programs> {
        let folder = if self.no_build { own_folder()? } else { build(packages)? };
        let whoisd = self.whoisd.clone().unwrap_or_else(|| folder.join("whoisd"));
        Ok(Programs { folder, whoisd })
    }
}

/// Builds whoisd, the load generator, the servers of this crate and other packages with the profile
/// of this program, and gives their folder.
///
/// # Errors
///
/// Cargo fails, or this program is not in a target folder.
fn build(packages: &[&str]) -> io::Result<PathBuf> {
    let folder = own_folder()?;
    let misplaced = || io::Error::other("this program does not lie in a target folder");
    let profile = folder.file_name().and_then(|name| name.to_str()).ok_or_else(misplaced)?;
    let profile = if profile == "debug" { "dev" } else { profile };
    let target = folder.parent().ok_or_else(misplaced)?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` sets variables that name this package. Build scripts look at them, so that with
    // them this build and the outer one would rebuild each other's dependencies every time.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if SAID_BY_CARGO.iter().any(|said| name.starts_with(said)) {
            cargo.env_remove(&*name);
        }
    }
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    cargo.args(["build", "--quiet", "--profile", profile, "--bins", "--target-dir"]).arg(target);
    cargo.args(["--package", "whoisd", "--package", "whois-loadgen"]);
    cargo.args(["--package", "whoisd-benches"]);
    cargo.args(packages.iter().flat_map(|package| ["--package", package]));
    let status = cargo.status()?;
    if status.success() {
        Ok(folder)
    } else {
        Err(io::Error::other(format!("cargo build: {status}")))
    }
}

/// The folder of this program and of those built with it.
///
/// # Errors
///
/// The kernel's.
fn own_folder() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    program.parent().map(Path::to_owned).ok_or_else(|| io::Error::other("a program without folder"))
}

/// Installs packages by apt-get, as root; services among them are neither started nor enabled.
///
/// # Errors
///
/// Apt-get fails, or the policy file cannot be written.
pub fn install(packages: &[&str]) -> io::Result<()> {
    let made = make_policy()?;
    let status = Command::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status();
    if made {
        fs::remove_file(POLICY)?;
    }
    for package in packages {
        let service = package.trim_end_matches("-light");
        // Without systemd nothing would start it later.
        let _ = Command::new("systemctl").args(["disable", "--now", "--quiet", service]).output();
    }
    let status = status?;
    if status.success() {
        return Ok(());
    }
    let packages = packages.join(" ");
    Err(io::Error::other(format!("{status}: as root, apt-get update; apt-get install {packages}")))
}

/// Forbids the start of services, unless the machine has a policy already; whether this made one.
fn make_policy() -> io::Result<bool> {
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(POLICY);
    match opened {
        Ok(mut file) => io::Write::write_all(&mut file, POLICY_TEXT.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
