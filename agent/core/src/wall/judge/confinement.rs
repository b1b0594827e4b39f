//! Judges confinement: the privileges (capabilities, system calls) that Komainu itself should have given up and has not.

use crate::fault::text;
use crate::wall::measures::Measure;
use crate::wall::report::Report;
use core::fmt::Write;

/// Judges the privileges that could not be given up, a sentence each.
pub fn judge(left: &[&str], report: &mut Report) {
    if left.is_empty() {
        return;
    }
    let mut why = text(format_args!("{}", left[0]));
    for more in &left[1..] {
        // A measure has one answer; a longer one is cut, and the log has it whole.
        let _ = write!(why, "; {more}");
    }
    report.cannot_enforce(Measure::Confinement, format_args!("{why}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::report::Judgement;

    #[test]
    fn what_is_not_given_up_is_told_in_one_answer() {
        let mut report = Report::default();
        judge(&[], &mut report);
        assert_eq!(report.judgement(Measure::Confinement), Judgement::Strong);
        judge(&["its memory can be read", "it can load modules"], &mut report);
        let why = text(format_args!("its memory can be read; it can load modules"));
        assert_eq!(report.judgement(Measure::Confinement), Judgement::CannotEnforce(why));
    }
}
