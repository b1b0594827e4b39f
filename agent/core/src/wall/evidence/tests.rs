//! The law of evidence, case by case.

use super::*;

#[test]
fn every_sign_has_its_row_in_its_place() {
    for (at, row) in SIGNS.iter().enumerate() {
        assert_eq!(row.sign as usize, at, "{}", row.id);
        assert!(SIGNS[..at].iter().all(|other| other.id != row.id), "{}", row.id);
        assert!(!row.words.is_empty() && !row.doubt.is_empty() && !row.test.is_empty(), "{}", row.id);
    }
    assert_eq!(SIGNS.len(), Sign::ChangedFile as usize + 1);
}

#[test]
fn one_sign_alone_is_no_infection() {
    for row in SIGNS.iter().filter(|row| row.sign != Sign::MountedOver) {
        assert!(weigh(Origin::Foreign, &[row.sign]) < Infection, "{}", row.id);
        assert!(weigh(Origin::Foreign, &[row.sign, row.sign]) < Infection, "{}", row.id);
    }
}

#[test]
fn two_that_count_are_an_infection_only_where_they_are_independent() {
    for (signs, expected) in [
        (&[Sign::InMemory, Sign::RandomName][..], Infection),
        (&[Sign::InMemory, Sign::Deleted], Weak),
        (&[Sign::Deleted, Sign::ReportPort], Infection),
        (&[Sign::Scan, Sign::ReportPort], Infection),
        (&[Sign::Stored, Sign::RandomName], Weak),
        (&[Sign::Stored, Sign::Scan, Sign::RandomName], Infection),
        // An application in /tmp that feeds the watchdog, keeps its settings in flash and serves pictures.
        (&[Sign::InMemory, Sign::WatchdogHolder, Sign::FlashWriter, Sign::TakenPort, Sign::RawSocket], Weak),
        (&[], Told),
    ] {
        assert_eq!(weigh(Origin::Foreign, signs), expected, "{signs:?}");
    }
}

#[test]
fn what_is_vouched_for_is_at_most_told() {
    let all: alloc::vec::Vec<Sign> =
        SIGNS.iter().map(|row| row.sign).filter(|sign| *sign != Sign::MountedOver).collect();
    assert_eq!(weigh(Origin::Vouched, &all), Told);
    assert_eq!(weigh(Origin::Contained, &[Sign::Nameless, Sign::ReportPort, Sign::RawSocket]), Told);
    assert_eq!(weigh(Origin::Contained, &[Sign::RandomName, Sign::Scan]), Infection);
    assert_eq!(weigh(Origin::Foreign, &all), Infection);
}
