//! Logs of remote gateways: what they send is counted once, whatever is cut, repeated or killed.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use suiftly::random::random;

use crate::server::{Server, serve, write_config};
use crate::support::{CUSTOMER, FIRST_LINE_MS, create_secrets};

const STREAM: u64 = 1_795_424_400_000;

fn to_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap()
}

pub fn gateway_line(gateway: u8, number: u64) -> String {
    let ts = FIRST_LINE_MS + i64::try_from(number).unwrap();
    format!(
        "s1 {ts} {gateway} 7 {number} {number} {CUSTOMER} 1 1 1 0 1005F7C 203.0.113.9 51234 20002 GET /v1/keys 200 \
         312 1045 0/0/0/0/1/2/3 ---- be_seal s1 1\n"
    )
}

fn gateway_lines(gateway: u8, from: u64, to: u64) -> String {
    (from..to).map(|number| gateway_line(gateway, number)).collect()
}

/// Tokens of gateways 2 and 3.
pub struct Tokens([String; 2]);

impl Tokens {
    pub fn of(&self, gateway: u8) -> &str {
        &self.0[usize::from(gateway) - 2]
    }
}

/// A configuration whose secrets have tokens.
pub fn with_tokens(folder: &Path) -> Tokens {
    let secrets = folder.join("secrets.toml");
    create_secrets(&secrets);
    let hex = || random::<32>().unwrap().map(|byte| format!("{byte:02x}")).concat();
    let tokens = [hex(), hex()];
    let mut text = fs::read_to_string(&secrets).unwrap();
    text.push_str(&format!("[gateways]\n2 = \"{}\"\n3 = \"{}\"\n", tokens[0], tokens[1]));
    fs::write(&secrets, text).unwrap();
    Tokens(tokens)
}

fn start(more: &str) -> (Server, Tokens) {
    let folder = tempfile::tempdir().unwrap();
    let tokens = with_tokens(folder.path());
    (Server::start_in(folder, more), tokens)
}

/// An answer: its status, where to go on, and all of it.
#[derive(Debug)]
struct Answer {
    status: u16,
    offset: Option<u64>,
    text: String,
}

/// One request, with headers that end with a line's end. An error is a connection that broke.
fn ask(address: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    )?;
    // Who is refused before the end of its body may find the connection closed.
    let _ = stream.write_all(body);
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if !text.contains("\r\n\r\n") {
        return Err(read.err().unwrap_or(io::ErrorKind::UnexpectedEof.into()));
    }
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let head = text.to_lowercase();
    let offset = head.lines().find_map(|line| line.strip_prefix("upload-offset: ")).map(|value| value.parse().unwrap());
    Ok(Answer { status, offset, text })
}

fn send(address: &str, token: &str, stream: u64, offset: u64, piece: &[u8]) -> io::Result<Answer> {
    let headers = format!("Authorization: Bearer {token}\r\nUpload-Offset: {offset}\r\n");
    ask(address, "PATCH", &format!("/gateway/v1/streams/{stream}"), &headers, piece)
}

fn length(address: &str, token: &str, stream: u64) -> io::Result<Answer> {
    ask(address, "GET", &format!("/gateway/v1/streams/{stream}"), &format!("Authorization: Bearer {token}\r\n"), b"")
}

/// What is counted, in a store that nobody has open.
pub struct Stored(duckdb::Connection);

impl Stored {
    fn of(folder: &Path) -> Self {
        Self(duckdb::Connection::open(folder.join("data/traffic.duckdb")).unwrap())
    }

