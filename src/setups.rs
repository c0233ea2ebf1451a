//! Five products' "Okta SSO" pages, each as it is built here: what to run, what the customer does in Okta, what the app needs,
//! and the page's requirements one by one with where each is met, or why it is not. `tests/interop/setups` follows them word
//! for word.

#[doc = include_str!("setups/cora.md")]
pub mod cora {}

#[doc = include_str!("setups/cortex.md")]
pub mod cortex {}

#[doc = include_str!("setups/rapticore.md")]
pub mod rapticore {}

#[doc = include_str!("setups/char_ai.md")]
pub mod char_ai {}

#[doc = include_str!("setups/reflex.md")]
pub mod reflex {}
