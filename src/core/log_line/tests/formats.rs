//! The formats besides `s1`: what their lines say, what is wrong with them, and that all of them say the same.

use proptest::prelude::*;

use super::super::*;
use super::any_line;

const HTTPLOG: &str = "203.0.113.9:51234 [23/Nov/2025:14:36:40.123] seal be_seal/s1 0/0/1/2/3 200 1045 - - ---- \
                       2/2/0/0/0 0/0 {12345|1|1|1|1005F7C} \"GET /v1/keys?x=1 HTTP/1.1\"";
const TLS: &str = " 0/0000000000000000/0/0/0 -/TLSv1.3/TLS_AES_256_GCM_SHA384";
const JSON: &str = r#"{"accept_ts":1763908600000,"gateway":1,"pid":4711,"log_counter":17,"request_counter":42,"customer_id":"12345","service":1,"network":"1","class":"1","event":"0","key_fp":"1005F7C","client_ip":"203.0.113.9","client_port":"51234","listener_port":"20002","method":"GET","path":"\/v1\/keys","status":200,"bytes_in":312,"bytes_out":1045,"time_handshake_ms":23,"time_idle_ms":100,"time_request_ms":0,"time_queue_ms":0,"time_connect_ms":1,"time_response_ms":2,"time_total_ms":3,"termination":"----","backend":"be_seal","server":"s1","repeat":1}"#;

/// What the three lines above say, as far as their formats can.
fn request() -> RequestLine<'static> {
    RequestLine {
        ts: UtcMillis(1_763_908_600_123),
        idle_ms: 0,
        gateway: 0,
        pid: 0,
        log_counter: 0,
        request_counter: 0,
        customer: CustomerId::new(12345),
        service: Service::Seal,
        network: Some(Network::Mainnet),
        class: TrafficClass::Guaranteed,
        event: Event::OK,
        key_fp: 0x0100_5F7C,
        client_ip: "::ffff:203.0.113.9".parse().unwrap(),
        client_port: 51234,
        listener_port: 0,
        method: "GET",
        path: "/v1/keys".into(),
        status: 200,
        bytes_in: 0,
        bytes_out: 1045,
        times: PhaseTimes { request_ms: 0, queue_ms: 0, connect_ms: 1, response_ms: 2, total_ms: 3 },
        termination: "----",
        backend: "be_seal",
        server: "s1",
        repeat: 1,
    }
}

#[test]
fn every_column_is_read() {
    assert_eq!(parse_any(HTTPLOG.as_bytes()), Ok((Format::Httplog, request())));
    let line = format!("{HTTPLOG}{TLS}").replace("] seal ", "] seal~ ");
    assert_eq!(parse_any(line.as_bytes()), Ok((Format::Httpslog, request())));
    let counted = RequestLine {
        gateway: 1,
        pid: 4711,
        log_counter: 17,
        request_counter: 42,
        idle_ms: 123,
        listener_port: 20002,
        bytes_in: 312,
        ..request()
    };
    assert_eq!(parse_any(JSON.as_bytes()), Ok((Format::Json, counted)));
}

#[test]
fn the_process_is_the_headers_where_the_line_does_not_tell() {
    for header in ["Nov 23 14:36:40 gw1 haproxy[77]: ", "<134>1 2025-11-23T16:36:40+02:00 gw1 haproxy 77 - - "] {
        for (line, pid) in [(HTTPLOG.to_owned(), 77), (format!("{HTTPLOG}{TLS}"), 77), (JSON.to_owned(), 4711)] {
            let with_header = format!("{header}{line}");
            let alone = parse(line.as_bytes()).unwrap();
            assert_eq!(parse(with_header.as_bytes()), Ok(RequestLine { pid, ..alone }), "{with_header}");
        }
    }
}

