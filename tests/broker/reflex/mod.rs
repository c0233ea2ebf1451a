//! Apps that come and go (Reflex's page): sandboxes that register themselves and end by themselves, previews whose hosts
//! nobody knows beforehand, and the three lines of a `.env` in both directions.

mod env;
mod previews;
mod registration;
