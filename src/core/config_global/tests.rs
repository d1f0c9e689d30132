use super::*;
use proptest::prelude::*;

fn defaults() -> BTreeMap<String, String> {
    KEYS.iter().map(|spec| (spec.key.to_owned(), spec.default.to_owned())).collect()
}

#[test]
fn the_defaults_are_the_documented_prices_and_limits() {
    let config = ConfigGlobal::from_table(&defaults()).unwrap();
    assert_eq!(config.version(), 1);
    assert_eq!(config.request_price(), PricePerRequests { amount: Usd::from_dollars(1), per: 10_000 });
    for (tier, guaranteed_per_s, burst_per_s) in
        [(Tier::Starter, 3, 0), (Tier::Pro, 15, 45), (Tier::Enterprise, 100, 300)]
    {
        assert_eq!(config.limits(tier), TierLimits { guaranteed_per_s, burst_per_s });
        assert_eq!(config.per_ip_limit(tier), 0);
    }
    let public = config.public();
    assert_eq!(public.len(), KEYS.len() - 9);
    assert_eq!(public.get("freqs_usd"), Some(&"1.00"));
    assert_eq!(public.get("bglim_sta"), None);
}

#[test]
fn keys_are_unique() {
    assert_eq!(defaults().len(), KEYS.len());
}

#[test]
fn everything_wrong_is_said_at_once() {
    let mut table = defaults();
    table.insert("freqs_usd".to_owned(), "1,00".to_owned());
    table.insert("bglim_pro".to_owned(), "-1".to_owned());
    table.insert("fnew".to_owned(), "7".to_owned());
    table.remove("fver");
    assert_eq!(
        ConfigGlobal::from_table(&table).unwrap_err().to_string(),
        "config_global: bglim_pro is \"-1\", but must be a whole number from 0 to 1000000000; \
         fnew is no key that this version knows; its value is \"7\"; \
         freqs_usd is \"1,00\", but must be dollars from 0 to 1000000 with at most 6 decimals, like 1.00; \
         fver is missing"
    );
}

#[test]
fn values_are_checked_by_their_kind() {
    for (key, value, allowed) in [
        ("freqs_count", "1", true),
        ("freqs_count", "0", false),
        ("freqs_count", "1000000000", true),
        ("freqs_count", "1000000001", false),
        ("freqs_count", "10_000", false),
        ("bblim_sta", "0", true),
        ("bblim_sta", "00", false),
        ("bblim_sta", "+1", false),
        ("bblim_sta", " 1", false),
        ("bblim_sta", "", false),
        ("bblim_sta", "99999999999999999999999", false),
        ("fver", "0", false),
        ("fver", "2", true),
        ("freqs_usd", "0", true),
        ("freqs_usd", "0.000001", true),
        ("freqs_usd", "0.0000001", false),
        ("freqs_usd", "1000000", true),
        ("freqs_usd", "1000000.000001", false),
        ("freqs_usd", "-1", false),
        ("freqs_usd", "1.", false),
        ("freqs_usd", ".5", false),
        ("freqs_usd", "1.2.3", false),
        ("freqs_usd", "$1", false),
        ("freqs_usd", "1e3", false),
        ("no_such_key", "1", false),
    ] {
        assert_eq!(check_value(key, value).is_ok(), allowed, "{key} = {value:?}");
    }
}

proptest! {
    #[test]
    fn dollars_are_read_to_the_micro_dollar(micros in 0..=MAX_DOLLARS * MICROS_PER_DOLLAR) {
        let text = format!("{}.{:06}", micros / MICROS_PER_DOLLAR, micros % MICROS_PER_DOLLAR);
        prop_assert_eq!(parse_micros(&text), Some(micros));
        let trimmed = text.trim_end_matches('0');
        prop_assert_eq!(parse_micros(trimmed.trim_end_matches('.')), Some(micros));
    }

    #[test]
    fn any_value_is_read_or_refused(value in "\\PC{0,12}") {
        for spec in KEYS {
            let _ = check_value(spec.key, &value);
        }
    }
}

#[test]
fn every_price_and_limit_has_a_word() {
    let mut table = defaults();
    for (key, value) in [
        ("fsubs_usd_pro", "29.95"),
        // Defaults that are equal would let one key be read for another.
        ("fmax_skey", "11"),
        ("fmax_pkg", "12"),
        ("fipv4_incl", "4"),
        ("fadd_pkg_usd", "2"),
    ] {
        table.insert(key.to_owned(), value.to_owned());
    }
    let config = ConfigGlobal::from_table(&table).unwrap();
    for (tier, cents) in [(Tier::Starter, 900), (Tier::Pro, 2995), (Tier::Enterprise, 18_500)] {
        assert_eq!(config.tier_price(tier), Usd::from_micros(cents * 10_000), "{tier:?}");
    }
    for (count, expected) in [
        (config.max_api_keys(), 10),
        (config.max_seal_keys(), 11),
        (config.max_packages(), 12),
        (config.max_ip_entries(), 20),
        (config.included_api_keys(), 2),
        (config.included_seal_keys(), 1),
        (config.included_packages(), 3),
        (config.included_ip_entries(), 4),
    ] {
        assert_eq!(count, expected);
    }
    for (price, dollars) in [
        (config.additional_api_key_price(), 1),
        (config.additional_seal_key_price(), 5),
        (config.additional_package_price(), 2),
    ] {
        assert_eq!(price, Usd::from_dollars(dollars));
    }
}

