//! Cross-origin reading as Cognito allows it: any origin, never with credentials, at the token, revocation and userInfo
//! endpoints and the public documents; at no page.

use actix_web::HttpResponse;
use actix_web::http::header;

pub const ANY_ORIGIN: (header::HeaderName, &str) = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");

/// Amplify sends `x-amz-user-agent` with its token request, hence the preflight.
pub async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header(ANY_ORIGIN)
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"))
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, x-amz-user-agent, x-amz-target, cache-control, accept",
        ))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}
