//! Overrides: what a hook wants otherwise in the tokens that are about to be made. Kept with the code, because the hook is
//! asked at the sign-in and the tokens are made when the code is exchanged. `rules::claims::overridden`
//! carries them out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Cognito's `claimsAndScopeOverrideDetails`, read and checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    pub id_token: ClaimChanges,
    pub access_token: ClaimChanges,
    pub scopes_to_add: Vec<String>,
    pub scopes_to_suppress: Vec<String>,
    /// In place of the user's own.
    pub groups: Option<GroupOverride>,
    /// The groups of the access token are replaced, too.
    pub groups_of_access_token: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimChanges {
    pub add: Map<String, Value>,
    /// Wins over what is added.
    pub suppress: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupOverride {
    pub groups: Vec<String>,
    pub roles: Vec<String>,
    pub preferred_role: Option<String>,
}
