//! The operator's request that waits for a turn: one from the page, or one that a command left in the runtime state.
//!
//! A request is taken out of the runtime state when it is read: the next command may leave another one while this one is
//! being answered, and neither is lost nor answered twice.

use super::linux_device::LinuxDevice;
use komainu_core::operator_request::OperatorRequest;

/// At most one request at a time.
#[derive(Default)]
pub struct RequestQueue {
    waiting: Option<OperatorRequest>,
    /// The file of the runtime state cannot be removed: the request in it must not come true again.
    file_stays: bool,
}

impl RequestQueue {
    /// The request that is next; it stays until it is answered.
    pub fn next(&mut self, device: &mut LinuxDevice) -> Option<OperatorRequest> {
        if self.waiting.is_none() && !self.file_stays {
            self.waiting = device.left_request();
            self.file_stays = self.waiting.is_some() && !device.runtime().request_answered();
        }
        self.waiting.clone()
    }

    /// The same for a round of turns without the wall: a request to the wall stays where a command left it.
    pub fn next_for_update(&mut self, device: &mut LinuxDevice) -> Option<OperatorRequest> {
        let of_wall = device.runtime().request().is_some_and(|request| request.is_of_wall());
        if self.waiting.is_none() && of_wall { None } else { self.next(device) }
    }

    /// A request waits.
    pub fn is_full(&self) -> bool {
        self.waiting.is_some()
    }

    /// Lets a request of the page's wait for the next turn.
    pub fn put(&mut self, request: OperatorRequest) {
        self.waiting = Some(request);
    }

    /// The request that was next is answered.
    pub fn answered(&mut self) {
        self.waiting = None;
    }
}
