//! The report: all scenarios, their figures as text, the drawings, and the goals that were missed.

use crate::drawing::{Curve, svg};
use crate::naive;
use crate::scenario::{BOTTLEROCKET, DAY, HOUR, Scenario, WAVES};
use crate::tally::{BIN_SECONDS, Tally};
use std::fmt::Write as _;
use std::time::Instant;

/// Second at which release 2 comes.
const RELEASE: i64 = DAY;

pub struct Report {
    /// Tables in Markdown.
    pub text: String,
    /// Names and contents.
    pub files: Vec<(&'static str, String)>,
    pub plans: u64,
    /// Goals that were missed, in words.
    pub missed: Vec<String>,
}

pub fn make(devices: u64, seed: u64, threads: u64) -> Report {
    let run = |scenario: &Scenario| {
        let began = Instant::now();
        let tally = scenario.run(devices, seed, threads);
        eprintln!(
            "{} days: {:.0} s for {} decisions",
            scenario.days,
            began.elapsed().as_secs_f64(),
            tally.plans
        );
        tally
    };
    let quiet = run(&Scenario::default());
    let good = Scenario { release: Some((RELEASE, WAVES)), ..Scenario::default() };
    let ours = run(&good);
    let theirs = run(&Scenario { release: Some((RELEASE, BOTTLEROCKET)), ..good.clone() });
    let cron = naive::run(&good, devices, seed);
    let bad = Scenario { is_bad: true, halt: Some(RELEASE + 12 * HOUR), ..good.clone() };
    let (halted, unhalted) = (run(&bad), run(&Scenario { halt: None, ..bad.clone() }));
    let naive_bad = naive::run(&bad, devices, seed);
    let dark = Scenario { days: 4, outage: 2 * DAY..2 * DAY + 6 * HOUR, ..Scenario::default() };
    let (outage, naive_outage) = (run(&dark), naive::run(&dark, devices, seed));
    let dark_city = run(&Scenario { days: 4, all_at_once: true, ..Scenario::default() });

    let mut text = format!("{devices} devices, a third of them without a clock, seed {seed}.\n\n");
    let mut missed = Vec::new();
    let mut goal = |reached: bool, words: String| {
        if !reached {
            missed.push(words)
        }
    };
    let plans = [&quiet, &ours, &theirs, &halted, &unhalted, &outage, &dark_city]
        .iter()
        .map(|tally| tally.plans)
        .sum();

    text.push_str("| fleet | requests a device and day | mean a second | peak a second | peak over mean |\n|---|---|---|---|---|\n");
    for (name, tally) in [
        ("nothing new", &quiet),
        ("a roll-out in four waves", &ours),
        ("the same with Bottlerocket's default waves", &theirs),
        ("naive pollers, the same release", &cron),
        ("an outage of six hours", &outage),
        ("naive pollers, the same outage", &naive_outage),
        ("all devices switched on in one minute", &dark_city),
    ] {
        let (peak, mean) = tally.peak_and_mean();
        let a_day = tally.requests_per_device_day();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {name} | {a_day:.2} | {mean:.2} | {peak:.2} | {:.2} |", peak / mean);
    }
    let (peak, mean) = quiet.peak_and_mean();
    let a_day = quiet.requests_per_device_day();
    goal(a_day <= 4.0, format!("{a_day:.2} requests a device and day, at most 4 are wanted"));
    // With few devices a bin holds few requests, and chance alone makes a peak.
    let chance = 5.0 / (mean * BIN_SECONDS as f64).sqrt();
    goal(peak / mean <= 1.2 + chance, format!("a peak of {:.2} times the mean, 1.2 is wanted", peak / mean));
    let idle = quiet.idle_bytes as f64 / quiet.idle_polls as f64;
    let _ = writeln!(text, "\nAn idle poll has {idle:.0} bytes in both directions, without TLS.");
    goal(idle <= 1024.0, format!("{idle:.0} bytes an idle poll, at most 1024 are wanted"));

    text.push_str("\n| hours until so many had the release | 50 % | 90 % | 99 % | all | busiest five minutes, Mbit/s |\n|---|---|---|---|---|---|\n");
    for (name, tally) in [
        ("four waves, the last after 120 h", &ours),
        ("Bottlerocket's default waves, the last after 144 h", &theirs),
        ("naive pollers, no waves", &cron),
    ] {
        let hours = [50, 90, 99, 100].map(|percent| {
            tally.hours_until(2, percent, RELEASE).map_or("never".to_owned(), |hours| format!("{hours:.1}"))
        });
        let busiest = tally.bytes.iter().max().copied().unwrap_or(0) as f64 * 8.0 / BIN_SECONDS as f64 / 1e6;
        let _ = writeln!(text, "| {name} | {} | {busiest:.0} |", hours.join(" | "));
    }
    goal(
        ours.kept_count(2) == devices,
        format!("{} of {devices} devices had the release", ours.kept_count(2)),
    );

    text.push_str("\n| a release that never gets healthy | devices that began to take it | failed trials |\n|---|---|---|\n");
    let share = |count: u64| count as f64 * 100.0 / devices as f64;
    for (name, tally) in [
        ("halted after 12 h", &halted),
        ("not halted", &unhalted),
        ("naive pollers, withdrawn after 12 h", &naive_bad),
    ] {
        let begun = tally.begun_count(2);
        let _ = writeln!(text, "| {name} | {begun} ({:.2} %) | {} |", share(begun), tally.failed_trials);
    }
    let spared = 100.0 - share(halted.begun_count(2));
    let _ = writeln!(text, "\nThe halt spared {spared:.2} % of the fleet.");
    goal(spared >= 99.0 * 0.99, format!("the halt spared {spared:.2} %, 98 % are wanted"));

    let back = usize::try_from((2 * DAY + 6 * HOUR) / BIN_SECONDS).unwrap_or(0);
    let (_, mean) = outage.peak_and_mean();
    let after =
        |tally: &Tally| tally.requests[back..].iter().max().copied().unwrap_or(0) as f64 / BIN_SECONDS as f64;
    let _ = writeln!(
        text,
        "After the outage the busiest five minutes have {:.2} requests a second, {:.2} times the mean; naive pollers {:.2}. \
         While it lasts a device asks {:.1} times; a naive one {:.0} times.",
        after(&outage),
        after(&outage) / mean,
        after(&naive_outage),
        outage.unanswered as f64 / devices as f64,
        naive_outage.unanswered as f64 / devices as f64
    );

    let rate =
        |tally: &Tally| tally.requests.iter().map(|count| *count as f64 / BIN_SECONDS as f64).collect();
    let curve = |name, colour, values| Curve { name, colour, values };
    let (blue, orange, grey) = ("#2a78d6", "#eb6834", "#999");
    let had = |tally: &Tally| shares(tally, &tally.kept, devices);
    let began = |tally: &Tally| shares(tally, &tally.begun, devices);
    let files = vec![
        (
            "fleet-requests.svg",
            svg(
                "Requests a second",
                "",
                10,
                &[
                    curve("naive pollers", grey, rate(&cron)),
                    curve("nothing new", blue, rate(&quiet)),
                    curve("a roll-out", orange, rate(&ours)),
                ],
            ),
        ),
        (
            "fleet-waves.svg",
            svg(
                "Devices with the release",
                "%",
                10,
                &[
                    curve("naive pollers", grey, had(&cron)),
                    curve("Bottlerocket's", blue, had(&theirs)),
                    curve("four waves", orange, had(&ours)),
                ],
            ),
        ),
        (
            "fleet-halt.svg",
            svg(
                "Devices that began to take a bad release",
                "%",
                10,
                &[
                    curve("naive pollers", grey, began(&naive_bad)),
                    curve("not halted", blue, began(&unhalted)),
                    curve("halted after 12 h", orange, began(&halted)),
                ],
            ),
        ),
        (
            "fleet-outage.svg",
            svg(
                "Requests a second around an outage",
                "",
                4,
                &[curve("naive pollers", grey, rate(&naive_outage)), curve("ours", orange, rate(&outage))],
            ),
        ),
    ];
    Report { text, files, plans, missed }
}

/// The share of devices, in per cent, that had done something by the end of each bin.
fn shares(tally: &Tally, moments: &std::collections::BTreeMap<u64, Vec<i64>>, devices: u64) -> Vec<f64> {
    let none = Vec::new();
    let seconds = moments.get(&2).unwrap_or(&none);
    let until = |bin: usize| seconds.partition_point(|second| *second < (bin as i64 + 1) * BIN_SECONDS);
    (0..tally.requests.len()).map(|bin| until(bin) as f64 * 100.0 / devices as f64).collect()
}
