//! Deterministic simulation of the whole.
