//! Sources of releases: `http_repository` is a server, `bundle` a file; `carrier` is the trait of both.

pub mod bundle;
pub mod carrier;
pub mod http_repository;
