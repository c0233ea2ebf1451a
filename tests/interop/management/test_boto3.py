"""boto3 drives every operation that Forebay offers, botocore's own validation on, each answer held against the model.

The tests are one story in the order of the file: a pool, what is in it, its users, their tokens, and all of it deleted again.
"""

import base64
import hashlib
import hmac
import json
import uuid

import httpx
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError

from aws import management_client, observed
from model import inventory, offered
from stage import CALLBACK, Browser

PASSWORD = "Correct-horse-7-battery"
NEW_PASSWORD = "Staple-9-correct-horse"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Story:
    """What the earlier tests made."""

    pool = client = secret = native_client = None


@pytest.fixture(scope="module")
def story():
    return Story()


@pytest.fixture(scope="module")
def anonymous(demo):
    """A client without credentials, as a browser or a phone has it."""
    return management_client(demo, signed=False)


def attributes(user):
    return {each["Name"]: each["Value"] for each in user.get("UserAttributes", user.get("Attributes", []))}


def secret_hash(username, client_id, secret):
    mac = hmac.new(secret.encode(), (username + client_id).encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


# ---- The model -------------------------------------------------------------------------------------------------------


def test_the_table_of_shapes_is_the_models(cognito):
    model = cognito.meta.service_model
    signed = {name: model.operation_model(name).auth_type != "none" for name in model.operation_names}
    assert inventory() == signed


# ---- Pools -----------------------------------------------------------------------------------------------------------


def test_pool_create_describe_update(cognito, story):
    made = cognito.create_user_pool(
        PoolName="boto3", DeletionProtection="ACTIVE", UserPoolTags={"team": "identity"},
        AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
        Policies={"PasswordPolicy": {"MinimumLength": 12, "RequireLowercase": True, "TemporaryPasswordValidityDays": 3}},
        Schema=[{"Name": "department", "AttributeDataType": "String", "Mutable": True}],
        UsernameConfiguration={"CaseSensitive": False},
    )["UserPool"]
    story.pool = made["Id"]
    shown = cognito.describe_user_pool(UserPoolId=story.pool)["UserPool"]
    assert shown["Name"] == "boto3"
    assert shown["DeletionProtection"] == "ACTIVE"
    assert shown["Policies"]["PasswordPolicy"]["MinimumLength"] == 12
    assert "custom:department" in [attribute["Name"] for attribute in shown["SchemaAttributes"]]
    assert shown["UsernameConfiguration"]["CaseSensitive"] is False
    assert shown["Arn"].endswith(f"userpool/{story.pool}")
    story.arn = shown["Arn"]

    with pytest.raises(cognito.exceptions.InvalidParameterException, match="deletion protection"):
        cognito.delete_user_pool(UserPoolId=story.pool)
    cognito.update_user_pool(UserPoolId=story.pool, DeletionProtection="INACTIVE")
    shown = cognito.describe_user_pool(UserPoolId=story.pool)["UserPool"]
    assert shown["DeletionProtection"] == "INACTIVE"
    # As in Cognito, what an update leaves out falls back to its default.
    assert shown["Policies"]["PasswordPolicy"]["MinimumLength"] == 8


def test_pool_custom_attributes_and_lists(cognito, story):
    cognito.add_custom_attributes(
        UserPoolId=story.pool, CustomAttributes=[{"Name": "level", "AttributeDataType": "Number", "Mutable": True}]
    )
    pages = cognito.get_paginator("list_user_pools").paginate(PaginationConfig={"PageSize": 1})
    found = [pool["Id"] for page in pages for pool in page["UserPools"]]
    assert story.pool in found and len(found) == len(set(found)) >= 2


def test_pool_mfa_sessions_and_certificate(cognito, story):
    assert cognito.get_user_pool_mfa_config(UserPoolId=story.pool)["MfaConfiguration"] == "OFF"
    assert cognito.set_user_pool_mfa_config(UserPoolId=story.pool, MfaConfiguration="OFF")["MfaConfiguration"] == "OFF"
    with pytest.raises(cognito.exceptions.InvalidParameterException):
        cognito.set_user_pool_mfa_config(UserPoolId=story.pool, MfaConfiguration="ON")
    wanted = {"UserSessionTracking": "ENABLED", "TokenSession": {"MaxPerUser": 10}}
    cognito.set_user_pool_session_configuration(UserPoolId=story.pool, **wanted)
    shown = cognito.get_user_pool_session_configuration(UserPoolId=story.pool)
    assert {name: shown[name] for name in wanted} == wanted
    assert len(base64.b64decode(cognito.get_signing_certificate(UserPoolId=story.pool)["Certificate"])) > 300


def test_tags(cognito, story):
    cognito.tag_resource(ResourceArn=story.arn, Tags={"stage": "test"})
    cognito.untag_resource(ResourceArn=story.arn, TagKeys=["team"])
    assert "stage" in cognito.list_tags_for_resource(ResourceArn=story.arn)["Tags"]


# ---- What is in a pool -----------------------------------------------------------------------------------------------


def test_identity_providers(cognito, story, demo):
    details = {
        "client_id": "0oa1forebayacme00000", "client_secret": "demo-secret-of-forebay-at-acme-000000000001",
        "oidc_issuer": demo.acme, "authorize_scopes": "openid profile email", "attributes_request_method": "GET",
    }
    for name in ("okta-acme", "okta-globex"):
        cognito.create_identity_provider(
            UserPoolId=story.pool, ProviderName=name, ProviderType="OIDC", ProviderDetails=details,
            AttributeMapping={"email": "email", "given_name": "given_name"}, IdpIdentifiers=[f"{name}.example"],
        )
    shown = cognito.describe_identity_provider(UserPoolId=story.pool, ProviderName="okta-acme")["IdentityProvider"]
    assert details.items() <= shown["ProviderDetails"].items()
    assert shown["AttributeMapping"]["email"] == "email"
    again = cognito.describe_identity_provider(UserPoolId=story.pool, ProviderName="okta-acme")["IdentityProvider"]
    assert again == shown
    changed = cognito.update_identity_provider(
        UserPoolId=story.pool, ProviderName="okta-acme", AttributeMapping={"email": "email", "name": "name"},
    )["IdentityProvider"]
    assert changed["AttributeMapping"]["name"] == "name"
    found = cognito.get_identity_provider_by_identifier(UserPoolId=story.pool, IdpIdentifier="okta-acme.example")
    assert found["IdentityProvider"]["ProviderName"] == "okta-acme"
    pages = cognito.get_paginator("list_identity_providers").paginate(
        UserPoolId=story.pool, PaginationConfig={"PageSize": 1}
    )
    assert [each["ProviderName"] for page in pages for each in page["Providers"]] == ["okta-acme", "okta-globex"]
    with pytest.raises(cognito.exceptions.DuplicateProviderException):
        cognito.create_identity_provider(
            UserPoolId=story.pool, ProviderName="okta-acme", ProviderType="OIDC", ProviderDetails=details
        )
    with pytest.raises(cognito.exceptions.ResourceNotFoundException):
        cognito.describe_identity_provider(UserPoolId=story.pool, ProviderName="nobody")
    cognito.delete_identity_provider(UserPoolId=story.pool, ProviderName="okta-globex")


def test_resource_servers(cognito, story):
    for number in range(3):
        cognito.create_resource_server(
            UserPoolId=story.pool, Identifier=f"api-{number}", Name=f"API {number}",
            Scopes=[{"ScopeName": "read", "ScopeDescription": "Read"}],
        )
    scopes = [{"ScopeName": "read", "ScopeDescription": "Read"}, {"ScopeName": "write", "ScopeDescription": "Write"}]
    cognito.update_resource_server(UserPoolId=story.pool, Identifier="api-0", Name="API", Scopes=scopes)
    shown = cognito.describe_resource_server(UserPoolId=story.pool, Identifier="api-0")["ResourceServer"]
    assert (shown["Name"], shown["Scopes"]) == ("API", scopes)
    pages = cognito.get_paginator("list_resource_servers").paginate(
        UserPoolId=story.pool, PaginationConfig={"PageSize": 1}
    )
    assert [each["Identifier"] for page in pages for each in page["ResourceServers"]] == ["api-0", "api-1", "api-2"]
    cognito.delete_resource_server(UserPoolId=story.pool, Identifier="api-2")


def test_clients(cognito, story):
    made = cognito.create_user_pool_client(
        UserPoolId=story.pool, ClientName="web", GenerateSecret=True, CallbackURLs=[CALLBACK],
        SupportedIdentityProviders=["COGNITO", "okta-acme"], AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"], AllowedOAuthScopes=["openid", "email", "aws.cognito.signin.user.admin"],
        ExplicitAuthFlows=[
            "ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH",
            "ALLOW_TOKEN_EXCHANGE_IMPERSONATION",
        ],
        PreventUserExistenceErrors="ENABLED", AccessTokenValidity=30, TokenValidityUnits={"AccessToken": "minutes"},
    )["UserPoolClient"]
    story.client, story.secret = made["ClientId"], made["ClientSecret"]
    shown = cognito.describe_user_pool_client(UserPoolId=story.pool, ClientId=story.client)["UserPoolClient"]
    assert shown == made
    assert shown["AccessTokenValidity"] == 30
    story.native_client = cognito.create_user_pool_client(
        UserPoolId=story.pool, ClientName="phone", SupportedIdentityProviders=["COGNITO"],
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        ReadAttributes=["email", "custom:department", "name"], WriteAttributes=["name", "custom:department"],
        PreventUserExistenceErrors="ENABLED",
    )["UserPoolClient"]["ClientId"]
    renamed = cognito.update_user_pool_client(
        UserPoolId=story.pool, ClientId=story.native_client, ClientName="telephone", SupportedIdentityProviders=["COGNITO"],
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        ReadAttributes=["email", "custom:department", "name"], WriteAttributes=["name", "custom:department"],
        PreventUserExistenceErrors="ENABLED",
    )["UserPoolClient"]
    assert renamed["ClientName"] == "telephone"
    pages = cognito.get_paginator("list_user_pool_clients").paginate(
        UserPoolId=story.pool, PaginationConfig={"PageSize": 1}
    )
    assert [each["ClientName"] for page in pages for each in page["UserPoolClients"]] == ["telephone", "web"]
    story.machine = cognito.create_user_pool_client(
        UserPoolId=story.pool, ClientName="machine", GenerateSecret=True, AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["client_credentials"], AllowedOAuthScopes=["api-0/read"],
    )["UserPoolClient"]


def test_client_secrets_and_sessions(cognito, story):
    ids = {"UserPoolId": story.pool, "ClientId": story.client}
    added = cognito.add_user_pool_client_secret(**ids)["ClientSecretDescriptor"]
    listed = cognito.list_user_pool_client_secrets(**ids)["ClientSecrets"]
    assert len(listed) == 2 and added["ClientSecretId"] in [each["ClientSecretId"] for each in listed]
    with pytest.raises(cognito.exceptions.LimitExceededException):
        cognito.add_user_pool_client_secret(**ids)
    cognito.delete_user_pool_client_secret(**ids, ClientSecretId=added["ClientSecretId"])
    assert len(cognito.list_user_pool_client_secrets(**ids)["ClientSecrets"]) == 1
    cognito.set_user_pool_client_session_configuration(**ids, SSOSession={"MaxValidityMinutes": 600})
    assert cognito.get_user_pool_client_session_configuration(**ids)["SSOSession"] == {"MaxValidityMinutes": 600}


def test_domains(cognito, story):
    domain = f"boto3-{uuid.uuid4().hex[:12]}"
    cognito.create_user_pool_domain(UserPoolId=story.pool, Domain=domain)
    shown = cognito.describe_user_pool_domain(Domain=domain)["DomainDescription"]
    assert (shown["UserPoolId"], shown["Status"]) == (story.pool, "ACTIVE")
    cognito.update_user_pool_domain(UserPoolId=story.pool, Domain=domain, ManagedLoginVersion=2)
    assert cognito.describe_user_pool_domain(Domain="nobody-has-this")["DomainDescription"] == {}
    story.domain = domain


def test_branding_and_terms(cognito, story):
    assert "UICustomization" in cognito.get_ui_customization(UserPoolId=story.pool)
    css = ".submitButton-customizable { background-color: #123456; }"
    cognito.set_ui_customization(UserPoolId=story.pool, ClientId="ALL", CSS=css, ImageFile=PNG)
    assert css in cognito.get_ui_customization(UserPoolId=story.pool)["UICustomization"]["CSS"]
    ids = {"UserPoolId": story.pool, "ClientId": story.client}
    made = cognito.create_managed_login_branding(**ids, UseCognitoProvidedValues=True)["ManagedLoginBranding"]
    with pytest.raises(cognito.exceptions.ManagedLoginBrandingExistsException):
        cognito.create_managed_login_branding(**ids, UseCognitoProvidedValues=True)
    branding = {"UserPoolId": story.pool, "ManagedLoginBrandingId": made["ManagedLoginBrandingId"]}
    logo = {"Category": "FORM_LOGO", "ColorMode": "LIGHT", "Extension": "PNG", "Bytes": PNG}
    cognito.update_managed_login_branding(**branding, UseCognitoProvidedValues=False, Assets=[logo])
    shown = cognito.describe_managed_login_branding(**branding)["ManagedLoginBranding"]
    assert shown["Assets"][0]["Bytes"] == PNG
    by_client = cognito.describe_managed_login_branding_by_client(**ids)["ManagedLoginBranding"]
    assert by_client["ManagedLoginBrandingId"] == made["ManagedLoginBrandingId"]
    cognito.delete_managed_login_branding(**branding)

    about = {"TermsName": "terms-of-use", "TermsSource": "LINK", "Enforcement": "NONE"}
    terms = cognito.create_terms(**ids, **about, Links={"cognito:default": "https://app.example/terms"})["Terms"]
    with pytest.raises(cognito.exceptions.TermsExistsException):
        cognito.create_terms(**ids, **about, Links={"cognito:default": "https://app.example/terms"})
    one = {"UserPoolId": story.pool, "TermsId": terms["TermsId"]}
    cognito.update_terms(**one, Links={"cognito:default": "https://app.example/new-terms"})
    assert cognito.describe_terms(**one)["Terms"]["Links"]["cognito:default"].endswith("new-terms")
    found = cognito.describe_terms_by_client(**ids, TermsName="terms-of-use")["Terms"]
    assert found["TermsId"] == terms["TermsId"]
    assert [each["TermsId"] for each in cognito.list_terms(UserPoolId=story.pool)["Terms"]] == [terms["TermsId"]]
    cognito.delete_terms(**one)
    with pytest.raises(cognito.exceptions.ResourceNotFoundException):
        cognito.describe_terms(**one)


# ---- Users and groups ------------------------------------------------------------------------------------------------


def test_users(cognito, story):
    for number in range(5):
        made = cognito.admin_create_user(
            UserPoolId=story.pool, Username=f"user-{number}", TemporaryPassword=PASSWORD, MessageAction="SUPPRESS",
            UserAttributes=[
                {"Name": "email", "Value": f"user-{number}@app.example"}, {"Name": "email_verified", "Value": "true"},
                {"Name": "custom:level", "Value": str(number)},
            ],
        )["User"]
        assert made["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    with pytest.raises(cognito.exceptions.UsernameExistsException):
        cognito.admin_create_user(UserPoolId=story.pool, Username="user-0", MessageAction="SUPPRESS")
    one = {"UserPoolId": story.pool, "Username": "user-0"}
    shown = cognito.admin_get_user(**one)
    assert attributes(shown)["custom:level"] == "0"
    assert shown["Enabled"] is True
    cognito.admin_update_user_attributes(**one, UserAttributes=[{"Name": "name", "Value": "Zoë \"Z\" Ω"}])
    assert attributes(cognito.admin_get_user(**one))["name"] == "Zoë \"Z\" Ω"
    cognito.admin_delete_user_attributes(**one, UserAttributeNames=["name"])
    assert "name" not in attributes(cognito.admin_get_user(**one))
    cognito.admin_disable_user(**one)
    assert cognito.admin_get_user(**one)["Enabled"] is False
    cognito.admin_enable_user(**one)
    assert cognito.admin_get_user(**one)["Enabled"] is True
    with pytest.raises(cognito.exceptions.UserNotFoundException):
        cognito.admin_get_user(UserPoolId=story.pool, Username="nobody")


def test_list_users(cognito, story):
    pages = cognito.get_paginator("list_users").paginate(UserPoolId=story.pool, PaginationConfig={"PageSize": 2})
    pages = list(pages)
    assert [len(page["Users"]) for page in pages] == [2, 2, 1]
    assert len({user["Username"] for page in pages for user in page["Users"]}) == 5

    def find(text):
        return [user["Username"] for user in cognito.list_users(UserPoolId=story.pool, Filter=text)["Users"]]

    assert find('email ^= "user-3@"') == ["user-3"]
    assert find('username = "user-4"') == ["user-4"]
    assert len(find('cognito:user_status = "FORCE_CHANGE_PASSWORD"')) == 5
    assert len(find('status = "Enabled"')) == 5
    for wrong in ('email ~ "x"', 'custom:level = "1"', "email ="):
        with pytest.raises(cognito.exceptions.InvalidParameterException):
            find(wrong)
    narrowed = cognito.list_users(UserPoolId=story.pool, AttributesToGet=["email"])["Users"]
    assert all(set(attributes(user)) == {"email"} for user in narrowed)


def test_groups(cognito, story):
    for number in range(3):
        cognito.create_group(UserPoolId=story.pool, GroupName=f"group-{number}", Precedence=number)
    with pytest.raises(cognito.exceptions.GroupExistsException):
        cognito.create_group(UserPoolId=story.pool, GroupName="group-0")
    cognito.update_group(UserPoolId=story.pool, GroupName="group-0", Description="The first", Precedence=7)
    shown = cognito.get_group(UserPoolId=story.pool, GroupName="group-0")["Group"]
    assert (shown["Description"], shown["Precedence"]) == ("The first", 7)
    pages = cognito.get_paginator("list_groups").paginate(UserPoolId=story.pool, PaginationConfig={"PageSize": 2})
    assert sorted(group["GroupName"] for page in pages for group in page["Groups"]) == ["group-0", "group-1", "group-2"]
    for number in range(3):
        cognito.admin_add_user_to_group(UserPoolId=story.pool, Username="user-1", GroupName=f"group-{number}")
    cognito.admin_add_user_to_group(UserPoolId=story.pool, Username="user-2", GroupName="group-0")
    pages = cognito.get_paginator("admin_list_groups_for_user").paginate(
        UserPoolId=story.pool, Username="user-1", PaginationConfig={"PageSize": 2}
    )
    assert sorted(group["GroupName"] for page in pages for group in page["Groups"]) == ["group-0", "group-1", "group-2"]
    pages = cognito.get_paginator("list_users_in_group").paginate(
        UserPoolId=story.pool, GroupName="group-0", PaginationConfig={"PageSize": 1}
    )
    assert sorted(user["Username"] for page in pages for user in page["Users"]) == ["user-1", "user-2"]
    cognito.admin_remove_user_from_group(UserPoolId=story.pool, Username="user-2", GroupName="group-0")
    cognito.delete_group(UserPoolId=story.pool, GroupName="group-2")
    left = cognito.admin_list_groups_for_user(UserPoolId=story.pool, Username="user-1")["Groups"]
    assert sorted(group["GroupName"] for group in left) == ["group-0", "group-1"]


def test_linked_providers(cognito, story):
    link = {
        "UserPoolId": story.pool,
        "DestinationUser": {"ProviderName": "Cognito", "ProviderAttributeValue": "user-2"},
        "SourceUser": {
            "ProviderName": "okta-acme", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "00u1linked",
        },
    }
    cognito.admin_link_provider_for_user(**link)
    shown = attributes(cognito.admin_get_user(UserPoolId=story.pool, Username="user-2"))
    assert json.loads(shown["identities"])[0]["userId"] == "00u1linked"
    cognito.admin_disable_provider_for_user(UserPoolId=story.pool, User=link["SourceUser"])
    shown = attributes(cognito.admin_get_user(UserPoolId=story.pool, Username="user-2"))
    assert "identities" not in shown or json.loads(shown["identities"]) == []


# ---- Sign-in and tokens ----------------------------------------------------------------------------------------------


def test_a_native_user_signs_in(cognito, anonymous, story):
    ids = {"ClientId": story.native_client, "AuthFlow": "USER_PASSWORD_AUTH"}
    begun = anonymous.initiate_auth(**ids, AuthParameters={"USERNAME": "user-0", "PASSWORD": PASSWORD})
    assert begun["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    done = anonymous.respond_to_auth_challenge(
        ClientId=story.native_client, ChallengeName="NEW_PASSWORD_REQUIRED", Session=begun["Session"],
        ChallengeResponses={"USERNAME": "user-0", "NEW_PASSWORD": NEW_PASSWORD},
    )["AuthenticationResult"]
    assert done["TokenType"] == "Bearer"
    for who, password in (("user-0", "Wrong-1-password"), ("nobody", NEW_PASSWORD)):
        with pytest.raises(anonymous.exceptions.NotAuthorizedException, match="Incorrect username or password"):
            anonymous.initiate_auth(**ids, AuthParameters={"USERNAME": who, "PASSWORD": password})
    story.tokens = anonymous.initiate_auth(
        **ids, AuthParameters={"USERNAME": "user-0", "PASSWORD": NEW_PASSWORD}
    )["AuthenticationResult"]


def test_a_native_user_signs_in_through_the_apps_server(cognito, story):
    ids = {"UserPoolId": story.pool, "ClientId": story.client}
    proof = secret_hash("user-1", story.client, story.secret)
    begun = cognito.admin_initiate_auth(
        **ids, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "user-1", "PASSWORD": PASSWORD, "SECRET_HASH": proof},
    )
    done = cognito.admin_respond_to_auth_challenge(
        **ids, ChallengeName=begun["ChallengeName"], Session=begun["Session"],
        ChallengeResponses={"USERNAME": "user-1", "NEW_PASSWORD": NEW_PASSWORD, "SECRET_HASH": proof},
    )["AuthenticationResult"]
    assert done["AccessToken"].count(".") == 2
    with pytest.raises(cognito.exceptions.NotAuthorizedException):
        cognito.admin_initiate_auth(
            **ids, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "user-1", "PASSWORD": NEW_PASSWORD, "SECRET_HASH": "AAAA"},
        )


