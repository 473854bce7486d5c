//! Values by paths of labels, with a wildcard at the end (condition 11.5).

use std::collections::HashMap;

/// A wildcard that is not the last label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("* should be last element")]
pub struct WildcardError;

/// A map from paths of labels to values. `*` as last label stands for one or more labels; the longest path
/// wins, and a path without `*` over one with it.
#[derive(Clone, Debug)]
pub struct LabelTrie<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Clone, Debug)]
struct Node<T> {
    value: Option<T>,
    wildcard: Option<T>,
    children: HashMap<Box<str>, usize>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { value: None, wildcard: None, children: HashMap::new() }
    }
}

impl<T> Default for LabelTrie<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl<T> LabelTrie<T> {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value at a path, in place of the one that is there.
    ///
    /// # Errors
    /// When a label other than the last is `*`.
    pub fn insert<'a>(
        &mut self,
        path: impl IntoIterator<Item = &'a str>,
        value: T,
    ) -> Result<(), WildcardError> {
        let mut at = 0;
        let mut labels = path.into_iter().peekable();
        while let Some(label) = labels.next() {
            if label == "*" {
                if labels.peek().is_some() {
                    return Err(WildcardError);
                }
                if let Some(node) = self.nodes.get_mut(at) {
                    node.wildcard = Some(value);
                }
                return Ok(());
            }
            let next = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return Ok(()) };
            at = *node.children.entry(label.into()).or_insert(next);
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.value = Some(value);
        }
        Ok(())
    }

    /// The value for a path.
    #[must_use]
    pub fn get<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&T> {
        let mut node = self.nodes.first()?;
        let mut wildcard = None;
        for label in path {
            wildcard = node.wildcard.as_ref().or(wildcard);
            match node.children.get(label).and_then(|at| self.nodes.get(*at)) {
                Some(child) => node = child,
                None => return wildcard,
            }
        }
        node.value.as_ref().or(wildcard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn util_10_wildcards() {
        let mut trie = LabelTrie::new();
        assert_eq!(trie.insert(["a", "*", "b"], 1), Err(WildcardError));
        trie.insert(["a", "*"], 2).unwrap();
        trie.insert(["a", "b", "c"], 3).unwrap();
        for (path, want) in [
            ("a", None),
            ("a.x", Some(2)),
            ("a.b", Some(2)),
            ("a.b.c", Some(3)),
            ("a.b.c.d", Some(2)),
            ("b", None),
        ] {
            assert_eq!(trie.get(path.split('.')).copied(), want, "{path}");
        }
        trie.insert(["a", "*"], 4).unwrap();
        assert_eq!(trie.get(["a", "x"]), Some(&4));
    }
}
