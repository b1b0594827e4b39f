//! ECDSA signatures on P-256 and P-384, for metadata and for TLS alike, and how ECDSA writes keys and signatures: points
//! in their uncompressed form only, which is the one in use.
//!
//! Strangers send these bytes: malformed ones are no signature, and never a panic.

use crate::der::two_integers;
use p256::AffinePoint;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::point::AffineCoordinates;

/// True if `signature` (DER) over the message with this digest is that of the key at `point`.
pub fn p256_verifies(point: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let verified = || {
        let key = VerifyingKey::from_affine(p256_point(point)?).ok()?;
        let [r, s] = signature_scalars::<32>(signature)?;
        key.verify_prehash(digest, &Signature::from_scalars(r, s).ok()?).ok()
    };
    verified().is_some()
}

/// The same on P-384.
pub fn p384_verifies(point: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let verified = || {
        let [x, y] = point_coordinates::<48>(point)?;
        let point = p384::AffinePoint::from_coordinates(&x.into(), &y.into()).into_option()?;
        let [r, s] = signature_scalars::<48>(signature)?;
        let signature = p384::ecdsa::Signature::from_scalars(r, s).ok()?;
        p384::ecdsa::VerifyingKey::from_affine(point).ok()?.verify_prehash(digest, &signature).ok()
    };
    verified().is_some()
}

/// The point on P-256 of these bytes; `None` if it does not lie on the curve.
pub fn p256_point(bytes: &[u8]) -> Option<AffinePoint> {
    let [x, y] = point_coordinates::<32>(bytes)?;
    AffinePoint::from_coordinates(&x.into(), &y.into()).into_option()
}

/// The coordinates of an uncompressed point of a curve whose numbers have `N` bytes (SEC 1, 2.3.3).
pub fn point_coordinates<const N: usize>(point: &[u8]) -> Option<[[u8; N]; 2]> {
    let (x, y) = point.strip_prefix(&[0x04])?.split_at_checked(N)?;
    Some([x.try_into().ok()?, y.try_into().ok()?])
}

/// The two numbers of a signature, on a curve whose numbers have `N` bytes (RFC 3279, 2.2.3).
pub fn signature_scalars<const N: usize>(signature: &[u8]) -> Option<[[u8; N]; 2]> {
    let [r, s] = two_integers(signature)?;
    Some([padded(r)?, padded(s)?])
}

fn padded<const N: usize>(number: &[u8]) -> Option<[u8; N]> {
    let mut padded = [0; N];
    padded[N.checked_sub(number.len())?..].copy_from_slice(number);
    Some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_too_long_is_refused() {
        assert_eq!(padded::<2>(&[1, 2, 3]), None);
        assert_eq!(padded::<2>(&[1]), Some([0, 1]));
    }
}
