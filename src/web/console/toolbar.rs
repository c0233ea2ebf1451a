//! What the toolbars over lists have in common: fields read from the address, a stretch of days, and the address of the
//! next page with all of it.

use chrono::{DateTime, NaiveDate};

use crate::rules::params::{self, Params};
use crate::world::UnixTime;

const DAY: i64 = 86_400;

/// A field's value as typed: `None` when it is blank or holds what no stored text can hold.
pub fn given(params: &Params, name: &str) -> Option<String> {
    params
        .get(name)
        .map(str::trim)
        .filter(|text| !text.is_empty() && text.len() <= 512 && !text.chars().any(char::is_control))
        .map(str::to_owned)
}

/// `path` with these parameters; those without a value are left out, except for a blank first day, which is another search
/// than none.
pub fn address<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<_> = pairs
        .into_iter()
        .filter(|(name, value)| !value.is_empty() || *name == "from")
        .collect();
    if pairs.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", params::encode(pairs))
    }
}

/// A stretch of whole days of UTC, in two date fields. A field left blank is no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// As the fields hold them: `2026-11-21`.
    pub from: String,
    pub to: String,
    pub since: Option<UnixTime>,
    /// The moment after the last day.
    pub until: Option<UnixTime>,
    pub problem: Option<&'static str>,
}

impl Period {
    /// What the query says; where it says nothing, from so many days ago. A blank field is something said, which `Params`
    /// does not tell from none.
    pub fn of(query: &str, now: UnixTime, days: i64) -> Period {
        let said = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.trim().to_owned())
        };
        let from = said("from").unwrap_or_else(|| date_of(now.plus(-days * DAY)));
        let to = said("to").unwrap_or_default();
        let (since, until) = (day(&from), day(&to));
        let unreadable = |text: &str, read: Option<UnixTime>| !text.is_empty() && read.is_none();
        Period {
            problem: if unreadable(&from, since) || unreadable(&to, until) {
                Some("Write a date as 2026-11-21.")
            } else {
                None
            },
            since,
            until: until.map(|day| day.plus(DAY)),
            from,
            to,
        }
    }
}

/// The day of that moment.
pub fn date_of(at: UnixTime) -> String {
    DateTime::from_timestamp(at.0, 0)
        .map(|at| at.format("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

fn day(text: &str) -> Option<UnixTime> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let at = UnixTime(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp());
    // Far from any that occurs, and safe to count with.
    (0..=253_402_300_799).contains(&at.0).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(query: &str) -> Period {
        Period::of(query, UnixTime(1_795_219_200), 7)
    }

    #[test]
    fn a_period_is_whole_days_and_blank_fields_are_no_bounds() {
        let usual = period("");
        assert_eq!((usual.from.as_str(), usual.to.as_str()), ("2026-11-14", ""));
        assert_eq!(
            (usual.since, usual.until),
            (Some(UnixTime(1_795_219_200 - 7 * DAY)), None)
        );
        let one_day = period("from=2026-11-21&to=2026-11-21");
        assert_eq!(
            (one_day.since, one_day.until),
            (Some(UnixTime(1_795_219_200)), Some(UnixTime(1_795_219_200 + DAY)))
        );
        let open = period("from=&to=");
        assert_eq!((open.since, open.until, open.problem), (None, None, None));
        for wrong in [
            "from=yesterday",
            "to=2026-13-01",
            "from=-99999-01-01",
            "to=99999-01-01",
        ] {
            assert!(period(wrong).problem.is_some(), "{wrong}");
        }
    }

    #[test]
    fn an_address_keeps_what_is_filled_in() {
        assert_eq!(address("/x", [("a", ""), ("b", "")]), "/x");
        assert_eq!(address("/x", [("a", "1 2"), ("b", "")]), "/x?a=1+2");
        assert_eq!(address("/x", [("from", ""), ("to", "")]), "/x?from=");
    }
}
