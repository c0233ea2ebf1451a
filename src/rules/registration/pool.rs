//! User pools as they may be registered: the id, and an attribute schema that keeps what tokens and users rely on.

use super::{is_visible, uri, within};
use crate::error::Error;
use crate::model::pool::{Attribute, STANDARD, Settings};
use crate::rules::claims::is_reserved;
use crate::rules::key_rotation;
use crate::rules::nobodys_domain::is_suffix;

/// Custom attributes that one pool may have (Cognito's quota).
const MOST_CUSTOM: usize = 50;
const MOST_SUFFIXES: usize = 20;
/// Days that a trace may be kept.
const LONGEST_TRACE: u32 = 365;

/// A pool id: `<region>_<letters and digits>`, 55 characters at most. It is a path segment of the issuer.
pub fn id(text: &str) -> Result<(), Error> {
    let well_formed = text.rsplit_once('_').is_some_and(|(region, name)| {
        !region.is_empty()
            && region
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if !well_formed || !within(text, 1, 55) {
        return Err(Error::invalid(
            "id",
            "must look like us-local-1_Abc123xyz: a region, an underscore, then letters and digits; at most 55 characters",
        ));
    }
    Ok(())
}

/// The settings of a new pool.
pub fn settings(settings: &Settings) -> Result<(), Error> {
    if !(1..=LONGEST_TRACE).contains(&settings.trace_days) {
        return Err(Error::invalid("trace_days", format!("must be 1-{LONGEST_TRACE}")));
    }
    if settings.key_rotation_days > key_rotation::MOST_DAYS {
        return Err(Error::invalid(
            "key_rotation_days",
            format!("must be 0 (never) to {}", key_rotation::MOST_DAYS),
        ));
    }
    tenant_claim(&settings.tenant_claim)?;
    if settings.preview_suffixes.len() > MOST_SUFFIXES {
        return Err(Error::invalid(
            "preview_suffixes",
            format!("at most {MOST_SUFFIXES}"),
        ));
    }
    if let Some(wrong) = settings
        .preview_suffixes
        .iter()
        .find(|suffix| !uri::is_own_domain(suffix))
    {
        return Err(Error::invalid(
            "preview_suffixes",
            format!(
                "'{}' must be a domain of your own in lower case, such as preview.example.com",
                wrong.escape_debug()
            ),
        ));
    }
    if let Some(shared) = settings.preview_suffixes.iter().find(|suffix| is_suffix(suffix)) {
        return Err(Error::invalid(
            "preview_suffixes",
            format!(
                "below '{shared}' everybody can have a host, and would be sent codes of people who sign in: take a domain \
                 below which only you do"
            ),
        ));
    }
    let custom = |attribute: &&Attribute| attribute.name.starts_with("custom:");
    if settings.attributes.iter().filter(custom).count() > MOST_CUSTOM {
        return Err(Error::invalid(
            "attributes",
            format!("at most {MOST_CUSTOM} custom attributes"),
        ));
    }
    for (at, own) in settings.attributes.iter().enumerate() {
        attribute(own)?;
        if settings
            .attributes
            .iter()
            .skip(at + 1)
            .any(|other| other.name == own.name)
        {
            return Err(Error::invalid(
                "attributes",
                format!("'{}' is there twice", own.name),
            ));
        }
    }
    Ok(())
}

/// The name of the claim that has the tenant's id; empty: there is none.
fn tenant_claim(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '/' | '.' | '-');
    let standard = STANDARD.iter().any(|(standard, _)| *standard == name);
    if name.len() > 128 || !name.chars().all(plain) || is_reserved(name) || standard {
        return Err(Error::invalid(
            "tenant_claim",
            "must be 1-128 letters, digits and _:/.-, and no claim that has another meaning; empty for none",
        ));
    }
    Ok(())
}

/// A change of settings: the schema only grows, and how usernames compare stays.
pub fn change(old: &Settings, new: &Settings) -> Result<(), Error> {
    settings(new)?;
    if old.case_sensitive != new.case_sensitive {
        return Err(Error::invalid(
            "case_sensitive",
            "cannot change: existing usernames would collide",
        ));
    }
    for before in &old.attributes {
        if !new.attributes.contains(before) {
            return Err(Error::invalid(
                "attributes",
                format!("'{}' cannot be changed or taken away: users have it", before.name),
            ));
        }
    }
    let standard_changed = new
        .attributes
        .iter()
        .find(|after| !after.name.starts_with("custom:") && !old.attributes.contains(after));
    match standard_changed {
        Some(changed) => Err(Error::invalid(
            "attributes",
            format!(
                "'{}' is a standard attribute: it is set when the pool is made",
                changed.name
            ),
        )),
        None => Ok(()),
    }
}

fn attribute(attribute: &Attribute) -> Result<(), Error> {
    let refuse = |why: &str| {
        Err(Error::invalid(
            "attributes",
            format!("'{}' {why}", attribute.name),
        ))
    };
    if let Some(name) = attribute.name.strip_prefix("custom:") {
        if !within(name, 1, 20) || !name.chars().all(is_visible) {
            return refuse("needs a name of 1-20 visible characters after custom:");
        }
        if attribute.required {
            return refuse("is a custom attribute, which cannot be required");
        }
        return Ok(());
    }
    match STANDARD.iter().find(|(name, _)| *name == attribute.name) {
        None => refuse("is no standard attribute; your own begin with custom:"),
        Some((_, kind)) if *kind != attribute.kind => refuse(&format!("is a {kind} by the standard")),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::pool::AttributeType;

    fn own(name: &str, kind: AttributeType) -> Attribute {
        Attribute {
            name: name.into(),
            kind,
            mutable: true,
            required: false,
        }
    }

    fn with(attributes: Vec<Attribute>) -> Settings {
        Settings {
            attributes,
            ..Settings::default()
        }
    }

    #[test]
    fn pool_ids_look_like_cognitos() {
        for right in [
            "us-local-1_Forebay01",
            "eu-west-1_Ab3dE6gHi",
            "a_b",
            "us_east_1_X",
        ] {
            assert!(id(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "_a",
            "a_",
            "abc",
            "a_b-c",
            "a/b_c",
            "a.b_c",
            "ä_b",
            "a_ü",
            &format!("a_{}", "x".repeat(54)),
        ] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_schema_holds_known_standard_and_well_named_custom_attributes() {
        let string = AttributeType::String;
        assert!(
            settings(&with(vec![
                own("custom:department", string),
                own("email", string)
            ]))
            .is_ok()
        );
        let required = Attribute {
            required: true,
            ..own("custom:a", string)
        };
        for wrong in [
            vec![own("department", string)],
            vec![own("sub", string)],
            vec![own("custom:", string)],
            vec![own("custom:has blank", string)],
            vec![own("custom:123456789012345678901", string)],
            vec![own("email", AttributeType::Number)],
            vec![required],
            vec![own("custom:a", string), own("custom:a", AttributeType::Number)],
            (0..51).map(|n| own(&format!("custom:{n}"), string)).collect(),
        ] {
            assert!(settings(&with(wrong.clone())).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_schema_only_grows() {
        let string = AttributeType::String;
        let old = with(vec![own("custom:a", string)]);
        let grown = with(vec![own("custom:a", string), own("custom:b", string)]);
        assert!(change(&old, &grown).is_ok());
        assert!(change(&grown, &old).is_err());
        assert!(change(&old, &with(vec![own("custom:a", AttributeType::Number)])).is_err());
        assert!(change(&old, &with(vec![own("custom:a", string), own("email", string)])).is_err());
        let folded = Settings {
            case_sensitive: false,
            ..old.clone()
        };
        assert!(change(&old, &folded).unwrap_err().to_string().contains("collide"));
    }
}
