//! A shape as text, as the type would be written down.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::kind::{Id, Kind, UNIT};
use crate::limits::{MOST_LEVELS, MOST_TEXT};
use crate::shape::{Child, Node, Shape};

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut description =
            Description { shape: self, out: String::new(), above: Vec::new(), named: Vec::new() };
        description.show(self.root);
        f.write_str(&description.out)
    }
}

struct Description<'s> {
    shape: &'s Shape,
    out: String,
    /// What is being shown: a damaged shape may lead in a circle.
    above: Vec<Id>,
    /// What was shown whole; after that its name will do.
    named: Vec<Id>,
}

impl Description<'_> {
    fn show(&mut self, at: Id) {
        let Some(node) = self.shape.node(at) else { return self.show_leaf(at) };
        let name = node.name.as_str();
        let is_too_much = self.out.len() > MOST_TEXT || self.above.len() > MOST_LEVELS as usize;
        if is_too_much || self.above.contains(&at) || self.named.contains(&at) {
            return self.out.push_str(if name.is_empty() { ".." } else { name });
        }
        self.above.push(at);
        match node.kind {
            Kind::Option => self.list("Option<", node, ">"),
            Kind::List => self.list("Vec<", node, ">"),
            Kind::Map => self.list("Map<", node, ">"),
            Kind::Tuple => self.list("(", node, if node.children.len() == 1 { ",)" } else { ")" }),
            kind => {
                self.out.push_str(if kind == Kind::Enum { "enum " } else { "" });
                self.out.push_str(name);
                self.named(node);
            }
        }
        self.above.pop();
        if !name.is_empty() {
            self.named.push(at);
        }
    }

    fn show_leaf(&mut self, at: Id) {
        let kind = Kind::of(at).unwrap_or(Kind::Unknown);
        match kind {
            Kind::Unknown => self.out.push('_'),
            Kind::Unit => self.out.push_str("()"),
            Kind::Text => self.out.push_str("String"),
            kind => self.out.push_str(&alloc::format!("{kind:?}").to_lowercase()),
        }
    }

    fn list(&mut self, before: &str, node: &Node, after: &str) {
        self.out.push_str(before);
        for (place, child) in node.children.iter().enumerate() {
            self.out.push_str(if place == 0 { "" } else { ", " });
            self.show(child.node);
        }
        self.out.push_str(after);
    }

    fn named(&mut self, node: &Node) {
        self.out.push_str(if node.name.as_str().is_empty() { "{" } else { " {" });
        for (place, child) in node.children.iter().enumerate() {
            if self.out.len() > MOST_TEXT {
                self.out.push_str(", ..");
                break;
            }
            self.out.push_str(if place == 0 { " " } else { ", " });
            self.out.push_str(child.name.as_str());
            match node.kind {
                Kind::Enum => self.variant(child),
                kind => {
                    self.out.push_str(if kind == Kind::Loose { "?: " } else { ": " });
                    self.show(child.node);
                }
            }
        }
        self.out.push_str(" }");
    }

    fn variant(&mut self, child: &Child) {
        let held = self.shape.node(child.node);
        let is_struct = |node: &Node| matches!(node.kind, Kind::Struct | Kind::Loose);
        if held.is_some_and(|held| is_struct(held) && held.name.as_str().is_empty()) {
            self.out.push(' ');
            self.show(child.node);
        } else if held.is_some_and(|held| held.kind == Kind::Tuple) {
            self.show(child.node);
        } else if child.node != UNIT {
            self.out.push('(');
            self.show(child.node);
            self.out.push(')');
        }
    }
}
