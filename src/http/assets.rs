//! The embedded dashboard: built before the program is, compressed ahead, named by content.

use axum::extract::Path;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::Problem;
use crate::core::error_code::Code;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets/dist"]
struct Dist;

/// Names hold a hash of the content, so a year is safe.
const FOR_A_YEAR: &str = "public, max-age=31536000, immutable";
/// The page names its scripts, so it is asked for each time.
const NEVER: &str = "no-cache";

/// First parts of paths that are never the dashboard's.
const NOT_PAGES: [&str; 5] = ["api", "assets", "gateway", "health", "ready"];

/// Compressed siblings, best first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("zstd", ".zst")];

/// The customers' dashboard: one page for all of its addresses.
pub(super) async fn page(headers: HeaderMap) -> Response {
    serve("index.html", NEVER, &headers)
}

/// What a demo shows.
pub(super) async fn demo_page(headers: HeaderMap) -> Response {
    serve("demo.html", NEVER, &headers)
}

/// Whether a browser wants to show an address of the dashboard, which reads the rest of it itself.
pub(super) fn is_page(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let wants_html = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| {
        accept.split(',').any(|item| item.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
    });
    matches!(*method, Method::GET | Method::HEAD) && wants_html && !NOT_PAGES.contains(&first)
}

/// The API's description, rendered.
pub(super) async fn docs(headers: HeaderMap) -> Response {
    serve("docs.html", NEVER, &headers)
}

/// A script, a style, an image.
pub(super) async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    serve(&format!("assets/{path}"), FOR_A_YEAR, &headers)
}

fn serve(path: &str, caching: &'static str, headers: &HeaderMap) -> Response {
    let Some(plain) = Dist::get(path) else {
        return Problem::new(Code::NotFound, format!("no file {path}")).into_response();
    };
    let content_type = plain.metadata.mimetype().to_owned();
    let (file, encoding) = best_encoding(path, headers).map_or((plain, None), |(file, name)| (file, Some(name)));
    let etag = format!("\"{}\"", data_encoding::HEXLOWER.encode(file.metadata.sha256_hash().get(..8).unwrap_or(&[])));
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let common = [(ETAG, etag), (CACHE_CONTROL, caching.to_owned()), (VARY, "accept-encoding".to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let mut response = (common, [(CONTENT_TYPE, content_type)], file.data).into_response();
    if let Some(encoding) = encoding {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

fn best_encoding(path: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, &'static str)> {
    let accepted = headers.get(ACCEPT_ENCODING)?.to_str().ok()?;
    let (file, name) = ENCODINGS
        .into_iter()
        .filter(|(name, _)| accepts(accepted, name))
        .find_map(|(name, suffix)| Some((Dist::get(&format!("{path}{suffix}"))?, name)))?;
    Some((file, name))
}

/// Whether an `Accept-Encoding` names this one and does not weigh it 0.
fn accepts(header: &str, encoding: &str) -> bool {
    header.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        parts.next() == Some(encoding) && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_used_where_it_is_accepted() {
        for (header, expected) in [
            ("br", true),
            ("gzip, deflate, br, zstd", true),
            ("gzip;q=1.0, br;q=0.5", true),
            ("br;q=0", false),
            ("gzip", false),
            ("", false),
            ("brotli", false),
        ] {
            assert_eq!(accepts(header, "br"), expected, "{header}");
        }
    }

    #[test]
    fn a_browser_gets_the_page_at_the_addresses_of_the_dashboard() {
        const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (method, path, accept, expected) in [
            (Method::GET, "/services/seal/logs", BROWSER, true),
            (Method::HEAD, "/billing", "text/html", true),
            (Method::POST, "/billing", BROWSER, false),
            (Method::GET, "/billing", "application/json, text/htmlx", false),
            (Method::GET, "/billing", "", false),
            (Method::GET, "/api/none", BROWSER, false),
            (Method::GET, "/api", BROWSER, false),
            (Method::GET, "/assets/none.js", BROWSER, false),
            (Method::GET, "//gateway/v1", BROWSER, false),
            (Method::GET, "/api-keys", BROWSER, true),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(is_page(&method, path, &headers), expected, "{method} {path} {accept}");
        }
    }
}
