//! Typed configuration with precise errors.
