//! Names and numbers that our messages to nf_tables share: our table and its chains, families, kinds of messages, and the
//! attributes of tables, chains and rules, as the kernel's `nf_tables.h` has them.

use komainu_core::firewall::table::Hook;

/// Families of tables.
pub const INET: u8 = 1;
pub const IP: u8 = 2;
pub const IP6: u8 = 10;

/// Our table's name, in every family.
pub const TABLE: &str = "komainu";
/// The name of our owned table, of the family [`INET`].
pub const OWNED_TABLE: &str = "komainu-closed";

// Messages.
pub const SUBSYSTEM: u16 = 10;
pub const BATCH_BEGIN: u16 = 16;
pub const BATCH_END: u16 = 17;
pub const NEW_TABLE: u16 = SUBSYSTEM << 8;
pub const GET_TABLE: u16 = NEW_TABLE + 1;
pub const DELETE_TABLE: u16 = NEW_TABLE + 2;
pub const NEW_CHAIN: u16 = NEW_TABLE + 3;
pub const GET_CHAIN: u16 = NEW_TABLE + 4;
pub const DELETE_CHAIN: u16 = NEW_TABLE + 5;
pub const NEW_RULE: u16 = NEW_TABLE + 6;
pub const GET_RULE: u16 = NEW_TABLE + 7;
pub const DELETE_RULE: u16 = NEW_TABLE + 8;
pub const NEW_GENERATION: u16 = NEW_TABLE + 15;
pub const GET_GENERATION: u16 = NEW_TABLE + 16;

// Attributes of tables, chains and rules.
pub const TABLE_NAME: u16 = 1;
pub const TABLE_FLAGS: u16 = 2;
/// Flag of a table: it belongs to the socket that made it (`NFT_TABLE_F_OWNER`, since Linux 5.12).
pub const OWNER: u32 = 2;
pub const CHAIN_TABLE: u16 = 1;
pub const CHAIN_NAME: u16 = 3;
pub const CHAIN_HOOK: u16 = 4;
pub const CHAIN_POLICY: u16 = 5;
pub const CHAIN_TYPE: u16 = 7;
pub const CHAIN_FLAGS: u16 = 10;
pub const HOOK_NUMBER: u16 = 1;
pub const HOOK_PRIORITY: u16 = 2;
pub const RULE_TABLE: u16 = 1;
pub const RULE_CHAIN: u16 = 2;
pub const RULE_EXPRESSIONS: u16 = 4;
/// The number of the last change, of all tables (`NFTA_GEN_ID`).
pub const GENERATION_ID: u16 = 1;

/// The name of the chain at a hook.
pub fn chain_name(hook: Hook) -> &'static str {
    match hook {
        Hook::Input => "input",
        Hook::Forward => "forward",
        Hook::Output => "output",
        Hook::Redirect => "prerouting",
        Hook::Early => "early",
        Hook::Strangers => "strangers",
        Hook::Far => "far",
        Hook::Foreign => "foreign",
        Hook::Scan => "scan",
        Hook::Flood => "flood",
        Hook::Errors => "errors",
        Hook::Multicast => "multicast",
    }
}
