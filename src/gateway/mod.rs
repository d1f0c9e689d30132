//! Beside an HAProxy: brings what suiftly decided about keys and limits into it.
//!
//! [`map_files`] writes the files that HAProxy reads when it starts. The agent that watches for changes and applies
//! them to the running HAProxy through its admin socket comes on top of it; the files then serve HAProxy's restarts.

pub mod map_files;
