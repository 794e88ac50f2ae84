//! A picture as SVG text: shapes with their coordinates rounded, texts escaped, one style for all pictures.

use std::fmt::{Display, Write};

use base64::prelude::{BASE64_STANDARD, Engine};

/// Looks for every class that the pictures use. The background is painted, so that dark viewers show dark on white too.
const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px;fill:#4b5563}\
.title{font-size:16px;font-weight:600;fill:#111827}\
.head{font-size:13px;font-weight:600;fill:#111827}\
.name{fill:#111827}\
.light{fill:#ffffff}\
.dark{fill:#111827}\
.grid{stroke:#e5e7eb;stroke-width:1}\
.axis{stroke:#9ca3af;stroke-width:1;fill:none}\
.kept{stroke:#6b7280;stroke-width:1;stroke-dasharray:4 3}\
.curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}";

/// A picture in the making.
#[derive(Debug)]
pub(crate) struct Svg {
    text: String,
}

/// Where a text stands to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// An empty white picture with that title for those who cannot see it.
    pub(crate) fn new(width: f64, height: f64, title: &str) -> Self {
        let title = escaped(title);
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        Self { text }
    }

    /// The whole as text.
    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn push(&mut self, element: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{element}");
    }

    /// A line of a class.
    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (rounded(from), rounded(to));
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        ));
    }

    /// A filled rectangle; `hint` is shown where the pointer rests on it.
    pub(crate) fn rect(&mut self, corner: (f64, f64), size: (f64, f64), fill: &str, hint: &str) {
        let ((x, y), (w, h)) = (rounded(corner), rounded(size));
        let hint = escaped(hint);
        self.push(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"{fill}\"><title>{hint}</title></rect>"
        ));
    }

    /// A PNG, its pixels kept sharp; `hint` is shown where the pointer rests on it.
    pub(crate) fn image(&mut self, corner: (f64, f64), size: (f64, f64), png: &[u8], hint: &str) {
        let ((x, y), (w, h)) = (rounded(corner), rounded(size));
        let (data, hint) = (BASE64_STANDARD.encode(png), escaped(hint));
        self.push(format_args!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" style=\"image-rendering:pixelated\" \
             href=\"data:image/png;base64,{data}\"><title>{hint}</title></image>"
        ));
    }

    /// The outline of a rectangle, of a class.
    pub(crate) fn frame(&mut self, class: &str, corner: (f64, f64), size: (f64, f64)) {
        let ((x, y), (w, h)) = (rounded(corner), rounded(size));
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/>"
        ));
    }

    /// A disc.
    pub(crate) fn disc(&mut self, centre: (f64, f64), radius: f64, fill: &str, stroke: &str) {
        let (x, y) = rounded(centre);
        self.push(format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"2\"/>"
        ));
    }

    /// A line through points.
    pub(crate) fn curve(&mut self, points: &[(f64, f64)], colour: &str) {
        let mut path = String::new();
        for (i, &point) in points.iter().enumerate() {
            let (x, y) = rounded(point);
            let _ = write!(path, "{}{x} {y}", if i == 0 { "M" } else { "L" });
        }
        self.push(format_args!(
            "<path class=\"curve\" stroke=\"{colour}\" d=\"{path}\"/>"
        ));
    }

    /// A text of a class.
    pub(crate) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        self.turned_text(class, at, 0.0, anchor, text);
    }

    /// A text of a class, turned by so many degrees around its point.
    pub(crate) fn turned_text(
        &mut self,
        class: &str,
        at: (f64, f64),
        degrees: f64,
        anchor: Anchor,
        text: &str,
    ) {
        let (x, y) = rounded(at);
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let turn = if degrees == 0.0 {
            String::new()
        } else {
            format!(" transform=\"rotate({degrees} {x} {y})\"")
        };
        let text = escaped(text);
        self.push(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\"{turn}>{text}</text>"
        ));
    }
}

/// Hundredths of a pixel are enough, and keep the file small.
fn rounded((x, y): (f64, f64)) -> (f64, f64) {
    let round = |v: f64| (v * 100.0).round() / 100.0;
    (round(x), round(y))
}

/// A text as XML has it; characters that XML forbids become spaces.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A text of at most so many characters, its end replaced by an ellipsis if it is longer.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// Panics unless the text is XML with every element closed in order, and no number in it is NaN or infinite.
#[cfg(test)]
pub(crate) fn assert_well_formed(text: &str) {
    let mut open = Vec::new();
    for part in text.split('<').skip(1) {
        let (tag, rest) = part.split_once('>').expect("a tag that ends");
        assert!(!rest.contains('>'), "a bare > in {rest:?}");
        let ampersands = rest.matches('&').count();
        let entities = ["&amp;", "&lt;", "&gt;", "&quot;"];
        let entities: usize = entities.iter().map(|e| rest.matches(e).count()).sum();
        assert_eq!(ampersands, entities, "a bare & in {rest:?}");
        assert_eq!(tag.matches('"').count() % 2, 0, "an open quote in {tag:?}");
        assert!(
            !tag.contains("NaN") && !tag.contains("inf"),
            "no coordinate: {tag}"
        );
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "in {text}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or_default());
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

/// What a picture holds, in the order in which it was drawn.
#[cfg(test)]
pub(crate) mod drawn {
    /// The tags of that name, each up to the next tag.
    pub(crate) fn tags<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
        let parts = text.split('<');
        parts
            .filter(|part| part.split(' ').next() == Some(name))
            .collect()
    }

    /// The texts with their tags.
    pub(crate) fn texts(text: &str) -> Vec<(&str, &str)> {
        let tags = tags(text, "text").into_iter();
        tags.filter_map(|tag| tag.split_once('>')).collect()
    }

    pub(crate) fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
        let found = tag
            .split_once(&format!(" {name}=\""))
            .and_then(|(_, rest)| rest.split_once('"'));
        found.unwrap_or_else(|| panic!("no {name} in {tag}")).0
    }

    pub(crate) fn number(tag: &str, name: &str) -> f64 {
        attribute(tag, name).parse().expect("a number")
    }

    /// The points of a curve.
    pub(crate) fn points(path: &str) -> Vec<(f64, f64)> {
        let places = attribute(path, "d").split(['M', 'L']).skip(1);
        let numbers = places.filter_map(|place| place.split_once(' '));
        let read = |number: &str| number.parse().expect("a number");
        numbers.map(|(x, y)| (read(x), read(y))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let mut svg = Svg::new(10.0, 10.0, "a < b & \"c\"");
        svg.text("name", (1.0, 2.0), Anchor::End, "x > y\u{0}\n<script>");
        let text = svg.finish();
        assert_well_formed(&text);
        assert!(text.contains("<title>a &lt; b &amp; &quot;c&quot;</title>"));
        assert!(text.contains(">x &gt; y  &lt;script&gt;</text>"));
    }

    #[test]
    fn long_texts_are_shortened() {
        assert_eq!(shortened("größe", 5), "größe");
        assert_eq!(shortened("größen", 5), "größ…");
    }
}