def test_passwords_by_an_administrator(cognito, anonymous, story):
    one = {"UserPoolId": story.pool, "Username": "user-3"}
    with pytest.raises(cognito.exceptions.InvalidPasswordException):
        cognito.admin_set_user_password(**one, Password="short", Permanent=True)
    cognito.admin_set_user_password(**one, Password=NEW_PASSWORD, Permanent=True)
    assert cognito.admin_get_user(**one)["UserStatus"] == "CONFIRMED"
    assert "PASSWORD" in cognito.admin_get_user_auth_factors(**one)["ConfiguredUserAuthFactors"]
    # Nobody signs up by themselves here, so nobody waits to be confirmed.
    with pytest.raises(cognito.exceptions.NotAuthorizedException):
        cognito.admin_confirm_sign_up(**one)
    cognito.admin_reset_user_password(**one)
    with pytest.raises(anonymous.exceptions.PasswordResetRequiredException):
        anonymous.initiate_auth(
            ClientId=story.native_client, AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "user-3", "PASSWORD": NEW_PASSWORD},
        )


def test_refresh(anonymous, story):
    refresh = story.tokens["RefreshToken"]
    fresh = anonymous.initiate_auth(
        ClientId=story.native_client, AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters={"REFRESH_TOKEN": refresh}
    )["AuthenticationResult"]
    refresh = fresh.get("RefreshToken", refresh)
    again = anonymous.get_tokens_from_refresh_token(ClientId=story.native_client, RefreshToken=refresh)
    story.tokens = {"RefreshToken": refresh} | again["AuthenticationResult"]
    assert story.tokens["ExpiresIn"] == 3600


