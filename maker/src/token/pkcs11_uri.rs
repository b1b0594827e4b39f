//! Names keys on tokens: PKCS#11 URIs (RFC 7512), as far as they can name one key. An attribute
//! that is not understood is refused, because it could have narrowed the choice.

use anyhow::{Context, Result, bail};
use std::fmt;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Names the module where the URI does not.
pub const MODULE_VARIABLE: &str = "KOMAINU_PKCS11_MODULE";

/// Which key, on which token, by which module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenUri {
    /// The token's label.
    pub token: Option<String>,
    /// The token's serial number.
    pub serial: Option<String>,
    /// The token's manufacturer.
    pub manufacturer: Option<String>,
    /// The kind of token.
    pub model: Option<String>,
    /// The key's label.
    pub object: Option<String>,
    /// The key's identifier on the token (not the one that metadata has).
    pub id: Option<Vec<u8>>,
    /// The library that talks to the token.
    pub module_path: Option<PathBuf>,
    /// The file whose first line is the PIN.
    pub pin_source: Option<PathBuf>,
}

impl TokenUri {
    /// Reads `pkcs11:token=…;object=…;id=…?module-path=…&pin-source=…`.
    ///
    /// # Errors
    /// Says which part is not understood, or is missing.
    pub fn parse(text: &str) -> Result<TokenUri> {
        let rest = text.strip_prefix("pkcs11:").context("a token's URI begins with `pkcs11:` (RFC 7512)")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = TokenUri::default();
        for (name, value) in pairs(path, ';')? {
            match name {
                "token" => put(&mut uri.token, name, words(name, value)?)?,
                "serial" => put(&mut uri.serial, name, words(name, value)?)?,
                "manufacturer" => put(&mut uri.manufacturer, name, words(name, value)?)?,
                "model" => put(&mut uri.model, name, words(name, value)?)?,
                "object" => put(&mut uri.object, name, words(name, value)?)?,
                "id" => put(&mut uri.id, name, value)?,
                // The same name serves both halves of a key pair.
                "type" if value == b"private" || value == b"public" => {}
                _ => bail!("`{name}` cannot be used in a token's URI: use token, serial, object and id"),
            }
        }
        for (name, value) in pairs(query, '&')? {
            match name {
                "module-path" => put(&mut uri.module_path, name, PathBuf::from(words(name, value)?))?,
                "pin-source" => {
                    let source = words(name, value)?;
                    let file = source.strip_prefix("file:").unwrap_or(&source);
                    // `file:///x` and `file:/x` are the same file.
                    let file = file.strip_prefix("//").unwrap_or(file);
                    if file.starts_with('|') {
                        bail!("pin-source must be a file, not a program");
                    }
                    put(&mut uri.pin_source, name, PathBuf::from(file))?;
                }
                "pin-value" => bail!("pin-value is refused: others could read it. Put the PIN into a file"),
                _ => bail!("`{name}` cannot be used in a token's URI: use module-path and pin-source"),
            }
        }
        if uri.token.is_none() && uri.serial.is_none() {
            bail!("a token's URI must name the token: token=LABEL, or serial=NUMBER");
        }
        if uri.object.is_none() && uri.id.is_none() {
            bail!("a token's URI must name the key: object=LABEL, or id=%01 and so on");
        }
        Ok(uri)
    }

    /// The library that talks to the token.
    ///
    /// # Errors
    /// Neither the URI nor the environment names one.
    pub fn module(&self) -> Result<PathBuf> {
        let named = self.module_path.clone().or_else(|| std::env::var_os(MODULE_VARIABLE).map(PathBuf::from));
        named.with_context(|| {
            format!(
                "nothing says which PKCS#11 module talks to the token: add `?module-path=FILE` to its URI, or set \
                 {MODULE_VARIABLE} (SoftHSM: libsofthsm2.so; YubiKey: libykcs11.so; many cards: opensc-pkcs11.so)"
            )
        })
    }

