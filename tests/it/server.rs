//! `suiftly serve` as a process, on a free port, with everything in a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{binary, create_secrets};

/// Waits until it is ready.
fn start_process(config: &Path) -> (Child, String) {
    let mut child = serve(config).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended before it was ready");
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        if event["message"] == "ready" {
            break event["address"].as_str().unwrap().to_owned();
        }
    };
    // Whoever does not read its log must not block it.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    (child, address)
}

/// A server on a free port, with everything in a folder of its own.
pub struct Server {
    pub folder: TempDir,
    pub child: Child,
    pub address: String,
}

impl Server {
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// With more lines of configuration.
    pub fn start_with(more: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), more)
    }

    /// In a folder where something is already.
    pub fn start_in(folder: TempDir, more: &str) -> Self {
        let config = write_config(folder.path(), more);
        let (child, address) = start_process(&config);
        Self { folder, child, address }
    }

    /// On a port that others were told already.
    pub fn start_at(folder: TempDir, address: &str, more: &str) -> Self {
        let config = write_config(folder.path(), more);
        let text = fs::read_to_string(&config).unwrap().replace("127.0.0.1:0", address);
        fs::write(&config, text).unwrap();
        let (child, address) = start_process(&config);
        Self { folder, child, address }
    }

    /// Starts it again on the same data, after it has ended.
    pub fn restart(&mut self) {
        (self.child, self.address) = start_process(&self.config());
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("suiftly.toml")
    }

    /// Status, headers and body of one request.
    pub fn request(&self, request: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{request}\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }

    pub fn get(&self, path: &str) -> (u16, String, String) {
        self.request(&format!("GET {path} HTTP/1.1"))
    }

    /// Sends a request with a body of JSON, if there is one.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{head}\r\n{}", body.unwrap_or_default()).unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).unwrap();
        // Some bodies are files.
        Answer::read(&String::from_utf8_lossy(&response))
    }

    /// Sends SIGTERM and gives the exit code.
    pub fn terminate(&mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(Instant::now() < deadline, "it does not end by SIGTERM");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn write_config(folder: &Path, more: &str) -> PathBuf {
    let path = folder.join("suiftly.toml");
    let secrets = folder.join("secrets.toml");
    create_secrets(&secrets);
    let text = format!(
        "data_dir = {:?}\nsecrets_file = {secrets:?}\nhttp.listen = \"127.0.0.1:0\"\nintake.log_file = {:?}\ntraffic.memory_limit_mib = 256\n{more}",
        folder.join("data"),
        folder.join("ha.log"),
    );
    fs::write(&path, text).unwrap();
    path
}

pub fn serve(config: &Path) -> Command {
    let mut command = Command::new(binary());
    command.args(["serve", "--config"]).arg(config).stdout(Stdio::null());
    command
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// `Null` for what is no JSON.
    pub body: serde_json::Value,
}

impl Answer {
    fn read(response: &str) -> Self {
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Self { status, headers, body: serde_json::from_str(body).unwrap_or_default() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The word of an error.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Cookies by name, those that are deleted with an empty value.
    pub fn cookies(&self) -> BTreeMap<String, String> {
        let set = self.headers.iter().filter(|(name, _)| name == "set-cookie");
        set.map(|(_, value)| value.split(';').next().unwrap().split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}