def test_self_service(anonymous, story):
    token = {"AccessToken": story.tokens["AccessToken"]}
    assert anonymous.get_user(**token)["Username"] == "user-0"
    assert "PASSWORD" in anonymous.get_user_auth_factors(**token)["ConfiguredUserAuthFactors"]
    anonymous.update_user_attributes(**token, UserAttributes=[{"Name": "name", "Value": "Zero"}])
    assert attributes(anonymous.get_user(**token))["name"] == "Zero"
    anonymous.delete_user_attributes(**token, UserAttributeNames=["name"])
    with pytest.raises(anonymous.exceptions.NotAuthorizedException):
        anonymous.update_user_attributes(**token, UserAttributes=[{"Name": "custom:level", "Value": "9"}])
    with pytest.raises(anonymous.exceptions.NotAuthorizedException):
        anonymous.get_user(AccessToken="no.such.token")


def test_sessions(cognito, anonymous, story):
    one = {"UserPoolId": story.pool, "Username": "user-0"}
    for _ in range(2):
        anonymous.initiate_auth(
            ClientId=story.native_client, AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "user-0", "PASSWORD": NEW_PASSWORD},
        )
    sessions = cognito.admin_list_user_sessions(**one)["Sessions"]
    assert len(sessions) >= 3
    token = {"AccessToken": story.tokens["AccessToken"]}
    own = anonymous.list_user_sessions(**token)["Sessions"]
    assert {each["SessionId"] for each in own} == {each["SessionId"] for each in sessions}
    others = [each["SessionId"] for each in own if not each.get("IsCurrentSession")]
    anonymous.revoke_user_session(**token, SessionId=others[0])
    cognito.admin_revoke_user_session(**one, SessionId=others[1])
    left = {each["SessionId"] for each in cognito.admin_list_user_sessions(**one)["Sessions"]}
    assert not left & set(others[:2])
    # Only sign-ins through a connection or on the page leave a trace; these were the API's.
    events = cognito.get_paginator("admin_list_user_auth_events").paginate(**one, PaginationConfig={"PageSize": 1})
    assert [event for page in events for event in page["AuthEvents"]] == []


