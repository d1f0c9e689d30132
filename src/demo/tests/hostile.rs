//! Clients that try to get past the gateway, in front of a backend that records what it receives.

use super::*;

/// What a backend receives on all its connections, in lower case. It answers every request with the same bytes, and
/// reads on whatever it answered.
struct RawBackend {
    address: SocketAddr,
    received: Arc<Mutex<String>>,
}

impl RawBackend {
    async fn start(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, received) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(String::new())));
        let record = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let record = Arc::clone(&record);
                tokio::spawn(async move {
                    let mut bytes = [0; 4000];
                    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                        record.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]).to_lowercase());
                        let _ = stream.write_all(answer).await;
                    }
                });
            }
        });
        Self { address, received }
    }

    fn received(&self) -> String {
        self.received.lock().unwrap().clone()
    }
}

const DONE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
/// What a customer would send through a tunnel.
const TUNNELLED: &[u8] = b"GET /unmetered HTTP/1.1\r\nHost: a\r\nX-Suiftly-Customer-ID: 3\r\n\r\n";

async fn gateway_before(known: &LoadPlan, backend: &RawBackend) -> Gateway {
    Gateway::start_before(std::slice::from_ref(known), Upstream::start().await.unwrap(), backend.address).await
}

/// Sends each part once the answer to the one before has come.
async fn converse(address: SocketAddr, parts: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answers = Vec::new();
    for part in parts {
        // HAProxy may refuse and close.
        let _ = stream.write_all(part).await;
        let _ = timeout(Duration::from_millis(300), stream.read_to_end(&mut answers)).await;
    }
    String::from_utf8_lossy(&answers).into_owned()
}

/// An HTTP/2 connection whose first request, without an end, has these headers, and some data.
fn http2_request(headers: &[(&str, &str)], data: &[u8]) -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let mut block = Vec::new();
    for text in headers {
        block.push(0);
        for text in [text.0, text.1] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[]), frame(1, 4, 1, &block), frame(0, 0, 1, data)]
        .concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connect_is_refused_and_never_billed() {
    let known = plan(7007, Service::Seal, (10, 0), 1.0);
    let backend = RawBackend::start(DONE).await;
    let gateway = gateway_before(&known, &backend).await;
    let address = gateway.address(Service::Seal);
    let key = ("x-api-key", known.key.as_str());
    let connect = format!("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nX-API-Key: {}\r\n\r\n", known.key);
    let answer = converse(address, &[connect.as_bytes(), TUNNELLED]).await;
    for part in ["HTTP/1.1 405 ", "allow: GET, ", "problem+json", "\"code\":\"method_not_allowed\""] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    let plain = [(":method", "CONNECT"), (":authority", "a:80"), key];
    let to_upgrade = [(":protocol", "websocket"), (":scheme", "http"), (":path", "/"), plain[0], plain[1], key];
    for headers in [&plain[..], &to_upgrade[..]] {
        exchange(address, &http2_request(headers, TUNNELLED)).await;
    }
    let log = gateway.stop().await;
    let refused = requests(&log).iter().filter(|line| line.status == 405 && line.class == TrafficClass::Denied).count();
    let billed = requests(&log).iter().filter(|line| line.class.is_billable()).count();
    let events = requests(&log).iter().filter(|line| line.event.0 == 16).count();
    assert_eq!((refused, events, billed, backend.received().as_str()), (3, 3, 0, ""), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_upgrade_is_an_ordinary_one_and_opens_no_tunnel() {
    let known = plan(7008, Service::Seal, (10, 0), 1.0);
    let upgrade = format!(
        "X-API-Key: {}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\
         TE: trailers\r\n",
        known.key
    );
    for (answer, status, event) in [(DONE, 200, 0), (SWITCHED, 502, 50)] {
        let backend = RawBackend::start(answer).await;
        let gateway = gateway_before(&known, &backend).await;
        let answers = converse(gateway.address(Service::Seal), &[&with_headers(&upgrade), TUNNELLED]).await;
        let (log, received) = (gateway.stop().await, backend.received());
        assert!(received.contains("te: trailers\r\n"), "{received}");
        for refused in ["upgrade", "connection:", "http2-settings", "/unmetered", "customer-id: 3\r"] {
            assert!(!received.contains(refused), "{refused}: {received}");
        }
        // The connection was kept, and what came next on it was a request like any other: one without a key.
        assert!(answers.starts_with(&format!("HTTP/1.1 {status} ")) && answers.contains("key_missing"), "{answers}");
        let seen = requests(&log).iter().map(|line| (line.status, line.event.0)).collect::<Vec<_>>();
        assert_eq!(seen, [(status, event), (401, 10)], "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_backend_sees_no_other_spelling_of_the_headers_it_trusts() {
    let known = plan(7010, Service::Seal, (10, 0), 1.0);
    let backend = RawBackend::start(DONE).await;
    let gateway = gateway_before(&known, &backend).await;
    let forged = format!(
        "X-API-Key: {}\r\nX-Suiftly-Customer-ID: 3\r\nx_suiftly_customer_id: 3\r\nX-Suiftly_Customer.ID: 3\r\n\
         X-Suiftly-Tier: 3\r\nX_Request_ID: 3\r\nConnection: X-Suiftly-Customer-ID, X-Request-ID\r\n\
         Connection: keep-alive\r\nX-Other: kept\r\n",
        known.key
    );
    let request = with_headers(&forged);
    converse(gateway.address(Service::Seal), &[&request, &request]).await;
    let (log, received) = (gateway.stop().await, backend.received());
    for (header, count) in [
        ("\r\nx-suiftly-customer-id: 7010\r\n", 2),
        ("\r\nx-request-id: ", 2),
        ("\r\nx-other: kept\r\n", 2),
        ("suiftly", 2),
        ("request", 2),
        ("connection:", 0),
        (": 3\r\n", 0),
    ] {
        assert_eq!(received.matches(header).count(), count, "{header}: {received}");
    }
    // Without the Connection header, the connection is kept all the same.
    assert_eq!(requests(&log).iter().map(|line| line.status).collect::<Vec<_>>(), [200, 200], "{log}");
}
