//! One HTTP response and its bytes. The headers of every response allow a browser as little as possible.

use super::http_request::HttpMethod;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    /// Further headers, each ended with CR LF.
    pub headers: String,
    pub media_type: String,
    pub body: Vec<u8>,
    /// The server holds it back until the gate is open: the browser looks for the network as soon as it has it.
    pub when_open: bool,
}

impl HttpResponse {
    /// A response with HTML.
    pub fn page(status: u16, body: String) -> HttpResponse {
        let media_type = "text/html; charset=utf-8".into();
        HttpResponse { status, headers: String::new(), media_type, body: body.into(), when_open: false }
    }

    /// A response with plain text.
    pub fn plain(status: u16, body: &str) -> HttpResponse {
        let media_type = "text/plain; charset=utf-8".into();
        HttpResponse { status, headers: String::new(), media_type, body: body.into(), when_open: false }
    }

    /// A response with nothing but a status and its name.
    pub fn bare(status: u16) -> HttpResponse {
        let mut response = HttpResponse::plain(status, name(status));
        response.body.push(b'\n');
        if status == 405 {
            response.headers.push_str("Allow: GET, HEAD, POST\r\n");
        }
        response
    }

    pub fn redirect(status: u16, address: &str) -> HttpResponse {
        let mut response = HttpResponse::bare(status);
        response.header("Location: ", address);
        response
    }

    pub fn header(&mut self, name: &str, value: &str) {
        self.headers.push_str(name);
        self.headers.push_str(value);
        self.headers.push_str("\r\n");
    }

    /// The bytes for the connection.
    pub fn bytes(&self, method: HttpMethod, policy: &str) -> Vec<u8> {
        let mut head = String::with_capacity(512);
        head.push_str("HTTP/1.1 ");
        head.push_str(&self.status.to_string());
        head.push(' ');
        head.push_str(name(self.status));
        head.push_str("\r\n");
        if self.status != 204 {
            head.push_str("Content-Type: ");
            head.push_str(&self.media_type);
            head.push_str("\r\nContent-Length: ");
            head.push_str(&self.body.len().to_string());
            head.push_str("\r\n");
        }
        head.push_str(&self.headers);
        head.push_str("Content-Security-Policy: ");
        head.push_str(policy);
        head.push_str(COMMON);
        let mut bytes = head.into_bytes();
        if method != HttpMethod::Head && self.status != 204 {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

const COMMON: &str = "\r\nX-Content-Type-Options: nosniff\r\n\
    X-Frame-Options: DENY\r\n\
    Referrer-Policy: same-origin\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Cache-Control: no-store\r\n\
    Connection: close\r\n\r\n";

fn name(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        303 => "See Other",
        400 => "Bad HttpRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "HttpMethod Not Allowed",
        408 => "HttpRequest Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected HttpRequest",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "HttpRequest Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Error",
    }
}
