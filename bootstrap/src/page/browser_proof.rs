//! The cookie by which a browser proves that it has logged in before: strangers that guess cannot make it wait. It opens
//! nothing, and the agent alone can tell whether it is good.

use super::hex;
use crate::ipc::BrowserProof;

const COOKIE: &str = "komainu-known";

/// The header that leaves the proof with the browser, for the longest time that browsers keep one: 400 days.
pub fn cookie(proof: &BrowserProof) -> String {
    let mut header = String::from("Set-Cookie: komainu-known=");
    header.push_str(&hex::encode(proof));
    header.push_str("; Max-Age=34560000; HttpOnly; SameSite=Strict; Path=/login\r\n");
    header
}

/// The first proof among a browser's cookies.
pub fn find(cookies: &str) -> Option<BrowserProof> {
    let mut named = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
    named.find_map(|(name, value)| if name == COOKIE { read(value.as_bytes()) } else { None })
}

fn read(digits: &[u8]) -> Option<BrowserProof> {
    let mut proof = BrowserProof::default();
    if digits.len() != 2 * proof.len() {
        return None;
    }
    for (place, pair) in proof.iter_mut().zip(digits.chunks(2)) {
        *place = hex::decode_pair(pair[0], pair[1])?;
    }
    Some(proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_found_among_other_cookies() {
        let proof = [0x5a; 24];
        let header = cookie(&proof);
        let value = header.strip_prefix("Set-Cookie: ").unwrap().split(';').next().unwrap();
        assert_eq!(find(&format!("a=b; komainu=00; {value}; c")), Some(proof));
        assert_eq!(find(&format!("komainu-known=00; {value}")), Some(proof));
        for odd in
            ["", "komainu-known", "komainu-known=", &value[..60], &value.replace('5', "x"), &value[1..]]
        {
            assert_eq!(find(odd), None, "{odd}");
        }
    }
}
