//! Why a program ended without doing its work, and with which exit status.
//!
//! # Does not
//!
//! Print anything: the program does.

use crate::config::ConfigError;
use crate::store::StoreError;

/// Why a command ended without doing its work; the message goes to standard error.
#[derive(Debug)]
pub struct Failure {
    /// Exit status: 1 failed, 3 input refused, 4 nothing found.
    pub status: u8,
    /// What happened, and what to do; empty if everything was printed already.
    pub message: String,
}

impl Failure {
    /// I/O, the network, the machine: status 1.
    #[must_use]
    pub fn failed(message: impl ToString) -> Self {
        Self { status: 1, message: message.to_string() }
    }

    /// Configuration or snapshot: status 3.
    #[must_use]
    pub fn refused(message: impl ToString) -> Self {
        Self { status: 3, message: message.to_string() }
    }

    /// There is no such record, and the answer says so already: status 4.
    #[must_use]
    pub fn nothing_found() -> Self {
        Self { status: 4, message: String::new() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io { .. } | StoreError::Locked { .. } | StoreError::Room { .. } => {
                Self::failed(error)
            }
            _ => Self::refused(error),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { status: error.status(), message: error.to_string() }
    }
}
