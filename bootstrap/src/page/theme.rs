//! How a maker's page looks, and where it is: what the policy says, fixed while the page runs.

/// Largest logo, in bytes.
pub const LOGO_BYTES_MAX: usize = 8192;

/// A picture of the maker's.
#[derive(Clone, Debug)]
pub struct Logo {
    /// `image/svg+xml` or `image/png`.
    pub media_type: String,
    /// The picture.
    pub bytes: Vec<u8>,
}

/// How the page looks, and where it is.
#[derive(Clone, Debug)]
pub struct Look {
    /// The device's name, shown to everybody.
    pub name: String,
    /// The language where the browser's is not there.
    pub language: String,
    /// The maker's colour, `#rrggbb`; left out where it could not be read on.
    pub colour: Option<String>,
    /// The maker's picture.
    pub logo: Option<Logo>,
    /// Names that are the device's, besides its addresses.
    pub hosts: Vec<String>,
    /// The port in redirects: 80 where the firewall redirects it, else the page's own.
    pub public_port: u16,
    /// Random: what tokens of forms are made with.
    pub secret: [u8; 32],
}
