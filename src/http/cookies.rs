//! The two cookies of a session. Scripts of the page cannot read them, other sites cannot send them, and the names'
//! prefixes make browsers insist on that.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use crate::core::session::{ACCESS_LIFE_MS, REFRESH_LIFE_MS};

const ACCESS: &str = "__Host-suiftly-access";
/// Sent to the routes of sign-in only.
const REFRESH: &str = "__Secure-suiftly-refresh";
const REFRESH_PATH: &str = "/api/auth";

/// The access token that a browser has sent.
pub(super) fn access_cookie(headers: &HeaderMap) -> Option<String> {
    read(headers, ACCESS)
}

/// The refresh token that a browser has sent.
pub(super) fn refresh_cookie(headers: &HeaderMap) -> Option<String> {
    read(headers, REFRESH)
}

fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    CookieJar::from_headers(headers).get(name).map(|cookie| cookie.value().to_owned())
}

/// Has the browser keep both tokens.
pub(super) fn set(headers: &mut HeaderMap, access: &str, refresh: &str) {
    write(headers, ACCESS, "/", access, ACCESS_LIFE_MS / 1000);
    write(headers, REFRESH, REFRESH_PATH, refresh, REFRESH_LIFE_MS / 1000);
}

/// Has the browser forget both.
pub(super) fn clear(headers: &mut HeaderMap) {
    write(headers, ACCESS, "/", "", 0);
    write(headers, REFRESH, REFRESH_PATH, "", 0);
}

fn write(headers: &mut HeaderMap, name: &'static str, path: &'static str, value: &str, life_s: i64) {
    let cookie = Cookie::build((name, value))
        .path(path)
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .build()
        .to_string();
    let cookie = format!("{cookie}; Max-Age={life_s}");
    if let Ok(value) = HeaderValue::try_from(cookie) {
        headers.append(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_for_this_site_and_no_script() {
        let mut headers = HeaderMap::new();
        set(&mut headers, "a.b.c", "d.e.f");
        let cookies: Vec<_> = headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(
            cookies,
            [
                "__Host-suiftly-access=a.b.c; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=900",
                "__Secure-suiftly-refresh=d.e.f; HttpOnly; SameSite=Strict; Secure; Path=/api/auth; Max-Age=2592000",
            ]
        );
        let mut sent = HeaderMap::new();
        sent.insert("cookie", HeaderValue::from_static("x=y; __Host-suiftly-access=a.b.c; __Secure-suiftly-refresh=d"));
        assert_eq!((access_cookie(&sent).as_deref(), refresh_cookie(&sent).as_deref()), (Some("a.b.c"), Some("d")));
        assert_eq!(access_cookie(&HeaderMap::new()), None);
    }
}
