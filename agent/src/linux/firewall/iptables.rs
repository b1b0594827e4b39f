//! iptables.

use super::lacks::Lacks;
use komainu_core::fault::{Text, text};
use komainu_core::firewall::Table;

#[derive(Default)]
pub struct Iptables {}

impl Iptables {
    pub fn put(&mut self, _wanted: &Table, _lacks: Lacks) -> Result<Lacks, Text> {
        Err(text(format_args!("neither nf_tables nor iptables is there")))
    }
    pub fn holds(&mut self, _wanted: &Table, _lacks: Lacks) -> Result<bool, Text> {
        Ok(false)
    }
    pub fn remove(&mut self) -> Result<(), Text> {
        Ok(())
    }
}
