use proptest::prelude::*;

use super::*;
use crate::core::gateway_stream::StreamPosition;
use crate::core::spool_record::{encode, encode_mark, intact_lines};

const STREAM: u64 = 1_795_424_400_000;

fn anchor(segment: u64, position: u64, offset: u64) -> Anchor {
    Anchor { stream: STREAM, segment, position, offset }
}

/// Segments 3 and following, with so many bytes of records.
fn segments(lengths: &[u64]) -> Segments {
    (3..).zip(lengths).map(|(number, length)| (number, BEGIN + length)).collect()
}

#[test]
fn it_goes_on_where_the_primary_says() {
    use Resumption::{Anew, At};
    let anew = |lost| Anew { least: STREAM + 1, lost };
    // Segment 3 begins at 1000 in the stream, and 40 bytes of it are delivered.
    let begun = anchor(3, BEGIN + 40, 1040);
    for (lengths, inherited, length, expected) in [
        (&[100][..], None, 1040, At(begun)),
        (&[100], None, 1100, At(anchor(3, BEGIN + 100, 1100))),
        // An answer was lost, or the primary has lost a little that is still here.
        (&[100], None, 1041, At(anchor(3, BEGIN + 41, 1041))),
        (&[100], None, 1000, At(anchor(3, BEGIN, 1000))),
        // It has lost what is no longer here, or all.
        (&[100], None, 999, anew(41)),
        (&[100], None, 0, anew(1040)),
        (&[], None, 1039, anew(1)),
        // It has more than there is.
        (&[100], None, 1101, anew(0)),
        (&[100], Some(3), 1101, At(anchor(4, BEGIN, 1101))),
        (&[100, 50], Some(4), 1100, At(anchor(3, BEGIN + 100, 1100))),
        (&[100, 50], Some(4), 1120, At(anchor(4, BEGIN + 20, 1120))),
        (&[100, 50], Some(4), 1160, At(anchor(5, BEGIN, 1160))),
        // Segment 4 was begun by this process: nothing of it was ever sent.
        (&[100, 50], Some(3), 1120, At(anchor(4, BEGIN, 1120))),
        (&[100, 50, 50], Some(3), 9999, At(anchor(4, BEGIN, 9999))),
        // The end of the segment was damaged, so that it is shorter than what was delivered.
        (&[30], Some(3), 1040, At(begun)),
        (&[30, 50], Some(3), 1041, At(anchor(4, BEGIN, 1041))),
        // There is nothing any more.
        (&[], Some(3), 1040, At(begun)),
        (&[], Some(0), 1040, At(begun)),
        (&[], Some(3), 1041, At(anchor(4, BEGIN, 1041))),
    ] {
        let resumed = begun.resume(&segments(lengths), inherited, Told::Length(length));
        assert_eq!(resumed, expected, "{lengths:?} {inherited:?} {length}");
    }
    let superseded = |newest| begun.resume(&segments(&[100]), None, Told::Superseded { newest });
    assert_eq!(superseded(STREAM + 7), Anew { least: STREAM + 8, lost: 0 });
    assert_eq!(superseded(1), Anew { least: STREAM + 1, lost: 0 });
}

#[test]
fn a_new_stream_goes_on_at_the_same_place_also_within_a_segment() {
    let anew = anchor(3, BEGIN + 40, 1040).anew(STREAM + 1);
    assert_eq!(anew, Anchor { stream: STREAM + 1, ..anchor(3, BEGIN + 40, 0) });
    let there = segments(&[100]);
    let at = |position, offset| Resumption::At(Anchor { stream: STREAM + 1, ..anchor(3, position, offset) });
    assert_eq!(anew.resume(&there, None, Told::Length(0)), at(BEGIN + 40, 0));
    assert_eq!(anew.resume(&there, None, Told::Length(60)), at(BEGIN + 100, 60));
    assert_eq!(anew.offset_of(BEGIN + 39), None);
}

