//! The stand-in Okta organisation.
