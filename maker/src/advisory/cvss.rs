//! CVSS base vectors, versions 3.0 to 4.0, as the four words that people know. The crate `cvss` computes the score.

use ::cvss::{Cvss, Severity, v3};
use komainu_core::advisory::Rating;

/// The word for a vector such as `CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H`; `None` if it is of another version,
/// lacks a base metric, or says that there is no impact.
pub fn rating(vector: &str) -> Option<Rating> {
    match complete(vector)?.severity() {
        Severity::None => None,
        Severity::Low => Some(Rating::Low),
        Severity::Medium => Some(Rating::Medium),
        Severity::High => Some(Rating::High),
        Severity::Critical => Some(Rating::Critical),
    }
}

/// The vector, if it has every base metric: without one, the crate would score version 3 lower than it is.
fn complete(vector: &str) -> Option<Cvss> {
    let read: Cvss = vector.parse().ok()?;
    if let Cvss::CvssV30(base) | Cvss::CvssV31(base) = &read {
        let v3::Vector { av, ac, pr, ui, s, c, i, a, .. } = base;
        (av.as_ref().zip(ac.as_ref()).zip(pr.as_ref()).zip(ui.as_ref()))?;
        (s.as_ref().zip(c.as_ref()).zip(i.as_ref()).zip(a.as_ref()))?;
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(vector: &str) -> Option<f64> {
        complete(vector).map(|vector| vector.score())
    }

    #[test]
    fn vectors_have_the_scores_that_their_databases_print() {
        for (vector, printed) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H", 8.1),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:N/A:N", 5.5),
            ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", 1.6),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3),
        ] {
            assert_eq!(score(vector), Some(printed), "{vector}");
        }
        assert_eq!(rating("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"), None);
        assert_eq!(rating("CVSS:3.1/AV:N"), None);
        assert_eq!(rating(""), None);
    }

    #[test]
    fn version_4_is_rated_too() {
        for (vector, word) in [
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Some(Rating::Critical)),
            ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:H/VA:H/SC:L/SI:L/SA:L", Some(Rating::Critical)),
            ("CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Some(Rating::High)),
            ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", Some(Rating::Medium)),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", None),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N", None),
        ] {
            assert_eq!(rating(vector), word, "{vector}");
        }
    }

    #[test]
    fn a_vector_that_lacks_a_base_metric_is_not_rated() {
        let whole = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        assert_eq!(rating(whole), Some(Rating::Critical));
        for metric in whole.split('/').skip(1) {
            let part = whole.replace(&format!("/{metric}"), "");
            assert_eq!(rating(&part), None, "{part}");
        }
    }
}
