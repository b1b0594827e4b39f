//! `serve`: shows a repository to this machine, for trying out.

use super::options::repository_in;
use super::output::say;
use crate::server::{Behaviour, Server};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Serve a repository to this machine only (127.0.0.1), for trying out.
///
/// For real devices use any web server that serves files: nothing of it needs to be trusted.
#[derive(Args)]
pub struct Serve {
    /// A workshop, whose repository is served, or any folder
    dir: PathBuf,
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

pub fn run(args: Serve) -> Result<String> {
    let folder = repository_in(&args.dir);
    let behaviour = Behaviour { port: args.port, print: true, ..Behaviour::default() };
    let server = Server::start(&folder, behaviour)?;
    say(&format!("{} is at {}/ until Ctrl-C\n", folder.display(), server.url()))?;
    server.run();
    Ok(String::new())
}
