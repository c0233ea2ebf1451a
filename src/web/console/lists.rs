//! Lists that can be long: what is searched for, and where the page goes on.

use actix_web::HttpRequest;

use super::Problem;
use crate::rules::params::{self, Params};

/// Rows on one page.
const ROWS: usize = 50;
/// The longest text that is searched for, in characters.
const LONGEST_SEARCH: usize = 100;

/// The parameters of the request's address.
pub fn query(request: &HttpRequest) -> Result<Params, Problem> {
    Params::parse(request.query_string().as_bytes()).map_err(|malformed| Problem::Malformed(malformed.0))
}

/// What a list was asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub search: String,
    /// The id of the last row of the page before.
    pub after: Option<String>,
}

impl Asked {
    pub fn of(query: &Params) -> Asked {
        let search = query.get("search").unwrap_or_default().trim();
        Asked {
            search: search.chars().take(LONGEST_SEARCH).collect(),
            after: query.get("after").map(str::to_owned),
        }
    }

    /// One more than is shown, to know whether there are more.
    pub fn limit() -> i64 {
        ROWS as i64 + 1
    }

    /// Cuts the rows to one page, and gives the address of the next if there is one. `kept` are parameters that go on.
    pub fn next<T>(
        &self,
        rows: &mut Vec<T>,
        path: &str,
        kept: &[(&str, &str)],
        id: impl Fn(&T) -> &str,
    ) -> Option<String> {
        if rows.len() <= ROWS {
            return None;
        }
        rows.truncate(ROWS);
        let last = rows.last().map(&id)?;
        let pairs = kept
            .iter()
            .copied()
            .chain([("search", self.search.as_str()), ("after", last)])
            .filter(|(_, value)| !value.is_empty());
        Some(format!("{path}?{}", params::encode(pairs)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_where_it_ended() {
        let asked = Asked {
            search: "a b".into(),
            after: None,
        };
        let mut rows: Vec<String> = (0..51).map(|n| format!("id{n:02}")).collect();
        let next = asked.next(&mut rows, "/list", &[("pool", "p"), ("other", "")], |row| row);
        assert_eq!(rows.len(), 50);
        assert_eq!(next.as_deref(), Some("/list?pool=p&search=a+b&after=id49"));
        assert_eq!(asked.next(&mut rows, "/list", &[], |row| row), None);
        assert_eq!(rows.len(), 50);
    }
}
