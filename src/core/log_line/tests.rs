mod formats;
mod golden;

use proptest::prelude::*;

use super::*;

const GOOD: &str = "s1 1763919000123 1 4711 17 42 12345 1 1 1 0 1005F7C 203.0.113.9 51234 20002 GET /v1/keys 200 312 1045 \
                    0/0/0/0/1/2/3 ---- be_seal s1 1";

/// `GOOD` with one column (counted from 0, the mark) replaced.
fn with_column(index: usize, value: &str) -> String {
    let mut columns: Vec<&str> = GOOD.split(' ').collect();
    columns[index] = value;
    columns.join(" ")
}

#[test]
fn every_column_is_read() {
    let line = parse(GOOD.as_bytes()).unwrap();
    assert_eq!(
        line,
        RequestLine {
            ts: UtcMillis(1_763_919_000_123),
            idle_ms: 0,
            gateway: 1,
            pid: 4711,
            log_counter: 17,
            request_counter: 42,
            customer: CustomerId::new(12345),
            service: Service::Seal,
            network: Some(Network::Mainnet),
            class: TrafficClass::Guaranteed,
            event: Event::OK,
            key_fp: 0x0100_5F7C,
            client_ip: "::ffff:203.0.113.9".parse().unwrap(),
            client_port: 51234,
            listener_port: 20002,
            method: "GET",
            path: "/v1/keys".into(),
            status: 200,
            bytes_in: 312,
            bytes_out: 1045,
            times: PhaseTimes { request_ms: 0, queue_ms: 0, connect_ms: 1, response_ms: 2, total_ms: 3 },
            termination: "----",
            backend: "be_seal",
            server: "s1",
            repeat: 1,
        }
    );
}

#[test]
fn a_syslog_header_is_skipped() {
    for header in [
        "Nov 23 17:30:00 gw1 haproxy[4711]: ",
        "<134>Nov 23 17:30:00 gw1 haproxy[4711]: ",
        "2026-11-23T17:30:00.123456+00:00 gw1 haproxy[4711]: ",
        "<134>1 2026-11-23T17:30:00.123Z gw1 haproxy 4711 - - ",
    ] {
        let line = format!("{header}{GOOD}\r");
        assert_eq!(parse(line.as_bytes()), parse(GOOD.as_bytes()), "{header}");
    }
}

#[test]
fn absent_columns_are_dashes() {
    let line = "s1 1763919000123 1 4711 17 42 - 2 - - - - unix - 20003 <BADREQ> <BADREQ> 400 0 0 \
                -1/-1/-1/-1/-1/-1/5001 PR-- fe <NOSRV> 1";
    let line = parse(line.as_bytes()).unwrap();
    assert_eq!((line.customer, line.network, line.class), (None, None, TrafficClass::None));
    assert_eq!((line.event, line.key_fp, line.client_port), (Event::MALFORMED, 0, 0));
    assert_eq!(line.client_ip, Ipv6Addr::UNSPECIFIED);
    assert_eq!(line.idle_ms, 0);
}

#[test]
fn time_on_an_idle_connection_moves_the_request_to_when_it_began() {
    let line = with_column(20, "5/60000/0/0/1/2/3");
    let line = parse(line.as_bytes()).unwrap();
    assert_eq!((line.ts, line.idle_ms), (UtcMillis(1_763_919_060_128), 60_005));
}

#[test]
fn the_time_before_a_request_is_written_as_it_was_read() {
    for times in ["0/0/0/0/1/2/3", "5/60000/0/0/1/2/3", "-1/-1/0/0/1/2/3", "2147483647/2147483647/0/0/1/2/3"] {
        let text = with_column(20, times);
        let line = parse(text.as_bytes()).unwrap();
        let mut written = Vec::new();
        s1::write(&line, &mut written).unwrap();
        assert_eq!(parse(written.trim_ascii_end()), Ok(line.clone()), "{times}");
    }
}

