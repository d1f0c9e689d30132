//! Vaults on their way to other hosts: what the primary gives, in parts as well, and what a gateway keeps of what it gets,
//! whatever sits at the other end.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use suiftly::core::id::{Network, Service};
use suiftly::core::vault::{ApiVault, VaultCode};
use suiftly::gateway::primary::Primary;
use suiftly::gateway::remote::follow;
use suiftly::gateway::status::SharedStatus;
use suiftly::random::random;
use suiftly::seal::{KEPT_FILES, VaultFolder};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::gateway_world::{Publisher, SEAL, customer, entry};
use crate::server::Server;
use crate::support::create_secrets;

const WITHIN: Duration = Duration::from_secs(40);

/// Head and body of an answer.
fn asked(address: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase(), bytes[end + 4..].to_vec())
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn a_download_that_broke_goes_on_where_it_was_if_it_is_still_the_same_vault() {
    let folder = tempfile::tempdir().unwrap();
    create_secrets(&folder.path().join("secrets.toml"));
    let token = random::<32>().unwrap().map(|byte| format!("{byte:02x}")).concat();
    let secrets = folder.path().join("secrets.toml");
    let text = std::fs::read_to_string(&secrets).unwrap();
    std::fs::write(&secrets, format!("{text}[gateways]\n2 = \"{token}\"\n")).unwrap();
    let server = Server::start_in(folder, "");
    let get = |more: &str| {
        let path = "/gateway/v1/vaults/sma";
        asked(&server.address, path, &format!("Authorization: Bearer {token}\r\n{more}"))
    };
    // It is waited for until it is there.
    let (head, whole) = get("");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let file = server.folder.path().join("data/vaults/sma-000000001.vault");
    assert_eq!(whole, std::fs::read(file).unwrap());
    let (tag, total) = (field(&head, "etag").unwrap(), whole.len());
    assert_eq!(field(&head, "content-length"), Some(total.to_string().as_str()));
    for from in [1, 7, total - 1] {
        let (head, rest) = get(&format!("Range: bytes={from}-\r\nIf-Range: {tag}\r\n"));
        assert!(head.starts_with("http/1.1 206"), "from {from}: {head}");
        let range = format!("bytes {from}-{}/{total}", total - 1);
        assert_eq!((field(&head, "content-range"), field(&head, "etag")), (Some(range.as_str()), Some(tag)));
        assert_eq!(rest, whole[from..], "from {from}");
    }
    // Of another vault, beyond the end, or without saying of which: all of it.
    for more in [
        "Range: bytes=7-\r\nIf-Range: \"9-0123456789abcdef\"\r\n".to_owned(),
        format!("Range: bytes={total}-\r\nIf-Range: {tag}\r\n"),
        "Range: bytes=7-\r\n".to_owned(),
        format!("Range: bytes=7-9\r\nIf-Range: {tag}\r\n"),
    ] {
        let (head, body) = get(&more);
        assert!(head.starts_with("http/1.1 200") && body == whole, "{more}: {head}");
    }
}

/// What the primary says to one request.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn of(status: &str, tag: &str, length: usize, body: &[u8]) -> Self {
        // A sequence that is not signed is not to be believed.
        let head =
            format!("HTTP/1.1 {status}\r\nETag: {tag}\r\nVault-Sequence: 77\r\nContent-Length: {length}\r\n\r\n");
        Self { head, body: body.to_vec() }
    }

    fn whole(tag: &str, vault: &[u8]) -> Self {
        Self::of("200 OK", tag, vault.len(), vault)
    }
}