def test_machines_and_derived_tokens(cognito, story, anonymous):
    machine = story.machine
    given = cognito.get_client_token(
        ClientId=machine["ClientId"], Secret=machine["ClientSecret"], Scopes=["api-0/read"]
    )["ClientAuthenticationResult"]
    assert given["TokenType"] == "Bearer"
    with pytest.raises(ClientError):
        cognito.get_client_token(ClientId=machine["ClientId"], Secret="x" * 52)
    derived = cognito.get_derived_token(
        ClientId=story.client, ClientSecret=story.secret, SubjectToken=story.tokens["AccessToken"],
        SubjectTokenType="ACCESS_TOKEN",
    )
    assert derived["IssuedToken"].count(".") == 2


def test_ends_of_tokens(cognito, anonymous, story):
    anonymous.revoke_token(ClientId=story.native_client, Token=story.tokens["RefreshToken"])
    with pytest.raises(anonymous.exceptions.NotAuthorizedException):
        anonymous.get_tokens_from_refresh_token(ClientId=story.native_client, RefreshToken=story.tokens["RefreshToken"])
    ids = {"ClientId": story.native_client, "AuthFlow": "USER_PASSWORD_AUTH"}
    credentials = {"USERNAME": "user-0", "PASSWORD": NEW_PASSWORD}
    tokens = anonymous.initiate_auth(**ids, AuthParameters=credentials)["AuthenticationResult"]
    anonymous.global_sign_out(AccessToken=tokens["AccessToken"])
    with pytest.raises(anonymous.exceptions.NotAuthorizedException):
        anonymous.get_user(AccessToken=tokens["AccessToken"])
    tokens = anonymous.initiate_auth(**ids, AuthParameters=credentials)["AuthenticationResult"]
    cognito.admin_user_global_sign_out(UserPoolId=story.pool, Username="user-0")
    with pytest.raises(anonymous.exceptions.NotAuthorizedException):
        anonymous.get_user(AccessToken=tokens["AccessToken"])
    tokens = anonymous.initiate_auth(**ids, AuthParameters=credentials)["AuthenticationResult"]
    anonymous.delete_user(AccessToken=tokens["AccessToken"])
    with pytest.raises(cognito.exceptions.UserNotFoundException):
        cognito.admin_get_user(UserPoolId=story.pool, Username="user-0")