#[test]
fn what_is_wrong_with_a_line_is_named() {
    let overlong = "x".repeat(MAX_LINE_BYTES + 1);
    for (line, reject) in [
        ("", Reject::Empty),
        ("\r", Reject::Empty),
        ("s1 1763\u{0}", Reject::Binary),
        ("Proxied by nobody.", Reject::UnknownFormat),
        ("Proxy seal stopped (cumulated conns: FE: 31, BE: 0).", Reject::Notice),
        ("Proxy seal hard-stopped (1 remaining conns will be closed).", Reject::Notice),
        ("<133>Nov 23 17:30:00 gw1 haproxy[4711]: backend be_seal has no server available!", Reject::Notice),
        ("Server be_seal/s1 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\"", Reject::Notice),
        ("s2 1763919000123 1", Reject::UnknownFormat),
        ("s1 1763919000123 1 4711", Reject::Truncated),
        ("s1 ", Reject::Truncated),
        (&overlong, Reject::Overlong),
        (&GOOD[..GOOD.len() - 2], Reject::Truncated),
        (&format!("{GOOD} 1"), Reject::TooManyColumns),
        (&with_column(1, "99"), Reject::BadColumn("ts")),
        (&with_column(1, "99999999999999"), Reject::BadColumn("ts")),
        (&with_column(2, "256"), Reject::BadColumn("gateway")),
        (&with_column(6, "4294967296"), Reject::BadColumn("customer")),
        (&with_column(7, "4"), Reject::BadColumn("service")),
        (&with_column(8, "2"), Reject::BadColumn("network")),
        (&with_column(9, "9"), Reject::BadColumn("class")),
        (&with_column(11, "+1"), Reject::BadColumn("key fingerprint")),
        (&with_column(12, "1.2.3"), Reject::BadColumn("client address")),
        (&with_column(15, ""), Reject::BadColumn("method")),
        (&with_column(17, "1000"), Reject::BadColumn("status")),
        (&with_column(18, "-5"), Reject::BadColumn("bytes in")),
        (&with_column(18, "1099511627777"), Reject::BadColumn("bytes in")),
        (&with_column(19, "18446744073709551615"), Reject::BadColumn("bytes out")),
        (&with_column(24, "1000001"), Reject::BadColumn("repeat")),
        (&with_column(20, "0/0/0"), Reject::BadColumn("times")),
        (&with_column(20, "0/0/0/0/1/2/3/4"), Reject::BadColumn("times")),
        (&with_column(21, "-"), Reject::BadColumn("termination")),
        (&with_column(24, "0"), Reject::BadColumn("repeat")),
    ] {
        assert_eq!(parse(line.as_bytes()), Err(reject), "{:?}", &line[..line.len().min(200)]);
    }
    assert_eq!(parse(b"s1 \xff\xfe"), Err(Reject::Binary));
}

#[test]
fn a_line_cut_anywhere_is_never_taken_for_a_whole_one() {
    for length in 0..GOOD.len() {
        assert!(parse(&GOOD.as_bytes()[..length]).is_err(), "{}", &GOOD[..length]);
    }
}

/// HAProxy 3 leaves out the column of a path that is not there, with its space.
#[test]
fn a_line_without_a_path_is_read_as_with_an_empty_one() {
    let empty = GOOD.replace(" /v1/keys ", "  ");
    let absent = GOOD.replace(" /v1/keys ", " ");
    assert_eq!(parse(absent.as_bytes()).unwrap(), parse(empty.as_bytes()).unwrap());
    assert_eq!(parse(absent.as_bytes()).unwrap().path.to_string(), "-");
    for length in 0..absent.len() {
        assert!(parse(&absent.as_bytes()[..length]).is_err(), "{}", &absent[..length]);
    }
    assert_eq!(parse(GOOD[..GOOD.len() - 2].replace("/v1/keys", "200").as_bytes()), Err(Reject::BadColumn("times")));
}

