//! Puts the refusals of a store into words: its own code and sentence, and the way out.

use anyhow::{Error, anyhow};

/// The fault of an attempt: whether another may do better.
pub(crate) enum Trouble {
    /// The store or the line to it may be better in a moment.
    Passing(Error),
    Final(Error),
}

/// The codes of refusals for which there is something to do.
const ADVICE: &[(&str, &str)] = &[
    ("NoSuchBucket", "make the bucket first; its name is the first word behind s3://"),
    (
        "AccessDenied",
        "the keys need the rights to list the bucket, and to read and write its objects (s3:ListBucket, s3:GetObject, \
         s3:PutObject)",
    ),
    ("InvalidAccessKeyId", "the store does not know the key: is AWS_ACCESS_KEY_ID of this store?"),
    ("SignatureDoesNotMatch", "the secret key is wrong, or the region in AWS_REGION"),
    ("AuthorizationHeaderMalformed", "the region is wrong: set AWS_REGION to the one that is named"),
    ("AuthorizationQueryParametersError", "the region is wrong: set AWS_REGION to the one that is named"),
    ("PermanentRedirect", "the bucket lies in another region: set AWS_REGION"),
    ("RequestTimeTooSkewed", "put this machine's clock right"),
    ("ExpiredToken", "fetch keys anew: AWS_SESSION_TOKEN has expired"),
    ("EntityTooLarge", "the store takes no file of this length"),
    ("BadDigest", "the file was damaged on the way"),
    ("QuotaExceeded", "the bucket is full"),
    ("SlowDown", "the store is busy: try again later"),
    ("InternalError", "the store has a fault of its own: try again later"),
];

/// Makes a fault of an answer that is no success. `doing` says what was asked for, and where.
pub(crate) fn refusal(doing: &str, status: u16, body: &str) -> Trouble {
    let code = element(body, "Code").unwrap_or_default();
    let said = element(body, "Message").unwrap_or_default();
    let known = ADVICE.iter().find(|(known, _)| *known == code).map(|(_, advice)| *advice);
    let advice = known.unwrap_or(match status {
        301 | 307 => {
            "the bucket lies in another region, or AWS_ENDPOINT_URL names another server: set AWS_REGION"
        }
        403 => "look at keys and rights",
        404 => "is there such a bucket, and is AWS_ENDPOINT_URL the address of an S3-compatible store?",
        429 | 500.. => "try again later",
        _ => "is AWS_ENDPOINT_URL the address of an S3-compatible store?",
    });
    let mut words = format!("{doing}: the store answers {status}");
    for word in [code, said].into_iter().filter(|word| !word.is_empty()) {
        words.push_str(&format!(", {}", word.trim_end_matches('.')));
    }
    let fault = anyhow!("{words}. {}{}", advice[..1].to_uppercase(), &advice[1..]);
    // A conflict: the store was asked twice at the same time.
    let passing =
        matches!(status, 408 | 409 | 429 | 500 | 502..=504) || code == "SlowDown" || code == "BadDigest";
    if passing { Trouble::Passing(fault) } else { Trouble::Final(fault) }
}

/// Makes a fault of a request that had no answer.
pub(crate) fn no_answer(doing: &str, endpoint: &str, fault: &ureq::Error) -> Trouble {
    let tls = match fault {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
        ureq::Error::Io(fault) => fault.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        _ => false,
    };
    let passing = !tls
        && matches!(
            fault,
            ureq::Error::Io(_)
                | ureq::Error::Timeout(_)
                | ureq::Error::ConnectionFailed
                | ureq::Error::Protocol(_)
        );
    let advice = match fault {
        _ if tls => " (the file with an authority of your own goes into SSL_CERT_FILE)",
        ureq::Error::HostNotFound => " (there is no server of this name: is AWS_ENDPOINT_URL right?)",
        ureq::Error::Io(_) | ureq::Error::ConnectionFailed => {
            " (is the store running, and AWS_ENDPOINT_URL right?)"
        }
        _ => "",
    };
    let fault = anyhow!("{doing}: no answer of {endpoint}: {fault}{advice}");
    if passing { Trouble::Passing(fault) } else { Trouble::Final(fault) }
}

/// The text of the first element of that name. An error of a store is three lines, and anything else is shown as it is.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(status: u16, body: &str) -> (bool, String) {
        match refusal("cannot list s3://b", status, body) {
            Trouble::Passing(fault) => (true, fault.to_string()),
            Trouble::Final(fault) => (false, fault.to_string()),
        }
    }

    #[test]
    fn a_refusal_says_what_the_store_said_and_what_to_do() {
        let body = "<?xml?><Error><Code>NoSuchBucket</Code><Message>It is not there.</Message></Error>";
        assert_eq!(
            words(404, body),
            (
                false,
                "cannot list s3://b: the store answers 404, NoSuchBucket, It is not there. Make the bucket first; its name \
                 is the first word behind s3://"
                    .into()
            )
        );
        assert!(words(403, "").1.contains("403. Look at keys and rights"));
        assert!(words(200, "<html>hello").1.contains("S3-compatible store?"));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, passing) in
            [(500, true), (503, true), (429, true), (409, true), (501, false), (403, false), (400, false)]
        {
            assert_eq!(words(status, "").0, passing, "{status}");
        }
        assert!(words(400, "<Code>BadDigest</Code>").0);
    }
}
