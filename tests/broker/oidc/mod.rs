//! The OpenID Connect surface.

mod whole_story;