def test_a_federated_user_as_the_api_shows_them(cognito, demo):
    """Somebody who came through the demo's Okta: found by name, with the identity they came with."""
    pool = "us-local-1_Forebay01"
    query = {
        "client_id": "demowebapp0000000000000001", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid",
        "identity_provider": "acme-okta",
    }
    back, _ = Browser().sign_in(f"{demo.origin}/oauth2/authorize?{httpx.QueryParams(query)}")
    assert "code=" in back
    found = cognito.list_users(UserPoolId=pool, Filter='email = "ada@acme.test"')["Users"]
    assert [user["UserStatus"] for user in found] == ["EXTERNAL_PROVIDER"]
    shown = cognito.admin_get_user(UserPoolId=pool, Username=found[0]["Username"])
    assert json.loads(attributes(shown)["identities"])[0]["providerName"] == "acme-okta"
    events = cognito.admin_list_user_auth_events(UserPoolId=pool, Username=found[0]["Username"])["AuthEvents"]
    assert {event["EventResponse"] for event in events} == {"Pass"}


# ---- Refusals --------------------------------------------------------------------------------------------------------


def test_botocore_refuses_before_it_asks(cognito):
    with pytest.raises(ParamValidationError):
        cognito.describe_user_pool()


def test_who_may_not(demo, cognito):
    with pytest.raises(ClientError) as refused:
        management_client(demo, secret_key="not/the/secret").list_user_pools(MaxResults=1)
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"
    with pytest.raises(ClientError) as refused:
        management_client(demo, access_key="FOREBAYNOSUCHKEY0001").list_user_pools(MaxResults=1)
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"
    with pytest.raises(cognito.exceptions.ResourceNotFoundException, match="User pool us-local-1_Nobody does not exist."):
        cognito.describe_user_pool(UserPoolId="us-local-1_Nobody")


