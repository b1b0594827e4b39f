//! The theme of the page: the maker's name, colour and logo, and the addresses of the page. Fixed while the page runs.

/// Largest logo, in bytes.
pub const LOGO_BYTES_MAX: usize = 8192;

#[derive(Clone, Debug)]
pub struct Logo {
    /// `image/svg+xml` or `image/png`.
    pub media_type: String,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Theme {
    /// The device's name; every visitor sees it.
    pub name: String,
    /// The language if the page has none that the browser accepts.
    pub language: String,
    /// The maker's colour, `#rrggbb`; the page leaves it out where its contrast is too low.
    pub colour: Option<String>,
    pub logo: Option<Logo>,
    /// Host names of the device, besides its addresses.
    pub hosts: Vec<String>,
    /// The port in redirects: 80 if the firewall redirects that to the page, otherwise the page's own.
    pub public_port: u16,
    /// The agent's own words for the wall, in English: `measure-telnet`, `does-end`, `back-end`, each with its text.
    pub wall_texts: Vec<(String, &'static str)>,
    /// The random key of the form tokens.
    pub secret: [u8; 32],
}
