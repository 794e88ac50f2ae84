//! The text form of the metrics: aligned tables that stay readable with long names and with many classes.

use std::fmt;

use super::{ClassScores, Classification, OutputScores, Regression};

/// Names are cut to so many characters.
const NAME_WIDTH: usize = 24;
/// With more classes than this, only the worst are listed.
const LISTED: usize = 40;
/// A confusion matrix wider than this gives way to the list of the most frequent confusions.
const MATRIX_WIDTH: usize = 120;
/// The length of that list.
const CONFUSIONS: usize = 20;

/// The scores in the form of scikit-learn's `classification_report`, then the confusion matrix.
impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "accuracy {:.4}", self.accuracy)?;
        if let Some(loss) = self.log_loss {
            write!(f, "   log loss {loss:.4}")?;
        }
        writeln!(f, "   rows {}\n", self.rows())?;
        write_scores(f, self)?;
        writeln!(f)?;
        write_confusion(f, self)
    }
}

fn write_scores(f: &mut fmt::Formatter<'_>, of: &Classification) -> fmt::Result {
    let mut listed: Vec<&ClassScores> = of.per_class.iter().collect();
    if listed.len() > LISTED {
        listed.sort_by(|a, b| a.f1.total_cmp(&b.f1));
        listed.truncate(LISTED);
        let classes = of.per_class.len();
        writeln!(f, "the {LISTED} of {classes} classes with the lowest f1:")?;
    }
    let names: Vec<String> = listed.iter().map(|c| shortened(&c.name)).collect();
    let width = widest(names.iter().map(String::as_str).chain(["weighted avg"]));
    writeln!(
        f,
        "{:>width$}  precision     recall         f1    support",
        ""
    )?;
    let mut line = |name: &str, p: f64, r: f64, f1: f64, support: u64| {
        writeln!(
            f,
            "{name:>width$}  {p:>9.4}  {r:>9.4}  {f1:>9.4}  {support:>9}"
        )
    };
    for (class, name) in listed.iter().zip(&names) {
        line(name, class.precision, class.recall, class.f1, class.support)?;
    }
    for (name, a) in [
        ("macro avg", of.macro_avg),
        ("weighted avg", of.weighted_avg),
    ] {
        line(name, a.precision, a.recall, a.f1, a.support)?;
    }
    Ok(())
}

fn write_confusion(f: &mut fmt::Formatter<'_>, of: &Classification) -> fmt::Result {
    let names: Vec<String> = of.per_class.iter().map(|c| shortened(&c.name)).collect();
    let counts = of.confusion_matrix.counts().map(|(_, _, count)| count);
    let digits = counts.max().unwrap_or(0).to_string().len();
    // Columns are headed by the names if these are short, and else by the rows' numbers.
    let numbered = names.iter().any(|name| name.chars().count() > 8);
    let number = |k: usize| format!("[{}]", k + 1);
    let (heads, sides): (Vec<String>, Vec<String>) = if numbered {
        let sides = names.iter().enumerate();
        let sides = sides.map(|(k, name)| format!("{name} {:>5}", number(k)));
        ((0..names.len()).map(number).collect(), sides.collect())
    } else {
        (names.clone(), names.clone())
    };
    let side = widest(sides.iter().map(String::as_str));
    let cell = 2 + digits.max(widest(heads.iter().map(String::as_str)));
    if side + cell * names.len() > MATRIX_WIDTH {
        return write_confusions(f, of, &names);
    }
    writeln!(f, "confusion matrix (rows: true, columns: predicted)")?;
    write!(f, "{:>side$}", "")?;
    for head in &heads {
        write!(f, "{head:>cell$}")?;
    }
    for (name, row) in sides.iter().zip(of.confusion_matrix.rows()) {
        write!(f, "\n{name:>side$}")?;
        for count in row {
            write!(f, "{count:>cell$}")?;
        }
    }
    Ok(())
}

/// What stands in for a matrix that would not fit a screen.
fn write_confusions(
    f: &mut fmt::Formatter<'_>,
    of: &Classification,
    names: &[String],
) -> fmt::Result {
    let wrong = of.confusion_matrix.counts().filter(|(t, p, _)| t != p);
    let mut confusions: Vec<(u64, usize, usize)> = wrong.map(|(t, p, n)| (n, t, p)).collect();
    confusions.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
    if confusions.is_empty() {
        return write!(f, "no row was taken for another class");
    }
    let classes = names.len();
    write!(
        f,
        "most frequent confusions of {classes} classes (all are in the JSON form)"
    )?;
    let shown = &confusions[..confusions.len().min(CONFUSIONS)];
    let width = widest(shown.iter().map(|&(_, t, _)| names[t].as_str()));
    for &(n, t, p) in shown {
        write!(
            f,
            "\n{n:>9} x true {:<width$}  predicted {}",
            names[t], names[p]
        )?;
    }
    Ok(())
}

/// The scores of each output, then their mean if there is more than one.
impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<(String, [f64; 4])> = self
            .per_output
            .iter()
            .map(|o: &OutputScores| (shortened(&o.name), [o.mse, o.rmse, o.mae, o.r2]))
            .collect();
        if lines.len() > 1 {
            lines.push(("mean".to_owned(), [self.mse, self.rmse, self.mae, self.r2]));
        }
        let width = widest(lines.iter().map(|(name, _)| name.as_str()));
        let heads = ["mse", "rmse", "mae", "r2"];
        write!(f, "{:>width$}", "")?;
        for head in heads {
            write!(f, "  {head:>12}")?;
        }
        for (name, scores) in &lines {
            write!(f, "\n{name:>width$}")?;
            for score in scores {
                write!(f, "  {:>12}", six_digits(*score))?;
            }
        }
        write!(f, "\nrows {}", self.rows)
    }
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

/// A name on one line and of bounded length.
fn shortened(name: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if name.chars().count() <= NAME_WIDTH {
        return name.chars().map(clean).collect();
    }
    let head = name.chars().take(NAME_WIDTH - 1).map(clean);
    head.chain(['…']).collect()
}

/// Six significant digits, plain where that is short.
fn six_digits(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 || x.is_nan() {
        x.to_string()
    } else if (1e-4..1e9).contains(&size) {
        let places = (5.0 - size.log10().floor()).clamp(0.0, 9.0) as usize;
        format!("{x:.places$}")
    } else {
        format!("{x:.5e}")
    }
}
