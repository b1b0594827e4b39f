//! Retry state: failures since the last start, and when the last poll worked. A restart forgets it and costs a poll, no more.

/// Consecutive failures of one kind of step, since the start. Not on record: a restart may try at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    /// How many in a row.
    pub failures: u32,
    /// When the last was, in seconds of uptime.
    pub last_uptime: u64,
    /// What the server asked for, in seconds; 0 if it did not.
    pub retry_after_seconds: u32,
}

/// What is remembered between turns, but not over a restart: losing it costs a poll, no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryState {
    /// The last poll that worked, in seconds of uptime.
    pub polled_uptime: Option<u64>,
    /// The last full refresh that worked, in seconds of uptime.
    pub refreshed_uptime: Option<u64>,
    /// What the server gave with the timestamp last accepted, for a conditional request (`ETag`).
    pub validator: Option<alloc::string::String>,
    /// Backoff of polling.
    pub poll: Backoff,
    /// Backoff of fetching and writing images; any progress ends them.
    pub stage: Backoff,
    /// Images that were complete and not what was signed. Progress does not end these: it would mean fetching
    /// the same wrong image for ever.
    pub proof: Backoff,
    /// Backoff of everything else that an update needs of the device.
    pub device: Backoff,
    /// Backoff of the gate.
    pub gate: Backoff,
}
