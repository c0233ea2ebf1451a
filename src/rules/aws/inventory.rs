//! The README's table of every operation of the API, by area: what is offered, what is not and why. What is offered is
//! read from `shapes.txt`, so the table follows the code; the areas and the remarks stand here.

use super::shapes;

struct Area {
    name: &'static str,
    operations: &'static str,
    /// What to know about those that are offered.
    remark: &'static str,
    /// Why the others are not, and what there is in their place.
    instead: &'static str,
}

const AREAS: [Area; 12] = [
    Area {
        name: "User pools",
        operations: "CreateUserPool DescribeUserPool UpdateUserPool DeleteUserPool ListUserPools AddCustomAttributes \
                     GetUserPoolMfaConfig SetUserPoolMfaConfig GetSigningCertificate GetUserPoolSessionConfiguration \
                     SetUserPoolSessionConfiguration CreateUserPoolReplica DeleteUserPoolReplica ListUserPoolReplicas \
                     UpdateUserPoolReplica GetProvisionedLimit UpdateProvisionedLimit GetLogDeliveryConfiguration \
                     SetLogDeliveryConfiguration DescribeRiskConfiguration SetRiskConfiguration",
        remark: "second factors are Okta's: `MfaConfiguration` other than `OFF` is refused",
        instead: "one database, no replicas, quotas or threat scores to configure; logs go to standard error, audit events \
                  and webhooks to whom the console says",
    },
    Area {
        name: "App clients",
        operations: "CreateUserPoolClient DescribeUserPoolClient UpdateUserPoolClient DeleteUserPoolClient \
                     ListUserPoolClients AddUserPoolClientSecret DeleteUserPoolClientSecret ListUserPoolClientSecrets \
                     GetUserPoolClientSessionConfiguration SetUserPoolClientSessionConfiguration",
        remark: "two secrets live at a time",
        instead: "",
    },
    Area {
        name: "Identity providers",
        operations: "CreateIdentityProvider DescribeIdentityProvider UpdateIdentityProvider DeleteIdentityProvider \
                     ListIdentityProviders GetIdentityProviderByIdentifier",
        remark: "type `OIDC`; SAML and social providers are refused: let Okta speak to them",
        instead: "",
    },
    Area {
        name: "Domains",
        operations: "CreateUserPoolDomain DescribeUserPoolDomain UpdateUserPoolDomain DeleteUserPoolDomain",
        remark: "routed by host; certificates are the TLS proxy's",
        instead: "",
    },
    Area {
        name: "Resource servers",
        operations: "CreateResourceServer DescribeResourceServer UpdateResourceServer DeleteResourceServer \
                     ListResourceServers",
        remark: "",
        instead: "",
    },
    Area {
        name: "Groups",
        operations: "CreateGroup GetGroup UpdateGroup DeleteGroup ListGroups AdminAddUserToGroup \
                     AdminRemoveUserFromGroup AdminListGroupsForUser ListUsersInGroup",
        remark: "what a connection's mapping gave, only it takes away",
        instead: "",
    },
    Area {
        name: "Users",
        operations: "AdminCreateUser AdminGetUser ListUsers AdminUpdateUserAttributes AdminDeleteUserAttributes \
                     AdminDeleteUser AdminEnableUser AdminDisableUser AdminUserGlobalSignOut AdminLinkProviderForUser \
                     AdminDisableProviderForUser AdminSetUserPassword AdminConfirmSignUp AdminResetUserPassword \
                     AdminListUserSessions AdminRevokeUserSession AdminListUserAuthEvents AdminGetUserAuthFactors \
                     AdminUpdateAuthEventFeedback AdminSetUserSettings AdminSetUserMFAPreference \
                     AdminDeleteSoftwareToken AdminForgetDevice AdminGetDevice AdminListDevices AdminUpdateDeviceStatus",
        remark: "nothing is mailed or texted: whoever makes a user or resets a password hands it over",
        instead: "no second factors and no remembered devices of native users",
    },
    Area {
        name: "Tags",
        operations: "TagResource UntagResource ListTagsForResource",
        remark: "",
        instead: "",
    },
    Area {
        name: "Branding and terms",
        operations: "GetUICustomization SetUICustomization CreateManagedLoginBranding DescribeManagedLoginBranding \
                     DescribeManagedLoginBrandingByClient UpdateManagedLoginBranding DeleteManagedLoginBranding \
                     CreateTerms DescribeTerms DescribeTermsByClient UpdateTerms DeleteTerms ListTerms",
        remark: "a client without branding has the default page",
        instead: "",
    },
    Area {
        name: "Sign-in and tokens",
        operations: "InitiateAuth RespondToAuthChallenge AdminInitiateAuth AdminRespondToAuthChallenge \
                     GetTokensFromRefreshToken RevokeToken GlobalSignOut GetClientToken GetDerivedToken",
        remark: "flows `USER_SRP_AUTH`, `USER_PASSWORD_AUTH`, `ADMIN_USER_PASSWORD_AUTH`, `REFRESH_TOKEN_AUTH`; challenge \
                 `NEW_PASSWORD_REQUIRED`",
        instead: "",
    },
    Area {
        name: "Self-service",
        operations: "GetUser UpdateUserAttributes DeleteUserAttributes DeleteUser ListUserSessions RevokeUserSession \
                     GetUserAuthFactors SignUp ConfirmSignUp ResendConfirmationCode ForgotPassword \
                     ConfirmForgotPassword ChangePassword GetUserAttributeVerificationCode VerifyUserAttribute \
                     AssociateSoftwareToken VerifySoftwareToken SetUserMFAPreference SetUserSettings ConfirmDevice \
                     ForgetDevice GetDevice ListDevices UpdateDeviceStatus UpdateAuthEventFeedback \
                     StartWebAuthnRegistration CompleteWebAuthnRegistration ListWebAuthnCredentials \
                     DeleteWebAuthnCredential",
        remark: "with an access token of scope `aws.cognito.signin.user.admin`",
        instead: "people sign up, prove themselves and reset passwords at their company's Okta; nothing is mailed or texted",
    },
    Area {
        name: "User import",
        operations: "GetCSVHeader CreateUserImportJob DescribeUserImportJob ListUserImportJobs StartUserImportJob \
                     StopUserImportJob",
        remark: "",
        instead: "`forebay import` moves whole pools, with `sub`s and links",
    },
];

