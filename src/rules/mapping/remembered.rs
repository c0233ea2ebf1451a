//! What was made of a text is remembered, so that a login neither parses an expression nor compiles a pattern.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Texts that are remembered; when there are more, all are forgotten.
const KEPT: usize = 1_024;

/// What was made of texts. What cannot be made is not kept.
pub(super) struct Remembered<T>(RwLock<HashMap<String, Arc<T>>>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Remembered(RwLock::default())
    }
}

impl<T> Remembered<T> {
    pub fn get<E>(&self, text: &str, make: impl FnOnce(&str) -> Result<T, E>) -> Result<Arc<T>, E> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = known.get(text) {
            return Ok(made.clone());
        }
        drop(known);
        let made = Arc::new(make(text)?);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(text.to_owned(), made.clone());
        Ok(made)
    }
}
