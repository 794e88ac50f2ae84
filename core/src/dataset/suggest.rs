//! "Did you mean": the known name that a mistyped one is closest to.

/// The name with the fewest letters to insert, delete or replace (Levenshtein), if those are at most a third of the
/// letters of `typed`, rounded up, and not all.
pub fn closest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = typed.to_lowercase().chars().take(64).collect();
    names
        .map(|name| (distance(&typed, name), name))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, _)| distance <= typed.len().div_ceil(3) && distance < typed.len())
        .map(|(_, name)| name)
}

fn distance(typed: &[char], name: &str) -> usize {
    let mut row: Vec<usize> = (0..=typed.len()).collect();
    for (i, letter) in name.to_lowercase().chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &other) in typed.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[typed.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn names_close_by() {
        let names = ["label", "sepal_length", "age"];
        let find = |typed| closest(typed, names.into_iter());
        assert_eq!(find("lable"), Some("label"));
        assert_eq!(find("sepal_lenght"), Some("sepal_length"));
        assert_eq!(find("AGE"), Some("age"));
        assert_eq!(find("income"), None);
        assert_eq!(closest("y", ["q"].into_iter()), None);
    }
}
