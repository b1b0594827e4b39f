//! What a device does. Map: `commands` the table of subcommands, `settings` what its maker decided, `linux` the
//! one `World` that is real, `uboot` the boot environment, `fetch` HTTP and TLS, `bundle` a file in the server's
//! place, `log_lines` where events go, `wall_loop` the wall's turns, `names` what signed names become in addresses and files, `example_keys`
//! whom a device must never trust. No code here.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod firewall;
pub mod gate;
pub mod net;
pub mod os;
pub mod update;
pub mod wall;
