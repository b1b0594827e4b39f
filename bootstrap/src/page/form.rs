//! The fields of a form or a query, read strictly: a name that appears twice, half an escape, a NUL or bytes that are no
//! UTF-8 make the whole unreadable.

use super::hex;

/// The forms of the page have three or four.
const FIELDS_MAX: usize = 16;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    pub fn read(bytes: &[u8]) -> Option<Form> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for pair in bytes.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            let middle = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            let name = decode(&pair[..middle])?;
            let value = decode(pair.get(middle + 1..).unwrap_or_default())?;
            if fields.len() == FIELDS_MAX || fields.iter().any(|(other, _)| *other == name) {
                return None;
            }
            fields.push((name, value));
        }
        Some(Form(fields))
    }

    /// The value of a field; empty if the form lacks it.
    pub fn of(&self, name: &str) -> &str {
        self.0.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }
}

fn decode(text: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex::decode_pair(*rest.next()?, *rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read() {
        let form = Form::read("password=a%2Bb+%E9%B3%A5&code=&x".as_bytes()).unwrap();
        assert_eq!((form.of("password"), form.of("code"), form.of("none")), ("a+b 鳥", "", ""));
        assert_eq!(Form::read(b""), Some(Form::default()));
    }

    #[test]
    fn an_odd_form_is_none() {
        let many = "a"
            .repeat(FIELDS_MAX + 1)
            .chars()
            .enumerate()
            .map(|(n, a)| format!("{a}{n}=&"))
            .collect::<String>();
        for odd in
            ["a=1&a=2", "a=%", "a=%2", "a=%zz", "a=%+1", "a=%00", "a=%ff", "a=%c3%28", "%61=1&a=2", &many]
        {
            assert_eq!(Form::read(odd.as_bytes()), None, "{odd}");
        }
    }
}
