//! Rate limits: so many requests a minute from one place, of one customer's pages, of their scripts, and of attempts to
//! sign in.

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Problem;
use crate::app::{Caller, Credential, Refusal};
use crate::core::customer::WalletAddress;
use crate::core::error_code::Code;
use crate::core::id::CustomerId;

const WINDOW_S: u64 = 60;
/// As many attempts to sign in as from so many places may come from a network that one party may have.
const PLACES_PER_NETWORK: u32 = 10;
/// How often limiters forget those who have been quiet.
pub(super) const FORGET_EVERY: Duration = Duration::from_secs(WINDOW_S);

/// Requests a minute, each at least 1.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    pub ip_per_min: u32,
    pub customer_per_min: u32,
    pub sign_in_ip_per_min: u32,
    pub sign_in_address_per_min: u32,
}

/// All limiters of a process.
pub(super) struct Limits {
    pub ip: Limiter<IpAddr>,
    pub customer: Limiter<(CustomerId, Means)>,
    pub sign_in_ip: Limiter<IpAddr>,
    /// Networks that one party may well have whole.
    pub sign_in_network: Limiter<IpAddr>,
    /// By address and place: who asks for a wallet that is not theirs keeps nobody else out.
    pub sign_in_address: Limiter<(WalletAddress, IpAddr)>,
}

/// What a customer asks with. Open pages and scripts do not use up each other's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Means {
    Session,
    Token,
}

/// One limit for each key (the generic cell rate algorithm: a minute's worth at once, then at its pace).
pub(super) struct Limiter<K: Hash + Eq + Clone> {
    name: &'static str,
    per_min: u32,
    limiter: RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>,
    clock: DefaultClock,
}

/// What is left, for the answer's headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    name: &'static str,
    per_min: u32,
    remaining: u32,
}

impl Limits {
    pub(super) fn new(quotas: Quotas) -> Self {
        Self {
            ip: Limiter::new("ip", quotas.ip_per_min),
            customer: Limiter::new("customer", quotas.customer_per_min),
            sign_in_ip: Limiter::new("sign-in-ip", quotas.sign_in_ip_per_min),
            sign_in_network: Limiter::new(
                "sign-in-network",
                quotas.sign_in_ip_per_min.saturating_mul(PLACES_PER_NETWORK),
            ),
            sign_in_address: Limiter::new("sign-in-address", quotas.sign_in_address_per_min),
        }
    }

    /// Counts a request of somebody who is known.
    ///
    /// # Errors
    /// [`Code::RateLimited`] with the time to wait.
    pub(super) fn check_caller(&self, caller: &Caller) -> Result<Left, Problem> {
        let means = match caller.credential {
            Credential::Session(_) => Means::Session,
            Credential::Token(..) => Means::Token,
        };
        self.customer.check(&(caller.customer, means))
    }

    /// Counts an attempt to sign in, or to begin it.
    ///
    /// # Errors
    /// [`Code::RateLimited`] with the time to wait.
    pub(super) fn check_sign_in(&self, ip: IpAddr) -> Result<(), Problem> {
        self.sign_in_ip.check(&place(ip))?;
        self.sign_in_network.check(&network(ip)).map(drop)
    }

    /// Without it, everybody who ever came would be remembered.
    pub(super) fn forget_quiet(&self) {
        self.ip.limiter.retain_recent();
        self.customer.limiter.retain_recent();
        self.sign_in_ip.limiter.retain_recent();
        self.sign_in_network.limiter.retain_recent();
        self.sign_in_address.limiter.retain_recent();
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(name: &'static str, per_min: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_min).unwrap_or(NonZeroU32::MIN));
        let limiter = RateLimiter::dashmap(quota).with_middleware();
        Self { name, per_min, limiter, clock: DefaultClock::default() }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`Code::RateLimited`] with the time to wait.
    pub(super) fn check(&self, key: &K) -> Result<Left, Problem> {
        match self.limiter.check_key(key) {
            Ok(state) => {
                Ok(Left { name: self.name, per_min: self.per_min, remaining: state.remaining_burst_capacity() })
            }
            Err(until) => {
                let wait_s = until.wait_time_from(self.clock.now()).as_secs().saturating_add(1);
                let detail = format!("at most {} a minute ({})", self.per_min, self.name);
                let refusal = Refusal::new(Code::RateLimited, detail).retry_after(wait_s);
                let left = Left { name: self.name, per_min: self.per_min, remaining: 0 };
                Err(Problem::from(refusal).with_left(left))
            }
        }
    }
}

impl Left {
    /// As in the IETF's draft `ratelimit-headers`. A limit that is told already is the one that counted.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        let Self { name, per_min, remaining } = self;
        let policy = format!("\"{name}\";q={per_min};w={WINDOW_S}");
        let left = format!("\"{name}\";r={remaining};t={WINDOW_S}");
        for (header, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.entry(HeaderName::from_static(header)).or_insert(value);
            }
        }
    }
}

