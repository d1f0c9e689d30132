//! What every request of the API passes: where it comes from, whose it is, whether it may change something from where
//! it was made, and how many there were before it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument, error_span};

use super::cookies::access_cookie;
use super::limits::{Left, Limits, Quotas, place};
use super::server::Peer;
use super::{HttpState, Problem};
use crate::app::{App, Caller, Refusal};
use crate::core::error_code::Code;
use crate::random::random;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
pub(super) const BEARER: &str = "Bearer ";
/// Characters of a request id that a proxy has given.
const MAX_REQUEST_ID: usize = 128;

/// How requests are let in.
pub struct GateOptions {
    /// As browsers send it in `Origin`.
    pub public_origin: String,
    /// Who may say whom a request came from.
    pub trusted_proxies: Vec<IpAddr>,
    pub quotas: Quotas,
}

pub(super) struct Gate {
    pub public_origin: String,
    trusted_proxies: Vec<IpAddr>,
    pub limits: Limits,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientIp(pub IpAddr);

/// Whose request it is, or why that is not known.
#[derive(Clone)]
pub(super) struct Identity(pub Result<Caller, Problem>);

impl Gate {
    pub(super) fn new(options: GateOptions) -> Self {
        let GateOptions { public_origin, trusted_proxies, quotas } = options;
        Self { public_origin, trusted_proxies, limits: Limits::new(quotas) }
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted_proxies.contains(&ip.to_canonical())
    }

    /// The address nearest to us that no trusted proxy has: what stands before it, anybody may have written.
    fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut ip = peer.to_canonical();
        let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
        for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            if !self.trusts(ip) {
                break;
            }
            match hop.trim().parse::<IpAddr>() {
                Ok(next) => ip = next.to_canonical(),
                Err(_) => break,
            }
        }
        ip
    }

    /// Browsers say where a request was made; what is no browser has no cookies that it does not know of.
    fn check_origin(&self, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        if request.method().is_safe() || headers.contains_key(AUTHORIZATION) {
            return Ok(());
        }
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
        let is_own = match (text(ORIGIN), text(FETCH_SITE)) {
            (Some(origin), _) => origin == self.public_origin || is_local_host(origin, text(HOST)),
            (None, Some(site)) => matches!(site, "same-origin" | "none"),
            (None, None) => true,
        };
        if is_own { Ok(()) } else { Err(Problem::of(Code::OriginRefused)) }
    }
}

/// Whether an origin is the address of this machine that the request was sent to. Elsewhere the scheme matters, which
/// `Host` does not tell: a page that somebody put into an unencrypted connection is not ours.
fn is_local_host(origin: &str, host: Option<&str>) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let is_same = authority.is_some_and(|authority| Some(authority) == host);
    let is_loopback = |authority: &str| {
        let parsed = authority.parse::<Authority>();
        parsed.is_ok_and(|authority| match authority.host().trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => ip.to_canonical().is_loopback(),
            Err(_) => authority.host() == "localhost",
        })
    };
    is_same && authority.is_some_and(is_loopback)
}

/// Gives every request an id, which its answer and all log lines about it carry, whatever becomes of it.
pub(super) async fn tag(State(state): State<HttpState>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::from([0; 4]), |peer| peer.0.ip());
    let id = request_id(&state.gate, peer, request.headers());
    let ip = state.gate.client_ip(peer, request.headers());
    request.extensions_mut().insert(ClientIp(ip));
    // As high as the lines within it, so that whatever is logged has the id.
    let span = error_span!("request", id = id.to_str().unwrap_or_default());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The way of a request of the API through the gate and back.
