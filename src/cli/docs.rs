//! `suiftly completions` and `suiftly man`

use std::io::{self, Write};

use anyhow::Result;
use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;

pub(super) fn completions(shell: Shell) -> Result<()> {
    clap_complete::generate(shell, &mut Cli::command(), "suiftly", &mut io::stdout());
    Ok(())
}

pub(super) fn man() -> Result<()> {
    Ok(io::stdout().write_all(&page()?)?)
}

pub(super) fn openapi() -> Result<()> {
    println!("{}", crate::http::openapi().to_pretty_json()?);
    Ok(())
}

/// The page of the program with all its commands, each with all that it takes.
fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    page.extend_from_slice(b".SH COMMANDS\n");
    for sub in command.get_subcommands() {
        write_command(&mut page, sub, "suiftly")?;
    }
    man.render_extra_section(&mut page)?;
    Ok(page)
}

/// A command, or those below it.
fn write_command(page: &mut Vec<u8>, command: &Command, above: &str) -> io::Result<()> {
    let path = format!("{above} {}", command.get_name());
    if command.get_name() == "help" || command.is_hide_set() {
        return Ok(());
    }
    if command.has_subcommands() {
        return command.get_subcommands().try_for_each(|sub| write_command(page, sub, &path));
    }
    writeln!(page, ".SS {}", escaped(&path))?;
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        writeln!(page, "{}", escaped(&about.to_string()))?;
    }
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "help") {
        write_arg(page, arg)?;
    }
    if let Some(more) = command.get_after_help() {
        writeln!(page, ".PP\n.nf\n{}\n.fi", escaped(&more.to_string()))?;
    }
    Ok(())
}

fn write_arg(page: &mut Vec<u8>, arg: &Arg) -> io::Result<()> {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let texts = |values: Vec<String>, what: &str| {
        if values.is_empty() { String::new() } else { format!(" [{what}: {}]", values.join(", ")) }
    };
    let takes_value = arg.get_action().takes_values();
    let values = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    let defaults = defaults.filter(|_| takes_value).collect();
    let (values, defaults) = (texts(values, "possible values"), texts(defaults, "default"));
    writeln!(
        page,
        ".TP\n\\fB{}\\fR\n{}",
        escaped(&arg.to_string()),
        escaped(format!("{help}{values}{defaults}").trim())
    )
}

/// A text that the formatter takes for nothing but text.
fn escaped(text: &str) -> String {
    let line = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_command_with_its_options_and_sends_to_no_other_page() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        for text in [
            ".SS suiftly serve\n",
            ".SS suiftly ledger verify\n",
            ".SS suiftly billing credit\\-note\nGives back what was paid",
            "\\fB\\-\\-to <TO>\\fR\nWhere it goes: to escrow at most what escrow paid [possible values: credit, escrow]\n",
            "[default: /etc/suiftly/suiftly.toml]",
            "Exit codes: 0 done",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("(1)") && !page.contains(".SS suiftly help"), "{page}");
    }

    #[test]
    fn text_is_no_request_to_the_formatter() {
        assert_eq!(escaped(".so x\n'y \\d --json"), "\\&.so x\n\\&'y \\ed \\-\\-json");
    }
}
