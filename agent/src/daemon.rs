//! The daemon: `komainu run`. `event_loop` is the loop that calls the three jobs; `linux_device` puts the device
//! together; `page_host` and `request_handler` serve the owner's page, `control_socket` the console; `rules_keeper` puts removed rules back; `state_room` tells whether
//! the state can be stored; `wall_job` takes
//! the wall's turns, `ddi_job` asks a fleet server.

pub mod control_socket;
#[cfg(feature = "ddi")]
pub mod ddi_job;
pub mod device_names;
pub mod event_log;
pub mod event_loop;
pub(crate) mod known_browsers;
pub(crate) mod link_monitor;
pub mod linux_device;
pub(crate) mod login_history;
pub(crate) mod login_state;
pub(crate) mod neighbour_table;
pub(crate) mod owner_sessions;
pub mod page_host;
pub(crate) mod page_process;
pub mod page_status;
pub(crate) mod request_handler;
pub mod request_queue;
pub(crate) mod rules_keeper;
pub(crate) mod state_room;
pub mod status_model;
pub mod wall_job;