#[test]
fn what_went_wrong_outside_the_rules_is_told_by_the_termination_state() {
    for (termination, status, server, event) in [
        ("----", 200, "s1", Event::OK),
        ("SC--", 503, "s1", Event::REFUSED),
        ("SC--", 503, "<NOSRV>", Event::NO_BACKEND),
        ("sC--", 504, "s1", Event::TIMEOUT),
        ("sH--", 504, "s1", Event::TIMEOUT),
        ("sQ--", 503, "<NOSRV>", Event::QUEUE_TIMEOUT),
        ("SH--", 502, "s1", Event::BACKEND_ERROR),
        ("SD--", 200, "s1", Event::BACKEND_ERROR),
        ("PH--", 502, "s1", Event::BACKEND_ERROR),
        ("sD--", 200, "s1", Event::TIMEOUT),
        ("PH--", 403, "s1", Event::OK),
        ("PR--", 400, "<NOSRV>", Event::MALFORMED),
        ("CR--", 400, "<NOSRV>", Event::MALFORMED),
        ("PR--", 431, "<NOSRV>", Event::TOO_LARGE),
        ("PR--", 414, "<NOSRV>", Event::TOO_LARGE),
        ("cR--", 408, "<NOSRV>", Event::REQUEST_TIMEOUT),
        ("CD--", 200, "s1", Event::OK),
        ("LR--", 503, "<NOSRV>", Event::OK),
    ] {
        assert_eq!(Event::from_termination(termination, status, server), event, "{termination} {status} {server}");
    }
}

/// What HAProxy 2.6.12 wrote behind the request counter with the shipped configuration, and the class, event, method,
/// path and status that are read from it.
const REAL_LINES: &str = "\
12345 1 1 1 0 1005F7C 127.0.0.1 48480 20002 GET /a 200 85 205 0/0/0/0/0/10/10 ---- be_seal s1 1 => 1 0 GET /a 200
12345 1 1 2 0 1005F7C 127.0.0.1 35204 20002 GET /a#22b'c 200 89 205 0/0/0/0/0/2/2 ---- be_seal s1 1 => 2 0 GET /a#22b'c 200
12345 1 1 1 0 1005F7C 127.0.0.1 35174 20002 GET /a%20b 200 93 205 0/0/0/0/0/2/2 ---- be_seal s1 1 => 1 0 GET /a%20b 200
12345 1 1 2 0 1005F7C 127.0.0.1 35244 20002 OPTIONS  501 88 539 0/0/0/0/0/2/2 ---- be_seal s1 1 => 2 0 OPTIONS - 501
12345 1 1 1 0 1005F7C 127.0.0.1 41780 20002 GET  200 91 205 0/0/0/0/0/2/2 ---- be_seal s1 1 => 1 0 GET - 200
12345 1 1 1 0 1005F7C 127.0.0.1 41750 20002 <BADREQ> <BADREQ> 501 6082 99 0/0/0/0/0/2/2 ---- be_seal s1 1 => 1 0 <BADREQ> <BADREQ> 501
12345 1 1 1 0 1005F7C 127.0.0.1 53776 20002 GET /down 503 88 204 0/0/0/0/-1/-1/3005 SC-- down s1 1 => 1 60 GET /down 503
12345 1 1 1 0 1005F7C 127.0.0.1 33562 20002 GET /hang 504 52 198 0/0/0/0/0/-1/3001 sH-- hang s1 1 => 1 61 GET /hang 504
12345 1 1 1 0 1005F7C 127.0.0.1 58760 20002 POST /hang -1 73 0 0/0/0/0/0/-1/50 CD-- hang s1 1 => 1 0 POST /hang 0
- 1 - 3 10 - 127.0.0.1 41784 20002 GET /nk 401 40 214 0/0/0/-1/-1/-1/0 LR-- seal <NOSRV> 1 => 3 10 GET /nk 401
- 1 - 3 31 - 127.0.0.1 41824 20002 GET /uk 401 86 185 0/0/0/-1/-1/-1/0 LR-- seal <NOSRV> 1 => 3 31 GET /uk 401
12345 1 1 3 30 22 127.0.0.1 41830 20002 GET /os 401 86 191 0/0/0/-1/-1/-1/0 LR-- seal <NOSRV> 1 => 3 30 GET /os 401
77 1 0 6 0 33 127.0.0.1 41840 20002 GET /off 503 87 222 0/0/0/-1/-1/-1/0 LR-- seal <NOSRV> 1 => 6 0 GET /off 503
12345 1 1 4 0 1005F7C 127.0.0.1 41958 20002 GET /rate 429 88 290 0/0/0/-1/-1/-1/0 LR-- seal <NOSRV> 1 => 4 0 GET /rate 429
- 1 - - - - 127.0.0.1 48488 20002 <BADREQ> <BADREQ> 400 0 0 0/0/-1/-1/-1/-1/0 PR-- seal <NOSRV> 1 => 0 12 <BADREQ> <BADREQ> 400
- 1 - - - - 127.0.0.1 48522 20002 <BADREQ> <BADREQ> 400 0 0 0/0/-1/-1/-1/-1/50 CR-- seal <NOSRV> 1 => 0 12 <BADREQ> <BADREQ> 400
- 1 - - - - 127.0.0.1 35132 20002 <BADREQ> <BADREQ> 408 0 0 0/0/-1/-1/-1/-1/2000 cR-- seal <NOSRV> 1 => 0 14 <BADREQ> <BADREQ> 408";

