//! Harness that starts the real `bfe` binary on a generated configuration tree.
