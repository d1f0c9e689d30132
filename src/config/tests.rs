use proptest::prelude::*;

use super::*;

const SHIPPED: &str = include_str!("../../etc/suiftly.toml");

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The messages for a document, without the heading and its indentation.
fn mistakes(text: &str, overrides: &[(&str, &str)]) -> Vec<String> {
    match Config::parse(text, &environment(overrides)) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.to_string().lines().skip(1).map(|line| line.trim().to_owned()).collect(),
    }
}

fn check_mistake(text: &str, expected: &str) {
    assert_eq!(mistakes(text, &[]), [expected], "{text}");
}

/// The shipped file with every key set: a `#` that touches a word hides a key, one before a space is prose.
fn uncommented() -> String {
    let is_key = |line: &&str| line.starts_with(|first: char| first.is_ascii_lowercase());
    SHIPPED.lines().map(|line| line.strip_prefix('#').filter(is_key).unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_set_is_the_default() {
    assert_eq!(Config::parse("", &BTreeMap::new()).unwrap(), Config::default());
}

#[test]
fn the_shipped_file_lists_every_key_with_its_default() {
    assert_eq!(Config::parse(SHIPPED, &BTreeMap::new()).unwrap(), Config::default());
    let all_set = uncommented();
    assert_eq!(Config::parse(&all_set, &BTreeMap::new()).unwrap(), Config::default());

    let document: toml::Table = all_set.parse().unwrap();
    let mut listed = Vec::new();
    for (name, value) in &document {
        match value.as_table() {
            Some(section) => listed.extend(section.keys().map(|key| format!("{name}.{key}"))),
            None => listed.push(name.clone()),
        }
    }
    listed.sort();
    let mut known = Config::keys();
    known.sort_unstable();
    assert_eq!(listed, known);
}

#[test]
fn every_key_can_be_set_in_the_file_and_in_the_environment() {
    let values = [
        ("data_dir", "/srv/suiftly"),
        ("log.level", "warn,suiftly::intake=trace"),
        ("log.format", "json"),
        ("secrets_file", "/srv/secrets.toml"),
        ("http.listen", "[::1]:0"),
        ("http.public_url", "https://Dash.example.com:443/"),
        ("http.service_urls", "seal=https://seal.example.com, grpc=http://127.0.0.1:20003"),
        ("http.terms_url", "https://example.com/terms?v=1"),
        ("http.support_url", "mailto:help@example.com"),
        ("http.trusted_proxies", "10.0.0.2, ::1"),
        ("http.max_connections", "16"),
        ("limits.ip_per_min", "1"),
        ("limits.customer_per_min", "2"),
        ("limits.sign_in_ip_per_min", "3"),
        ("limits.sign_in_address_per_min", "4"),
        ("chain.network", "testnet"),
        ("intake.log_file", "/srv/haproxy.log, /srv/haproxy/*.log"),
        ("intake.syslog_unix", "/run/suiftly/log.sock"),
        ("intake.syslog_udp", "127.0.0.1:5140"),
        ("intake.syslog_tcp", "[::1]:5141"),
        ("intake.spool_max_mib", "64"),
        ("intake.poll_interval_ms", "10"),
        ("intake.flush_after_ms", "10000"),
        ("intake.max_batch_rows", "1024"),
        ("intake.rotation_grace_s", "0"),
        ("traffic.memory_limit_mib", "128"),
        ("traffic.chunk_days", "1"),
        ("traffic.seal_after_days", "2"),
        ("traffic.retention_days", "30"),
        ("traffic.min_free_mib", "0"),
        ("traffic.threads", "64"),
        ("ledger.readers", "16"),
        ("billing.issuer_name", "Example GmbH"),
        ("billing.issuer_address", "Hauptstraße 1; 10115 Berlin"),
        ("billing.tax_basis_points", "1900"),
        ("gateway.haproxy_socket", "/run/haproxy/admin.sock"),
        ("gateway.map_dir", "/srv/maps"),
        ("gateway.health_listen", "[::1]:22610"),
        ("gateway.number", "7"),
        ("gateway.remotes", "2=http://10.0.0.2:22610, 3=https://gw.example.com"),
        ("gateway.regions", "2=Frankfurt am Main, 3=São Paulo"),
        ("jobs.interval_s", "86400"),
    ];
    assert_eq!(values.map(|(key, _)| key).as_slice(), Config::keys());
    let mut overridden = environment(&[]);
    let mut text = String::new();
    for (key, value) in values {
        overridden.insert(fields::variable(key), value.to_owned());
        let quoted =
            if value.parse::<u64>().is_ok() || value == "true" { value.to_owned() } else { format!("{value:?}") };
        text.push_str(&format!("{key} = {quoted}\n"));
    }
    let from_file = Config::parse(&text, &BTreeMap::new()).unwrap();
    let from_environment = Config::parse("", &overridden).unwrap();
    assert_eq!(from_file, from_environment);
    assert_eq!(Config::parse(&uncommented(), &overridden).unwrap(), from_environment, "the environment wins");

    assert_eq!(from_file.data_dir, Path::new("/srv/suiftly"));
    assert_eq!(from_file.log.format, LogFormat::Json);
    assert_eq!(from_file.http.listen.to_string(), "[::1]:0");
    let http = &from_file.http;
    assert_eq!(http.public_url.as_ref().map(PublicUrl::origin).as_deref(), Some("https://dash.example.com"));
    assert_eq!(http.service_urls[&Service::Grpc].origin(), "http://127.0.0.1:20003");
    assert_eq!(http.terms_url.as_deref(), Some("https://example.com/terms?v=1"));
    assert_eq!(http.support_url.as_deref(), Some("mailto:help@example.com"));
    assert_eq!((http.trusted_proxies.len(), http.max_connections), (2, 16));
    let limits = &from_file.limits;
    assert_eq!((limits.ip_per_min, limits.customer_per_min), (1, 2));
    assert_eq!((limits.sign_in_ip_per_min, limits.sign_in_address_per_min), (3, 4));
    assert_eq!(from_file.chain.network, Network::Testnet);
    let IntakeConfig { poll_interval_ms, flush_after_ms, max_batch_rows, rotation_grace_s, .. } = from_file.intake;
    assert_eq!((poll_interval_ms, flush_after_ms, max_batch_rows, rotation_grace_s), (10, 10_000, 1024, 0));
    let intake = &from_file.intake;
    assert_eq!(intake.log_file, ["/srv/haproxy.log", "/srv/haproxy/*.log"].map(PathBuf::from));
    assert_eq!(intake.syslog_unix.as_deref(), Some(Path::new("/run/suiftly/log.sock")));
    let addresses = [intake.syslog_udp, intake.syslog_tcp].map(|address| address.unwrap().port());
    assert_eq!((addresses, intake.spool_max_mib), ([5140, 5141], 64));
    let traffic = TrafficConfig {
        memory_limit_mib: 128,
        chunk_days: 1,
        seal_after_days: 2,
        retention_days: 30,
        min_free_mib: 0,
        threads: 64,
    };
    assert_eq!(from_file.traffic, traffic);
    let GatewayConfig { haproxy_socket, map_dir, health_listen, number, remotes, regions } = &from_file.gateway;
    assert_eq!(haproxy_socket.as_deref(), Some(Path::new("/run/haproxy/admin.sock")));
    assert_eq!((map_dir.as_path(), health_listen.port(), *number), (Path::new("/srv/maps"), 22610, 7));
    let origins: Vec<_> = remotes.values().map(PublicUrl::origin).collect();
    assert_eq!(origins, ["http://10.0.0.2:22610", "https://gw.example.com"]);
    assert_eq!(*regions, [(2, "Frankfurt am Main".to_owned()), (3, "São Paulo".to_owned())].into());
    check_mistake(
        "[gateway]\nregions = \"2=\"\n",
        "line 2: gateway.regions = \"2=\": must be numbers and names of at most 40 characters separated by commas, like \
         \"1=Frankfurt, 2=Tokyo\", or \"\" for none",
    );
    check_mistake(
        "[gateway]\nremotes = \"2=http://a, 2=http://b\"\n",
        "line 2: gateway.remotes = \"2=http://a, 2=http://b\": must be numbers and addresses separated by commas, like \
         \"2=http://10.0.0.2:22610, 3=http://10.0.0.3:22610\", or \"\" for none",
    );
    assert_eq!((from_file.ledger.readers, from_file.jobs.interval_s), (16, 86_400));
    let billing = BillingConfig {
        issuer_name: "Example GmbH".to_owned(),
        issuer_address: ["Hauptstraße 1", "10115 Berlin"].map(str::to_owned).into(),
        tax_basis_points: 1900,
    };
    assert_eq!(from_file.billing, billing);
}

#[test]
fn a_mistake_names_line_key_value_and_what_is_allowed() {
    for (text, expected) in [
        ("data_dir = ''", "line 1: data_dir = '': must be a path"),
        ("\n[log]\nformat = 'xml'", "line 3: log.format = 'xml': must be auto, text or json"),
        ("traffic.threads = 65", "line 1: traffic.threads = 65: must be a whole number from 1 to 64"),
        ("traffic.threads = '2'", "line 1: traffic.threads = '2': must be a whole number from 1 to 64"),
        ("ledger.readers = 2.0", "line 1: ledger.readers = 2.0: must be a whole number from 1 to 16"),
        ("jobs.interval_s = -1", "line 1: jobs.interval_s = -1: must be a whole number from 1 to 86400"),
        (
            "intake.poll_interval_ms = 99999999999999999999",
            "line 1: intake.poll_interval_ms = 99999999999999999999: must be a whole number from 10 to 60000",
        ),
        (
            "http.listen = 'localhost:22700'",
            "line 1: http.listen = 'localhost:22700': must be an IP address and a port, like \"127.0.0.1:22700\" or \
             \"[::1]:22700\"",
        ),
        (
            "log.level = 'inof'",
            "line 1: log.level = 'inof': must be error, warn, info, debug, trace, or directives like \
             \"info,suiftly::intake=debug\"",
        ),
        ("[log.format]\nx = 1", "line 1: log.format = [log.format]: must be auto, text or json"),
        ("log = 3", "line 1: log is a section: write [log] above its keys"),
        ("[[log]]", "line 1: log is a section: write [log] above its keys"),
    ] {
        check_mistake(text, expected);
    }
}

#[test]
fn spaces_around_the_directives_of_a_level_mean_nothing() {
    for (written, read) in [
        (" info", Some("info")),
        ("warn, suiftly=info ", Some("warn,suiftly=info")),
        (" \u{e9}=info", Some("\u{e9}=info")),
        (" \u{e9}=x", None),
        (" ", None),
    ] {
        let level = Config::parse(&format!("log.level = '{written}'"), &BTreeMap::new()).map(|config| config.log.level);
        assert_eq!(level.ok().as_deref(), read, "{written:?}");
    }
}

#[test]
fn an_address_that_pages_link_to_that_cannot_be_is_refused() {
    for value in ["seal", "seal=ftp://x", "soap=https://x", "seal=https://x, seal=https://y"] {
        let [found] = mistakes(&format!("http.service_urls = '{value}'"), &[]).try_into().unwrap();
        assert!(found.contains("must be services and addresses separated by commas"), "{found}");
    }
    for value in ["http://example.com", "https://a b", "javascript:alert(1)"] {
        let [found] = mistakes(&format!("http.terms_url = '{value}'"), &[]).try_into().unwrap();
        assert!(found.contains("must be an address that begins with https://"), "{found}");
    }
    for value in ["help@example.com", "mailto:", "javascript:alert(1)"] {
        let [found] = mistakes(&format!("http.support_url = '{value}'"), &[]).try_into().unwrap();
        assert!(found.contains("must be an address that begins with https:// or mailto:"), "{found}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    for (text, expected) in [
        ("datadir = '/x'", "line 1: datadir = '/x': there is no such key; did you mean data_dir?"),
        (
            "[intake]\npoll_interval = 5",
            "line 2: intake.poll_interval = 5: there is no such key; did you mean intake.poll_interval_ms?",
        ),
        ("[log]\ndata_dir = '/x'", "line 2: log.data_dir = '/x': there is no such key; did you mean data_dir?"),
        ("listen = 1", "line 1: listen = 1: there is no such key; did you mean http.listen?"),
        ("[trafic]\nthreads = 1", "line 1: [trafic]: there is no such section; did you mean [traffic]?"),
        (
            "[kubernetes]",
            "line 1: [kubernetes]: there is no such section; known are billing, chain, gateway, http, intake, jobs, ledger, limits, log, traffic",
        ),
    ] {
        check_mistake(text, expected);
    }
    let [unlike] = mistakes("xyz = 1", &[]).try_into().unwrap();
    assert!(unlike.starts_with("line 1: xyz = 1: there is no such key; known are data_dir, log.level,"), "{unlike}");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = "[http]\nlisten = 5\nlisten = 6\nport = 22700\n\n[ledger]\nreaders = 99\n\n[jobs]\ninterval_s = = 3\n";
    let found = mistakes(text, &[("SUIFTLY_LOG_FORMAT", "xml"), ("SUIFTLY_TRAFFIC_THREADS", "")]);
    assert_eq!(
        found,
        [
            "line 2: http.listen = 5: must be an IP address and a port, like \"127.0.0.1:22700\" or \"[::1]:22700\"",
            "line 3: duplicate key",
            "line 4: http.port = 22700: there is no such key; known are http.listen, http.public_url, http.service_urls, http.terms_url, http.support_url, http.trusted_proxies, http.max_connections",
            "line 7: ledger.readers = 99: must be a whole number from 1 to 16",
            "line 10: extra `=`, expected nothing",
            "environment: SUIFTLY_LOG_FORMAT=\"xml\" (log.format): must be auto, text or json",
            "environment: SUIFTLY_TRAFFIC_THREADS=\"\" (traffic.threads): must be a whole number from 1 to 64",
        ]
    );
}

#[test]
fn a_mistake_in_a_file_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("suiftly.toml");
    std::fs::write(&path, "[ledger]\nreaders = 0\n").unwrap();
    let message = Config::load(&path).unwrap_err().to_string();
    let place = format!("\n  {}:2: ledger.readers = 0: must be", path.display());
    assert!(message.starts_with("the configuration has a mistake:") && message.contains(&place), "{message}");
}

#[test]
fn a_missing_file_says_how_to_name_another() {
    let message = Config::load(Path::new("/nonexistent/suiftly.toml")).unwrap_err().to_string();
    for part in ["/nonexistent/suiftly.toml", "--config", DEFAULT_PATH] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn variables_that_override_nothing_are_named() {
    let variables = environment(&[
        ("SUIFTLY_BIN", "/x"),
        ("SUIFTLY_CONFIG", "/x"),
        ("SUIFTLY_DATADIR", "/x"),
        ("SUIFTLY_HTTP_LISTEN", "127.0.0.1:0"),
        ("SUIFTLY_PORT_80_TCP_ADDR", "10.0.0.1"),
    ]);
    assert!(Config::parse("", &variables).is_ok());
    assert_eq!(
        unused_overrides(&variables),
        [
            "SUIFTLY_DATADIR overrides no key; did you mean SUIFTLY_DATA_DIR?",
            "SUIFTLY_PORT_80_TCP_ADDR overrides no key"
        ]
    );
}

proptest! {
    #[test]
    fn reading_never_panics_and_explains_itself(text in any::<String>(), value in any::<String>()) {
        let result = Config::parse(&text, &environment(&[("SUIFTLY_DATA_DIR", &value)]));
        if let Err(ConfigErrors::Invalid { problems, .. }) = result {
            prop_assert!(!problems.is_empty());
        }
    }

    #[test]
    fn a_damaged_file_never_panics(at in 0..SHIPPED.len(), junk in "[\\[\\]{}=.\"'#\n a-z0-9é]{0,12}") {
        let mut text = uncommented();
        let at = text.floor_char_boundary(at.min(text.len()));
        text.insert_str(at, &junk);
        let _ = Config::parse(&text, &BTreeMap::new());
    }
}

#[test]
fn a_public_address_is_scheme_host_and_port() {
    for (text, origin, is_safe) in [
        ("https://dash.example.com", Some("https://dash.example.com"), true),
        ("https://dash.example.com:8443/", Some("https://dash.example.com:8443"), true),
        ("http://localhost:22700", Some("http://localhost:22700"), true),
        ("http://[::1]:22700", Some("http://[::1]:22700"), true),
        ("http://127.0.0.1:80", Some("http://127.0.0.1"), true),
        ("http://dash.example.com", Some("http://dash.example.com"), false),
        ("http://localhost.example.com", Some("http://localhost.example.com"), false),
        ("https://dash.example.com/path", None, false),
        ("https://dash.example.com?x", None, false),
        ("https://user@dash.example.com", None, false),
        ("dash.example.com", None, false),
        ("ftp://dash.example.com", None, false),
    ] {
        let url = text.parse::<PublicUrl>().ok();
        assert_eq!(url.as_ref().map(PublicUrl::origin).as_deref(), origin, "{text}");
        assert_eq!(url.is_some_and(|url| url.keeps_cookies_safe()), is_safe, "{text}");
    }
}