    fn number(&self, sql: &str) -> u64 {
        self.0.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Rows, and different rows.
    pub fn rows(&self, gateway: u8) -> (u64, u64) {
        let rows = format!("SELECT count(*)::UBIGINT FROM requests WHERE gateway = {gateway}");
        let different =
            format!("SELECT count(DISTINCT request_counter)::UBIGINT FROM requests WHERE gateway = {gateway}");
        (self.number(&rows), self.number(&different))
    }

    /// Lines that were recognised to be read twice.
    pub fn duplicates(&self) -> u64 {
        self.number("SELECT coalesce(sum(lines), 0)::UBIGINT FROM duplicate_counts")
    }

    pub fn rejects(&self) -> Vec<(String, u64)> {
        let mut statement =
            self.0.prepare("SELECT reason, sum(lines)::UBIGINT FROM reject_counts GROUP BY reason ORDER BY 1").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

/// Ends the server once all that it has taken is counted: an orderly end reads its spools to their ends or leaves the
/// rest to the next start, so it is started until nothing is left.
pub fn count_all(server: &mut Server, mut is_all: impl FnMut(&Stored) -> bool) -> Stored {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        assert_eq!(server.terminate(), 0);
        let stored = Stored::of(server.folder.path());
        if is_all(&stored) {
            return stored;
        }
        drop(stored);
        assert!(Instant::now() < deadline, "not everything is counted");
        server.restart();
        thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn a_stream_is_taken_by_pieces_and_each_answer_says_how_far() {
    // A gateway sends as often as it likes, and where it sends from does not matter.
    let (mut server, tokens) = start("limits.ip_per_min = 1\n");
    let address = server.address.clone();
    let text = gateway_lines(2, 0, 100);
    let (bytes, half) = (text.as_bytes(), gateway_lines(2, 0, 50).len());
    let token = tokens.of(2);
    let check = |answer: io::Result<Answer>, status: u16, offset: Option<usize>, part: &str| {
        let answer = answer.unwrap();
        let offset = offset.map(to_u64);
        assert!((answer.status, answer.offset) == (status, offset) && answer.text.contains(part), "{answer:?}");
        assert!(!answer.text.contains(token), "{answer:?}");
    };
    let patch = |offset: usize, piece: &[u8]| send(&address, token, STREAM, to_u64(offset), piece);
    check(
        length(&address, token, STREAM),
        200,
        Some(0),
        &format!("{{\"gateway\":2,\"stream\":{STREAM},\"length\":0}}"),
    );
    check(patch(0, &bytes[..half + 10]), 204, Some(half), "");
    check(length(&address, token, STREAM), 200, Some(half), &format!("\"length\":{half}"));
    check(patch(0, &bytes[..half]), 204, Some(half), "");
    check(patch(half + 1, &bytes[half + 1..]), 409, Some(half), "offset_mismatch");
    check(patch(half, b""), 204, Some(half), "");
    check(patch(10, &bytes[10..]), 204, Some(bytes.len()), "");
    check(send(&address, token, STREAM - 1, 0, bytes), 409, None, "stream_superseded");
    check(length(&address, token, STREAM - 1), 409, None, &format!("higher than {STREAM}"));
    check(length(&address, token, STREAM - 1), 409, None, &format!("newest-stream: {STREAM}\r\n"));
    // Another gateway's stream of the same number is another stream.
    check(length(&address, tokens.of(3), STREAM), 200, Some(0), "");
    let large = vec![b'x'; (1 << 20) + 1];
    check(patch(bytes.len(), &large), 413, None, "body_too_large");
    // A new stream of the same gateway begins at its own beginning.
    let more = gateway_lines(2, 100, 110);
    check(send(&address, token, STREAM + 1, 5, more.as_bytes()), 409, Some(0), "offset_mismatch");
    check(send(&address, token, STREAM + 1, 0, more.as_bytes()), 204, Some(more.len()), "");
    check(patch(bytes.len(), b""), 409, None, "stream_superseded");

    let path = format!("/gateway/v1/streams/{STREAM}");
    let with = |headers: &str, method: &str, path: &str| ask(&address, method, path, headers, b"");
    let good = format!("Authorization: Bearer {token}\r\n");
    let flipped = format!("{}{}", if token.starts_with('0') { '1' } else { '0' }, &token[1..]);
    for (headers, method, path, status, part) in [
        ("", "GET", path.as_str(), 401, "sign_in_required"),
        ("Authorization: Bearer \r\n", "GET", &path, 401, "no gateway has this token"),
        (&format!("Authorization: Bearer {flipped}\r\n"), "PATCH", &path, 401, "sign_in_required"),
        (&format!("Authorization: Basic {token}\r\n"), "GET", &path, 401, "sign_in_required"),
        (&good, "GET", "/gateway/v1/streams/0", 400, "a stream is a number"),
        (&good, "GET", "/gateway/v1/streams/9007199254740992", 400, "a stream is a number"),
        (&good, "GET", "/gateway/v1/streams/x", 400, "a stream is a number"),
        (&good, "PATCH", &path, 400, "Upload-Offset must say"),
        (&format!("{good}Upload-Offset: -1\r\n"), "PATCH", &path, 400, "Upload-Offset must say"),
        (&good, "HEAD", &path, 409, "content-type: application/problem+json"),
        (&good, "POST", &path, 405, "method_not_allowed"),
        (&good, "GET", "/gateway/v1/streams", 404, "not_found"),
        (
            &format!("{good}Origin: https://elsewhere.example\r\nUpload-Offset: 9\r\n"),
            "PATCH",
            &path,
            409,
            "superseded",
        ),
        // A customer's token opens no stream, and a gateway's token nothing of a customer's.
        (&good, "GET", "/api/services", 401, "sign_in_required"),
    ] {
        check(with(headers, method, path), status, None, part);
    }
    assert!(!server.get("/api/openapi.json").2.contains("/gateway/"), "it is no operation for customers");

    let stored = count_all(&mut server, |stored| stored.rows(2).0 >= 110);
    assert_eq!((stored.rows(2), stored.duplicates(), stored.rejects()), ((110, 110), 0, vec![]));
}

#[test]
fn packed_pieces_are_pieces_of_the_unpacked_stream() {
    let (mut server, tokens) = start("");
    let text = gateway_lines(2, 0, 9000);
    let packed = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
    let patch = |encoding: &str, offset: usize, piece: &[u8]| {
        let offset = format!("Upload-Offset: {offset}\r\nContent-Encoding: {encoding}\r\n");
        let headers = format!("Authorization: Bearer {}\r\n{offset}", tokens.of(2));
        ask(&server.address, "PATCH", &format!("/gateway/v1/streams/{STREAM}"), &headers, piece).unwrap()
    };
    let small = &text.as_bytes()[..text.len() / 2];
    for (encoding, piece, status, part) in [
        ("gzip", &b"x"[..], 400, "may be zstd"),
        ("zstd", b"not packed at all", 400, "cannot be unpacked"),
        ("zstd", &packed(text.as_bytes()), 413, "body_too_large"),
    ] {
        let answer = patch(encoding, 0, piece);
        assert!(answer.status == status && answer.text.contains(part), "{answer:?}");
    }
    // What has come of one that broke off counts.
    let cut = packed(small);
    let answer = patch("zstd", 0, &cut[..cut.len() - 10]);
    let first = usize::try_from(answer.offset.unwrap()).unwrap();
    assert!(answer.status == 204 && first > 0 && first < small.len(), "{answer:?}");
    let answer = patch("zstd", 0, &cut);
    let second = usize::try_from(answer.offset.unwrap()).unwrap();
    assert!(text.as_bytes()[..second].ends_with(b"\n") && small.len() - second < 200, "{answer:?}");
    let answer = patch("zstd", second, &packed(&text.as_bytes()[second..]));
    assert_eq!((answer.status, answer.offset), (204, Some(to_u64(text.len()))));
    let stored = count_all(&mut server, |stored| stored.rows(2).0 >= 9000);
    assert_eq!((stored.rows(2), stored.duplicates()), ((9000, 9000), 0));
}

#[test]
fn a_piece_that_breaks_off_is_taken_as_far_as_it_came() {
    let (mut server, tokens) = start("");
    let (text, whole) = (gateway_lines(2, 0, 40), gateway_lines(2, 0, 20).len());
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "PATCH /gateway/v1/streams/{STREAM} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nUpload-Offset: 0\r\nContent-Length: {}\r\n\r\n",
        tokens.of(2),
        text.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&text.as_bytes()[..whole + 30]).unwrap();
    // While it is on its way, another is taken, and more are asked to wait.
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut waiting = Vec::new();
    let refused = loop {
        let mut other = TcpStream::connect(&server.address).unwrap();
        other.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        other.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 1024];
        match other.read(&mut answer) {
            Ok(bytes) => break String::from_utf8_lossy(&answer[..bytes]).to_lowercase(),
            Err(_) => waiting.push(other),
        }
        assert!(Instant::now() < deadline, "{} are on their way at once", waiting.len());
    };
    assert!(refused.starts_with("http/1.1 429") && refused.contains("retry-after: 1"), "{refused}");
    assert_eq!(waiting.len(), 1);
    assert_eq!(length(&server.address, tokens.of(3), STREAM).unwrap().status, 200, "others are not concerned");
    drop((stream, waiting));
    loop {
        let answer = length(&server.address, tokens.of(2), STREAM).unwrap();
        if answer.offset == Some(to_u64(whole)) {
            break;
        }
        assert!(Instant::now() < deadline, "{answer:?} instead of {whole}");
    }
    let rest = send(&server.address, tokens.of(2), STREAM, to_u64(whole), &text.as_bytes()[whole..]).unwrap();
    assert_eq!((rest.status, rest.offset), (204, Some(to_u64(text.len()))));
    let stored = count_all(&mut server, |stored| stored.rows(2).0 >= 40);
    assert_eq!((stored.rows(2), stored.duplicates()), ((40, 40), 0));
}

#[test]
fn lines_count_for_the_gateway_that_sends_them_and_for_no_other() {
    let (mut server, tokens) = start("");
    // The default format does not say whose line it is.
    let silent = "127.0.0.1:36172 [23/Nov/2026:09:00:00.123] seal be_seal/s1 0/0/1/2/3 200 1045 - - ---- 1/1/0/0/0 0/0 \
                  {12345|1|1|1|1005F7C} \"GET /v1/keys HTTP/1.1\"\n";
    let text = format!("{}{silent}{}{}junk\n\n", gateway_line(2, 1), gateway_line(3, 2), gateway_line(0, 3));
    let answer = send(&server.address, tokens.of(2), STREAM, 0, text.as_bytes()).unwrap();
    assert_eq!((answer.status, answer.offset), (204, Some(to_u64(text.len()))));
    let counted = |stored: &Stored| {
        assert_eq!([0, 1, 3].map(|gateway| stored.rows(gateway).0), [0; 3]);
        stored.rows(2).0 + stored.rejects().iter().map(|(_, lines)| lines).sum::<u64>()
    };
    let stored = count_all(&mut server, |stored| counted(stored) >= 5);
    let rejects = [("of another gateway", 1), ("unknown format", 1)].map(|(reason, lines)| (reason.to_owned(), lines));
    assert_eq!((stored.rows(2).0, stored.rejects()), (3, rejects.to_vec()));
    drop(stored);
    // The next life begins a new segment, so that the first is packed; then all comes back from what is kept.
    server.restart();
    let more = format!("{text}{}", gateway_line(2, 4));
    let answer = send(&server.address, tokens.of(2), STREAM, 0, more.as_bytes()).unwrap();
    assert_eq!((answer.status, answer.offset), (204, Some(to_u64(more.len()))));
    let kept = server.folder.path().join("data/spool/gateway-2/counted");
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::read_dir(&kept).map_or(0, Iterator::count) == 0 {
        assert!(Instant::now() < deadline, "what is counted is not packed");
        thread::sleep(Duration::from_millis(20));
    }
    drop(count_all(&mut server, |stored| counted(stored) >= 6));
    let rebuilt = std::process::Command::new(crate::support::binary())
        .args(["traffic", "rebuild", "--config"])
        .arg(server.config())
        .output()
        .unwrap();
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    server.restart();
    let stored = count_all(&mut server, |stored| counted(stored) >= 6);
    assert_eq!((stored.rows(2).0, stored.rejects(), stored.duplicates()), (4, rejects.to_vec(), 0));
}

#[test]
fn a_disk_that_is_too_full_makes_gateways_wait() {
    let (mut server, tokens) = start("traffic.min_free_mib = 1048576\n");
    let text = gateway_lines(2, 0, 10);
    let answer = send(&server.address, tokens.of(2), STREAM, 0, text.as_bytes()).unwrap();
    assert!(answer.status == 503 && answer.text.contains("the disk is too full"), "{answer:?}");
    assert!(answer.text.to_lowercase().contains("retry-after: 5"), "{answer:?}");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    write_config(server.folder.path(), "");
    server.restart();
    assert_eq!(length(&server.address, tokens.of(2), STREAM).unwrap().offset, Some(0));
    let answer = send(&server.address, tokens.of(2), STREAM, 0, text.as_bytes()).unwrap();
    assert_eq!((answer.status, answer.offset), (204, Some(to_u64(text.len()))));
    let stored = count_all(&mut server, |stored| stored.rows(2).0 >= 10);
    assert_eq!(stored.rows(2), (10, 10));
}

#[test]
fn tokens_that_cannot_be_right_are_told_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "");
    let secrets = folder.path().join("secrets.toml");
    let text = fs::read_to_string(&secrets).unwrap();
    fs::write(&secrets, format!("{text}[gateways]\n0 = \"{}\"\n2 = \"short\"\n", "ab".repeat(32))).unwrap();
    let output = serve(&config).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("gateways.0: gateways have the numbers 1 to 255"), "{said}");
    assert!(said.contains("gateways.2: it must be 64") && !said.contains("abab"), "{said}");
}

