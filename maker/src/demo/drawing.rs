//! The drawing of a chapter: two lanes for the two slots, a column for each event, a line through the slot that
//! runs. Plain SVG, coloured by the page's own styles; nothing here depends on how wide the page is.

use super::narrator::{index, letter};
use super::timeline::{Chapter, Content, Icon, Mark};
use super::versions::version_of;
use komainu_core::identifiers::Slot;
use std::fmt::Write;

const LEFT: usize = 56;
const RIGHT: usize = 16;
/// A column's width: the drawing fills the page, but labels always have room.
const COLUMN: std::ops::RangeInclusive<usize> = 88..=128;
const WIDTH: usize = 1130;
const ICON_Y: usize = 38;
const LANES_Y: [usize; 2] = [100, 168];
const LANE_HEIGHT: usize = 56;
const HEIGHT: usize = 232;
/// Where in a lane the line of the running slot goes.
const LINE_Y: usize = 41;

/// Draws a chapter; `name` makes its identifiers unique on the page.
pub fn draw(chapter: &Chapter, name: &str) -> String {
    let marks: Vec<&Mark> = chapter.steps.iter().filter_map(|step| step.mark.as_ref()).collect();
    let column = (WIDTH - LEFT - RIGHT) / marks.len().max(1);
    let column = column.clamp(*COLUMN.start(), *COLUMN.end());
    let width = LEFT + marks.len() * column + RIGHT;
    let mut svg = format!(
        "<svg class=\"lanes\" role=\"img\" aria-labelledby=\"{name}-t {name}-d\" viewBox=\"0 0 {width} {HEIGHT}\" \
         width=\"{width}\" height=\"{HEIGHT}\"><title id=\"{name}-t\">The two slots: {}</title>\
         <desc id=\"{name}-d\">{}</desc>\n",
        escape(chapter.title),
        escape(&describe(&marks))
    );
    for (row, y) in ["A", "B"].iter().zip(LANES_Y) {
        let middle = y + LANE_HEIGHT / 2 + 8;
        put(&mut svg, format_args!("<text class=\"lane-name\" x=\"24\" y=\"{middle}\">{row}</text>\n"));
    }
    for (number, mark) in marks.iter().enumerate() {
        draw_event(&mut svg, LEFT + number * column + column / 2, number + 1, mark);
    }
    for slot in [Slot::A, Slot::B] {
        draw_lane(&mut svg, &marks, slot, column);
    }
    draw_trials(&mut svg, &marks, column);
    draw_line(&mut svg, &marks, column);
    svg.push_str("</svg>");
    svg
}

/// A sign of its own, for table and legend.
pub fn sign(icon: Icon) -> String {
    format!(
        "<svg class=\"sign {}\" viewBox=\"-16 -16 32 32\" width=\"22\" height=\"22\" aria-hidden=\"true\">\
         <circle r=\"14\"/><path d=\"{}\"/></svg>",
        kind(icon),
        path(icon)
    )
}

/// A piece of a lane, for the legend.
pub fn sample(class: &str) -> String {
    let inside = match class {
        "void" => "<rect class=\"void\" x=\"1\" y=\"1\" width=\"44\" height=\"22\" rx=\"4\"/>".to_owned(),
        "filling" => "<rect class=\"void\" x=\"1\" y=\"1\" width=\"44\" height=\"22\" rx=\"4\"/>\
             <path class=\"fill2\" d=\"M1 23 L45 3 V19 a4 4 0 0 1 -4 4 Z\"/>"
            .to_owned(),
        "line" => "<path class=\"halo\" d=\"M4 12 H42\"/><path class=\"line\" d=\"M4 12 H42\"/>".to_owned(),
        "trial" => "<rect class=\"r2\" x=\"2\" y=\"2\" width=\"42\" height=\"20\" rx=\"4\"/>\
             <rect class=\"trial\" x=\"2\" y=\"2\" width=\"42\" height=\"20\" rx=\"4\"/>"
            .to_owned(),
        _ => "<rect class=\"r2\" x=\"1\" y=\"1\" width=\"44\" height=\"22\" rx=\"4\"/>".to_owned(),
    };
    format!(
        "<svg class=\"lanes sample\" viewBox=\"0 0 46 24\" width=\"46\" height=\"24\" aria-hidden=\"true\">{inside}</svg>"
    )
}

