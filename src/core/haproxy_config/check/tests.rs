use super::*;

fn rendered() -> String {
    render(&Settings::default()).unwrap()
}

fn missing_of(text: &str) -> Vec<String> {
    check(text).iter().map(|finding| format!("{}: {}", finding.section, finding.directive)).collect()
}

#[test]
fn what_is_rendered_lacks_nothing() {
    assert_eq!(missing_of(&rendered()), [""; 0]);
    let mut settings = Settings { gateway: 7, map_folder: "/srv/maps".to_owned(), ..Settings::default() };
    let both = [(Network::Mainnet, "a:1".to_owned()), (Network::Testnet, "b:2".to_owned())];
    settings.services.iter_mut().for_each(|service| service.upstreams = both.clone().into());
    assert_eq!(missing_of(&render(&settings).unwrap()), [""; 0]);
}

#[test]
fn what_an_operator_may_change_is_not_missed() {
    let text = rendered()
        .replace("bind 0.0.0.0:20002", "bind :443 ssl crt /etc/ssl/a.pem alpn h2,http/1.1")
        .replace("size 100k expire 10s", "size 1m expire 60s")
        .replace("This address is not on the allowlist of the account.", "Nein.")
        .replace(
            "  http-request sc-inc-gpc0(0) if",
            "  http-request set-var(txn.mine) int(1)\n  http-request   sc-inc-gpc0(0)  if",
        )
        .replace("log /dev/log len 8192 local0 info", "log ring@requests len 9000 local0");
    assert_eq!(missing_of(&text), [""; 0]);
}

/// Every line of the rules matters: without it, or after the next one, something is found.
#[test]
fn every_directive_of_a_service_is_missed_and_its_place_matters() {
    let text = rendered();
    let begin = text.find("frontend grpc").unwrap();
    let end = text.find("frontend graphql").unwrap();
    let lines: Vec<&str> = text[begin..end].lines().collect();
    let is_rule = |line: &&str| line.starts_with("  ") && !line.trim().starts_with('#') && is_compared(line.trim());
    let rules: Vec<&str> = lines.iter().copied().filter(is_rule).collect();
    assert!(rules.len() > 80, "{}", rules.len());
    for rule in rules {
        let part = text[begin..end].replacen(&format!("{rule}\n"), "", 1);
        let found = check(&format!("{}{part}{}", &text[..begin], &text[end..]));
        let is_told = |finding: &Finding| rule.trim().starts_with(finding.directive.trim_end_matches('…'));
        assert!(found.iter().any(is_told), "{rule}: {found:?}");
    }
    let counted = "  http-request sc-inc-gpc0(0) if { var(txn.class) -m found }\n";
    let swapped = text.replacen(counted, "", 1).replacen(
        "  http-request track-sc0",
        &format!("{counted}  http-request track-sc0"),
        1,
    );
    assert!(!check(&swapped).is_empty());
}

#[test]
fn what_is_needed_beside_the_rules_is_missed_with_its_reason() {
    let text = rendered();
    for (from, to, expected) in [
        ("level admin", "level user", "global: stats socket … level admin"),
        ("  tune.http.logurilen 2048\n", "", "global: tune.http.logurilen 2048"),
        (" len 8192", "", "frontend seal: log … len 8192"),
        ("backend ip_seal\n", "backend ip_other\n", "configuration: backend ip_seal"),
        ("backend refuse_seal\n", "backend other\n", "configuration: backend refuse_seal"),
        ("\nbackend be_seal\n", "\nbackend other\n", "configuration: backend be_seal"),
        (" local0 info\n", " local0 notice\n", "frontend seal: log … info"),
        (" len 8192 local0", " len 8192 sample 1:2 local0", "frontend seal: log … info"),
        ("  mode http\n", "", "frontend seal: mode http"),
        ("  mode http\n", "", "backend refuse_seal: mode http"),
        (
            "deny deny_status 502",
            "deny deny_status 503",
            "backend be_seal: http-response deny deny_status 502 if { status 101 }",
        ),
    ] {
        let changed = text.replace(from, to);
        assert!(missing_of(&changed).contains(&expected.to_owned()), "{expected}: {:?}", missing_of(&changed));
    }
    let without = text.replacen("  http-request del-header ^(connection", "  #", 1);
    let findings = check(&without);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].reason.starts_with("Before the headers that the backend trusts"), "{}", findings[0]);
    assert_eq!(missing_of("global\n  maxconn 1\n"), ["configuration: a frontend that looks keys up in keys.map"]);
    assert_eq!(missing_of("\u{0}"), missing_of(""));
}

