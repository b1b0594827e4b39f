//! One HTTP request: bytes in; a request, "more", or a refusal with its status out. Pure and strict: bytes that two
//! parsers could read differently are refused, and each part has a limit.

#[cfg(test)]
mod tests;

/// Longest head: request line and headers.
pub const HEAD_BYTES_MAX: usize = 8192;
/// Longest body: a form.
pub const BODY_BYTES_MAX: usize = 4096;
/// Longest target in the request line.
const TARGET_BYTES_MAX: usize = 2048;
/// Most headers; browsers send about fifteen.
const HEADERS_MAX: usize = 48;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    Get,
    Head,
    Post,
}

/// A request that is complete and unambiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: HttpMethod,
    /// The host that the client names, in lower case; empty if it names none.
    pub host: String,
    /// The path, not decoded.
    pub path: String,
    /// The query, not decoded.
    pub query: String,
    /// The header `Origin`: the site of the form.
    pub origin: Option<String>,
    /// The header `Sec-Fetch-Site`: the relation of that site to this one.
    pub site: Option<String>,
    pub cookie: String,
    /// The header `Accept-Language`.
    pub languages: String,
    /// Whether the header `Content-Type` says that the body is a form.
    pub form: bool,
    pub body: Vec<u8>,
}

/// The meaning of the bytes that arrived so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a request.
    More,
    /// A request, and nothing behind it.
    Whole(HttpRequest),
    /// Not acceptable: the status of the refusal.
    Bad(u16),
}

/// Parses the bytes that arrived so far.
pub fn parse(bytes: &[u8]) -> Parsed {
    match read(bytes) {
        Ok(Some(request)) => Parsed::Whole(request),
        Ok(None) => Parsed::More,
        Err(status) => Parsed::Bad(status),
    }
}

fn read(bytes: &[u8]) -> Result<Option<HttpRequest>, u16> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let head_bytes = match head.parse(&bytes[..bytes.len().min(HEAD_BYTES_MAX)]) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => return Err(431),
        Err(_) => return Err(400),
    };
    if !ends_its_lines(&bytes[..head_bytes]) {
        return Err(400);
    }
    let method = match head.method {
        Some("GET") => HttpMethod::Get,
        Some("HEAD") => HttpMethod::Head,
        Some("POST") => HttpMethod::Post,
        _ => return Err(405),
    };
    let fields = Fields::read(head.headers)?;
    let (authority, path, query) = target(head.path.unwrap_or_default())?;
    let host = host(head.version == Some(1), &fields, authority)?;
    let length = match (method, fields.length) {
        (HttpMethod::Post, None) => return Err(411),
        (HttpMethod::Post, Some(length)) => length,
        (_, None | Some(0)) => 0,
        (_, Some(_)) => return Err(400),
    };
    if length > BODY_BYTES_MAX {
        return Err(413);
    }
    let body = &bytes[head_bytes..];
    if body.len() > length {
        return Err(400);
    }
    if body.len() < length {
        return Ok(None);
    }
    Ok(Some(HttpRequest {
        method,
        host,
        path: path.to_owned(),
        query: query.to_owned(),
        origin: fields.origin.map(str::to_owned),
        site: fields.site.map(str::to_owned),
        cookie: fields.cookie.unwrap_or_default().to_owned(),
        languages: fields.languages.unwrap_or_default().to_owned(),
        form: fields.form,
        body: body.to_vec(),
    }))
}

/// Every line ends with CR LF, and neither is anywhere else: some parsers take a lone one for an end, some do not.
fn ends_its_lines(head: &[u8]) -> bool {
    let mut before = 0;
    for &byte in head {
        if (byte == b'\n') != (before == b'\r') {
            return false;
        }
        before = byte;
    }
    before == b'\n'
}

/// The headers that the page uses.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a str>,
    length: Option<usize>,
    origin: Option<&'a str>,
    site: Option<&'a str>,
    cookie: Option<&'a str>,
    languages: Option<&'a str>,
    form: bool,
}

impl<'a> Fields<'a> {
    fn read(headers: &[httparse::Header<'a>]) -> Result<Fields<'a>, u16> {
        let mut fields = Fields::default();
        let mut kind = None;
        let mut length = None;
        for header in headers.iter() {
            let place = match &*header.name.to_ascii_lowercase() {
                "host" => &mut fields.host,
                "origin" => &mut fields.origin,
                "sec-fetch-site" => &mut fields.site,
                "cookie" => &mut fields.cookie,
                "accept-language" => &mut fields.languages,
                "content-type" => &mut kind,
                "content-length" => &mut length,
                "transfer-encoding" => return Err(501),
                "expect" => return Err(417),
                _ => continue,
            };
            // Other programs on this host may have set cookies with letters of any script.
            let may_be = |value: &&str| value.is_ascii() || header.name.eq_ignore_ascii_case("cookie");
            let value = str::from_utf8(header.value).ok().filter(may_be).ok_or(400u16)?;
            if place.replace(value.trim_matches([' ', '\t'])).is_some() {
                return Err(400);
            }
        }
        fields.length = length.map(digits).transpose()?;
        let name = kind.unwrap_or_default().split(';').next().unwrap_or_default();
        fields.form = name.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded");
        Ok(fields)
    }
}

fn digits(text: &str) -> Result<usize, u16> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(400);
    }
    if text.len() > 6 {
        return Err(413);
    }
    text.parse().map_err(|_| 400)
}

/// Authority (if the target has one), path and query.
fn target(target: &str) -> Result<(Option<&str>, &str, &str), u16> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(414);
    }
    if !target.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'#') {
        return Err(400);
    }
    let (authority, rest) = match target.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("http://") => {
            let rest = &target[7..];
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            (Some(&rest[..end]), &rest[end..])
        }
        _ if target.starts_with('/') => (None, target),
        _ => return Err(400),
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    Ok((authority, if path.is_empty() { "/" } else { path }, query))
}

/// The host of target or header. If both name one, it must be the same.
fn host(must_be_there: bool, fields: &Fields<'_>, authority: Option<&str>) -> Result<String, u16> {
    let host = match (fields.host, authority) {
        (None, _) if must_be_there => return Err(400),
        (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => return Err(400),
        (host, authority) => authority.or(host).unwrap_or_default(),
    };
    let odd = |byte: u8| !byte.is_ascii_alphanumeric() && !b".-_:[]".contains(&byte);
    if host.len() > 255 || host.bytes().any(odd) {
        return Err(400);
    }
    Ok(host.to_ascii_lowercase())
}