/// The table as README.md has it.
fn markdown() -> String {
    let mut text = String::from("| area | offered | not offered |\n|---|---|---|\n");
    for area in AREAS {
        let (offered, others): (Vec<&str>, Vec<&str>) = area
            .operations
            .split_whitespace()
            .partition(|name| shapes::operation(name).is_some_and(|operation| operation.offered));
        let cell = |names: Vec<&str>, remark: &str| match (names.is_empty(), remark) {
            (true, "") => String::new(),
            (true, remark) => remark.to_owned(),
            (false, "") => names.join(", "),
            (false, remark) => format!("{}<br>*{remark}*", names.join(", ")),
        };
        text.push_str(&format!(
            "| {} | {} | {} |\n",
            area.name,
            cell(offered, area.remark),
            cell(others, area.instead)
        ));
    }
    text
}

#[test]
fn every_operation_is_in_one_area() {
    let mut listed: Vec<&str> = AREAS
        .iter()
        .flat_map(|area| area.operations.split_whitespace())
        .collect();
    listed.sort_unstable();
    let all: Vec<&str> = shapes::operations()
        .iter()
        .map(|operation| operation.name)
        .collect();
    assert_eq!(listed, all);
}

#[test]
fn the_readme_has_the_table_of_this_build() {
    let table = markdown();
    assert!(
        include_str!("../../../README.md").contains(&table),
        "README.md, section The management API, must hold exactly:\n\n{table}"
    );
}
