//! The wanted table: the maker's settings, the wall's grants and the LAN's subnets together.

use crate::device::Firewall;
use crate::firewall::rules::build_table;
use crate::firewall::table::{FirewallGrants, Links, Table, Traffic};
use crate::gate::state::GateState;
use crate::settings::FirewallSettings;
use alloc::vec::Vec;

/// The table for this state of the gate.
pub fn wanted_table(
    device: &mut (impl Firewall + ?Sized),
    gate_state: GateState,
    settings: &FirewallSettings,
    grants: &FirewallGrants,
) -> Table {
    let lan_subnets_only = settings.traffic.lan_subnets_only || grants.lan_subnets_only;
    let links = Links {
        lan: settings.lan.clone(),
        lan_subnets: if lan_subnets_only { device.lan_subnets() } else { Vec::new() },
        page_port: settings.page_port,
        dns_port: settings.dns_port,
    };
    let traffic = Traffic {
        lan_subnets_only,
        wan_rules: grants.wan_rules.clone(),
        port_forwards: grants.port_forwards.clone(),
        contained: grants.contained,
        ..settings.traffic.clone()
    };
    build_table(gate_state, &links, &traffic)
}
