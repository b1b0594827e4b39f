//! The rule: which passwords are good enough, and why others are not. Pure.
/// stand-in
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// n
    Nisc,
}
impl Profile {
    /// p
    pub fn parse(_: &str) -> Option<Profile> {
        Some(Profile::Nisc)
    }
}
