//! The answers to an infection (RSP-1 to RSP-6). `komainu incident` can ask for each; the policy lists those that the
//! device gives by itself.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentResponse {
    /// Cut the device off from the WAN; the LAN keeps its page.
    Contain,
    /// Keep the traces of the infection.
    Evidence,
    /// Restart: most malware on such devices lives only in RAM.
    Restart,
    /// The owner must set a new password before the incident is over.
    NewPassword,
    /// The device must look for an update before the incident is over.
    Update,
    /// Write the signed firmware anew into the other slot, and start that.
    Reimage,
    /// The incident is over: back to normal.
    Release,
}

impl IncidentResponse {
    /// All of them.
    pub const ALL: [IncidentResponse; 7] = [
        IncidentResponse::Contain,
        IncidentResponse::Evidence,
        IncidentResponse::Restart,
        IncidentResponse::NewPassword,
        IncidentResponse::Update,
        IncidentResponse::Reimage,
        IncidentResponse::Release,
    ];

    /// Its name, in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            IncidentResponse::Contain => "contain",
            IncidentResponse::Evidence => "evidence",
            IncidentResponse::Restart => "restart",
            IncidentResponse::NewPassword => "new-password",
            IncidentResponse::Update => "update",
            IncidentResponse::Reimage => "reimage",
            IncidentResponse::Release => "release",
        }
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Option<IncidentResponse> {
        IncidentResponse::ALL.into_iter().find(|response| response.name() == name)
    }
}
