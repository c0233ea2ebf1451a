//! The editor's page, and what it is made of.

use askama::Template;

use super::asked::Asked;
use super::draft::{self, Draft, GroupsFrom, Mistakes, NamingKind, RuleRow};
use super::import::Import;
use super::path_of;
use super::seen::{self, Asking, Seen};
use super::trial::{LASTS, PreviewView, ReplayView};
use crate::actions::mappings;
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::mapping::{self as stored, Absent, Mapping, MissingGroup, Unlisted, Write};
use crate::model::pool::{self, Pool};
use crate::model::provider::{self, ApiScope, Provider, Replay};
use crate::model::reach::Reach;
use crate::rules::mapping::Compiled;
use crate::rules::mapping::difference::{self, Change, ChangeKind};
use crate::rules::mapping::expression::functions::FUNCTIONS;
use crate::seal::Sealer;
use crate::web::console::door::Admin;
use crate::web::console::page::Frame;
use crate::web::console::problem::Problem;
use crate::web::console::time::Moment;
use crate::world::UnixTime;

#[derive(Template)]
#[template(path = "console/mapping/editor.html")]
pub(super) struct Editor {
    pub(super) frame: Frame,
    pub(super) provider: Provider,
    pub(super) may_change: bool,
    /// May save what breaks an app's contract: apps are the pool's.
    pub(super) may_break: bool,
    pub(super) live: Option<Version>,
    pub(super) draft: Draft,
    pub(super) mistakes: Mistakes,
    pub(super) attributes: Vec<String>,
    /// What the draft makes another than the version in force.
    pub(super) changes: Vec<Change>,
    pub(super) seen: Seen,
    pub(super) keep: Replay,
    /// Its tenant lets sign-ins be kept.
    pub(super) tenant_allows: bool,
    pub(super) functions: Vec<&'static str>,
    /// The sign-in or the claims that a preview is made of.
    pub(super) trace: String,
    pub(super) sample: String,
    pub(super) last: usize,
    pub(super) preview: Option<PreviewView>,
    pub(super) preview_error: Option<String>,
    pub(super) replay: Option<ReplayView>,
    pub(super) conflict: Option<Conflict>,
    pub(super) breaches: Vec<String>,
    pub(super) error: Option<String>,
    /// What came of an import, or why nothing did.
    pub(super) import: Option<Result<Import, String>>,
}

/// A version as pages show it.
pub(super) struct Version {
    pub(super) number: i64,
    pub(super) author: String,
    pub(super) note: String,
    pub(super) at: Moment,
}

/// Somebody saved since the draft was begun.
pub(super) struct Conflict {
    /// What they saved last.
    pub(super) theirs: Version,
    /// Against the version that both began with.
    pub(super) their_changes: Vec<Change>,
    pub(super) my_changes: Vec<Change>,
}

/// A row of the table with everything that stands at it.
pub(super) struct Row<'a> {
    pub(super) rule: &'a RuleRow,
    pub(super) mistakes: &'a [String],
    /// What came of its source, in words.
    pub(super) seen: String,
    pub(super) warns: bool,
}

impl Editor {
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        self.draft
            .rules
            .iter()
            .zip(&self.mistakes.rules)
            .zip(&self.seen.rules)
            .map(|((rule, mistakes), seen)| Row {
                rule,
                mistakes,
                seen: seen.words(self.seen.sign_ins),
                warns: seen.warns(self.seen.sign_ins),
            })
            .collect()
    }

    /// Okta's own mapping can be asked for.
    pub(super) fn may_import(&self) -> bool {
        self.may_change
            && self
                .provider
                .settings
                .okta_api
                .contains(&ApiScope::ProfileMappingsRead)
    }

    pub(super) fn path(&self) -> String {
        path_of(&self.provider.id)
    }

    pub(super) fn groups_seen(&self) -> String {
        self.seen.groups.words(self.seen.sign_ins)
    }

    pub(super) fn groups_warn(&self) -> bool {
        self.seen.groups.warns(self.seen.sign_ins)
    }

    /// The row that the script copies for a new rule.
    pub(super) fn blank(&self) -> Row<'static> {
        static BLANK: RuleRow = RuleRow {
            attribute: String::new(),
            computed: false,
            claim: String::new(),
            expression: String::new(),
            write: Write::Always,
            absent: Absent::Keep,
        };
        Row {
            rule: &BLANK,
            mistakes: &[],
            seen: String::new(),
            warns: false,
        }
    }
}

impl Version {
    pub(super) fn of(mapping: &Mapping) -> Version {
        Version {
            number: mapping.version,
            author: mapping.author.clone(),
            note: mapping.note.clone(),
            at: Moment(mapping.created_at),
        }
    }
}

/// What a page is made of besides the draft.
pub(super) struct Room {
    pub(super) frame: Frame,
    pub(super) sees: Reach,
    pub(super) changes: Reach,
    pub(super) provider_id: String,
    pub(super) sealer: Sealer,
    pub(super) now: UnixTime,
    pub(super) public_url: String,
}

impl Room {
    pub(super) fn new(admin: &Admin, broker: &Broker, provider_id: &str, query: &str) -> Room {
        Room {
            frame: Frame::new(admin, "connections", query),
            sees: admin.sees().clone(),
            changes: admin.changes().clone(),
            provider_id: provider_id.to_owned(),
            sealer: broker.sealer.clone(),
            now: broker.clock.now(),
            public_url: broker.public_url.clone(),
        }
    }

    pub(super) fn provider(&self, conn: &mut Conn) -> Result<(Provider, Pool), Problem> {
        let provider = provider::find_within(conn, &self.sees, &self.provider_id)
            .map_err(StoreError::from)?
            .ok_or(Problem::NotFound)?;
        let pool = pool::find(conn, &provider.user_pool_id)
            .map_err(StoreError::from)?
            .ok_or(Problem::NotFound)?;
        Ok((provider, pool))
    }

    /// The page with the draft as it is; what was asked of it is put in afterwards.
    pub(super) fn editor(
        self,
        conn: &mut Conn,
        provider: Provider,
        pool: &Pool,
        draft: Draft,
        compiled: &Compiled,
        asked: &Asked,
    ) -> Result<Editor, Problem> {
        let live = stored::current(conn, &provider.id).map_err(StoreError::from)?;
        let rules = live.as_ref().map(|live| live.rules.0.clone()).unwrap_or_default();
        let asking = Asking {
            sealer: &self.sealer,
            now: self.now,
            provider: &provider,
            settings: &pool.settings,
            sees: &self.sees,
            compiled,
        };
        let seen = seen::look(conn, &asking, &draft)?;
        let may_change = provider::find_within(conn, &self.changes, &provider.id)
            .map_err(StoreError::from)?
            .is_some();
        Ok(Editor {
            mistakes: draft.mistakes(compiled, &pool.settings),
            attributes: draft::attributes(&pool.settings),
            changes: difference::between(&rules, &compiled.rules),
            live: live.as_ref().map(Version::of),
            seen,
            keep: provider.settings.replay.clone(),
            tenant_allows: mappings::keeping::tenant_allows(conn, &provider)?,
            functions: FUNCTIONS.iter().map(|entry| entry.usage).collect(),
            may_change,
            may_break: self.changes.has_pool(&pool.id),
            trace: asked.trace.clone(),
            sample: asked.sample.clone(),
            last: asked.last,
            preview: None,
            preview_error: None,
            replay: None,
            conflict: None,
            breaches: Vec::new(),
            error: None,
            import: None,
            frame: self.frame,
            provider,
            draft,
        })
    }
}