#[test]
fn segments_follow_each_other_and_what_waits_is_what_is_behind() {
    for (lengths, at, next, waiting) in [
        (&[][..], Anchor::begin(STREAM), None, 0),
        (&[100], Anchor::begin(STREAM), Some(anchor(3, BEGIN, 0)), 100),
        (&[100, 50], anchor(3, BEGIN, 0), None, 150),
        (&[100, 50], anchor(3, BEGIN + 99, 99), None, 51),
        (&[100, 50], anchor(3, BEGIN + 100, 100), Some(anchor(4, BEGIN, 100)), 50),
        (&[100, 50], anchor(4, BEGIN + 50, 150), None, 0),
        // Its end was cut.
        (&[100, 50], anchor(3, BEGIN + 120, 120), Some(anchor(4, BEGIN, 120)), 50),
        (&[100], anchor(5, BEGIN + 9, 9), None, 0),
    ] {
        let segments = segments(lengths);
        assert_eq!((at.next_segment(&segments), at.waiting(&segments)), (next, waiting), "{lengths:?} {at:?}");
    }
}

#[test]
fn a_piece_is_as_long_as_its_records_whatever_is_damaged() {
    let mut records = Vec::new();
    for line in [&b"first"[..], b"second", b"third"] {
        assert!(encode(line, &mut records));
    }
    encode_mark(StreamPosition::default(), &mut records);
    let piece = |records: &[u8]| Piece::of_records(records, Behind::Nothing);
    let text = |records: &[u8]| String::from_utf8(piece(records).text).unwrap();
    let blank = "\n".repeat(8);
    let whole = format!("first{blank}second{blank}third{blank}{}", "\n".repeat(25));
    assert_eq!((text(&records), whole.len()), (whole, records.len()));
    records[5 + 8 + 8] ^= 1;
    let damaged = format!("first{blank}{}third{blank}{}", "\n".repeat(6 + 8), "\n".repeat(25));
    assert_eq!((text(&records), piece(&records).damaged), (damaged, 14));
    // What is not whole is not taken while there is more.
    assert_eq!(Piece::of_records(&records[..20], Behind::More).text, format!("first{blank}").as_bytes());
}

#[test]
fn an_anchor_is_remembered_whole_or_not_at_all() {
    let anchor = anchor(7, BEGIN + 40, u64::MAX);
    let slot = encode_slot(9, anchor);
    assert_eq!(decode_slot(&slot), Some((9, anchor)));
    for at in 0..SLOT_BYTES {
        let mut torn = slot;
        torn[at] ^= 1;
        assert_eq!((decode_slot(&torn), decode_slot(&slot[..at])), (None, None), "{at}");
    }
    assert_eq!(decode_slot(&[0; SLOT_BYTES]), None);
}

proptest! {
    /// The receiving side, fed with any pieces that the sending side makes.
    #[test]
    fn every_line_arrives_once_wherever_pieces_are_cut_and_begun_again(
        written in prop::collection::vec("[a-z]{1,30}", 1..20),
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..30),
        damage in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut records = Vec::new();
        written.iter().for_each(|line| assert!(encode(line.as_bytes(), &mut records)));
        let mut expected: Vec<Vec<u8>> = written.iter().map(|line| line.clone().into_bytes()).collect();
        if let Some(damage) = damage {
            records[damage.index(written[0].len()) + 8] ^= 0x80;
            expected.remove(0);
        }
        let length = u64::try_from(records.len()).unwrap();
        let there = Segments::from([(1, BEGIN + length)]);
        let (mut at, mut primary, mut kept) = (Anchor::begin(STREAM), StreamPosition::default(), Vec::new());
        at = at.next_segment(&there).unwrap();
        let mut send = |at: &mut Anchor, until: usize, arrives: usize| {
            // Whole records only, from the one in which the place is.
            let place = usize::try_from(at.position - BEGIN).unwrap();
            let begin = whole_until(&records, Behind::Nothing, place);
            let behind = if until == records.len() { Behind::Nothing } else { Behind::More };
            let piece = Piece::of_records(&records[begin..until.max(begin)], behind).text;
            let offset = at.offset_of(BEGIN + u64::try_from(begin).unwrap()).unwrap();
            let arrived = &piece[..arrives.min(piece.len())];
            primary = primary.take(STREAM, offset, arrived, &mut kept).unwrap();
            match at.resume(&there, None, Told::Length(primary.length)) {
                Resumption::At(next) => *at = next,
                Resumption::Anew { .. } => panic!("{at:?} {primary:?}"),
            }
        };
        for (until, arrives) in steps {
            send(&mut at, until.index(records.len()), arrives.index(records.len()));
        }
        send(&mut at, records.len(), records.len());
        prop_assert_eq!(at.waiting(&there), 0);
        let arrived: Vec<_> = intact_lines(&kept).map(<[u8]>::to_vec).collect();
        prop_assert_eq!(arrived, expected);
    }
}
