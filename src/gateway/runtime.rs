//! The runtime socket of a running HAProxy: who answers, what its maps hold, and how they are changed.
//!
//! Every command has a connection of its own, so that after a reload or a restart the next one reaches the new process,
//! and an answer is what comes until HAProxy closes. Nothing is waited for without an end, and nothing is read without a
//! limit: whatever sits behind the socket may be slow, or no HAProxy at all.

mod answer;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

pub use self::answer::Process;
use self::answer::{Found, found, lines_of, new_version, process, said_nothing};
use crate::core::haproxy_map::{MapChange, MapName, MapStep, Maps, VERSION_FILE, VERSION_WORD};

/// To be connected, and for the answer to one command. A map of 200,000 lines is committed within half a second by a busy
/// HAProxy.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The longest answer that is asked for is `show info`, with 4 KiB.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
/// Of one command with what belongs to it. HAProxy takes what fits its buffer, 16 KiB unless it is configured otherwise,
/// and closes without a word when it does not fit.
const MAX_COMMAND_BYTES: usize = 15_000;
/// Lines of a new map in one command.
const MAX_PAYLOAD_LINES: usize = 500;

/// A running HAProxy that could not be asked or changed.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Nobody listens there, or we may not connect.
    #[error("cannot connect to HAProxy's socket {path}: {advice}")]
    Connect { path: PathBuf, advice: &'static str, source: io::Error },
    /// The connection broke.
    #[error("HAProxy's socket broke while it was asked to {command}")]
    Broken { command: &'static str, source: io::Error },
    #[error("HAProxy did not answer within {} ms when it was asked to {command}", within.as_millis())]
    Slow { command: &'static str, within: Duration },
    /// It answered what an HAProxy does not answer to this command, or refused it. The answer is cut.
    #[error("HAProxy was asked to {command} and said: {answer:?}")]
    Refused { command: &'static str, answer: String },
    /// A line is not what it was set to.
    #[error("HAProxy's {map} has not taken the line of {word}")]
    NotTaken { map: &'static str, word: String },
    /// The process that had been changed is not the one that answers in the end.
    #[error("HAProxy was started anew while its maps were changed")]
    Replaced,
}

/// The socket of one HAProxy, and where its configuration says that the maps are.
#[derive(Debug, Clone)]
pub struct Runtime {
    socket: PathBuf,
    map_folder: PathBuf,
    answer_within: Duration,
}

impl Runtime {
    /// The folder must be written as in HAProxy's configuration, which calls maps by it.
    pub fn new(socket: &Path, map_folder: &Path) -> Self {
        Self { socket: socket.to_owned(), map_folder: map_folder.to_owned(), answer_within: ANSWER_WITHIN }
    }

    /// Who answers.
    ///
    /// # Errors
    /// [`RuntimeError`], also if it is no HAProxy.
    pub async fn process(&self) -> Result<Process, RuntimeError> {
        let command = "show info";
        let answer = self.ask(command, "show info\n").await?;
        process(&answer).ok_or_else(|| refused(command, &answer))
    }

    /// The version that its maps have; `None` if its configuration has no such map.
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub async fn version(&self) -> Result<Option<String>, RuntimeError> {
        let command = "get the version of its maps";
        let answer = self.ask(command, &format!("get map {} {VERSION_WORD}\n", self.path(VERSION_FILE))).await?;
        match found(&answer).as_slice() {
            [Found::Value(version)] => Ok(Some(version.clone())),
            [Found::Nothing] => Ok(None),
            _ if answer.starts_with("Unknown map identifier") => Ok(None),
            _ => Err(refused(command, &answer)),
        }
    }

    /// Takes the steps one after the other and reads back what they did, before the version says so.
    ///
    /// # Errors
    /// The first step that failed. The maps then have the version [`UNFINISHED`](crate::core::haproxy_map::UNFINISHED), or
    /// that of another process, and serve whom they served or are to serve.
    pub async fn apply(&self, steps: &[MapStep]) -> Result<(), RuntimeError> {
        let begun = self.process().await?;
        for step in steps {
            match step {
                MapStep::Version(version) => self.set_version(version, &begun).await?,
                MapStep::Change { map, changes } => self.change(*map, changes).await?,
                MapStep::Replace { map, text } => self.replace(*map, text).await?,
            }
        }
        Ok(())
    }

    /// What has been changed so far was changed in the process that these steps began with, or it gets no version: it
    /// might have been started anew at any moment, also just now, and the new one has what its files had.
    async fn set_version(&self, version: &str, begun: &Process) -> Result<(), RuntimeError> {
        let (command, path) = ("set the version of its maps", self.path(VERSION_FILE));
        if !begun.is(&self.process().await?) {
            return Err(RuntimeError::Replaced);
        }
        // An HAProxy that was started with an empty file has no version to set.
        let verb = if self.version().await?.is_some() { "set" } else { "add" };
        let answer = self.ask(command, &format!("{verb} map {path} {VERSION_WORD} {version};show info\n")).await?;
        // One connection is to one process, so this is the one that has the version now.
        let (said, info) = answer.split_at(answer.find("Name: ").unwrap_or(answer.len()));
        let is_set = said_nothing(said);
        match process(info) {
            Some(process) if is_set && begun.is(&process) => Ok(()),
            Some(_) if is_set => {
                self.ask(command, &format!("del map {path} {VERSION_WORD}\n")).await?;
                Err(RuntimeError::Replaced)
            }
            _ => Err(refused(command, &answer)),
        }
    }

    /// Whether the maps are as long as these; an HAProxy that does not tell is believed.
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub async fn is_as_long_as(&self, maps: &Maps) -> Result<bool, RuntimeError> {
        let answer = self.ask("show its maps", "show map\n").await?;
        let is_right = |map: MapName| {
            let lines = lines_of(&answer, &self.path(map.file()));
            lines.is_none_or(|lines| lines == maps.count(map))
        };
        Ok(MapName::ALL.into_iter().all(is_right))
    }

    /// Whether some lines that stand for all are in the maps.
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub async fn has_samples_of(&self, maps: &Maps) -> Result<bool, RuntimeError> {
        for map in MapName::ALL {
            let samples = maps.samples(map);
            let expected = samples.iter().map(|(word, value)| (word.as_str(), Some(value.as_str())));
            match self.verify(map, expected).await {
                Err(RuntimeError::NotTaken { .. }) => return Ok(false),
                verified => verified?,
            }
        }
        Ok(true)
    }

    async fn change(&self, map: MapName, changes: &[MapChange]) -> Result<(), RuntimeError> {
        let path = self.path(map.file());
        let commands = changes.iter().map(|change| match change {
            MapChange::Add { word, value } => format!("add map {path} {word} {value}"),
            MapChange::Set { word, value } => format!("set map {path} {word} {value}"),
            MapChange::Remove { word } => format!("del map {path} {word}"),
        });
        for line in packed(commands, ';', usize::MAX) {
            self.tell("change lines of a map", &format!("{line}\n")).await?;
        }
        let expected = changes.iter().map(|change| match change {
            MapChange::Add { word, value } | MapChange::Set { word, value } => (word.as_str(), Some(value.as_str())),
            MapChange::Remove { word } => (word.as_str(), None),
        });
        self.verify(map, expected).await
    }

    /// HAProxy fills the new version of the map beside the one in use, and then uses it at once.
    async fn replace(&self, map: MapName, text: &str) -> Result<(), RuntimeError> {
        let path = self.path(map.file());
        let command = "prepare a new version of a map";
        let answer = self.ask(command, &format!("prepare map {path}\n")).await?;
        let version = new_version(&answer).ok_or_else(|| refused(command, &answer))?;
        let filled = self.fill(&path, version, text).await;
        if filled.is_err() {
            // Best effort: a version that nobody commits takes room, and no more.
            let _ = self.ask("drop a version of a map", &format!("clear map @{version} {path}\n")).await;
        }
        filled?;
        // Some lines stand for all: the commit is one step.
        let lines = text.lines().count();
        let some = [0, lines / 2, lines.saturating_sub(1)];
        let some = some.into_iter().filter_map(|number| text.lines().nth(number)?.split_once(' '));
        self.verify(map, some.map(|(word, value)| (word, Some(value)))).await
    }

    async fn fill(&self, path: &str, version: u32, text: &str) -> Result<(), RuntimeError> {
        for payload in packed(text.lines().map(str::to_owned), '\n', MAX_PAYLOAD_LINES) {
            self.tell("add lines to a map", &format!("add map @{version} {path} <<\n{payload}\n\n")).await?;
        }
        self.tell("use the new version of a map", &format!("commit map @{version} {path}\n")).await
    }

    /// Reads back lines: a value each, or that there is none.
    async fn verify(
        &self,
        map: MapName,
        expected: impl Iterator<Item = (&str, Option<&str>)>,
    ) -> Result<(), RuntimeError> {
        let command = "get lines of a map";
        let path = self.path(map.file());
        let (words, values): (Vec<_>, Vec<_>) = expected.unzip();
        let mut read = Vec::new();
        for line in packed(words.iter().map(|word| format!("get map {path} {word}")), ';', usize::MAX) {
            read.extend(found(&self.ask(command, &format!("{line}\n")).await?));
        }
        let is_same = |(value, found): (&Option<&str>, &Found)| match (value, found) {
            (Some(value), Found::Value(found)) => value == found,
            (None, Found::Nothing) => true,
            _ => false,
        };
        let wrong = values.iter().zip(&read).position(|pair| !is_same(pair));
        let wrong =
            wrong.or_else(|| (read.len() != words.len()).then_some(read.len().min(words.len().saturating_sub(1))));
        match wrong.and_then(|index| words.get(index)) {
            None => Ok(()),
            Some(word) => Err(RuntimeError::NotTaken { map: map.file(), word: (*word).to_owned() }),
        }
    }

    /// A command that is answered by nothing but line ends if all went well.
    async fn tell(&self, command: &'static str, text: &str) -> Result<(), RuntimeError> {
        let answer = self.ask(command, text).await?;
        if said_nothing(&answer) { Ok(()) } else { Err(refused(command, &answer)) }
    }

    async fn ask(&self, command: &'static str, text: &str) -> Result<String, RuntimeError> {
        let connecting = timeout(CONNECT_WITHIN, UnixStream::connect(&self.socket)).await;
        let connected = connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let mut stream = connected.map_err(|source| {
            let advice = advice(&source);
            RuntimeError::Connect { path: self.socket.clone(), advice, source }
        })?;
        let mut answer = Vec::new();
        let exchange = async {
            stream.write_all(text.as_bytes()).await?;
            (&mut stream).take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await
        };
        match timeout(self.answer_within, exchange).await {
            Ok(Ok(_)) => Ok(String::from_utf8_lossy(&answer).into_owned()),
            Ok(Err(source)) => Err(RuntimeError::Broken { command, source }),
            Err(_) => Err(RuntimeError::Slow { command, within: self.answer_within }),
        }
    }

    fn path(&self, file: &str) -> String {
        self.map_folder.join(file).to_string_lossy().into_owned()
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist; start HAProxy, or set haproxy_socket to its `stats socket`",
        io::ErrorKind::ConnectionRefused => "nobody listens there; start HAProxy",
        io::ErrorKind::PermissionDenied => "this user may not; put it into the group that the socket belongs to",
        _ => "see the cause",
    }
}

/// Cut, because it may be anything.
fn refused(command: &'static str, answer: &str) -> RuntimeError {
    RuntimeError::Refused { command, answer: answer.trim().chars().take(200).collect() }
}

/// Parts, joined to texts of at most [`MAX_COMMAND_BYTES`] and so many parts.
fn packed(parts: impl Iterator<Item = String>, between: char, most: usize) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut count = 0;
    for part in parts {
        match texts.last_mut() {
            Some(text) if count < most && text.len() + part.len() + 200 < MAX_COMMAND_BYTES => {
                text.push(between);
                text.push_str(&part);
                count += 1;
            }
            _ => {
                texts.push(part);
                count = 1;
            }
        }
    }
    texts
}

#[cfg(test)]
mod tests;
