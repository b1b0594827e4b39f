//! Retry state: failures since the last start, and the time of the last poll that worked. A restart forgets it, and
//! costs only a poll.

/// Consecutive failures of one kind of step since the start. Not on record: a restart may try at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    /// Failures in a row.
    pub failures: u32,
    /// The time of the last failure, in seconds of uptime.
    pub last_uptime: u64,
    /// The wait that the server asked for, in seconds; 0: none.
    pub retry_after_seconds: u32,
}

/// Memory between turns that a restart may lose: losing it costs a poll, no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryState {
    /// The last poll that worked, in seconds of uptime.
    pub polled_uptime: Option<u64>,
    /// The last full refresh that worked, in seconds of uptime.
    pub refreshed_uptime: Option<u64>,
    /// The validator (`ETag`) of the timestamp last accepted, for a conditional request.
    pub validator: Option<alloc::string::String>,
    /// Backoff of polling.
    pub poll: Backoff,
    /// Since when every health check on a release on trial has been good, in seconds of uptime.
    pub good_since: Option<u64>,
    /// Backoff of fetching and writing images; any progress ends it.
    pub stage: Backoff,
    /// Backoff of complete images that differ from the signed ones. Progress does not end it: otherwise the agent
    /// would fetch the same wrong image for ever.
    pub proof: Backoff,
    /// Backoff of everything else that an update needs of the device.
    pub device: Backoff,
    /// Backoff of the gate.
    pub gate: Backoff,
}