/// `make soak` sets more.
fn kills() -> u32 {
    std::env::var("SUIFTLY_KILLS").map_or(12, |kills| kills.parse().expect("SUIFTLY_KILLS is a number"))
}

/// A gateway that sends pieces of any size, some of them again, to wherever the server is at the moment.
struct Sender {
    gateway: u8,
    token: String,
    address: Arc<Mutex<String>>,
    rng: fastrand::Rng,
    text: String,
    lines: u64,
    /// What was told to be durable.
    length: u64,
    broken: u32,
}

impl Sender {
    fn run(mut self, is_over: &AtomicBool) -> (u64, u32) {
        let deadline = Instant::now() + Duration::from_secs(300);
        loop {
            let is_over = is_over.load(Ordering::Relaxed);
            if !is_over && to_u64(self.text.len()) - self.length < 50_000 {
                let count = self.rng.u64(1..400);
                self.text.push_str(&gateway_lines(self.gateway, self.lines, self.lines + count));
                self.lines += count;
            }
            if is_over && self.length == to_u64(self.text.len()) {
                return (self.lines, self.broken);
            }
            assert!(Instant::now() < deadline, "it does not get on");
            self.send();
        }
    }

    fn send(&mut self) {
        let back = if self.rng.u8(..) < 80 { self.rng.u64(0..20_000) } else { 0 };
        let offset = self.length.saturating_sub(back);
        let begin = usize::try_from(offset).unwrap();
        let end = self.text.len().min(begin + self.rng.usize(1..30_000));
        let address = self.address.lock().unwrap().clone();
        let piece = self.text.as_bytes()[begin..end].to_vec();
        let token = self.token.clone();
        // Now and then the same from two connections at once: one that was thought to be dead is not.
        let twin = (self.rng.u8(..) < 60).then(|| {
            let (address, piece, token) = (address.clone(), piece.clone(), token.clone());
            thread::spawn(move || send(&address, &token, STREAM, offset, &piece))
        });
        self.learn(send(&address, &token, STREAM, offset, &piece));
        if let Some(twin) = twin {
            let answer = twin.join().unwrap();
            self.learn(answer);
        }
    }

