//! Where releases come from: a repository over HTTP, or a bundle in a file; `carrier` is what both can do.

pub mod bundle;
pub mod carrier;
pub mod http_repository;
