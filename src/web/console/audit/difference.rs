//! An event's difference, as lines to read: which member, from what, to what.

use serde_json::Value;

/// Longer values are cut on the page; the exports have them whole.
const LONGEST: usize = 300;

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `settings › scopes`; '' when the difference is a single value.
    pub member: String,
    /// What it was, where it was anything.
    pub old: Option<String>,
    pub new: String,
}

/// The members of a difference as `actions::difference` makes it, or of whatever else an event tells.
pub fn changes(difference: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    walk(String::new(), difference, &mut changes);
    changes
}

fn walk(member: String, value: &Value, changes: &mut Vec<Change>) {
    let Value::Object(members) = value else {
        changes.push(Change {
            member,
            old: None,
            new: text(value),
        });
        return;
    };
    if let (2, Some(old), Some(new)) = (members.len(), members.get("old"), members.get("new")) {
        changes.push(Change {
            member,
            old: (!old.is_null()).then(|| text(old)),
            new: text(new),
        });
        return;
    }
    for (name, value) in members {
        let name = if member.is_empty() {
            name.clone()
        } else {
            format!("{member} › {name}")
        };
        walk(name, value, changes);
    }
}

fn text(value: &Value) -> String {
    let whole = match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    if whole.chars().count() <= LONGEST {
        whole
    } else {
        whole.chars().take(LONGEST).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_reads_member_by_member() {
        let line = |member: &str, old: Option<&str>, new: &str| Change {
            member: member.into(),
            old: old.map(str::to_owned),
            new: new.into(),
        };
        assert_eq!(
            changes(&json!({
                "enabled": { "old": true, "new": false },
                "settings": { "scopes": { "old": ["openid"], "new": ["openid", "email"] } },
                "tenant": { "old": null, "new": "acme" },
                "provider": "acme-okta",
                "left": [],
            })),
            [
                line("enabled", Some("yes"), "no"),
                line("left", None, "none"),
                line("provider", None, "acme-okta"),
                line("settings › scopes", Some("openid"), "openid, email"),
                line("tenant", None, "acme"),
            ]
        );
        assert_eq!(changes(&json!({})), []);
        assert_eq!(changes(&json!("x".repeat(400)))[0].new.chars().count(), 301);
    }
}
