//! The `suiftly` program: see the library's documentation for how it works.

use std::process::ExitCode;

use clap::Parser;
use suiftly::cli::{Cli, run};

fn main() -> ExitCode {
    // What this program writes holds other people's business: its files are its user's only.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("suiftly: {error:#}");
            ExitCode::FAILURE
        }
    }
}