/// The hatchings, once for the whole page.
pub fn patterns() -> String {
    let mut svg = "<svg class=\"patterns\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\n".to_owned();
    put(
        &mut svg,
        format_args!(
            "<pattern id=\"hatch0\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><path class=\"hatch0\" d=\"M0 0 V7\"/></pattern>\n"
        ),
    );
    for release in 1..=6 {
        put(
            &mut svg,
            format_args!(
                "<pattern id=\"hatch{release}\" width=\"9\" height=\"9\" patternUnits=\"userSpaceOnUse\" \
                 patternTransform=\"rotate(45)\"><path class=\"back\" d=\"M-1 -1 H10 V10 H-1 Z\"/>\
                 <path class=\"hatch{release}\" d=\"M3 -1 V10\"/></pattern>\n"
            ),
        );
    }
    svg.push_str("</defs></svg>\n");
    svg
}

/// Text as it may stand in HTML and SVG.
pub fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

fn put(svg: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = svg.write_fmt(what);
}

fn draw_event(svg: &mut String, x: usize, number: usize, mark: &Mark) {
    put(svg, format_args!("<text class=\"number\" x=\"{x}\" y=\"13\">{number}</text>\n"));
    put(
        svg,
        format_args!(
            "<g class=\"sign {}\" transform=\"translate({x} {ICON_Y})\"><circle r=\"14\"/><path d=\"{}\"/></g>\n",
            kind(mark.icon),
            path(mark.icon)
        ),
    );
    for (line, y) in mark.label.lines().zip([69, 85]) {
        put(svg, format_args!("<text class=\"label\" x=\"{x}\" y=\"{y}\">{}</text>\n", escape(line)));
    }
}

/// A slot over time: columns with the same content are one piece.
fn draw_lane(svg: &mut String, marks: &[&Mark], slot: Slot, column: usize) {
    let (content, y) = (|mark: &Mark| mark.slots[index(slot)].clone(), LANES_Y[index(slot)]);
    let mut first = 0;
    while first < marks.len() {
        let here = content(marks[first]);
        let stays = |mark: &&&Mark| content(mark) == here && !matches!(here, Content::Filling { .. });
        let columns = marks[first + 1..].iter().take_while(stays).count() + 1;
        draw_piece(svg, &here, LEFT + first * column, y, columns * column);
        first += columns;
    }
}

fn draw_piece(svg: &mut String, content: &Content, x: usize, y: usize, width: usize) {
    let (x1, inner, text_y) = (x + 1, width - 2, y + 21);
    let rect = |class: &str| {
        format!(
            "<rect class=\"{class}\" x=\"{x1}\" y=\"{y}\" width=\"{inner}\" height=\"{LANE_HEIGHT}\" rx=\"5\"/>\n"
        )
    };
    let (class, text) = match content {
        Content::Void => {
            svg.push_str(&rect("void"));
            ("empty", "empty".to_owned())
        }
        Content::Holds(release) => {
            svg.push_str(&rect(&format!("r{}", release.min(&6))));
            ("version", version_of(*release).to_owned())
        }
        Content::Filling { release, percent: [from, to] } => {
            svg.push_str(&rect("void"));
            let level = |percent: u64| {
                y + LANE_HEIGHT - LANE_HEIGHT * usize::try_from(percent.min(100)).unwrap_or(0) / 100
            };
            let (bottom, right) = (y + LANE_HEIGHT, x1 + inner);
            put(
                svg,
                format_args!(
                    "<path class=\"fill{release}\" d=\"M{x1} {} L{right} {} V{bottom} H{x1} Z\"/>\n",
                    level(*from),
                    level(*to)
                ),
            );
            let text = if *to < 100 { format!("{to} %") } else { String::new() };
            ("part", text)
        }
    };
    if !text.is_empty() {
        put(svg, format_args!("<text class=\"{class}\" x=\"{}\" y=\"{text_y}\">{text}</text>\n", x + 12));
    }
}

fn draw_trials(svg: &mut String, marks: &[&Mark], column: usize) {
    for (place, mark) in marks.iter().enumerate() {
        let Some(slot) = mark.running.filter(|_| mark.on_trial) else { continue };
        put(
            svg,
            format_args!(
                "<rect class=\"trial\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"5\"/>\n",
                LEFT + place * column + 2,
                LANES_Y[index(slot)] + 1,
                column - 4,
                LANE_HEIGHT - 2
            ),
        );
    }
}