#[test]
fn lines_of_a_real_haproxy_are_read() {
    for row in REAL_LINES.lines() {
        let (rest, expected) = row.split_once(" => ").unwrap();
        let text = format!("s1 1795457277544 1 24695 32 32 {rest}");
        let line = parse(text.as_bytes()).unwrap_or_else(|reject| panic!("{reject}: {text}"));
        let RequestLine { class, event, method, path, status, .. } = line;
        assert_eq!(format!("{} {} {method} {path} {status}", class.number(), event.0), expected, "{text}");
    }
}

prop_compose! {
    fn token()(text in "[!-~]{1,40}") -> String { text }
}

prop_compose! {
    fn times()(phases in prop::array::uniform5(-1..i32::MAX)) -> PhaseTimes {
        let [request_ms, queue_ms, connect_ms, response_ms, total_ms] = phases;
        PhaseTimes { request_ms, queue_ms, connect_ms, response_ms, total_ms }
    }
}

prop_compose! {
    fn any_line()(
        (ts, idle_ms) in (946_684_800_000_i64..7_258_118_400_000, 0..100_000_u32),
        numbers in any::<(u8, u32, u64, u64, u32, u32, u16, u16)>(),
        (service, network, class, event) in (1..=3_u8, 0..=2_u8, 0..=8_u8, 1..=255_u8),
        client_ip in any::<u128>(),
        (method, path, backend, server) in (token(), token(), token(), token()),
        (status, bytes_in, bytes_out, repeat) in (0..1000_u16, 0..=s1::MAX_BYTES, 0..=s1::MAX_BYTES, 1..=s1::MAX_REPEAT),
        times in times(),
        termination in "[!-~]{2,4}",
    ) -> (RequestLine<'static>, [String; 5]) {
        let (gateway, pid, log_counter, request_counter, customer, key_fp, client_port, listener_port) = numbers;
        let line = RequestLine {
            ts: UtcMillis(ts), idle_ms, gateway, pid, log_counter, request_counter,
            customer: CustomerId::new(customer),
            service: Service::from_number(service).unwrap(),
            network: Network::from_number(network),
            class: TrafficClass::from_number(class).unwrap(),
            event: Event(event), key_fp, client_ip: Ipv6Addr::from_bits(client_ip), client_port, listener_port,
            method: "", path: "".into(), status, bytes_in, bytes_out, times,
            termination: "", backend: "", server: "", repeat,
        };
        (line, [method, path, termination, backend, server])
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back((line, texts) in any_line()) {
        let [method, path, termination, backend, server] = &texts;
        let line = RequestLine { method, path: path.as_str().into(), termination, backend, server, ..line };
        let mut written = Vec::new();
        s1::write(&line, &mut written).unwrap();
        prop_assert_eq!(parse(written.strip_suffix(b"\n").unwrap()), Ok(line));
    }

    #[test]
    fn any_bytes_are_parsed_or_rejected_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn a_damaged_line_is_parsed_or_rejected_without_a_panic(at in 0..GOOD.len(), byte in any::<u8>()) {
        let mut damaged = GOOD.as_bytes().to_vec();
        damaged[at] = byte;
        let _ = parse(&damaged);
    }
}
