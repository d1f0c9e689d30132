//! What remote gateways send: their logs, as streams. Not of the API for customers: who calls is a gateway with its
//! token from the secrets, so neither the limits nor the `Origin` of customers' requests concern it.
//!
//! The form is that of resumable uploads (`Upload-Offset` with `HEAD` and `PATCH`, as in the IETF's draft and in tus),
//! with two liberties: a piece may begin before the offset, and then what is known of it is passed over; and the offset
//! in the answer, from where to go on, may be before the piece's end if that is within a line. Pieces may be packed
//! (`Content-Encoding: zstd`); offsets are those of the unpacked stream.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tracing::{debug, error};

use super::gate::BEARER;
use super::{HttpState, Problem};
use crate::app::Refusal;
use crate::core::calendar::DAY_MS;
use crate::core::error_code::Code;
use crate::core::gateway_stream::{MAX_PIECE_BYTES, MAX_STREAM, PieceRefusal};
use crate::intake::{AppendError, GatewayStreams, StreamError};
use crate::telemetry::chain;

/// What a packer may ask of memory: 8 MiB, as is usual for HTTP.
const MAX_WINDOW_LOG: u32 = 23;
/// For a piece to arrive: of a slower one, what has come by then is taken.
const PIECE_WITHIN: Duration = Duration::from_secs(30);
/// Before a gateway tries again when there is no place for its piece, and when there is no room.
const BUSY_RETRY_S: u64 = 1;
const FULL_RETRY_S: u64 = 5;

const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// The number that the next stream must be higher than.
const NEWEST_STREAM: HeaderName = HeaderName::from_static("newest-stream");

/// A gateway that has shown its token.
pub(super) struct GatewayNumber(u8);

impl FromRequestParts<HttpState> for GatewayNumber {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let shown = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix(BEARER));
        let number = shown.and_then(|token| state.gateways.gateway_of(token.trim()));
        number.map(Self).ok_or_else(|| Problem::new(Code::SignInRequired, "no gateway has this token"))
    }
}

/// The same, with a place for one piece.
pub(super) struct Gateway {
    number: u8,
    /// The highest number that a stream may have at present.
    highest: u64,
    streams: Arc<GatewayStreams>,
    _seat: OwnedSemaphorePermit,
}

impl FromRequestParts<HttpState> for Gateway {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let streams = state.gateways.clone();
        let GatewayNumber(number) = GatewayNumber::from_request_parts(parts, state).await?;
        let seat = streams.seat(number).ok_or_else(|| {
            let detail = format!("gateway {number} sends more at once than is taken");
            Problem::from(Refusal::new(Code::RateLimited, detail).retry_after(BUSY_RETRY_S))
        })?;
        // One slip, and no later stream could be begun.
        let tomorrow = state.app.clock.now().plus_ms(DAY_MS);
        let highest = u64::try_from(tomorrow.0).unwrap_or(0).min(MAX_STREAM);
        Ok(Self { number, highest, streams, _seat: seat })
    }
}

/// How much of a stream is kept.
#[derive(Serialize)]
pub(super) struct Length {
    /// Whose token it is: lines of other gateways would not count.
    gateway: u8,
    stream: u64,
    /// Bytes that need not be sent again.
    length: u64,
}

/// Tells how much of a stream is kept: 0 if it is not begun.
pub(super) async fn length(gateway: Gateway, Path(stream): Path<String>) -> Result<Response, Problem> {
    let stream = gateway.stream_number(&stream)?;
    match gateway.streams.length(gateway.number, stream).await {
        Ok(length) => Ok((at(length), Json(Length { gateway: gateway.number, stream, length })).into_response()),
        Err(error) => Ok(refusal(gateway.number, error)),
    }
}

/// Takes a piece of a stream, and tells from where to go on: what is before that is durable.
pub(super) async fn append(
    gateway: Gateway,
    Path(stream): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let stream = gateway.stream_number(&stream)?;
    let offset = upload_offset(&headers)?;
    let is_packed = is_packed(&headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > u64::try_from(MAX_PIECE_BYTES).unwrap_or(u64::MAX)) {
        return Err(too_large());
    }
    // Nothing is received that cannot be kept.
    let Gateway { number, streams, .. } = &gateway;
    if let Err(error) = streams.append(*number, stream, offset, Vec::new()).await {
        return Ok(refusal(*number, error));
    }
    let mut piece = receive(body).await?;
    if is_packed {
        let unpacking = tokio::task::spawn_blocking(move || unpack(&piece));
        piece = unpacking.await.map_err(|_| Problem::of(Code::Internal))??;
    }
    match streams.append(*number, stream, offset, piece).await {
        Ok(length) => Ok((StatusCode::NO_CONTENT, at(length)).into_response()),
        Err(error) => Ok(refusal(*number, error)),
    }
}