/// The line through the slot that runs; it ends where the power goes.
fn draw_line(svg: &mut String, marks: &[&Mark], column: usize) {
    let height = |slot: Slot| LANES_Y[index(slot)] + LINE_Y;
    let (mut d, mut before) = (String::new(), None);
    for (place, mark) in marks.iter().enumerate() {
        let (x, next) = (LEFT + place * column, marks.get(place + 1));
        if let Some(slot) = mark.running {
            let y = height(slot);
            match before {
                Some(old) if old == slot => {}
                // It changes lanes before the column begins, where no text is in its way.
                Some(old) => put(
                    &mut d,
                    format_args!("H{} C{} {} {} {y} {x} {y} ", x - 18, x - 7, height(old), x - 11),
                ),
                None => put(&mut d, format_args!("M{} {y} ", x + 10)),
            }
            let ends = next.is_none_or(|next| next.running.is_none());
            put(&mut d, format_args!("H{} ", x + column - if ends { 14 } else { 18 }));
        }
        before = mark.running;
    }
    put(svg, format_args!("<path class=\"halo\" d=\"{d}\"/><path class=\"line\" d=\"{d}\"/>\n"));
    // Where the power is off there is no line, and that is said.
    for (place, _) in marks.iter().enumerate().filter(|(_, mark)| mark.running.is_none()) {
        let (x, y) = (LEFT + place * column + column / 2, (LANES_Y[0] + LANES_Y[1] + LANE_HEIGHT) / 2);
        put(
            svg,
            format_args!(
                "<rect class=\"off-back\" x=\"{}\" y=\"{}\" width=\"78\" height=\"24\" rx=\"12\"/>",
                x - 39,
                y - 12
            ),
        );
        put(svg, format_args!("<text class=\"off\" x=\"{x}\" y=\"{}\">no power</text>\n", y + 5));
    }
    if let Some(slot) = marks.last().and_then(|mark| mark.running) {
        let (x, y) = (LEFT + marks.len() * column - 13, height(slot));
        put(svg, format_args!("<path class=\"tip\" d=\"M{x} {} l9 7 l-9 7 Z\"/>\n", y - 7));
    }
}

/// The drawing in words.
fn describe(marks: &[&Mark]) -> String {
    let mut text = String::new();
    for (number, mark) in marks.iter().enumerate() {
        let running =
            mark.running.map_or("nothing runs".to_owned(), |slot| format!("slot {} runs", letter(slot)));
        put(
            &mut text,
            format_args!(
                "{}: {}; {running}; A {}; B {}. ",
                number + 1,
                mark.label.replace('\n', " "),
                in_words(&mark.slots[0]),
                in_words(&mark.slots[1])
            ),
        );
    }
    text
}

fn in_words(content: &Content) -> String {
    match content {
        Content::Void => "is empty".into(),
        Content::Holds(release) => format!("holds {}", version_of(*release)),
        Content::Filling { release, percent } => {
            format!("is filled with {} to {} %", version_of(*release), percent[1])
        }
    }
}

fn kind(icon: Icon) -> &'static str {
    match icon {
        Icon::Confirm => "good",
        Icon::PowerCut | Icon::Bad | Icon::Refused => "bad",
        Icon::Trial => "open",
        Icon::Begin | Icon::Publish | Icon::Fill | Icon::Resume | Icon::Back => "plain",
    }
}

/// Strokes within a circle of radius 14.
fn path(icon: Icon) -> &'static str {
    match icon {
        Icon::Begin => "M-3.5 -5.5 L6 0 L-3.5 5.5 Z",
        Icon::Publish => "M0 3 V-7 M-4 -3 L0 -7 L4 -3 M-6 7 H6",
        Icon::Fill => "M0 -7 V3 M-4 -1 L0 3 L4 -1 M-6 7 H6",
        Icon::PowerCut => "M2 -8 L-4 1 H0 L-2 8 L4 -1 H0 Z",
        Icon::Resume => "M6 -2 A6.3 6.3 0 1 0 6.2 2 M7 -7 V-2 H2",
        Icon::Trial => "M-3.5 -4 A3.6 3.6 0 1 1 0 0.5 V2.5 M0 6.8 V7",
        Icon::Confirm => "M-6 0.5 L-2 5 L6.5 -5",
        Icon::Bad => "M-5 -5 L5 5 M5 -5 L-5 5",
        Icon::Back => "M-2 -7 L-7 -2.5 L-2 2 M-7 -2.5 H3 A4 4 0 0 1 3 6 H-2",
        Icon::Refused => {
            "M0 -8 L6.5 -5.5 V0 C6.5 4 3 7 0 8 C-3 7 -6.5 4 -6.5 0 V-5.5 Z M-2.6 -2.4 L2.6 2.8 M2.6 -2.4 L-2.6 2.8"
        }
    }
}
