//! The HTTP surfaces.

pub mod assets;
pub mod pages;
