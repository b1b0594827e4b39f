//! The operator's request that waits for a turn: one from the page, or one that a command left in the runtime state.

use super::linux_device::LinuxDevice;
use komainu_core::operator_request::OperatorRequest;

/// At most one request at a time.
#[derive(Default)]
pub struct RequestQueue {
    from_page: Option<OperatorRequest>,
    /// The request that a command left was answered, and its file cannot be removed: it must not come true again.
    file_stays: bool,
}

impl RequestQueue {
    /// The request that is next.
    pub fn next(&self, device: &mut LinuxDevice) -> Option<OperatorRequest> {
        if self.from_page.is_some() || self.file_stays {
            return self.from_page.clone();
        }
        device.left_request()
    }

    /// A request of the page's waits.
    pub fn is_full(&self) -> bool {
        self.from_page.is_some()
    }

    /// Lets a request of the page's wait for the next turn.
    pub fn put(&mut self, request: OperatorRequest) {
        self.from_page = Some(request);
    }

    /// The request that was next is answered.
    pub fn answered(&mut self, device: &mut LinuxDevice) {
        if self.from_page.take().is_none() {
            self.file_stays = !device.runtime().request_answered();
        }
    }
}
