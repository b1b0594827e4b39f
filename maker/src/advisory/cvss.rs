//! CVSS 3.0 and 3.1 base vectors as the four words that people know.

use komainu_core::advisory::Rating;

/// The word for a vector such as `CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H`; `None` if it is none of these
/// versions, or says that there is no impact.
pub fn rating(vector: &str) -> Option<Rating> {
    let score = base_score(vector)?;
    match score {
        score if score >= 9.0 => Some(Rating::Critical),
        score if score >= 7.0 => Some(Rating::High),
        score if score >= 4.0 => Some(Rating::Medium),
        score if score > 0.0 => Some(Rating::Low),
        _ => None,
    }
}

/// The base score by section 7.1 of the specification.
fn base_score(vector: &str) -> Option<f64> {
    let metrics = vector.strip_prefix("CVSS:3.1/").or_else(|| vector.strip_prefix("CVSS:3.0/"))?;
    let metric = |name: &str| metrics.split('/').find_map(|part| part.strip_prefix(name)?.strip_prefix(':'));
    let changed = metric("S")? == "C";
    let vector = match metric("AV")? {
        "N" => 0.85,
        "A" => 0.62,
        "L" => 0.55,
        _ => 0.2,
    };
    let complexity = if metric("AC")? == "L" { 0.77 } else { 0.44 };
    let privileges = match (metric("PR")?, changed) {
        ("N", _) => 0.85,
        ("L", false) => 0.62,
        ("L", true) => 0.68,
        (_, false) => 0.27,
        (_, true) => 0.5,
    };
    let interaction = if metric("UI")? == "N" { 0.85 } else { 0.62 };
    let kept = |name: &str| {
        let loss = match metric(name)? {
            "H" => 0.56,
            "L" => 0.22,
            _ => 0.0,
        };
        Some(1.0 - loss)
    };
    let lost = 1.0 - kept("C")? * kept("I")? * kept("A")?;
    let exploitability = 8.22 * vector * complexity * privileges * interaction;
    let (impact, factor) = if changed {
        (7.52 * (lost - 0.029) - 3.25 * f64::powi(lost - 0.02, 15), 1.08)
    } else {
        (6.42 * lost, 1.0)
    };
    if impact <= 0.0 {
        return Some(0.0);
    }
    // Rounded up to a tenth; by the detour over whole numbers, so that no rest of binary arithmetic counts.
    let whole = f64::min(factor * (impact + exploitability), 10.0) * 100_000.0;
    Some((whole.round() / 10_000.0).ceil() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_the_scores_that_their_databases_print() {
        for (vector, score) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H", 8.1),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:N/A:N", 5.5),
            ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", 1.6),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ] {
            assert_eq!(base_score(vector), Some(score), "{vector}");
        }
        assert_eq!(rating("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"), None);
        assert_eq!(rating("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"), None);
        assert_eq!(rating("CVSS:3.1/AV:N"), None);
        assert_eq!(rating(""), None);
    }
}
