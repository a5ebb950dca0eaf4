//! Recorded fields that nobody asks for.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::shape::{Child, Node};

#[derive(Default)]
pub(crate) struct Unread(RefCell<BTreeSet<String>>);

impl Unread {
    /// A field that was passed over.
    pub(crate) fn note(&self, node: &Node, child: &Child) {
        let dot = if node.name.as_str().is_empty() { "" } else { "." };
        let field = alloc::format!("{}{dot}{}", node.name.as_str(), child.name.as_str());
        self.0.borrow_mut().insert(field);
    }

    pub(crate) fn into_fields(self) -> Vec<String> {
        self.0.into_inner().into_iter().collect()
    }
}
