//! The newest vault of a code, for remote gateways: waited for, and received in as many parts as the connection needs.
//!
//! `GET /gateway/v1/vaults/{code}` with `If-None-Match` answers as soon as there is another version than that, or 304 after
//! 30 s. The entity tag is the version's sequence and the begin of its hash. `Range: bytes=N-` with `If-Range` goes on where
//! a connection broke. Files are sent as they are read: none is in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use tokio::time::{Instant, timeout_at};
use tracing::error;

use super::gateway_streams::GatewayNumber;
use super::{HttpState, Problem};
use crate::core::error_code::Code;
use crate::core::vault::sync::Applied;
use crate::core::vault::{Purpose, VaultCode};
use crate::telemetry::chain;

/// How long a gateway waits for news with one request.
const WAIT: Duration = Duration::from_secs(30);
/// Of a file, in memory at once.
const PIECE_BYTES: usize = 128 * 1024;
/// The sequence of the version in the answer.
const VAULT_SEQUENCE: HeaderName = HeaderName::from_static("vault-sequence");

/// Answers with the newest version, once it is another than the one that the gateway has.
pub(super) async fn newest(
    _gateway: GatewayNumber,
    State(state): State<HttpState>,
    Path(code): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let code = code.parse::<VaultCode>().ok().filter(|code| code.purpose() == Purpose::Api);
    let code =
        code.ok_or_else(|| Problem::new(Code::NotFound, "a gateway's vaults are sma, sta, rma, rta, gma and gta"))?;
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let Some(version) = wait_for(&state, code, known).await else {
        return match known {
            Some(_) => Ok(StatusCode::NOT_MODIFIED.into_response()),
            None => Err(Problem::new(Code::NotFound, "there is no such vault yet: nobody has a key for it")),
        };
    };
    let folder = state.app.vaults.folder().clone();
    let opening = tokio::task::spawn_blocking(move || folder.open_version(code, version.sequence)).await;
    let (file, total) = match opening {
        Ok(Ok(opened)) => opened,
        // It may have become one of the old ones just now, and then the next request finds a newer one.
        Ok(Err(error)) => {
            error!(code = %code, sequence = version.sequence, error = %chain(&error), "a vault cannot be sent");
            return Err(Problem::of(Code::NotReady));
        }
        Err(_) => return Err(Problem::of(Code::Internal)),
    };
    answer(&version, file, total, &headers)
}

/// The newest version that is not the known one; `None` after a while without.
async fn wait_for(state: &HttpState, code: VaultCode, known: Option<&str>) -> Option<Applied> {
    let deadline = Instant::now() + WAIT;
    let mut newest = state.app.vaults.newest();
    let is_news = |versions: &std::collections::BTreeMap<VaultCode, Applied>| {
        versions.get(&code).is_some_and(|version| known != Some(tag(version).as_str()))
    };
    let waiting = timeout_at(deadline, newest.wait_for(is_news));
    let versions = state.stop.run_until_cancelled(waiting).await?.ok()?.ok()?;
    versions.get(&code).copied()
}

fn tag(version: &Applied) -> String {
    let hash: String = version.hash.to_string().chars().take(16).collect();
    format!("\"{}-{hash}\"", version.sequence)
}

/// The whole file, or the rest of it from where the gateway has come.
fn answer(version: &Applied, mut file: File, total: u64, headers: &HeaderMap) -> Result<Response, Problem> {
    let tag = tag(version);
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let from = text(&RANGE).and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<u64>().ok());
    let from = from.filter(|from| *from < total && text(&IF_RANGE) == Some(tag.as_str()));
    file.seek(SeekFrom::Start(from.unwrap_or(0))).map_err(|_| Problem::of(Code::Internal))?;
    let mut response = Body::from_stream(pieces(file)).into_response();
    if let Some(from) = from {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {from}-{}/{total}", total.saturating_sub(1));
        response.headers_mut().extend(HeaderValue::from_str(&range).map(|range| (CONTENT_RANGE, range)));
    }
    let fixed = [(CONTENT_TYPE, "application/octet-stream"), (ACCEPT_RANGES, "bytes"), (CACHE_CONTROL, "no-store")];
    response.headers_mut().extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response.headers_mut().insert(VAULT_SEQUENCE, version.sequence.into());
    response.headers_mut().insert(CONTENT_LENGTH, total.saturating_sub(from.unwrap_or(0)).into());
    response.headers_mut().extend(HeaderValue::from_str(&tag).map(|tag| (ETAG, tag)));
    Ok(response)
}

/// A file from where it stands, of which one piece is in memory, however many gateways wait for the next one.
fn pieces(file: File) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(file, |mut file| async move {
        let reading = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            Ok((length > 0).then(|| (Bytes::from(piece), file)))
        });
        reading.await.map_err(io::Error::other)?
    })
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn a_file_is_sent_in_pieces_from_where_it_stands() {
        let content: Vec<u8> = (0..PIECE_BYTES * 3 + 7).map(|byte| u8::try_from(byte % 251).unwrap()).collect();
        for from in [0, 1, PIECE_BYTES, content.len() - 1, content.len()] {
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, &content).unwrap();
            file.seek(SeekFrom::Start(u64::try_from(from).unwrap())).unwrap();
            let sent: Vec<Bytes> = pieces(file).try_collect().await.unwrap();
            assert!(sent.iter().all(|piece| piece.len() <= PIECE_BYTES), "from {from}");
            assert!(sent.concat() == content[from..], "from {from}");
        }
    }
}