/// A primary that answers requests for one vault as a test says, each once, and lets others wait.
struct Fake {
    address: SocketAddr,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, heads) = (Arc::default(), Arc::default());
        let fake = Self { address, answers: Arc::clone(&answers), heads: Arc::clone(&heads) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Self::answer(stream, Arc::clone(&answers), Arc::clone(&heads)));
            }
        });
        fake
    }

    async fn answer(mut stream: TcpStream, answers: Arc<Mutex<VecDeque<Answer>>>, heads: Arc<Mutex<Vec<String>>>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        if !head.starts_with("get /gateway/v1/vaults/sma ") {
            return std::future::pending().await;
        }
        heads.lock().unwrap().push(head);
        loop {
            let answer = answers.lock().unwrap().pop_front();
            if let Some(Answer { head, body }) = answer {
                let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn say(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// Until it was asked so many times; the last head.
    async fn asked(&self, times: usize) -> String {
        let begun = Instant::now();
        loop {
            if let Some(head) = self.heads.lock().unwrap().get(times - 1) {
                return head.clone();
            }
            assert!(begun.elapsed() < WITHIN, "it was asked {} of {times} times", self.heads.lock().unwrap().len());
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A gateway that follows a fake primary.
struct Gateway {
    folder: TempDir,
    fake: Fake,
    vaults: Publisher,
    status: Arc<SharedStatus>,
    task: JoinHandle<()>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gateway {
    async fn start() -> Self {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start().await);
        let vaults = Publisher::new(&folder.path().join("primary"));
        let status = Arc::new(SharedStatus::new(2));
        let primary = Primary::new(&fake.address.to_string(), false, String::new().into(), None).unwrap();
        let kept = VaultFolder::open(&folder.path().join("kept")).unwrap();
        let opener = vaults.opener.clone();
        let task = tokio::spawn(follow(primary, kept, opener, status.clone(), CancellationToken::new()));
        Self { folder, fake, vaults, status, task }
    }

    /// The next vault, as a file's bytes.
    fn next(&mut self, code: VaultCode, guaranteed_per_s: u32) -> (u64, Vec<u8>) {
        let vault: ApiVault = [(customer(7), entry(&["A"], guaranteed_per_s, 0))].into();
        let sequence = self.vaults.publish(code, &vault);
        (sequence, VaultFolder::at(&self.vaults.folder).read(code, sequence).unwrap())
    }

    fn kept(&self) -> Vec<(VaultCode, u64)> {
        let folder: &Path = &self.folder.path().join("kept");
        VaultFolder::at(folder).list().unwrap().into_iter().map(|file| (file.code, file.sequence)).collect()
    }

    async fn until_problem(&self, part: &str) {
        let begun = Instant::now();
        loop {
            let status = self.status.read();
            let problem = status.vaults.get("sma").and_then(|vault| vault.primary_problem.clone());
            if problem.as_ref().is_some_and(|problem| problem.contains(part)) {
                return;
            }
            assert!(begun.elapsed() < WITHIN, "not {part} but {problem:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_keeps_only_what_is_signed_under_the_name_that_is_signed() {
    let mut gateway = Gateway::start().await;
    let (first, good) = gateway.next(SEAL, 1);
    let mut changed = good.clone();
    changed[200] ^= 1;
    gateway.fake.say(Answer::whole("\"1-a\"", &changed));
    gateway.until_problem("it has not signed").await;
    let foreign = VaultCode::api(Service::Grpc, Network::Mainnet);
    let (_, other) = gateway.next(foreign, 1);
    gateway.fake.say(Answer::whole("\"1-b\"", &other));
    gateway.until_problem("was asked for the vault sma and sent rma").await;
    assert_eq!(gateway.kept(), []);
    assert!(!gateway.fake.asked(3).await.contains("if-none-match"), "nothing is known yet");
    gateway.fake.say(Answer::whole("\"1-c\"", &good));
    assert!(gateway.fake.asked(4).await.contains("if-none-match: \"1-c\""));
    assert_eq!(gateway.kept(), [(SEAL, first)]);
    // Only the newest are kept.
    for number in 0..25 {
        let (sequence, next) = gateway.next(SEAL, 2 + number);
        gateway.fake.say(Answer::whole(&format!("\"{sequence}-c\""), &next));
    }
    gateway.fake.asked(4 + 25).await;
    let newest: Vec<_> = (first + 25 + 1 - 20..=first + 25).map(|sequence| (SEAL, sequence)).collect();
    assert_eq!((gateway.kept(), KEPT_FILES), (newest, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_costs_a_gateway_only_what_had_not_arrived() {
    let mut gateway = Gateway::start().await;
    let (sequence, vault) = gateway.next(SEAL, 1);
    let tag = "\"1-a\"";
    gateway.fake.say(Answer::of("200 OK", tag, vault.len(), &vault[..100]));
    let head = gateway.fake.asked(2).await;
    assert!(head.contains("range: bytes=100-\r\n") && head.contains(&format!("if-range: {tag}\r\n")), "{head}");
    let rest = &vault[100..];
    gateway.fake.say(Answer::of("206 Partial Content", tag, rest.len(), &rest[..50]));
    let head = gateway.fake.asked(3).await;
    assert!(head.contains("range: bytes=150-\r\n"), "{head}");
    assert_eq!(gateway.kept(), []);
    gateway.fake.say(Answer::of("206 Partial Content", tag, vault.len() - 150, &vault[150..]));
    let head = gateway.fake.asked(4).await;
    assert!(!head.contains("range: ") && head.contains(&format!("if-none-match: {tag}")), "{head}");
    assert_eq!(gateway.kept(), [(SEAL, sequence)]);
    // Another vault meanwhile: from the beginning.
    let (second, newer) = gateway.next(SEAL, 2);
    gateway.fake.say(Answer::of("200 OK", "\"2-a\"", newer.len(), &newer[..100]));
    gateway.fake.asked(5).await;
    let (third, newest) = gateway.next(SEAL, 3);
    gateway.fake.say(Answer::whole("\"3-a\"", &newest));
    gateway.fake.asked(6).await;
    assert_eq!((gateway.kept(), second + 1), (vec![(SEAL, sequence), (SEAL, third)], third));
}
