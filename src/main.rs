//! The `suiftly` program: see the library's documentation for how it works.

use std::process::ExitCode;

use clap::Parser;
use suiftly::cli::{Cli, run};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("suiftly: {error:#}");
            ExitCode::FAILURE
        }
    }
}
