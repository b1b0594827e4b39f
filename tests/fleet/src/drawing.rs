//! Drawings: one curve a fleet over days, as SVG that reads on a light and a dark page.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 30.0;
/// The most points of a curve.
const POINTS_MAX: usize = 360;

pub struct Curve {
    pub name: &'static str,
    pub colour: &'static str,
    /// Values at equal distances.
    pub values: Vec<f64>,
}

/// A drawing of curves over so many days; `unit` names the values. Many values are drawn as the largest of each group.
pub fn svg(title: &str, unit: &str, days: i64, curves: &[Curve]) -> String {
    let most = curves.iter().flat_map(|curve| &curve.values).fold(0.0_f64, |most, value| most.max(*value));
    let top = nice_above(most);
    let (wide, high) = (WIDTH - LEFT - 10.0, HEIGHT - TOP - BOTTOM);
    let y = |value: f64| TOP + high - high * value / top;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#777\">\n<title>{title}</title>\n<text x=\"{LEFT}\" y=\"14\">{title}</text>\n"
    );
    // Writing to a String cannot fail.
    for tick in 0..=4 {
        let value = top * f64::from(tick) / 4.0;
        let at = y(value);
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"#777\" stroke-opacity=\".3\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text>",
            LEFT + wide,
            LEFT - 6.0,
            at + 4.0,
            short(value)
        );
    }
    let _ = writeln!(out, "<text x=\"4\" y=\"{:.1}\">{unit}</text>", TOP - 6.0);
    for day in 0..=days {
        let at = LEFT + wide * day as f64 / days as f64;
        let _ = writeln!(
            out,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{day} d</text>",
            HEIGHT - 10.0
        );
    }
    for (place, curve) in curves.iter().enumerate() {
        let group = curve.values.len().div_ceil(POINTS_MAX).max(1);
        let points = curve
            .values
            .chunks(group)
            .map(|values| values.iter().fold(0.0_f64, |most, value| most.max(*value)));
        let points: Vec<f64> = points.collect();
        let step = wide / (points.len().max(2) - 1) as f64;
        let mut path = String::new();
        for (index, value) in points.iter().enumerate() {
            let word = if index == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{word}{:.1} {:.1}", LEFT + step * index as f64, y(*value));
        }
        let Curve { name, colour, .. } = curve;
        let _ = writeln!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>");
        let x = WIDTH - 10.0 - 150.0 * (curves.len() - place) as f64;
        let _ = writeln!(out, "<text x=\"{:.1}\" y=\"14\" fill=\"{colour}\">— {name}</text>", x + 20.0);
    }
    out + "</svg>\n"
}

/// A round number that is not below the value.
fn nice_above(value: f64) -> f64 {
    let unit = 10.0_f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 4.0, 5.0, 8.0, 10.0]
        .map(|times| times * unit)
        .into_iter()
        .find(|top| *top >= value)
        .unwrap_or(value)
}

fn short(value: f64) -> String {
    match value {
        value if value >= 10_000.0 => format!("{:.0} k", value / 1000.0),
        value if value >= 10.0 || value == 0.0 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    }
}
