//! The report: one page that needs nothing else, no script and no other file, in light and in dark. It explains
//! itself to a reader who has never heard of two slots.

use super::drawing::{draw, escape, patterns, sample, sign};
use super::maker::Maker;
use super::narrator::{letter, mib};
use super::timeline::{Chapter, Side, Step};
use crate::server::state::Request;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

const STYLE: &str = include_str!("report.css");

/// Facts about this run.
pub struct Facts {
    /// Name, value, and a word about it.
    rows: Vec<(&'static str, String, String)>,
    day: String,
}

impl Facts {
    /// Looks at all that took part.
    pub fn gather(
        agent: &Path,
        maker: &Maker,
        requests: &[Request],
        checks: usize,
        milliseconds: u64,
    ) -> Facts {
        let said = Command::new(agent).arg("version").output();
        let said =
            said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        let (version, more) = said.split_once(" (").unwrap_or((&said, ""));
        let [kernel, rootfs] = maker.lengths().map(mib);
        let sent: u64 = requests.iter().map(|request| request.bytes).sum();
        let size = agent.metadata().map_or(0, |about| about.len());
        // A debug build's size would say nothing about what is on a device.
        let build =
            if cfg!(debug_assertions) { "a debug build".to_owned() } else { format!("{:.1} MiB", mib(size)) };
        let build = if more.is_empty() { build } else { format!("{build}, {}", more.trim_end_matches(')')) };
        let rows = vec![
            ("Expectations checked", checks.to_string(), "all of them met".to_owned()),
            (
                "Time",
                format!("{} s", milliseconds.div_ceil(1000)),
                "for all of it, on this computer".to_owned(),
            ),
            ("Agent", version.to_owned(), build),
            (
                "Each release",
                format!("{:.1} MiB", kernel + rootfs),
                format!("kernel {kernel:.1}, rootfs {rootfs:.1}; {}", maker.made_of()),
            ),
            (
                "Web server",
                format!("{:.0} MiB sent", mib(sent)),
                format!("in {} requests, over plain HTTP", requests.len()),
            ),
        ];
        let day = crate::clock::now().to_string();
        Facts { rows, day: day.split('T').next().unwrap_or_default().to_owned() }
    }
}

/// The whole page.
pub fn page(chapters: &[Chapter], facts: &Facts) -> String {
    let mut html = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    put(
        &mut html,
        format_args!("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"),
    );
    put(
        &mut html,
        format_args!("<title>Komainu: how a device updates itself</title>\n<style>\n{STYLE}</style>\n"),
    );
    put(&mut html, format_args!("</head>\n<body>\n{}", patterns()));
    write_header(&mut html, chapters, facts);
    html.push_str("<main>\n");
    for (place, chapter) in chapters.iter().enumerate() {
        write_chapter(&mut html, place + 1, chapter);
    }
    put(
        &mut html,
        format_args!(
            "</main>\n<footer><p>Recorded on {}, on a computer with {} and {}. See it happen on yours: <code>komainu-maker demo --report report.html</code></p></footer>\n</body>\n</html>\n",
            facts.day,
            std::env::consts::OS,
            std::env::consts::ARCH
        ),
    );
    html
}

fn write_header(html: &mut String, chapters: &[Chapter], facts: &Facts) {
    put(html, format_args!("<header>\n{INTRODUCTION}"));
    let legend = [
        ("release", "a whole release; each has its colour"),
        ("filling", "being filled"),
        ("void", "empty: nothing can start it"),
        ("trial", "running on trial"),
        ("line", "the slot that runs"),
    ];
    html.push_str("<h2>How to read the drawings</h2>\n<p>The two bars are the two slots, time goes from left to right, \
        and every column is an event (its width says nothing about how long it took). The thick line shows which slot \
        is in charge; where it is missing, the device is off.</p>\n<ul class=\"legend\">\n");
    for (class, text) in legend {
        put(html, format_args!("<li>{}{text}</li>\n", sample(class)));
    }
    html.push_str("</ul>\n<h2 style=\"margin-top:2.2em\">What was played, and how it ended</h2>\n<ol class=\"contents\">\n");
    for (place, chapter) in chapters.iter().enumerate() {
        let number = place + 1;
        put(
            html,
            format_args!(
                "<li><a href=\"#chapter-{number}\">{number}. {}</a><span><span class=\"tick\" aria-hidden=\"true\">✓</span> \
                 {}</span></li>\n",
                escape(chapter.title),
                escape(chapter.moral)
            ),
        );
    }
    html.push_str("</ol>\n<dl class=\"facts\">\n");
    for (name, value, note) in &facts.rows {
        let (value, note) = (escape(value), escape(note));
        put(html, format_args!("<div><dt>{name}</dt><dd>{value}</dd><dd class=\"note\">{note}</dd></div>\n"));
    }
    html.push_str("</dl>\n</header>\n");
}

const INTRODUCTION: &str = "<p class=\"brand\">Komainu</p>\n\
    <h1>What a device does without an owner, and with an update, whatever happens</h1>\n\
    <p class=\"lead\">Komainu is a small program inside routers, cameras and recorders. It keeps their firmware up to \
    date without ever leaving a broken device behind. The trick is old and good: the device has room for two complete \
    firmwares, in <strong>slot A</strong> and <strong>slot B</strong>. One runs, the other may be rewritten.</p>\n\
    <ol class=\"steps\">\n\
    <li><strong>Fill the idle slot</strong> The new release is written into the slot that is not running, and every \
    byte of it is checked. The device goes on working meanwhile.</li>\n\
    <li><strong>Try it</strong> The device restarts into the new release, on trial. The boot loader, the little program \
    that starts the firmware, counts the tries.</li>\n\
    <li><strong>Keep it, or go back</strong> If it is healthy, it stays. If it is not, or does not even start, the old \
    slot is still there, untouched, and takes over.</li>\n\
    </ol>\n\
    <p>This page is a recording, not an illustration: the real agent ran on this computer with a real web server and \
    slots made of real files. Only the boot loader and the power plug were played. Every claim was checked while it \
    ran, the contents of the slots byte for byte.</p>\n";

fn write_chapter(html: &mut String, number: usize, chapter: &Chapter) {
    let title = escape(chapter.title);
    put(
        html,
        format_args!(
            "<section class=\"chapter\" id=\"chapter-{number}\" aria-labelledby=\"h{number}\">\n\
             <h2 id=\"h{number}\"><span class=\"chapter-number\">{number}.</span> {title}</h2>\n<p>{}</p>\n",
            escape(chapter.lead)
        ),
    );
    let long = if chapter.steps.iter().filter(|step| step.mark.is_some()).count() > 7 { " long" } else { "" };
    put(
        html,
        format_args!(
            "<figure><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Drawing of chapter {number}\">{}</div>\
             <figcaption>Slots A and B during this chapter. The numbers are those of the table below. \
             <span class=\"swipe{long}\">The drawing goes on to the right: swipe or scroll.</span></figcaption></figure>\n",
            draw(chapter, &format!("d{number}"))
        ),
    );
    put(
        html,
        format_args!(
            "<p class=\"moral\"><span class=\"tick\" aria-hidden=\"true\">✓</span> {}</p>\n",
            escape(chapter.moral)
        ),
    );
    write_table(html, chapter);
    put(html, format_args!("<h3>Checked while it ran</h3>\n<ul class=\"checks\">\n"));
    for check in &chapter.checks {
        put(
            html,
            format_args!(
                "<li><span class=\"tick\" aria-hidden=\"true\">✓</span> {}</li>\n",
                escape(&capital(check))
            ),
        );
    }
    html.push_str("</ul>\n");
    put(
        html,
        format_args!(
            "<details><summary>What agent, boot loader and server really said ({} lines)</summary><pre>",
            chapter.log.len()
        ),
    );
    for (at, line) in &chapter.log {
        put(html, format_args!("{at:>6} ms  {}\n", escape(line)));
    }
    html.push_str("</pre></details>\n</section>\n");
}

fn write_table(html: &mut String, chapter: &Chapter) {
    html.push_str(
        "<table><caption>Step by step, in milliseconds since the chapter began</caption>\n<thead><tr><th scope=\"col\">Event</th><th scope=\"col\" class=\"end\">Time, ms</th>\
         <th scope=\"col\">Maker and server</th><th scope=\"col\">Device</th><th scope=\"col\" class=\"middle\">Runs</th></tr></thead>\n<tbody>\n",
    );
    let (mut number, mut explained) = (0, Vec::new());
    let begin = chapter.steps.first().map_or(0, |step| step.at);
    for step in &chapter.steps {
        let event = step.mark.as_ref().map_or_else(String::new, |mark| {
            number += 1;
            format!("{number} {}", sign(mark.icon))
        });
        // Said once in a chapter; after that it would be noise.
        let meaning = if explained.contains(&&step.meaning) { "" } else { step.meaning.as_str() };
        explained.push(&step.meaning);
        let (server, device) = match step.side {
            Side::Server => (said(step, meaning), String::new()),
            Side::Device => (String::new(), said(step, meaning)),
        };
        let class = if step.routine { "minor" } else { "main" };
        let slot = match step.running {
            Some(slot) => format!("<span class=\"pill\">{}</span>", letter(slot)),
            None => "<span class=\"pill off\" title=\"nothing runs\">–</span>".to_owned(),
        };
        put(
            html,
            format_args!(
                "<tr class=\"{class}\"><td class=\"event\">{event}</td><td class=\"time\">{}</td>\
                 <td class=\"side\" data-label=\"Maker and server\">{server}</td>\
                 <td class=\"side\" data-label=\"Device\">{device}</td><td class=\"slot\">{slot}</td></tr>\n",
                step.at.saturating_sub(begin)
            ),
        );
    }
    html.push_str("</tbody></table>\n");
}

fn said(step: &Step, meaning: &str) -> String {
    let meaning = if meaning.is_empty() {
        String::new()
    } else {
        format!("<p class=\"meaning\">{}</p>", escape(meaning))
    };
    format!("<p>{}</p>{meaning}", escape(&capital(&step.done)))
}

/// A sentence begins with a capital letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn put(html: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = html.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_cannot_become_part_of_the_page() {
        let mut chapter = Chapter { title: "<b>", ..Chapter::default() };
        chapter.log.push((1, "agent: <script>\"&".into()));
        let mut html = String::new();
        write_chapter(&mut html, 1, &chapter);
        assert!(!html.contains("<b>") && !html.contains("<script>"), "{html}");
    }
}
