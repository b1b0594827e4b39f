//! The setup page and the status page: requests in, answers out. Pure.