    fn learn(&mut self, answer: io::Result<Answer>) {
        let Ok(answer) = answer else {
            self.broken += 1;
            thread::sleep(Duration::from_millis(20));
            return;
        };
        let known = self.length;
        assert!(answer.status == 204 && answer.offset.is_some(), "{answer:?} although {known} were durable");
        // Of two at once, either may be answered first.
        self.length = known.max(answer.offset.unwrap_or(0));
    }
}

#[test]
fn every_line_of_two_gateways_counts_once_although_the_process_is_killed() {
    let seed = std::env::var("SUIFTLY_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SUIFTLY_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut server, tokens) = start("intake.poll_interval_ms = 20\nintake.flush_after_ms = 20\n");
    let address = Arc::new(Mutex::new(server.address.clone()));
    let is_over = Arc::new(AtomicBool::new(false));
    let senders = [2, 3].map(|gateway| {
        let sender = Sender {
            gateway,
            token: tokens.of(gateway).to_owned(),
            address: address.clone(),
            rng: rng.fork(),
            text: String::new(),
            lines: 0,
            length: 0,
            broken: 0,
        };
        let is_over = is_over.clone();
        thread::spawn(move || sender.run(&is_over))
    });
    for _ in 0..kills() {
        thread::sleep(Duration::from_millis(rng.u64(30..400)));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        server.restart();
        *address.lock().unwrap() = server.address.clone();
    }
    is_over.store(true, Ordering::Relaxed);
    let sent = senders.map(|sender| sender.join().unwrap());
    println!("lines and broken connections: {sent:?}");
    let [(of_2, broken), (of_3, _)] = sent;
    assert!(broken > 0 && of_2 > 0 && of_3 > 0);
    let stored = count_all(&mut server, |stored| stored.rows(2).0 >= of_2 && stored.rows(3).0 >= of_3);
    assert_eq!([stored.rows(2), stored.rows(3)], [(of_2, of_2), (of_3, of_3)]);
    assert_eq!((stored.duplicates(), stored.rejects()), (0, vec![]), "nothing was read twice");
}
