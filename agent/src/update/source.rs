//! Where releases come from: a repository over HTTP, or a bundle in a file.

pub mod bundle;
pub mod http_repository;
