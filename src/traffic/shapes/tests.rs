use duckdb::arrow::array::AsArray;
use duckdb::arrow::datatypes::UInt64Type;

use super::*;
use crate::core::log_line;

fn line(path: &str, method: &str, status: u16) -> String {
    format!(
        "s1 1795424400123 9 4711 17 42 12345 2 0 2 31 1005F7C 203.0.113.9 51234 20003 {method} {path} {status} 312 1045 \
         10/20/1/2/3/4/5 SH-- be srv 3"
    )
}

fn shape_of(shapes: &mut Shapes, text: &str) -> (u64, Option<String>) {
    let found = shapes.shape_of(&log_line::parse(text.as_bytes()).unwrap());
    (found.number, found.own_path.map(Cow::into_owned))
}

fn numbers(fresh: &FreshShapes) -> Vec<u64> {
    fresh.rows.column(0).as_primitive::<UInt64Type>().values().to_vec()
}

#[test]
fn a_shape_keeps_its_number_and_is_fresh_once() {
    let mut shapes = Shapes::starting_at(7);
    for (text, number) in [
        (line("/a", "GET", 200), 7),
        (line("/b", "GET", 200), 8),
        (line("/a", "GET", 200), 7),
        (line("/a", "GET", 404), 9),
        (line("/a", "MADEUP", 200), 10),
        (line("/a", "OTHERWISE", 200), 10),
    ] {
        assert_eq!(shape_of(&mut shapes, &text), (number, None), "{text}");
    }
    assert_eq!(numbers(&shapes.take_fresh().unwrap()), [7, 8, 9, 10]);
    assert_eq!(shape_of(&mut shapes, &line("/b", "GET", 200)), (8, None));
    assert_eq!(shapes.take_fresh().unwrap().rows.num_rows(), 0);
}

#[test]
fn of_many_paths_the_later_ones_are_in_the_rows() {
    let mut shapes = Shapes::starting_at(1);
    // Each row gives a thousandth of a path back.
    let all = FRESH_PATHS + 4;
    for path in 1..=all {
        assert_eq!(shape_of(&mut shapes, &line(&format!("/{path}"), "GET", 200)), (path, None));
    }
    for path in ["/one-more", "/two-more"] {
        assert_eq!(shape_of(&mut shapes, &line(path, "GET", 200)), (all + 1, Some(path.to_owned())));
    }
    assert_eq!(shape_of(&mut shapes, &line("/1", "GET", 200)), (1, None), "a known one is used all the same");
    assert_eq!(shapes.take_fresh().unwrap().rows.num_rows(), usize::try_from(all).unwrap() + 1);
    for _ in 0..ROWS_PER_FRESH_PATH {
        shape_of(&mut shapes, &line("/1", "GET", 200));
    }
    assert_eq!(shape_of(&mut shapes, &line("/one-more", "GET", 200)), (all + 2, None), "more rows make room");
    let long = format!("/{}", "x".repeat(MAX_PATH_BYTES));
    assert_eq!(shape_of(&mut shapes, &line(&long, "GET", 200)), (all + 1, Some(long)));
}

#[test]
fn when_full_it_begins_anew_and_gives_no_number_twice() {
    let mut shapes = Shapes::starting_at(1);
    let (mut last, fresh_paths) = (0, usize::try_from(FRESH_PATHS).unwrap());
    for batch in 0..=MOST / fresh_paths {
        shapes.allowance = FRESH_PATHS * ROWS_PER_FRESH_PATH;
        for path in 0..fresh_paths {
            last = last.max(shape_of(&mut shapes, &line(&format!("/{batch}/{path}"), "GET", 200)).0);
        }
        assert_eq!(shapes.take_fresh().unwrap().first, 1, "rows of this batch may have any of them");
    }
    assert_eq!(last, u64::try_from(MOST + fresh_paths).unwrap());
    shapes.allowance = ROWS_PER_FRESH_PATH;
    assert_eq!(shape_of(&mut shapes, &line("/0/0", "GET", 200)), (last + 1, None));
    let fresh = shapes.take_fresh().unwrap();
    assert_eq!((fresh.first, numbers(&fresh)), (last + 1, vec![last + 1]));
}
