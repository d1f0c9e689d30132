//! The integration tests, one binary.

mod rotation;
mod support;
