//! Legs, calls and bridges: executes a control plane's commands; pure.
