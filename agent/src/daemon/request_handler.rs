//! The request handler: judges each request anew with the agent's own facts, without trusting the page.

use super::device_names::{code_file_fault, first_line, names, same_code, was_pressed};
use super::login_history::who;
use super::page_host::{From, PageHost, Pending};
use crate::daemon::linux_device::LinuxDevice;
use crate::daemon::request_queue::RequestQueue;
use crate::os::clock::{system_seconds, uptime_seconds};
use komainu_bootstrap::credential::crypt;
use komainu_bootstrap::credential::crypt::Verdict;
use komainu_bootstrap::ipc::{NumberedRequest, Reply, Request, Secret, SessionId, WallAnswer};
use komainu_bootstrap::login_throttle::Client;
use komainu_bootstrap::password_rule;
use komainu_bootstrap::password_rule::PasswordContext;
use komainu_core::device::{Hardening, Owner};
use komainu_core::gate::state::GateFacts;
use komainu_core::operator_request::{OperatorRequest, Password};
use komainu_core::wall::incident_response::IncidentResponse;
use komainu_core::wall::incident_state::Incident;

impl PageHost {
    /// The answer, where it needs no turn.
    pub(crate) fn judge(
        &mut self,
        device: &mut LinuxDevice,
        requests: &mut RequestQueue,
        from: From,
        asked: NumberedRequest,
    ) -> Option<Reply> {
        let gate = device.gate()?;
        // The console is not limited: root needs no password.
        if needs_secret(&asked.request) && from == From::Page {
            let wait = self.logins.wait(self.client(&asked), uptime_seconds());
            if wait > 0 {
                return Some(Reply::RateLimited(wait));
            }
        }
        match asked.request.clone() {
            Request::Claim { password, code } => self.claim(requests, from, asked, &gate, password, &code),
            Request::Login { password, .. } => Some(match self.is_owners(device, &asked, &gate, &password) {
                Ok(()) => match self.sessions.open(uptime_seconds()) {
                    Some(session) => Reply::SessionOpened(session, self.logins.prove()),
                    None => Reply::Failed("no random numbers".into()),
                },
                Err(answer) => answer,
            }),
            Request::Logout { session } => {
                self.sessions.end(&session);
                Some(Reply::Done)
            }
            Request::UpdateNow { session } => Some(self.request(requests, &session, OperatorRequest::Poll)),
            Request::Postpone { session } => {
                Some(self.request(requests, &session, OperatorRequest::Postpone))
            }
            Request::Change { session, old, new } => {
                if let Err(answer) =
                    self.may(from, &session).and_then(|()| self.is_owners(device, &asked, &gate, &old))
                {
                    return Some(answer);
                }
                self.set(requests, from, asked, &gate, new)
            }
            Request::AnswerWall { session, password, answer } => Some(
                self.may(from, &session)
                    .and_then(|()| self.is_owners(device, &asked, &gate, &password))
                    .map_or_else(|refusal| refusal, |()| answer_wall(device, requests, &asked, answer)),
            ),
            Request::Reset { session, password } => {
                // Root at the console, or the button's hook, stands at the device: that is proof enough.
                if from == From::Page
                    && let Err(answer) = self
                        .may(from, &session)
                        .and_then(|()| self.is_owners(device, &asked, &gate, &password))
                {
                    return Some(answer);
                }
                self.begin(requests, from, asked, &gate, OperatorRequest::Reset)
            }
        }
    }

    fn claim(
        &mut self,
        requests: &mut RequestQueue,
        from: From,
        asked: NumberedRequest,
        gate: &GateFacts,
        password: Secret,
        code: &str,
    ) -> Option<Reply> {
        if gate.kept.is_some() || gate.resetting {
            return Some(Reply::NotNow);
        }
        if from == From::Page
            && let Some(path) = &self.settings.code_file
        {
            // The gate stays closed: a code that any neighbour can guess proves nothing.
            if let Some(why) = code_file_fault(path) {
                return Some(Reply::Failed(why));
            }
            match first_line(path) {
                None => return Some(Reply::NotNow),
                Some(wanted) if !same_code(&wanted, code) => return Some(self.wrong(&asked)),
                Some(_) => {}
            }
        }
        // Not a wrong try: a guesser cannot guess at a button.
        if from == From::Page && self.settings.button && !was_pressed(&self.run, uptime_seconds()) {
            return Some(Reply::Wrong);
        }
        self.set(requests, from, asked, gate, password)
    }

    /// Judges a new password, and lets it wait for the next turn.
    fn set(
        &mut self,
        requests: &mut RequestQueue,
        from: From,
        asked: NumberedRequest,
        gate: &GateFacts,
        password: Secret,
    ) -> Option<Reply> {
        let names = names(&self.settings, &self.core.device_id);
        let about = PasswordContext {
            profile: self.settings.rule,
            names: &names,
            former: &self.settings.former_defaults,
        };
        if let Err(whys) = password_rule::judge(&password.0, &about) {
            return Some(Reply::Weak(whys.iter().map(password_rule::RefusalReason::word).collect()));
        }
        self.begin(requests, from, asked, gate, OperatorRequest::Claim(Password(password.0)))
    }

