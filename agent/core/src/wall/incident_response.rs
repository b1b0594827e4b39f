//! The answers to an infection (RSP-1 to RSP-6). Each can be asked for by `komainu respond`; policy says which the device
//! gives by itself.

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
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

impl Response {
    /// All of them.
    pub const ALL: [Response; 7] = [
        Response::Contain,
        Response::Evidence,
        Response::Restart,
        Response::NewPassword,
        Response::Update,
        Response::Reimage,
        Response::Release,
    ];

    /// Its name, in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Response::Contain => "contain",
            Response::Evidence => "evidence",
            Response::Restart => "restart",
            Response::NewPassword => "new-password",
            Response::Update => "update",
            Response::Reimage => "reimage",
            Response::Release => "release",
        }
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Option<Response> {
        Response::ALL.into_iter().find(|response| response.name() == name)
    }
}
