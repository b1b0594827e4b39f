//! The gate's side of the device: `credential_store` holds the files, the account and the hooks. The decisions are in
//! `agent/core/src/gate`, the page's password rule in `bootstrap/`.

pub mod credential_store;
