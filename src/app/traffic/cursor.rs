//! Where a page of requests ended, as a word that only fits the same question of the same customer.
//!
//! It is no secret: what it points at is a moment, and whose requests are shown is not in it.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use crate::core::calendar::UtcMillis;
use crate::core::chart::{EARLIEST, LATEST};
use crate::core::id::CustomerId;
use crate::traffic::Position;

const POSITION_BYTES: usize = 33;
const CHECK_BYTES: usize = 8;

/// For a position in the answer to `asked`.
pub(super) fn write_cursor(customer: CustomerId, asked: &str, position: Position) -> String {
    let mut bytes = position_bytes(position);
    bytes.extend(check(customer, asked, &bytes));
    BASE64URL_NOPAD.encode(&bytes)
}

/// `None` if it is no cursor, or one of another question or customer.
pub(super) fn read_cursor(customer: CustomerId, asked: &str, text: &str) -> Option<Position> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (bytes, given) = bytes.split_at_checked(POSITION_BYTES)?;
    if given != check(customer, asked, bytes) {
        return None;
    }
    let mut rest = bytes;
    let position = Position {
        ts: UtcMillis(i64::from_be_bytes(next(&mut rest)?)),
        request_counter: u64::from_be_bytes(next(&mut rest)?),
        log_counter: u64::from_be_bytes(next(&mut rest)?),
        pid: u32::from_be_bytes(next(&mut rest)?),
        shown: u32::from_be_bytes(next(&mut rest)?),
        gateway: u8::from_be_bytes(next(&mut rest)?),
    };
    (EARLIEST..LATEST).contains(&position.ts).then_some(position)
}

fn next<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*first)
}

fn position_bytes(position: Position) -> Vec<u8> {
    let Position { ts, request_counter, pid, gateway, log_counter, shown } = position;
    let numbers = [ts.0.to_be_bytes(), request_counter.to_be_bytes(), log_counter.to_be_bytes()];
    [numbers.as_flattened(), &pid.to_be_bytes(), &shown.to_be_bytes(), &[gateway]].concat()
}

fn check(customer: CustomerId, asked: &str, bytes: &[u8]) -> Vec<u8> {
    let digest = Sha256::new()
        .chain_update(b"cursor of requests")
        .chain_update(customer.get().to_be_bytes())
        .chain_update(bytes)
        .chain_update(asked)
        .finalize();
    digest.iter().take(CHECK_BYTES).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_fits_its_question_and_its_customer_only() {
        let (mine, theirs) = (CustomerId::new(5).unwrap(), CustomerId::new(6).unwrap());
        let position = Position {
            ts: UtcMillis(1_795_425_154_567),
            request_counter: u64::MAX,
            pid: 4711,
            gateway: 255,
            log_counter: 7,
            shown: 1,
        };
        let cursor = write_cursor(mine, "status 404", position);
        assert_eq!(read_cursor(mine, "status 404", &cursor), Some(position));
        assert_eq!(read_cursor(theirs, "status 404", &cursor), None);
        assert_eq!(read_cursor(mine, "status 200", &cursor), None);
        for at in 0..cursor.len() {
            let mut other = cursor.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(read_cursor(mine, "status 404", &String::from_utf8(other).unwrap()), None, "{at}");
        }
        for text in ["", "x", "é", "' OR 1=1 --", &cursor[1..], &format!("{cursor}AA")] {
            assert_eq!(read_cursor(mine, "status 404", text), None, "{text}");
        }
        let beyond = write_cursor(mine, "", Position { ts: UtcMillis(i64::MIN), ..position });
        assert_eq!(read_cursor(mine, "", &beyond), None);
    }
}
