//! Recorded fields that nobody asks for.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::shape::{Child, Node};

#[derive(Default)]
pub(crate) struct Unread {
    /// The field that is about to be read, and how many bytes are left before it.
    next: RefCell<Option<(usize, String)>>,
    fields: RefCell<BTreeSet<String>>,
}

impl Unread {
    pub(crate) fn offer(&self, left: usize, node: &Node, child: &Child) {
        let dot = if node.name.as_str().is_empty() { "" } else { "." };
        let name = alloc::format!("{}{dot}{}", node.name.as_str(), child.name.as_str());
        *self.next.borrow_mut() = Some((left, name));
    }

    /// What stands here is passed over: a field, if one was offered and nothing was read since.
    pub(crate) fn passed_over(&self, left: usize) {
        if let Some((_, name)) = self.next.take().filter(|(before, _)| *before == left) {
            self.fields.borrow_mut().insert(name);
        }
    }

    pub(crate) fn into_fields(self) -> Vec<String> {
        self.fields.into_inner().into_iter().collect()
    }
}
