//! Which button of the editor was pressed, and what the form says besides the draft.

use super::draft::Draft;
use super::trial::LASTS;
use crate::model::pool;
use crate::web::console::door::Form;
use crate::web::console::problem::Problem;

/// What the form says besides the draft.
pub(super) struct Asked {
    pub(super) what: What,
    pub(super) trace: String,
    pub(super) sample: String,
    pub(super) last: usize,
}

/// Which button was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Check,
    Add,
    Map(String),
    Remove(usize),
    Up(usize),
    Down(usize),
    AddToTable,
    RemoveFromTable(usize),
    /// Okta's own mapping into the draft.
    Import,
    Preview,
    Replay,
    Save {
        accept_breaches: bool,
    },
    /// Over what somebody else saved, which is this version.
    SaveOver(i64),
}

impl What {
    pub(super) fn parse(text: &str) -> Option<What> {
        let (name, detail) = text.split_once(':').unwrap_or((text, ""));
        let number = || detail.parse::<usize>().ok();
        Some(match name {
            "" | "check" => What::Check,
            "add" => What::Add,
            "map" => What::Map(detail.to_owned()),
            "remove" => What::Remove(number()?),
            "up" => What::Up(number()?),
            "down" => What::Down(number()?),
            "table-add" => What::AddToTable,
            "table-remove" => What::RemoveFromTable(number()?),
            "import" => What::Import,
            "preview" => What::Preview,
            "replay" => What::Replay,
            "save" => What::Save {
                accept_breaches: false,
            },
            "save-anyway" => What::Save {
                accept_breaches: true,
            },
            "save-over" => What::SaveOver(detail.parse().ok()?),
            _ => return None,
        })
    }

    /// Changes the draft's rows, if that is what was asked.
    pub(super) fn shape(&self, draft: &mut Draft, settings: &pool::Settings) {
        let (rules, rows) = (&mut draft.rules, &mut draft.groups.rows);
        match self {
            What::Add => draft.add_rule("", settings),
            What::Map(claim) => draft.add_rule(claim, settings),
            What::Remove(index) if *index < rules.len() => {
                rules.remove(*index);
            }
            What::Up(index) if (1..rules.len()).contains(index) => rules.swap(*index, index - 1),
            What::Down(index) if index + 1 < rules.len() => rules.swap(*index, index + 1),
            What::AddToTable => rows.push((String::new(), String::new())),
            What::RemoveFromTable(index) if *index < rows.len() => {
                rows.remove(*index);
            }
            _ => {}
        }
    }
}

impl Asked {
    pub(super) fn read(form: &Form) -> Result<Asked, Problem> {
        Ok(Asked {
            what: What::parse(form.text("do")).ok_or(Problem::Malformed("the button is none of the page"))?,
            trace: form.text("trace").to_owned(),
            sample: form.0.get("sample").unwrap_or_default().to_owned(),
            last: form
                .text("last")
                .parse()
                .ok()
                .filter(|last| LASTS.contains(last))
                .unwrap_or(LASTS[1]),
        })
    }

    pub(super) fn nothing() -> Asked {
        Asked {
            what: What::Check,
            trace: String::new(),
            sample: String::new(),
            last: LASTS[1],
        }
    }
}
