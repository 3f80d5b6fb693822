//! `whoisd key`: makes the keys that sign batches and snapshots.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Failure, output};
use crate::feed::key::{KeyError, PublicKey, SecretKey};

/// Make and show the keys that sign change batches and snapshots (Ed25519)
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    New(New),
    Show(Show),
}

/// Make a new key pair
///
/// FILE gets the secret key, readable for its owner alone: it stays where batches or snapshots are
/// published. FILE.pub gets the public key: nodes name it in `feed.nats.trusted_keys`. No file is
/// overwritten.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd key new /etc/whoisd/feed.key\n\n\
    Exit status: 0 made; 1 a file is there already or cannot be written.")]
pub(super) struct New {
    /// File for the secret key; the public one is FILE.pub
    #[arg(value_name = "FILE", value_parser = super::kinds::file())]
    path: PathBuf,
}

/// Show the public key of a secret or public key file, in the form of a public key file
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd key show /etc/whoisd/feed.key > feed.key.pub\n\n\
    Exit status: 0 shown; 1 the file cannot be read; 3 it holds no key, or others may read it.")]
pub(super) struct Show {
    /// Key file
    #[arg(value_name = "FILE", value_parser = super::kinds::file())]
    path: PathBuf,
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::New(New { path }) => {
            let key = SecretKey::generate()
                .map_err(|error| Failure::failed(format!("no random numbers: {error}")))?;
            let public = key.write_new(path)?;
            let text = format!(
                "key {}: secret {} (mode 0600), public {}\n",
                key.public().id(),
                path.display(),
                public.display()
            );
            output::print(text.as_bytes())
        }
        Command::Show(Show { path }) => {
            // A file is of one kind; the error of the more likely one is shown.
            let public = PublicKey::read(path).or_else(|error| {
                SecretKey::read(path).map(|key| key.public()).map_err(|secret| {
                    if matches!(secret, KeyError::Exposed { .. }) { secret } else { error }
                })
            })?;
            output::print(public.encode().as_bytes())
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Io { .. } => Self::failed(error),
            KeyError::Exposed { .. } | KeyError::Content { .. } => Self::refused(error),
        }
    }
}
