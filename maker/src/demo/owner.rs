//! The owner in front of a new device: a browser of few words, which talks to the page that the agent serves.

use super::agent_process::Agent;
use super::device::Device;
use super::timeline::Timeline;
use crate::server::Server;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A page that does not answer in this time never does.
const PATIENCE_MILLISECONDS: u64 = 30_000;
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A device that is on, with its page.
pub struct AtThePage {
    agent: Agent,
    port: u16,
}

/// The answer that a browser gets.
pub struct Page {
    /// The status code.
    pub status: u16,
    /// Where a redirect leads, or nothing.
    pub location: String,
    pub text: String,
}

impl Device {
    /// Switches it on for an owner who opens its page.
    ///
    /// # Errors
    /// Nothing comes up, or the page does not answer.
    pub fn switch_on_for_owner(&mut self, timeline: &mut Timeline) -> Result<AtThePage> {
        self.start(timeline)?;
        let agent = Agent::start(&self.agent, &self.folder.join("komainu.toml"), "run", timeline.clock())?;
        let page = AtThePage { agent, port: self.page_port };
        let begin = timeline.now();
        while page.get("127.0.0.1").is_err() {
            if timeline.now() > begin + PATIENCE_MILLISECONDS {
                bail!("the setup page does not answer");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(page)
    }

    /// Switches it off, and hears what it said.
    ///
    /// # Errors
    /// It does not end.
    pub fn switch_off(&mut self, timeline: &mut Timeline, server: &Server, page: AtThePage) -> Result<()> {
        let mut agent = page.agent;
        agent.kill()?;
        while let Some((at, line)) = agent.next_line()? {
            self.hear(timeline, server, at, line);
        }
        self.narrator.stop();
        Ok(())
    }

    /// Hears what it said so far.
    pub fn hear_so_far(&mut self, timeline: &mut Timeline, server: &Server, page: &AtThePage) {
        while let Some((at, line)) = page.agent.line_so_far() {
            self.hear(timeline, server, at, line);
        }
    }

    /// The line of the owner's account.
    ///
    /// # Errors
    /// There is no such file.
    pub fn account(&self) -> Result<String> {
        std::fs::read_to_string(self.folder.join("shadow")).context("the device has no accounts")
    }
}

impl AtThePage {
    /// Opens an address, as a phone does that looks for the internet, or the owner.
    ///
    /// # Errors
    /// No answer.
    pub fn get(&self, host: &str) -> Result<Page> {
        let host = if host == "127.0.0.1" { format!("127.0.0.1:{}", self.port) } else { host.to_owned() };
        self.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept-Language: en\r\n\r\n"))
    }

    /// Types a password and presses the button.
    ///
    /// # Errors
    /// No answer, or no form.
    pub fn choose(&self, password: &str) -> Result<Page> {
        let form = self.get("127.0.0.1")?.text;
        let token = form.split_once("name=\"token\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        let (token, _) = token.context("the page has no form")?;
        let body = format!("token={token}&password={}", password.replace('!', "%21").replace(' ', "+"));
        let (port, length) = (self.port, body.len());
        self.ask(&format!(
            "POST /setup HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept-Language: en\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn ask(&self, request: &str) -> Result<Page> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_millis(PATIENCE_MILLISECONDS)))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, text) =
            answer.split_once("\r\n\r\n").context("the page's answer has no end of its head")?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status")?;
        let location = head.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_default();
        Ok(Page { status, location: location.into(), text: text.into() })
    }
}
