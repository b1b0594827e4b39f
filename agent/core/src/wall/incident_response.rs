//! The answers to an infection (RSP-1 to RSP-6). Each can be asked for by `komainu incident`; policy says which the device
//! gives by itself.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentResponse {
    /// Cut the device off from the WAN; the LAN keeps its page.
    Contain,
    /// Keep what is seen of the infection.
    Evidence,
    /// Restart: most of what infects such devices lives in memory only.
    Restart,
    /// A new password of the owner's must be set before this is over.
    NewPassword,
    /// An update must be looked for before this is over.
    Update,
    /// Write the signed firmware anew into the other slot, and start that.
    Reimage,
    /// It is over: back to normal.
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
