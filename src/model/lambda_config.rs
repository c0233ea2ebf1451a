//! Cognito's `LambdaConfigType`: which hook takes part in what, each named by an ARN-shaped id. Kept and shown exactly as
//! it was set; which address answers for an id is a [`super::hook::Binding`].

use serde::{Deserialize, Serialize};

use crate::text_enum;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LambdaConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_sign_up: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_confirmation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_authentication: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_authentication: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_token_generation: Option<String>,
    /// The same hook as `pre_token_generation`, where both are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_token_generation_config: Option<Versioned>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound_federation: Option<Versioned>,
}

/// A hook and the version of the event it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Versioned {
    pub lambda_version: Version,
    pub lambda_arn: String,
}

text_enum! {
    pub enum Version { V1 = "V1_0", V2 = "V2_0", V3 = "V3_0" }
}

text_enum! {
    /// What a hook is called for.
    pub enum Trigger {
        InboundFederation = "InboundFederation",
        PreSignUp = "PreSignUp",
        PostConfirmation = "PostConfirmation",
        PreAuthentication = "PreAuthentication",
        PostAuthentication = "PostAuthentication",
        PreTokenGeneration = "PreTokenGeneration",
    }
}

impl LambdaConfig {
    /// The hook of a trigger.
    pub fn arn(&self, trigger: Trigger) -> Option<&str> {
        match trigger {
            Trigger::InboundFederation => self
                .inbound_federation
                .as_ref()
                .map(|hook| hook.lambda_arn.as_str()),
            Trigger::PreSignUp => self.pre_sign_up.as_deref(),
            Trigger::PostConfirmation => self.post_confirmation.as_deref(),
            Trigger::PreAuthentication => self.pre_authentication.as_deref(),
            Trigger::PostAuthentication => self.post_authentication.as_deref(),
            Trigger::PreTokenGeneration => self.token_generation().map(|(arn, _)| arn),
        }
    }

    /// The hook of tokens with the version of its event; the older member stands for the first version.
    pub fn token_generation(&self) -> Option<(&str, Version)> {
        match (&self.pre_token_generation_config, &self.pre_token_generation) {
            (Some(config), _) => Some((&config.lambda_arn, config.lambda_version)),
            (None, Some(arn)) => Some((arn, Version::V1)),
            (None, None) => None,
        }
    }

    /// Every trigger that has a hook, with it.
    pub fn hooks(&self) -> impl Iterator<Item = (Trigger, &str)> {
        let triggers = Trigger::ALL.iter().copied();
        triggers.filter_map(|trigger| Some((trigger, self.arn(trigger)?)))
    }

    /// Something takes part in making or finding the profile of somebody who signs in.
    pub fn takes_part_in_sign_ins(&self) -> bool {
        self.pre_sign_up.is_some()
            || self.post_confirmation.is_some()
            || self.pre_authentication.is_some()
            || self.post_authentication.is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_set_is_what_is_shown() {
        for set in [
            json!({}),
            json!({ "PreSignUp": "a", "PreTokenGeneration": "b" }),
            json!({
                "PreTokenGenerationConfig": { "LambdaVersion": "V2_0", "LambdaArn": "c" },
                "InboundFederation": { "LambdaVersion": "V1_0", "LambdaArn": "d" }
            }),
        ] {
            let read: LambdaConfig = serde_json::from_value(set.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), set);
        }
    }

    #[test]
    fn the_version_of_the_token_event_comes_from_the_newer_member() {
        let read = |set| serde_json::from_value::<LambdaConfig>(set).unwrap();
        let old = read(json!({ "PreTokenGeneration": "a" }));
        assert_eq!(old.token_generation(), Some(("a", Version::V1)));
        let both = read(json!({
            "PreTokenGeneration": "a", "PreTokenGenerationConfig": { "LambdaVersion": "V3_0", "LambdaArn": "a" }
        }));
        assert_eq!(both.token_generation(), Some(("a", Version::V3)));
        assert_eq!(
            both.hooks().collect::<Vec<_>>(),
            [(Trigger::PreTokenGeneration, "a")]
        );
        assert!(!both.takes_part_in_sign_ins());
    }
}
