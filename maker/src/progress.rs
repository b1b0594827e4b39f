//! Progress bars for work that takes long. They go to standard error, and only where that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whether to show progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// Never; the default of a library.
    #[default]
    Hidden,
    /// If standard error is a terminal.
    OnTerminal,
}

/// One bar; it disappears when dropped.
pub struct Bar(ProgressBar);

impl Progress {
    /// A bar for `bytes` bytes of work, of which `what` says what is done.
    pub fn bar(self, what: &str, bytes: u64) -> Bar {
        let target = match self {
            Progress::Hidden => ProgressDrawTarget::hidden(),
            Progress::OnTerminal => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(Some(bytes), target);
        let form = "{msg} [{bar:30}] {bytes}/{total_bytes} {eta}";
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(komainu_core::printable::line(what));
        Bar(bar)
    }
}

impl Bar {
    /// So many bytes more are done.
    pub fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