impl Gateway {
    fn stream_number(&self, text: &str) -> Result<u64, Problem> {
        let number = text.parse().ok().filter(|number| (1..=self.highest).contains(number));
        let detail = || format!("a stream is a number from 1 to the time in ms, here at most {}", self.highest);
        number.ok_or_else(|| Problem::new(Code::InvalidParameter, detail()))
    }
}

fn upload_offset(headers: &HeaderMap) -> Result<u64, Problem> {
    let offset = headers.get(UPLOAD_OFFSET).and_then(|value| value.to_str().ok()?.parse().ok());
    let detail = "Upload-Offset must say at which byte of the stream the body begins";
    offset.ok_or_else(|| Problem::new(Code::InvalidParameter, detail))
}

fn is_packed(headers: &HeaderMap) -> Result<bool, Problem> {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(false),
        Some(b"zstd") => Ok(true),
        Some(_) => Err(Problem::new(Code::InvalidParameter, "Content-Encoding may be zstd, or left out")),
    }
}

/// What a piece is without its packing, as far as it came.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut piece = Vec::new();
    let most = u64::try_from(MAX_PIECE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let unpacked = zstd::Decoder::new(packed).and_then(|mut decoder| {
        decoder.window_log_max(MAX_WINDOW_LOG)?;
        decoder.take(most).read_to_end(&mut piece)
    });
    match unpacked {
        Ok(_) if piece.len() > MAX_PIECE_BYTES => Err(too_large()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(Problem::new(Code::InvalidBody, format!("the piece cannot be unpacked: {error}")))
        }
        _ => Ok(piece),
    }
}

/// Receives a piece, or as much of it as comes: the beginning of a piece is a piece as well, so a connection that breaks
/// again and again gets on.
async fn receive(mut body: Body) -> Result<Vec<u8>, Problem> {
    let mut piece = Vec::new();
    let receiving = async {
        while let Some(frame) = body.frame().await {
            match frame.map(|frame| frame.into_data()) {
                Ok(Ok(bytes)) if piece.len() + bytes.len() > MAX_PIECE_BYTES => return Err(too_large()),
                Ok(Ok(bytes)) => piece.extend_from_slice(&bytes),
                // Trailers.
                Ok(Err(_)) => {}
                Err(error) => {
                    debug!(%error, "a gateway's connection has broken within a piece");
                    break;
                }
            }
        }
        Ok(())
    };
    timeout(PIECE_WITHIN, receiving).await.unwrap_or(Ok(()))?;
    Ok(piece)
}

fn too_large() -> Problem {
    Problem::new(Code::BodyTooLarge, format!("a piece may have {MAX_PIECE_BYTES} bytes: send smaller ones"))
}

/// From where to go on. Nobody may keep that answer.
fn at(length: u64) -> [(HeaderName, HeaderValue); 2] {
    [(UPLOAD_OFFSET, length.into()), (CACHE_CONTROL, HeaderValue::from_static("no-store"))]
}

fn refusal(gateway: u8, error: StreamError) -> Response {
    let full = |detail: &str| Problem::from(Refusal::new(Code::NotReady, detail).retry_after(FULL_RETRY_S));
    match error {
        StreamError::Append(AppendError::Refused(PieceRefusal::Gap { length })) => {
            let detail = format!("bytes are missing before this piece: go on at {length}, or begin a new stream");
            (at(length), Problem::new(Code::OffsetMismatch, detail)).into_response()
        }
        StreamError::Append(AppendError::Refused(PieceRefusal::Superseded { newest })) => {
            let detail = format!("begin a stream with a number higher than {newest}");
            ([(NEWEST_STREAM, HeaderValue::from(newest))], Problem::new(Code::StreamSuperseded, detail)).into_response()
        }
        StreamError::Append(AppendError::Full) => {
            full("what this gateway has sent is not counted yet, and takes as much room as it may").into_response()
        }
        StreamError::NoRoom => full("the disk is too full").into_response(),
        StreamError::Append(AppendError::Write(_)) => full("the spool cannot be written").into_response(),
        StreamError::Unknown | StreamError::Panicked => {
            error!(gateway, error = %chain(&error), "what a gateway has sent could not be taken");
            Problem::of(Code::Internal).into_response()
        }
    }
}