fn check_change(changed: &[(&str, &str)], key: &str, value: &str, expected: Result<&[(&str, &str)], &str>) {
    let mut table = defaults();
    table.extend(changed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let owned = |writes: &[(&str, &str)]| {
        writes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let outcome = change(&table, key, value).map_err(|bad| bad.to_string());
    assert_eq!(outcome, expected.map(owned).map_err(str::to_owned), "{key} = {value:?} beside {changed:?}");
}

#[test]
fn a_change_of_a_public_value_raises_the_version() {
    check_change(&[], "fsubs_usd_pro", "30", Ok(&[("fsubs_usd_pro", "30"), ("fver", "2")]));
    check_change(&[("fver", "41")], "fmax_apikey", "11", Ok(&[("fmax_apikey", "11"), ("fver", "42")]));
    check_change(&[], "bblim_pro", "50", Ok(&[("bblim_pro", "50")]));
    check_change(&[], "fsubs_usd_pro", "29", Ok(&[]));
    check_change(&[], "bblim_pro", "45", Ok(&[]));
    check_change(&[], "fsubs_usd_sta", "30", Ok(&[("fsubs_usd_sta", "30"), ("fver", "2")]));
}

#[test]
fn the_version_goes_up_one_by_one() {
    let jump = Err("fver counts changes: it can go from 7 to 8 only");
    let seven = [("fver", "7")];
    check_change(&seven, "fver", "8", Ok(&[("fver", "8")]));
    check_change(&seven, "fver", "7", Ok(&[]));
    check_change(&seven, "fver", "6", jump);
    check_change(&seven, "fver", "9", jump);
    let last = "fver is \"1000000001\", but must be a whole number from 1 to 1000000000";
    check_change(&[("fver", "1000000000")], "fmax_apikey", "11", Err(last));
    check_change(&[("fver", "1000000000")], "bblim_pro", "50", Ok(&[("bblim_pro", "50")]));
}

#[test]
fn a_change_to_what_is_no_value_is_refused() {
    let price = "fsubs_usd_pro is \"x\", but must be dollars from 0 to 1000000 with at most 6 decimals, like 1.00";
    check_change(&[], "fsubs_usd_pro", "x", Err(price));
    check_change(&[], "fnew", "1", Err("fnew is no key that this version knows; its value is \"1\""));
    let table = "nothing can be changed before this is put right: config_global: freqs_count is \"0\", but must be a \
                 whole number from 1 to 1000000000";
    check_change(&[("freqs_count", "0")], "bblim_pro", "50", Err(table));
}

#[test]
fn values_that_are_wrong_can_be_put_right_one_by_one() {
    let both = [("freqs_count", "0"), ("bblim_pro", "x")];
    check_change(&both, "freqs_count", "10000", Ok(&[("freqs_count", "10000"), ("fver", "2")]));
    check_change(&both, "bblim_pro", "45", Ok(&[("bblim_pro", "45")]));
    check_change(&[("bblim_pro", "x")], "bblim_pro", "45", Ok(&[("bblim_pro", "45")]));
    check_change(
        &[("bglim_pro", "x")],
        "bglim_pro",
        "0",
        Err("bglim_pro would guarantee nothing to those who pay for \
                 the tier: give at least 1"),
    );
    check_change(&[("fver", "x")], "fver", "5", Ok(&[("fver", "5")]));
}

#[test]
fn no_more_can_be_included_than_there_can_be_and_each_tier_is_guaranteed_something() {
    for (included, max, included_default, max_default) in [
        ("fapikey_incl", "fmax_apikey", "2", "10"),
        ("fskey_incl", "fmax_skey", "1", "10"),
        ("fskey_pkg_incl", "fmax_pkg", "3", "10"),
        ("fipv4_incl", "fmax_ipv4", "2", "20"),
    ] {
        let says = |count: &str, limit: &str| {
            format!("{included} would include {count}, but {max} allows {limit}: change the other one first")
        };
        check_change(&[], included, max_default, Ok(&[(included, max_default), ("fver", "2")]));
        check_change(&[], included, "21", Err(&says("21", max_default)));
        check_change(&[], max, "0", Err(&says(included_default, "0")));
    }
    for key in ["bglim_sta", "bglim_pro", "bglim_ent"] {
        let nothing = format!("{key} would guarantee nothing to those who pay for the tier: give at least 1");
        check_change(&[], key, "0", Err(&nothing));
        check_change(&[], key, "1", Ok(&[(key, "1")]));
    }
}

#[test]
fn what_was_inconsistent_before_does_not_stand_in_the_way_of_other_changes() {
    let before = [("fapikey_incl", "11"), ("bglim_sta", "0")];
    check_change(&before, "fsubs_usd_pro", "30", Ok(&[("fsubs_usd_pro", "30"), ("fver", "2")]));
    check_change(&before, "fmax_apikey", "11", Ok(&[("fmax_apikey", "11"), ("fver", "2")]));
    check_change(&before, "bglim_sta", "3", Ok(&[("bglim_sta", "3")]));
}

proptest! {
    #[test]
    fn what_a_change_writes_leaves_every_value_right(index in 0..KEYS.len(), value in "[0-9]{1,3}") {
        let mut table = defaults();
        let key = KEYS[index].key;
        if let Ok(writes) = change(&table, key, &value) {
            let unchanged = writes.is_empty();
            table.extend(writes);
            let after = ConfigGlobal::from_table(&table).unwrap();
            prop_assert_eq!(&table[key], &value);
            prop_assert_eq!(after.version(), if key.starts_with('f') && !unchanged { 2 } else { 1 });
            prop_assert_eq!(change(&table, key, &value), Ok(vec![]), "the same again changes nothing");
        }
    }
}