/// Each of them leaves every rule where it is, and lets somebody in or out of the log.
#[test]
fn what_takes_the_effect_of_the_rules_away_is_told_wherever_it_stands() {
    let text = rendered();
    let after = |mark: &str, line: &str| text.replacen(mark, &format!("{mark}  {line}\n"), 1);
    const KEY: &str = "frontend seal\n";
    const DEFAULTS: &str = "defaults\n";
    const BACKEND: &str = "\nbackend be_seal\n";
    const REFUSALS: &str = "backend refuse_seal\n";
    for (mark, line) in [
        (KEY, "http-request allow if { hdr(x) y }"),
        (KEY, "http-request   allow"),
        (DEFAULTS, "http-request allow"),
        (REFUSALS, "http-request allow if TRUE"),
        (BACKEND, "http-response allow"),
        (KEY, "http-request cache-use c"),
        (KEY, "option dontlog-normal"),
        (DEFAULTS, "option dontlog-normal"),
        (KEY, "option logasap"),
        (KEY, "http-request set-log-level silent if { path /x }"),
        (BACKEND, "http-response set-log-level silent"),
        (DEFAULTS, "http-after-response set-log-level silent"),
        (KEY, "no log"),
        (KEY, "option httplog"),
        (KEY, "log-format \"%ci\""),
        (KEY, "log-steps accept"),
        (KEY, "use_backend be_seal if { src 10.0.0.0/8 }"),
        (KEY, "http-request set-var(txn.class) int(1)"),
        (BACKEND, "http-response set-var(txn.class) int(3)"),
        (KEY, "http-request unset-var(txn.refused)"),
        (KEY, "http-request set-var-fmt(txn.key) %[req.hdr(x)]"),
        (KEY, "http-request set-var(txn.class) int(1) if { sc0_gpc0_rate,sub(txn.guaranteed) lt 0 }"),
        (KEY, "acl allowed src 0.0.0.0/0"),
        (DEFAULTS, "tcp-request connection track-sc0 src"),
        (KEY, "http-request set-header X-Api-Key %[url_param(key)]"),
    ] {
        let findings = check(&after(mark, line));
        let is_told = |finding: &Finding| finding.kind == FindingKind::Unwanted && finding.directive == line;
        assert!(findings.iter().any(is_told), "{mark}{line}: {findings:?}");
        assert!(findings.iter().all(is_told), "{mark}{line}: {findings:?}");
    }
    for (mark, line) in [
        (KEY, "option forwardfor"),
        (KEY, "http-request set-header X-Forwarded-Proto https"),
        (KEY, "http-request redirect scheme https unless { ssl_fc }"),
        (KEY, "http-request return status 200 if { path /healthz }"),
        (KEY, "http-request set-var(txn.mine) int(1)"),
        (DEFAULTS, "option httplog"),
        (BACKEND, "http-request set-header Authorization \"Basic YTpi\""),
        (BACKEND, "option httpchk"),
    ] {
        assert_eq!(missing_of(&after(mark, line)), [""; 0], "{mark}{line}");
    }
    let taken_back =
        after(DEFAULTS, "option dontlog-normal").replace(KEY, "frontend seal\n  no option dontlog-normal\n");
    let told: Vec<String> = check(&taken_back).into_iter().map(|finding| finding.section).collect();
    assert_eq!(told, ["frontend grpc", "frontend graphql"]);
}

#[test]
fn there_is_no_other_way_to_a_backend_than_through_the_rules() {
    let text = rendered();
    for (added, section) in [
        ("frontend open\n  bind :80\n  default_backend be_seal\n", Some("frontend open")),
        ("listen open\n  bind :80\n  use_backend be_grpc if { path /x }\n", Some("listen open")),
        ("frontend open\n  use_backend %[req.hdr(host)]\n", Some("frontend open")),
        (
            "defaults other\n  default_backend be_seal\nfrontend open from other\n  bind :80\n",
            Some("frontend open from other"),
        ),
        ("frontend site\n  bind :80\n  default_backend site\nbackend site\n  server a b:1\n", None),
    ] {
        let told: Vec<Finding> = check(&format!("{text}{added}"));
        assert_eq!(told.first().map(|finding| finding.section.as_str()), section, "{added}: {told:?}");
        assert!(told.iter().all(|finding| finding.kind == FindingKind::Unwanted) && told.len() <= 1, "{told:?}");
    }
    // Sent to the backend instead of being refused.
    let let_in = text.replace("use_backend refuse_seal if", "use_backend be_seal if");
    let told = missing_of(&let_in);
    assert!(
        told.contains(&"frontend seal: use_backend refuse_seal if !{ var(txn.class) -m found }".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"frontend seal: use_backend be_seal if !{ var(txn.class) -m found }".to_owned()),
        "{told:?}"
    );
    // A name that only HAProxy knows.
    let chosen = text.replace("default_backend be_seal\n", "use_backend %[req.hdr(host)]\n");
    assert_eq!(missing_of(&chosen), ["configuration: backend %[req.hdr(host)]"]);
}
