# A pool as somebody who drives Cognito with Terraform would write it; only the endpoint is ours.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

variable "endpoint" { type = string }
variable "okta" {
  type = object({ issuer = string, client_id = string, client_secret = string })
}
variable "group_description" {
  type    = string
  default = "Those who look after the others"
}
variable "scopes" {
  type    = string
  default = "openid profile email"
}
variable "colour" {
  type    = string
  default = "#336699"
}

provider "aws" {
  region                      = "us-local-1"
  access_key                  = "FOREBAYDEMOKEY000001"
  secret_key                  = "demo/management/secret/key/0000000000001"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
  endpoints {
    cognitoidp = var.endpoint
  }
}

resource "aws_cognito_user_pool" "customers" {
  name = "customers"
  tags = { team = "identity" }

  password_policy {
    minimum_length                   = 12
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = false
    require_uppercase                = true
    temporary_password_validity_days = 3
  }

  username_configuration {
    case_sensitive = false
  }

  schema {
    name                = "department"
    attribute_data_type = "String"
    mutable             = true
    string_attribute_constraints {
      min_length = "0"
      max_length = "2048"
    }
  }
}

resource "aws_cognito_user_pool_domain" "customers" {
  domain       = "tf-customers"
  user_pool_id = aws_cognito_user_pool.customers.id
}

resource "aws_cognito_resource_server" "orders" {
  identifier   = "https://orders.example"
  name         = "Orders"
  user_pool_id = aws_cognito_user_pool.customers.id
  scope {
    scope_name        = "read"
    scope_description = "Read orders"
  }
}

resource "aws_cognito_user_group" "admins" {
  name         = "admins"
  description  = var.group_description
  precedence   = 1
  user_pool_id = aws_cognito_user_pool.customers.id
}

resource "aws_cognito_identity_provider" "acme" {
  user_pool_id    = aws_cognito_user_pool.customers.id
  provider_name   = "acme-okta"
  provider_type   = "OIDC"
  idp_identifiers = ["Tf.example", "another.example"]

  provider_details = {
    client_id                 = var.okta.client_id
    client_secret             = var.okta.client_secret
    attributes_request_method = "GET"
    oidc_issuer               = var.okta.issuer
    authorize_scopes          = var.scopes
  }

  attribute_mapping = {
    email               = "email"
    "custom:department" = "department"
    username            = "sub"
  }
}

# The addresses and the extra key that people copy out of a plan against Cognito.
resource "aws_cognito_identity_provider" "by_hand" {
  user_pool_id  = aws_cognito_user_pool.customers.id
  provider_name = "by-hand"
  provider_type = "OIDC"

  provider_details = {
    client_id                     = var.okta.client_id
    client_secret                 = var.okta.client_secret
    attributes_request_method     = "GET"
    oidc_issuer                   = var.okta.issuer
    authorize_scopes              = "openid email"
    authorize_url                 = "${var.okta.issuer}/v1/authorize"
    token_url                     = "${var.okta.issuer}/v1/token"
    attributes_url                = "${var.okta.issuer}/v1/userinfo"
    jwks_uri                      = "${var.okta.issuer}/v1/keys"
    attributes_url_add_attributes = "false"
  }
}

resource "aws_cognito_user_pool_client" "web" {
  name                                 = "web"
  user_pool_id                         = aws_cognito_user_pool.customers.id
  generate_secret                      = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_scopes                 = ["openid", "email", "https://orders.example/read"]
  callback_urls                        = ["https://app.example.com/callback"]
  logout_urls                          = ["https://app.example.com/"]
  supported_identity_providers         = [aws_cognito_identity_provider.acme.provider_name]
  explicit_auth_flows                  = ["ALLOW_REFRESH_TOKEN_AUTH"]
  prevent_user_existence_errors        = "ENABLED"
  access_token_validity                = 30
  id_token_validity                    = 30
  refresh_token_validity               = 7
  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "days"
  }
  depends_on = [aws_cognito_resource_server.orders]
}

resource "aws_cognito_user_pool_ui_customization" "web" {
  client_id    = aws_cognito_user_pool_client.web.id
  css          = ".submitButton-customizable { background-color: ${var.colour}; }"
  user_pool_id = aws_cognito_user_pool_domain.customers.user_pool_id
}

output "user_pool_id" { value = aws_cognito_user_pool.customers.id }
output "client_id" { value = aws_cognito_user_pool_client.web.id }
output "client_secret" {
  value     = aws_cognito_user_pool_client.web.client_secret
  sensitive = true
}