/// One part of a line of HAProxy's own formats replaced, and what is read then.
#[test]
fn what_an_httplog_line_may_have_otherwise_is_read() {
    type Change = fn(&mut RequestLine<'static>);
    let cases: [(&str, &str, Change); 22] = [
        ("203.0.113.9:", "2001:db8::1:", |line| line.client_ip = "2001:db8::1".parse().unwrap()),
        ("203.0.113.9:51234", "unix:1", |line| (line.client_ip, line.client_port) = (Ipv6Addr::UNSPECIFIED, 1)),
        ("[23/Nov/2025:14:36:40.123]", "[29/Feb/2028:23:59:59.999]", |line| line.ts = UtcMillis(1_835_481_599_999)),
        ("0/0/1/2/3", "-1/-1/-1/-1/0", |line| {
            line.times = PhaseTimes { request_ms: -1, queue_ms: -1, connect_ms: -1, response_ms: -1, total_ms: 0 };
        }),
        (" 200 ", " -1 ", |line| line.status = 0),
        ("---- ", "--VN ", |line| line.termination = "--VN"),
        ("---- ", "-- ", |line| line.termination = "--"),
        ("- - ----", "JSID=a JSID=b --NI", |line| line.termination = "--NI"),
        ("2/2/0/0/0", "2/2/0/0/+3", |_| ()),
        ("be_seal/s1 ", "be_seal/<NOSRV> ", |line| line.server = "<NOSRV>"),
        ("} \"", "} {a b|c#7Dd} \"", |_| ()),
        ("{12345|1|1|1|1005F7C}", "{-|1|-|-|-}", absent),
        ("{12345|1|1|1|1005F7C}", "{||||}", absent),
        ("{12345|1|1|1|1005F7C} ", "{} ", absent),
        ("{12345|1|1|1|1005F7C} ", "", absent),
        (
            "] seal be_seal/s1 0/0/1/2/3 200 1045 - - ---- 2/2/0/0/0 0/0 {12345|1|",
            "] x be_seal/s1 0/0/1/2/3 200 1045 - - ---- 2/2/0/0/0 0/0 {12345|3|",
            |line| {
                line.service = Service::Graphql;
            },
        ),
        ("GET /v1/keys?x=1 HTTP/1.1", "<BADREQ>", |line| (line.method, line.path) = ("<BADREQ>", "<BADREQ>".into())),
        ("GET /v1/keys?x=1 HTTP/1.1", "GET https://a.b/v1/keys?u=http://c/d HTTP/2.0", |_| ()),
        ("GET /v1/keys?x=1 HTTP/1.1", "OPTIONS * HTTP/1.1", |line| (line.method, line.path) = ("OPTIONS", "-".into())),
        ("GET /v1/keys?x=1 HTTP/1.1", "GET http://a HTTP/1.1", |line| line.path = "-".into()),
        ("GET /v1/keys?x=1 HTTP/1.1", "GET /v1/ke", |line| line.path = "/v1/ke".into()),
        ("GET /v1/keys?x=1 HTTP/1.1", "GET /v1/keys HTT", |_| ()),
    ];
    for (part, other, change) in cases {
        let mut expected = request();
        change(&mut expected);
        for tail in ["", TLS] {
            assert!(HTTPLOG.contains(part), "{part}");
            let line = format!("{}{tail}", HTTPLOG.replacen(part, other, 1));
            assert_eq!(parse(line.as_bytes()), Ok(expected.clone()), "{line}");
        }
    }
}

fn absent(line: &mut RequestLine<'static>) {
    (line.customer, line.network, line.class, line.key_fp) = (None, None, TrafficClass::None, 0);
}

#[test]
fn a_service_that_was_not_captured_is_the_frontends() {
    for (frontend, expected) in [
        ("seal", Ok(Service::Seal)),
        ("fe-grpc~", Ok(Service::Grpc)),
        ("graphql_mainnet", Ok(Service::Graphql)),
        ("sealing", Err(Reject::NoService)),
        ("www", Err(Reject::NoService)),
    ] {
        let line = HTTPLOG.replace("] seal ", &format!("] {frontend} ")).replace("{12345|1|1|1|1005F7C} ", "");
        assert_eq!(parse(line.as_bytes()).map(|line| line.service), expected, "{line}");
    }
}

#[test]
fn what_is_wrong_with_an_httplog_line_is_named() {
    let bad = Reject::BadColumn;
    for (part, other, reject) in [
        ("203.0.113.9:51234", "203.0.113.9", bad("client address")),
        (":51234", ":65536", bad("client port")),
        ("23/Nov", "31/Nov", bad("ts")),
        ("23/Nov", "23/nov", bad("ts")),
        (":40.123]", ":40]", bad("ts")),
        ("/2025:", "/1999:", bad("ts")),
        ("seal be_seal/s1", "seal/1: SSL handshake failure", Reject::ConnectionFailed),
        ("be_seal/s1", "be_seal", bad("backend")),
        ("be_seal/s1", "/s1", bad("backend")),
        ("0/0/1/2/3", "0/0/1/2", bad("times")),
        ("0/0/1/2/3", "0/0/1/2/3/4", bad("times")),
        ("0/0/1/2/3", "0/0/1/2/+3", Reject::Unfinished),
        (" 1045 ", " +1045 ", Reject::Unfinished),
        (" 1045 ", " 10a45 ", bad("bytes out")),
        ("----", "-----", bad("termination")),
        ("- - ----", "- ----", bad("termination")),
        ("2/2/0/0/0", "2/2/0/0", bad("connections")),
        ("2/2/0/0/0", "2/2/0/+0/0", bad("connections")),
        (" 0/0 ", " 0 ", bad("queues")),
        ("12345|1", "12345|4", bad("service")),
        ("|1|1005F7C", "|9|1005F7C", bad("class")),
        ("|1|1|1005F7C", "|2|1|1005F7C", bad("network")),
        ("1005F7C", "1005F7G", bad("key fingerprint")),
        ("|1005F7C}", "}", bad("captured headers")),
        ("|1005F7C}", "|1005F7C|}", bad("captured headers")),
        ("} \"", "}\"", bad("captured headers")),
        ("} \"", "} ", bad("request")),
        ("HTTP/1.1\"", "HTTP/1.1", Reject::Truncated),
        ("HTTP/1.1", "HTTP/1.1 x", bad("request")),
        ("HTTP/1.1", "HTTP/x.1", bad("request")),
        ("GET /v1", "GET a /v1", bad("request")),
        ("GET /v1/keys?x=1 HTTP/1.1", "", bad("request")),
        ("HTTP/1.1\"", "HTTP/1.1\"x", bad("request")),
        ("HTTP/1.1\"", "HTTP/1.1\" 0/0/0/0/0", Reject::Truncated),
        ("HTTP/1.1\"", "HTTP/1.1\" 0/0/0/0 -/a/b", bad("TLS errors")),
        ("HTTP/1.1\"", "HTTP/1.1\" 0/0/0/0/0 -/TLSv1.3", Reject::Truncated),
    ] {
        assert!(HTTPLOG.contains(part), "{part}");
        let line = HTTPLOG.replacen(part, other, 1);
        assert_eq!(parse(line.as_bytes()), Err(reject), "{line}");
    }
}

#[test]
fn what_a_json_line_may_have_otherwise_is_read() {
    let expected = parse(JSON.as_bytes()).unwrap();
    for (part, other) in [
        ("{\"accept_ts\":", "{ \"x\" : \"a\\\"}\" , \"accept_ts\" : "),
        (",\"repeat\":1}", " } "),
        ("\"repeat\":1", "\"repeat\":\"1\",\"y\":null,\"z\":-1.5e+3,\"v\":true"),
        ("\"12345\"", "12345"),
        ("\"event\":\"0\"", "\"event\":null"),
        (r"\/v1\/keys", "/v1/keys"),
        (r"\/v1\/keys", r"\u002Fv1/keys"),
        ("\"accept_ts\":1763908600000", "\"ts\":1763908600123,\"idle_ms\":123"),
        ("\"time_handshake_ms\":23", "\"time_handshake_ms\":\"23\""),
    ] {
        assert!(JSON.contains(part), "{part}");
        let line = JSON.replacen(part, other, 1);
        assert_eq!(parse(line.as_bytes()), Ok(expected.clone()), "{line}");
    }
    let with = |part: &str, other: &str| JSON.replacen(part, other, 1);
    let path = |line: &str| parse(line.as_bytes()).unwrap().path.to_string();
    assert_eq!(path(&with(r"\/v1\/keys", r#"\/a\"b\\c é#\ud83d\ude00"#)), r"/a#22b\c#20#C3#A9#23#F0#9F#98#80");
    assert_eq!(path(&with(r"\/v1\/keys", "")), "-");
    assert_eq!(path(&with(r#""GET","path":"\/v1\/keys""#, r#""<BADREQ>","path":"-""#)), "<BADREQ>");
    let absent_key = with("\"1005F7C\"", "null");
    assert_eq!(parse(absent_key.as_bytes()).unwrap().key_fp, 0);
}

#[test]
fn what_is_wrong_with_a_json_line_is_named() {
    let bad = Reject::BadColumn;
    for (part, other, reject) in [
        ("\"repeat\":1}", "\"repeat\":1", Reject::Truncated),
        ("\"repeat\":1}", "\"repeat\":", Reject::Truncated),
        ("\"repeat\":1}", "\"repeat\":1,}", Reject::BadJson),
        ("\"repeat\":1}", "\"repeat\":1}}", Reject::BadJson),
        ("\"repeat\":1}", "\"repeat\":1,\"repeat\":1}", Reject::BadJson),
        ("\"repeat\":1}", "\"x\":{\"a\":1}}", Reject::BadJson),
        ("\"repeat\":1}", "\"x\":[1]}", Reject::BadJson),
        ("\"repeat\":1", "\"repeat\":0", bad("repeat")),
        ("\"repeat\":1", "\"repeat\":1000001", bad("repeat")),
        ("\"accept_ts\":1", "\"accept_ts\":\"1\",\"ts\":1,\"x\":1", bad("accept_ts")),
        ("\"accept_ts\":1763908600000,", "", bad("accept_ts")),
        ("\"gateway\":1", "\"gateway\":256", bad("gateway")),
        ("\"gateway\":1", "\"gateway\":\"-\"", bad("gateway")),
        ("\"class\":\"1\",", "", bad("class")),
        ("\"class\":\"1\"", "\"class\":\"9\"", bad("class")),
        ("\"1005F7C\"", "1005", bad("key_fp")),
        ("203.0.113.9", "203.0.113", bad("client address")),
        ("\"GET\"", "\"G T\"", bad("method")),
        ("\"GET\"", "\"G\\u0045T\"", bad("method")),
        ("\"GET\"", "null", bad("method")),
        ("\"path\":\"", "\"path\":null,\"x\":\"", bad("path")),
        (r"\/v1", r"\x", Reject::BadJson),
        (r"\/v1", r"\ud83d", Reject::BadJson),
        ("\"bytes_out\":1045", "\"bytes_out\":+1045", Reject::Unfinished),
        ("\"time_total_ms\":3", "\"time_total_ms\":+3", Reject::Unfinished),
        ("\"time_queue_ms\":0", "\"time_queue_ms\":-2", bad("time_queue_ms")),
        ("{\"accept_ts\"", "{\"accept_ts", Reject::BadJson),
    ] {
        assert!(JSON.contains(part), "{part}");
        let line = JSON.replacen(part, other, 1);
        assert_eq!(parse(line.as_bytes()), Err(reject), "{line}");
    }
}

/// Only the TLS columns may be cut, of which nothing is read.
#[test]
fn a_line_cut_anywhere_is_never_taken_for_another_one() {
    let https = format!("{HTTPLOG}{TLS}");
    for (whole, may_be_cut) in [(HTTPLOG, HTTPLOG.len()), (&https, HTTPLOG.len()), (JSON, JSON.len())] {
        let request = parse(whole.as_bytes()).unwrap();
        for header in ["", "Nov 23 14:36:40 gw1 haproxy[0]: ", "<134>1 2025-11-23T16:36:40Z gw1 haproxy - - - "] {
            let line = format!("{header}{whole}");
            for length in 0..line.len() {
                let cut = parse(&line.as_bytes()[..length]);
                if length < header.len() + may_be_cut || cut.is_ok() {
                    let expected = if length < header.len() + may_be_cut { None } else { Some(request.clone()) };
                    assert_eq!(cut.ok(), expected, "{}", &line[..length]);
                }
            }
        }
    }
}

fn written(line: &RequestLine<'_>, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        Format::S1 => s1::write(line, &mut out),
        Format::Httplog => httplog::write(line, &mut out),
        Format::Httpslog => httplog::write_tls(line, &mut out),
        Format::Json => json::write(line, &mut out),
    }
    .unwrap();
    assert_eq!(out.pop(), Some(b'\n'));
    out
}

proptest! {
    #[test]
    fn what_is_written_in_any_format_is_read_back((line, texts) in any_line(), path in "(/[!$-~&&[^?]]{0,20}(#22|#23|#C3#A9)?){1,3}") {
        let [_, _, termination, backend, server] = &texts;
        let (backend, server) = (backend.replace('/', "_"), server.replace(['"', '\\'], "_"));
        let (backend, termination) = (backend.replace(['"', '\\'], "_"), termination.replace(['"', '\\'], "_"));
        let line = RequestLine { method: "GET", path: path.as_str().into(), termination: &termination, backend: &backend, server: &server, ..line };
        for format in Format::ALL {
            let text = written(&line, format);
            let shared = match format {
                Format::S1 | Format::Json => line.clone(),
                Format::Httplog | Format::Httpslog => RequestLine {
                    idle_ms: 0, gateway: 0, pid: 0, log_counter: 0, request_counter: 0, listener_port: 0, bytes_in: 0,
                    repeat: 1, event: Event::from_termination(line.termination, line.status, line.server), ..line.clone()
                },
            };
            prop_assert_eq!(parse_any(&text), Ok((format, shared)), "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn a_damaged_line_is_parsed_or_rejected_without_a_panic(at in 0..JSON.len(), byte in any::<u8>(), to in 0..JSON.len()) {
        for line in [HTTPLOG.to_owned(), format!("<134>1 - - haproxy 7 - [a b=\"c\"] {HTTPLOG}{TLS}"), JSON.to_owned()] {
            let mut damaged = line.into_bytes();
            let (at, to) = (at % damaged.len(), to % damaged.len());
            damaged[at] = byte;
            let _ = parse(&damaged);
            let _ = parse(&damaged[at.min(to)..at.max(to)]);
            damaged.swap(at, to);
            let _ = parse(&damaged);
        }
    }
}
