//! What is at work beside the calls: the kernel sensor, and the sinks. Whoever looks here disturbs neither.

use serde::Serialize;

use super::exposition::Exposition;
use crate::sink::Progress;
use crate::watch::sensor::{Meter, Stats};

/// What is at work beside the calls. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Beside {
    /// The kernel sensor.
    pub sensor: Meter,
    /// The sinks.
    pub sinks: Progress,
}

/// How the sensor is.
#[derive(Debug, Serialize)]
pub(super) struct SensorHealth {
    pub(super) on: bool,
    pub(super) status: String,
}

/// How one sink is.
#[derive(Debug, Serialize)]
pub(super) struct SinkHealth {
    pub(super) name: String,
    pub(super) up: bool,
    pub(super) lag: u64,
}

impl Beside {
    pub(super) fn sensor(&self) -> SensorHealth {
        let (on, status) = (self.sensor.is_on(), self.sensor.status());
        let ended = status.is_on() && !on;
        SensorHealth { on, status: if ended { "off: it ended".to_owned() } else { status.to_string() } }
    }

    /// How far each sink is behind the record `newest`.
    pub(super) fn sinks(&self, newest: u64) -> Vec<SinkHealth> {
        let health =
            |name: &str, up, arrived| SinkHealth { name: name.to_owned(), up, lag: newest.saturating_sub(arrived) };
        self.sinks.look().map(|come| health(come.name, come.is_up, come.arrived)).collect()
    }

    /// Writes its metrics. `newest` is the number of the newest record.
    pub(super) fn write(&self, newest: u64, out: &mut Exposition) {
        // One that nobody wants is not missed.
        if !self.sensor.status().is_unwanted() {
            out.gauge("tidewaiter_sensor_up", "1 while the kernel sensor is at work.", u8::from(self.sensor.is_on()));
        }
        let Stats { notices, untold, .. } = self.sensor.stats();
        out.counter("tidewaiter_sensor_events_total", "Events of the kernel that were joined with launches.", notices);
        out.counter(
            "tidewaiter_sensor_counted_total",
            "Actions that were counted only, beyond a container's share.",
            untold,
        );
        let sinks = self.sinks(newest);
        let each = |value: fn(&SinkHealth) -> u64| sinks.iter().map(move |sink| ([("sink", &*sink.name)], value(sink)));
        out.family("tidewaiter_sink_up", "1 while a sink takes records.", "gauge", each(|sink| u64::from(sink.up)));
        out.family(
            "tidewaiter_sink_lag_records",
            "Records that have not arrived at a sink yet.",
            "gauge",
            each(|sink| sink.lag),
        );
    }
}
