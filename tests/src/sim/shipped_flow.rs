//! A boot flow that the agent ships, on flash that hangs on the device's fuse, and the model of its boot loader. A cut may fall into
//! every write of the flow, and into those of the boot loader where its environment tells how it writes.

use crate::boot_rules::flash::Flash;
use crate::boot_rules::loaders::Loader;
use crate::media::fuse::Fuse;
use komainu_agent::config::settings::DeviceSettings;
use komainu_agent::update::boot::profile_flow;
use komainu_core::fault::Text;
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;
use std::path::Path;
use std::rc::Rc;

/// Each clone is another handle of one flow.
#[derive(Clone)]
pub struct ShippedFlow {
    loader: &'static Loader,
    settings: Rc<DeviceSettings>,
    flash: Flash,
}

impl ShippedFlow {
    /// As the factory leaves it: slot a is good.
    pub fn new(loader: &'static Loader, settings: Rc<DeviceSettings>, fuse: &Fuse) -> ShippedFlow {
        let flash = Flash::on(fuse);
        (loader.factory)(&flash);
        ShippedFlow { loader, settings, flash }
    }

    /// The choice, as the agent reads it.
    ///
    /// # Errors
    /// The agent's.
    pub fn choice(&self) -> Result<BootChoice, Text> {
        profile_flow::open(&self.settings.boot, Path::new("state"), &self.flash).choice()
    }

    /// The agent changes the choice.
    ///
    /// # Errors
    /// The agent's.
    pub fn set(&self, choice: &BootChoice) -> Result<(), Text> {
        profile_flow::open(&self.settings.boot, Path::new("state"), &self.flash).set_choice(choice)
    }

    /// One start: the slot whose kernel the boot loader starts.
    pub fn start(&self) -> Slot {
        (self.loader.start)(&self.flash)
    }

    /// The maker's health check has seen a good slot, or the power has gone.
    pub fn clear_register(&self) {
        self.loader.clear_register(&self.flash);
    }

    /// The name of the profile.
    pub fn profile(&self) -> &'static str {
        self.loader.profile
    }

    /// Whether a power cut may lose the choice: the agent warns of that.
    pub fn loses_choice(&self) -> bool {
        let cautions = profile_flow::open(&self.settings.boot, Path::new("state"), &self.flash).cautions();
        cautions.iter().any(|caution| caution.contains("has no copy"))
    }
}
