//! `suiftly check-config`

use std::path::Path;

use anyhow::Result;

use crate::config::{Config, process_overrides, unused_overrides};

pub(super) fn check(path: &Path) -> Result<()> {
    Config::load(path)?;
    for sentence in unused_overrides(&process_overrides()) {
        eprintln!("warning: {sentence}");
    }
    println!("{} is good", path.display());
    Ok(())
}