/// Who has one IPv6 address has its whole /64 network.
pub(super) fn place(ip: IpAddr) -> IpAddr {
    truncated(ip, 32, 64)
}

/// What one party may have without much effort: an IPv6 /48, an IPv4 /24.
fn network(ip: IpAddr) -> IpAddr {
    truncated(ip, 24, 48)
}

fn truncated(ip: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & u32::MAX << (32 - v4_bits))),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & u128::MAX << (128 - v6_bits))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::id::{ApiTokenId, RECORD_ID_BYTES, SessionId};

    #[test]
    fn a_minutes_worth_passes_and_the_next_waits() {
        let limiter = Limiter::new("ip", 3);
        let (one, other): (IpAddr, IpAddr) = ("203.0.113.9".parse().unwrap(), "203.0.113.10".parse().unwrap());
        for remaining in [2, 1, 0] {
            assert_eq!(limiter.check(&one).unwrap().remaining, remaining);
        }
        assert_eq!(limiter.check(&one).unwrap_err().code(), Code::RateLimited);
        assert_eq!(limiter.check(&other).unwrap().remaining, 2);
    }

    #[test]
    fn an_ipv6_network_is_one_place() {
        for (ip, expected_place, expected_network) in [
            ("203.0.113.9", "203.0.113.9", "203.0.113.0"),
            ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::"),
            ("::1", "::", "::"),
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(place(ip), expected_place.parse::<IpAddr>().unwrap(), "{ip}");
            assert_eq!(network(ip), expected_network.parse::<IpAddr>().unwrap(), "{ip}");
        }
    }

    #[test]
    fn a_network_of_many_places_is_limited_as_a_whole() {
        let quotas = Quotas { ip_per_min: 1, customer_per_min: 1, sign_in_ip_per_min: 2, sign_in_address_per_min: 1 };
        let limits = Limits::new(quotas);
        let ip = |place: u16| IpAddr::from([0x2001, 0xdb8, 1, place, 0, 0, 0, 1]);
        assert!((0..20).all(|place| limits.check_sign_in(ip(place)).is_ok()));
        assert!(limits.check_sign_in(ip(20)).is_err());
        assert!(limits.check_sign_in("2001:db8:2::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_customers_pages_and_scripts_have_a_limit_each() {
        let quotas = Quotas { ip_per_min: 1, customer_per_min: 1, sign_in_ip_per_min: 1, sign_in_address_per_min: 1 };
        let limits = Limits::new(quotas);
        let customer = CustomerId::new(7).unwrap();
        let by = |credential| Caller { customer, credential, ip: "203.0.113.9".parse().unwrap() };
        let page = by(Credential::Session(SessionId::new([0; RECORD_ID_BYTES])));
        let script = by(Credential::Token(ApiTokenId::new([0; RECORD_ID_BYTES]), Arc::new([])));
        for caller in [&page, &script] {
            assert!(limits.check_caller(caller).is_ok(), "{caller:?}");
            assert!(limits.check_caller(caller).is_err(), "{caller:?}");
        }
    }

    #[test]
    fn headers_say_the_policy_and_what_is_left() {
        let mut headers = HeaderMap::new();
        Left { name: "customer", per_min: 1200, remaining: 7 }.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"customer\";q=1200;w=60");
        assert_eq!(headers["ratelimit"], "\"customer\";r=7;t=60");
    }
}