    fn begin(
        &mut self,
        requests: &mut RequestQueue,
        from: From,
        asked: NumberedRequest,
        gate: &GateFacts,
        request: OperatorRequest,
    ) -> Option<Reply> {
        // While another password is half set, the gate will finish or withdraw that one first; the answer "done"
        // would be about the wrong password.
        if self.pending.is_some() || matches!(request, OperatorRequest::Claim(_)) && gate.next.is_some() {
            return Some(Reply::NotNow);
        }
        requests.put(request);
        self.pending = Some(Pending { from, asked });
        None
    }

    fn request(
        &mut self,
        requests: &mut RequestQueue,
        session: &SessionId,
        request: OperatorRequest,
    ) -> Reply {
        if !self.sessions.holds(session, uptime_seconds()) {
            return Reply::NoSession;
        }
        if self.pending.is_some() {
            return Reply::NotNow;
        }
        requests.put(request);
        Reply::Done
    }

    fn may(&self, from: From, session: &SessionId) -> Result<(), Reply> {
        let holds = from != From::Page || self.sessions.holds(session, uptime_seconds());
        if holds { Ok(()) } else { Err(Reply::NoSession) }
    }

    /// Tells whether this is the owner's password, by the account itself.
    fn is_owners(
        &mut self,
        device: &mut LinuxDevice,
        asked: &NumberedRequest,
        gate: &GateFacts,
        password: &Secret,
    ) -> Result<(), Reply> {
        if gate.kept.is_none() {
            return Err(Reply::NotNow);
        }
        let crypt = device.credentials().and_then(|credentials| credentials.account().ok()).flatten();
        let Some(crypt) = crypt else { return Err(Reply::Failed("the account cannot be read".into())) };
        match crypt::verify(&password.0, &crypt) {
            Verdict::Right => {
                if !asked.peer.is_unspecified() {
                    self.logins.right(self.client(asked), asked.peer, system_seconds(), uptime_seconds());
                }
                log::info!("login from={}", who(asked.peer));
                Ok(())
            }
            Verdict::Wrong => Err(self.wrong(asked)),
            Verdict::CannotTell => Err(Reply::Failed("the account's kind of hash is not known here".into())),
        }
    }

    fn wrong(&mut self, asked: &NumberedRequest) -> Reply {
        if !asked.peer.is_unspecified() {
            self.logins.wrong(self.client(asked), asked.peer, system_seconds(), uptime_seconds());
        }
        log::info!("login-wrong from={}", who(asked.peer));
        Reply::Wrong
    }

    /// The client of a request to the page.
    fn client(&self, asked: &NumberedRequest) -> Client {
        let proof = match &asked.request {
            Request::Login { proof, .. } => proof.as_ref(),
            _ => None,
        };
        self.logins.client(asked.peer, proof)
    }

    /// A password is set: the client that set it knows it. The console is no client.
    pub(crate) fn password_set(&mut self, asked: &NumberedRequest) {
        let client = Some(self.client(asked)).filter(|_| !asked.peer.is_unspecified());
        self.logins.password_set(client, uptime_seconds());
    }
}

/// Lets the owner's answer wait for the wall's next turn.
fn answer_wall(
    device: &mut LinuxDevice,
    requests: &mut RequestQueue,
    asked: &NumberedRequest,
    answer: WallAnswer,
) -> Reply {
    if requests.is_full() || device.wall().is_none() {
        return Reply::NotNow;
    }
    let request = match (answer, device.incident_state().incident) {
        // The password that holds may be known to a stranger, and the one who gives it may be that stranger.
        (_, Some(Incident { password: Some(old), .. }))
            if device.gate().and_then(|gate| gate.kept) == Some(old) =>
        {
            return Reply::Failed("a stranger may know this password: set a new one first".into());
        }
        (WallAnswer::AcceptChanges, _) => OperatorRequest::AcceptChanges,
        (WallAnswer::EndIncident, None) => return Reply::NotNow,
        (WallAnswer::EndIncident, Some(_)) => OperatorRequest::Incident(IncidentResponse::Release),
    };
    let word = if answer == WallAnswer::AcceptChanges { "changes-accepted" } else { "incident-ended" };
    log::info!("{word} from={}", who(asked.peer));
    requests.put(request);
    Reply::Done
}

fn needs_secret(ask: &Request) -> bool {
    matches!(
        ask,
        Request::Claim { .. }
            | Request::Login { .. }
            | Request::Change { .. }
            | Request::AnswerWall { .. }
            | Request::Reset { .. }
    )
}