pub(super) async fn pass(
    State(state): State<HttpState>,
    Extension(ClientIp(ip)): Extension<ClientIp>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = answer(&state, ip, request, next).await;
    // Answers are somebody's own; a handler that knows better has said so.
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn answer(state: &HttpState, ip: IpAddr, mut request: Request, next: Next) -> Response {
    match admit(state, ip, &mut request).await {
        Ok(left) => {
            let mut response = next.run(request).await;
            left.write(response.headers_mut());
            response
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(state: &HttpState, ip: IpAddr, request: &mut Request) -> Result<Left, Problem> {
    let mut left = state.gate.limits.ip.check(&place(ip))?;
    state.gate.check_origin(request).map_err(|problem| problem.with_left(left))?;
    let identity = identify(&state.app, ip, request.headers()).await;
    if let Ok(caller) = &identity {
        left = state.gate.limits.check_caller(caller)?;
    }
    request.extensions_mut().insert(Identity(identity));
    Ok(left)
}

async fn identify(app: &Arc<App>, ip: IpAddr, headers: &HeaderMap) -> Result<Caller, Problem> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let text = value.to_str().unwrap_or_default();
        let token = text.strip_prefix(BEARER).ok_or_else(|| Problem::of(Code::SignInRequired))?;
        return Ok(app.caller_of_token(token.trim(), ip).await?);
    }
    match access_cookie(headers) {
        Some(access) => Ok(app.caller_of_session(&access, ip).await?),
        None => Err(Refusal::of(Code::SignInRequired).into()),
    }
}

/// The proxy's, which is in its log as well, or a new one.
fn request_id(gate: &Gate, peer: IpAddr, headers: &HeaderMap) -> HeaderValue {
    let is_good = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        !bytes.is_empty() && bytes.len() <= MAX_REQUEST_ID && bytes.iter().all(is_word)
    };
    let given = headers.get(REQUEST_ID).filter(|_| gate.trusts(peer)).filter(is_good).cloned();
    given.unwrap_or_else(|| {
        let hex = data_encoding::HEXLOWER.encode(&random::<12>().unwrap_or_default());
        HeaderValue::try_from(hex).unwrap_or(HeaderValue::from_static("-"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(GateOptions {
            public_origin: "https://dash.example.com".to_owned(),
            trusted_proxies: vec!["127.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()],
            quotas: Quotas { ip_per_min: 1, customer_per_min: 1, sign_in_ip_per_min: 1, sign_in_address_per_min: 1 },
        })
    }

    #[test]
    fn a_forwarded_address_counts_as_far_as_proxies_are_trusted() {
        for (peer, forwarded, expected) in [
            ("203.0.113.9", &["198.51.100.7"][..], "203.0.113.9"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["1.2.3.4, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("127.0.0.1", &["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["junk"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7, junk"], "127.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
            }
            let ip = gate().client_ip(peer.parse().unwrap(), &headers);
            assert_eq!(ip, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn changes_are_taken_from_our_own_pages_and_from_programs() {
        for (method, headers, allowed) in [
            ("POST", &[][..], true),
            ("POST", &[("origin", "https://dash.example.com")], true),
            ("POST", &[("origin", "http://127.0.0.1:22700"), ("host", "127.0.0.1:22700")], true),
            ("POST", &[("origin", "http://[::1]:22700"), ("host", "[::1]:22700")], true),
            ("POST", &[("origin", "http://localhost:22700"), ("host", "localhost:22700")], true),
            ("POST", &[("origin", "http://dash.example.com"), ("host", "dash.example.com")], false),
            ("POST", &[("origin", "http://127.0.0.1.evil.example"), ("host", "127.0.0.1.evil.example")], false),
            ("POST", &[("origin", "https://evil.example"), ("host", "127.0.0.1:22700")], false),
            ("POST", &[("origin", "https://dash.example.com.evil.example")], false),
            ("POST", &[("origin", "null")], false),
            ("POST", &[("sec-fetch-site", "cross-site")], false),
            ("POST", &[("sec-fetch-site", "same-site")], false),
            ("POST", &[("sec-fetch-site", "same-origin")], true),
            ("DELETE", &[("origin", "https://evil.example")], false),
            ("GET", &[("origin", "https://evil.example")], true),
            ("POST", &[("origin", "https://evil.example"), ("authorization", "Bearer x")], true),
        ] {
            let mut request = Request::builder().method(method);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(axum::body::Body::empty()).unwrap();
            assert_eq!(gate().check_origin(&request).is_ok(), allowed, "{method} {headers:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_gives_requests_their_ids() {
        for (peer, given, kept) in [
            ("127.0.0.1", "7F000001:C8E0_01", true),
            ("203.0.113.9", "7F000001:C8E0_01", false),
            ("127.0.0.1", "a b", false),
            ("127.0.0.1", "", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_static(given));
            let id = request_id(&gate(), peer.parse().unwrap(), &headers);
            assert_eq!(id == given, kept, "{peer} {given}: {id:?}");
            assert!(!id.is_empty());
        }
    }
}
