//! The rule: which passwords are good enough, and why others are not. Pure.