    /// The token in words.
    pub fn token_name(&self) -> String {
        match (&self.token, &self.serial) {
            (Some(label), Some(serial)) => format!("token `{label}` ({serial})"),
            (Some(label), None) => format!("token `{label}`"),
            (None, serial) => format!("token {}", serial.as_deref().unwrap_or_default()),
        }
    }

    /// The key in words.
    pub fn key_name(&self) -> String {
        let id = || self.id.iter().map(|id| format!("id {}", komainu_trust::hex::encode(id))).collect();
        self.object.as_ref().map_or_else(id, |label| format!("`{label}`"))
    }
}

impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = [
            ("token", self.token.as_deref()),
            ("serial", self.serial.as_deref()),
            ("manufacturer", self.manufacturer.as_deref()),
            ("model", self.model.as_deref()),
            ("object", self.object.as_deref()),
        ];
        let mut parts: Vec<String> = path
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", escape(value.as_ref()?.as_bytes()))))
            .collect();
        parts.extend(self.id.iter().map(|id| format!("id={}", escape_all(id))));
        let query = [("module-path", &self.module_path), ("pin-source", &self.pin_source)];
        let query: Vec<String> = query
            .iter()
            .filter_map(|(name, value)| {
                Some(format!("{name}={}", escape(value.as_ref()?.as_os_str().as_encoded_bytes())))
            })
            .collect();
        write!(f, "pkcs11:{}", parts.join(";"))?;
        if !query.is_empty() {
            write!(f, "?{}", query.join("&"))?;
        }
        Ok(())
    }
}

fn pairs(text: &str, between: char) -> Result<Vec<(&str, Vec<u8>)>> {
    let parts = text.split(between).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').with_context(|| format!("`{part}` has no `=`"))?;
            Ok((name, unescape(value)?))
        })
        .collect()
}

fn put<T>(place: &mut Option<T>, name: &str, value: T) -> Result<()> {
    if place.replace(value).is_some() {
        bail!("`{name}` is there twice");
    }
    Ok(())
}

fn words(name: &str, value: Vec<u8>) -> Result<String> {
    String::from_utf8(value).ok().with_context(|| format!("`{name}` is not UTF-8"))
}

fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            bail!("`{text}`: after `%` come two hexadecimal digits");
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    Ok(bytes)
}

fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    for &byte in bytes {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte);
        if plain { out.push(char::from(byte)) } else { out.push_str(&escape_all(&[byte])) }
    }
    out
}

fn escape_all(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02X}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_read_and_written_back() {
        let text = "pkcs11:token=My%20token;serial=0a1b;object=root;id=%01%FF?module-path=/usr/lib/x.so&pin-source=/a";
        let uri = TokenUri::parse(text).unwrap();
        assert_eq!(uri.token.as_deref(), Some("My token"));
        assert_eq!(uri.id.as_deref(), Some(&[1, 255][..]));
        assert_eq!(uri.to_string(), text);
        let source = TokenUri::parse("pkcs11:token=a;object=b;type=private?pin-source=file:///x/y").unwrap();
        assert_eq!(source.pin_source, Some(PathBuf::from("/x/y")));
    }

    #[test]
    fn what_does_not_name_one_key_is_refused_in_words() {
        for (text, says) in [
            ("token=a", "begins with `pkcs11:`"),
            ("pkcs11:object=a", "must name the token"),
            ("pkcs11:token=a", "must name the key"),
            ("pkcs11:token=a;token=b;object=c", "`token` is there twice"),
            ("pkcs11:token=a;object=b;colour=red", "`colour` cannot be used"),
            ("pkcs11:token=a;object=b;type=cert", "`type` cannot be used"),
            ("pkcs11:token=a;object=b?pin-value=1234", "pin-value is refused"),
            ("pkcs11:token=a;object=b?pin-source=%7Ccat", "not a program"),
            ("pkcs11:token=%4;object=b", "two hexadecimal digits"),
            ("pkcs11:token=%ff;object=b", "`token` is not UTF-8"),
            ("pkcs11:token", "has no `=`"),
        ] {
            let fault = TokenUri::parse(text).unwrap_err().to_string();
            assert!(fault.contains(says), "{text}: {fault}");
        }
    }
}
