//! Guesses at what a misspelt key was meant to be.

/// Longest name that is compared; longer ones are not typed by hand.
const MAX_NAME: usize = 64;

/// The known name nearest to `given`, if it is near enough to be a slip of the pen: at most two letters
/// inserted, dropped or changed, and fewer than half of the name. Case does not count.
pub fn did_you_mean<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .filter_map(|name| Some((distance(given, name)?, name)))
        .filter(|(distance, name)| *distance <= 2 && distance * 2 < name.len().min(given.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Edit distance of two names without regard to ASCII case; `None` where it cannot be below 3.
fn distance(a: &str, b: &str) -> Option<usize> {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() > MAX_NAME || b.len() > MAX_NAME || a.len().abs_diff(b.len()) > 2 {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(cell) = row.first_mut() {
            *cell = left;
        }
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = *cell;
            left = changed.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
    }
    row.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let known = ["Version", "DefaultProduct", "Hosts", "HostTags", "Ts"];
        for (given, want) in [
            ("Hosst", Some("Hosts")),
            ("hosttag", Some("HostTags")),
            ("Versoin", Some("Version")),
            ("DefaultProdct", Some("DefaultProduct")),
            ("Tx", None),
            ("Comment", None),
            ("", None),
        ] {
            assert_eq!(did_you_mean(given, known), want, "{given}");
        }
    }

    #[test]
    fn distance_is_the_edit_distance() {
        for (a, b, want) in
            [("", "", Some(0)), ("ab", "", Some(2)), ("kitten", "sitten", Some(1)), ("abc", "ABD", Some(1))]
        {
            assert_eq!(distance(a, b), want);
        }
        assert_eq!(distance("kitten", "kit"), None);
    }
}
