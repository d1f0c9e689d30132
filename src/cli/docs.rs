//! `suiftly completions` and `suiftly man`

use std::io;

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;

pub(super) fn completions(shell: Shell) -> Result<()> {
    clap_complete::generate(shell, &mut Cli::command(), "suiftly", &mut io::stdout());
    Ok(())
}

/// The page of the program with all its commands.
pub(super) fn man() -> Result<()> {
    let command = Cli::command().flatten_help(true);
    Ok(clap_mangen::Man::new(command).render(&mut io::stdout())?)
}

pub(super) fn openapi() -> Result<()> {
    println!("{}", crate::http::openapi().to_pretty_json()?);
    Ok(())
}
