//! From the kernel's stamps to the wall clock.

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// Readings from which the best is taken: another process may run between the two clocks of one.
const READINGS: usize = 8;

/// Nanoseconds from the boot clock, which also runs while the machine sleeps, to the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Clock(i128);

impl Clock {
    /// Reads both clocks. The wall clock may be set at any time, so that this is to be done again and again.
    pub(super) fn read() -> Self {
        let reading = |_| {
            let before = nanoseconds(ClockId::CLOCK_BOOTTIME)?;
            let wall = nanoseconds(ClockId::CLOCK_REALTIME)?;
            let after = nanoseconds(ClockId::CLOCK_BOOTTIME)?;
            Some((after - before, wall - i128::midpoint(before, after)))
        };
        let best = (0..READINGS).filter_map(reading).min_by_key(|(width, _)| *width);
        best.map_or_else(Self::default, |(_, offset)| Self(offset))
    }

    /// The wall clock's time of one of the kernel's stamps.
    pub(super) fn wall(self, boot_ns: u64) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(boot_ns) + self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Nanoseconds since boot, by the clock that the kernel stamps with.
pub(super) fn since_boot() -> u64 {
    nanoseconds(ClockId::CLOCK_BOOTTIME).and_then(|now| u64::try_from(now).ok()).unwrap_or_default()
}

fn nanoseconds(clock: ClockId) -> Option<i128> {
    let time = clock_gettime(clock).ok()?;
    Some(i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec()))
}
