//! Times on pages: in UTC for everyone, in the reader's own zone where the page's script runs.

use std::fmt;

use askama::filters::HtmlSafe;
use chrono::DateTime;

use crate::world::UnixTime;

/// A moment as a `<time>` element: `{{ moment }}`. The script shows it in the reader's zone, with the UTC on hover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub UnixTime);

impl Moment {
    /// For templates, which hand on references: `{{ Moment::at(row.created_at) }}`.
    pub fn at(at: &UnixTime) -> Moment {
        Moment(*at)
    }
}

/// Its text is made of a number alone: nothing in it is anybody's but ours.
impl HtmlSafe for Moment {}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = DateTime::from_timestamp(self.0.0, 0) else {
            return f.write_str("–");
        };
        let shown = at.format("%Y-%m-%d %H:%M UTC");
        write!(
            f,
            "<time datetime=\"{}\" data-local title=\"{shown}\">{shown}</time>",
            at.format("%Y-%m-%dT%H:%M:%SZ")
        )
    }
}
