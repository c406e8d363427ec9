//! The signals that ask a daemon to end, or to read its files again.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::sys;

/// Hears SIGTERM and SIGINT from the moment it is made.
#[derive(Debug)]
pub struct Termination {
    terminate: Signal,
    interrupt: Signal,
}

impl Termination {
    /// Starts to listen. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the handlers cannot be installed.
    pub fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next of them.
    pub async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Hears SIGHUP from the moment it is made; until then that signal ends the process.
#[derive(Debug)]
pub struct Hangup(Signal);

impl Hangup {
    /// Starts to listen. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the handler cannot be installed.
    pub fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Waits for the next one. Those that come while nobody waits count as one.
    pub async fn requested(&mut self) {
        self.0.recv().await;
    }
}

/// Another process.
#[derive(Debug)]
pub struct Process(OwnedFd);

impl Process {
    /// Opens a process by its number. Whoever has that number from somewhere asks there once more whether it still stands:
    /// then it was this process's when it was opened.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn open(pid: i32) -> io::Result<Self> {
        sys::open_process(pid).map(Self)
    }

    /// Sends it SIGHUP.
    ///
    /// # Errors
    /// If it has ended, or is not ours to signal.
    pub fn hang_up(&self) -> io::Result<()> {
        sys::hang_up(self.0.as_fd())
    }
}
