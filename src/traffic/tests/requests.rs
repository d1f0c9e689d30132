//! Pages of requests against a plain sort, requests by their ids, and that nobody gets out of a scope.

use super::*;
use crate::core::chart::Span;
use crate::core::request_id::RequestId;

const HOUR: i64 = 3_600_000;

fn made(ms: i64, customer: u32, counter: u64, path: &str, status: u16, class: u8) -> String {
    let ts = NINE_O_CLOCK + ms;
    format!(
        "s1 {ts} 1 7 {counter} {counter} {customer} 1 1 {class} 0 AB{customer} 203.0.113.9 51234 20002 GET {path} \
         {status} 10 100 0/0/0/0/0/4/5 ---- b s 1"
    )
}

fn scope(customer: u32) -> Scope {
    Scope::of(CustomerId::new(customer).unwrap())
}

fn query(after: Option<Position>, limit: u32, filter: RequestFilter) -> RequestQuery {
    let now = UtcMillis(NINE_O_CLOCK);
    let span = Span { from: now.plus_ms(-90 * 24 * HOUR), to: now.plus_ms(24 * HOUR) };
    RequestQuery { span, filter, after, limit, now }
}

/// All requests, page by page: time after nine o'clock, request counter.
fn listed(store: &Store, customer: u32, limit: u32, filter: &RequestFilter) -> Vec<(i64, u64)> {
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..10_000 {
        let query = query(after, limit, filter.clone());
        let page = store.traffic.requests(&Interrupt::default(), &scope(customer), &query).unwrap();
        assert!(page.rows.len() <= limit.try_into().unwrap());
        found.extend(page.rows.iter().map(|row| (row.ts.0 - NINE_O_CLOCK, row.request_counter)));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
    panic!("there was always a next page");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn pages_are_a_sort_that_was_cut(
        lines in prop::collection::vec(
            (prop_oneof![0..50_i64, -3 * HOUR..HOUR, -80 * 24 * HOUR..0], 5..7_u32, 0..4_u64,
             prop::sample::select(vec!["/a", "/a/b", "/b"]), prop::sample::select(vec![200_u16, 204, 404]), 1..=8_u8),
            1..60,
        ),
        limit in 1..9_u32,
        merges in any::<bool>(),
        filter in prop_oneof![
            Just(RequestFilter::default()),
            Just(RequestFilter { path_prefix: Some("/a".into()), ..Default::default() }),
            Just(RequestFilter { status: Some((200, 299)), ..Default::default() }),
            Just(RequestFilter { status: Some((404, 404)), ..Default::default() }),
            Just(RequestFilter { class: Some(TrafficClass::Burst), ..Default::default() }),
        ],
    ) {
        let mut store = Store::new();
        for part in lines.chunks(25) {
            store.append(&part.iter().map(|line| made(line.0, line.1, line.2, line.3, line.4, line.5)).collect::<Vec<_>>());
        }
        if merges {
            store.writer.compact(UtcMillis(NINE_O_CLOCK)).unwrap();
        }
        let is_shown = |path: &str, status: u16, class: u8| {
            class != 8
                && filter.path_prefix.as_deref().is_none_or(|prefix| path.starts_with(prefix))
                && filter.status.is_none_or(|(first, last)| (first..=last).contains(&status))
                && filter.class.is_none_or(|wanted| wanted.number() == class)
        };
        let mut expected: Vec<_> = lines
            .iter()
            .filter(|line| line.1 == 5 && is_shown(line.3, line.4, line.5))
            .map(|line| (line.0, line.2))
            .collect();
        expected.sort_unstable();
        expected.reverse();
        prop_assert_eq!(listed(&store, 5, limit, &filter), expected);
    }
}

#[test]
fn a_page_goes_on_where_the_one_before_ended_though_new_requests_came() {
    let mut store = Store::new();
    store.append(&(0..10).map(|number| made(number, 5, 1, "/a", 200, 1)).collect::<Vec<_>>());
    let first = store.traffic.requests(&Interrupt::default(), &scope(5), &query(None, 4, RequestFilter::default()));
    let first = first.unwrap();
    store.append(&[made(100, 5, 1, "/new", 200, 1)]);
    let after = query(first.next, 100, RequestFilter::default());
    let rest = store.traffic.requests(&Interrupt::default(), &scope(5), &after).unwrap();
    let times = |page: &RequestPage| page.rows.iter().map(|row| row.ts.0 - NINE_O_CLOCK).collect::<Vec<_>>();
    assert_eq!((times(&first), times(&rest)), (vec![9, 8, 7, 6], vec![5, 4, 3, 2, 1, 0]));
}

#[test]
fn a_request_is_found_by_its_id_and_only_by_its_customer() {
    let mut store = Store::new();
    let ts = NINE_O_CLOCK + 999;
    let idle = format!(
        "s1 {ts} 3 4711 1 42 5 2 - 1 0 AB 2001:db8::7 51234 20003 PUT /x 0 10 100 0/65000/1/2/3/4/5 CD-- be s 1"
    );
    store.append(&[idle, made(0, 6, 42, "/a", 200, 1)]);
    let page = store.traffic.requests(&Interrupt::default(), &scope(5), &query(None, 4, RequestFilter::default()));
    let row = page.unwrap().rows.remove(0);
    assert_eq!(row.id().to_string(), format!("{ts}-3-4711-42-51234"));
    let find = |customer, id| store.traffic.request(&Interrupt::default(), &scope(customer), id).unwrap();
    assert_eq!(find(5, row.id()), Some(row.clone()));
    assert_eq!(find(6, row.id()), None);
    let mut other = row.id();
    other.accepted.0 += 1;
    assert_eq!(find(5, other), None);
    assert_eq!(find(5, RequestId { gateway: 4, ..row.id() }), None);
}

#[test]
fn nobody_gets_out_of_a_scope() {
    let mut store = Store::new();
    store.append(&[made(0, 6, 1, "/secret", 200, 1), made(1, 6, 2, "/secret", 404, 3), made(2, 5, 3, "/mine", 200, 1)]);
    let all = listed(&store, 6, 1, &RequestFilter::default());
    assert_eq!(all.len(), 2);
    // The positions of somebody else's pages.
    let page = store.traffic.requests(&Interrupt::default(), &scope(6), &query(None, 1, RequestFilter::default()));
    let theirs = page.unwrap().next.unwrap();
    for shown in [0, 1, theirs.shown] {
        let after = query(Some(Position { shown, ..theirs }), 10, RequestFilter::default());
        let page = store.traffic.requests(&Interrupt::default(), &scope(5), &after).unwrap();
        assert!(page.rows.is_empty(), "{page:?}");
    }
    for text in [
        "/secret",
        "' OR customer_id = 6 --",
        "') OR (1 = 1",
        "/' UNION SELECT * FROM requests --",
        "?",
        "\\",
        "%",
        "\0",
        "/mine'); DROP TABLE requests; --",
    ] {
        let filter = RequestFilter { path_prefix: Some(text.to_owned()), ..Default::default() };
        assert_eq!(listed(&store, 5, 10, &filter), [], "{text:?}");
    }
    let theirs = RequestFilter { key_fp: Some(0xAB6), ..Default::default() };
    assert_eq!(listed(&store, 5, 10, &theirs), []);
    assert_eq!(listed(&store, 6, 10, &theirs).len(), 2, "the filter would have found them");
    assert_eq!(listed(&store, 5, 10, &RequestFilter::default()), [(2, 3)]);
}

/// Customers' queries are written over `mine`, so that `scope.rs` alone says whose rows they see.
#[test]
fn only_the_scope_names_the_rows_of_customers() {
    for (file, source) in [
        ("charts.rs", include_str!("../charts.rs")),
        ("live.rs", include_str!("../live.rs")),
        ("tops.rs", include_str!("../tops.rs")),
        ("requests.rs", include_str!("../requests.rs")),
        ("window.rs", include_str!("../window.rs")),
    ] {
        for name in ["FROM requests", "_deltas", "{REQUESTS}", "customer_id"] {
            assert!(!source.contains(name), "{file} has {name}");
        }
        assert!(source.contains("FROM mine"), "{file}");
    }
}