@pytest.mark.parametrize("name", sorted(set(inventory()) - offered()))
def test_what_is_not_offered_says_so(demo, name):
    """Called without members: the answer does not hang on them."""
    client = management_client(demo, signed=inventory()[name], validated=False)
    with pytest.raises(ClientError) as refused:
        getattr(client, xform_name(name))()
    assert refused.value.response["Error"]["Code"] == "UnsupportedOperationException"
    assert name in refused.value.response["Error"]["Message"]


# ---- The end ---------------------------------------------------------------------------------------------------------


def test_all_of_it_is_deleted(cognito, story):
    cognito.admin_delete_user(UserPoolId=story.pool, Username="user-1")
    cognito.delete_user_pool_domain(UserPoolId=story.pool, Domain=story.domain)
    cognito.delete_user_pool_client(UserPoolId=story.pool, ClientId=story.client)
    cognito.delete_user_pool(UserPoolId=story.pool)
    with pytest.raises(cognito.exceptions.ResourceNotFoundException):
        cognito.describe_user_pool(UserPoolId=story.pool)


def test_every_offered_operation_was_answered():
    # AdminConfirmSignUp has nobody to confirm: only its refusal can be seen.
    assert offered() - set(observed.answers) - {"AdminConfirmSignUp"} == set()
    assert observed.refusals["AdminConfirmSignUp"] > 0


def test_no_answer_differs_from_the_model():
    found = {name: sorted(differences) for name, differences in observed.differences.items() if differences}
    assert found == {}
