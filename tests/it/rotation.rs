//! A log is followed through every kind of rotation: each line once, none lost, also across restarts.

use std::fs::{self, OpenOptions};
use std::time::{Duration, Instant};

use suiftly::core::source::SourceState;

use crate::support::{line, lines};
use crate::tail::{Tail, far};

#[test]
fn lines_are_counted_as_they_come_and_half_a_line_waits_for_its_rest() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 3));
    tail.poll();
    tail.expect(3, 0);
    let next = line(3);
    let (first, rest) = next.split_at(40);
    tail.write("ha.log", first);
    tail.poll();
    tail.expect(3, 0);
    tail.write("ha.log", rest);
    tail.poll();
    tail.expect(4, 0);
    tail.poll();
    tail.expect(4, 0);
}

#[test]
fn a_batch_that_is_due_ends_although_there_is_more_to_read() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 30_000));
    tail.follower.scan(&mut tail.batch);
    assert!(tail.follower.read(&mut tail.batch, 1_000_000, Instant::now()));
    let first = tail.batch.lines();
    assert!(first > 0 && first < 30_000, "{first}");
    tail.poll();
    tail.expect(30_000, 0);
}

#[test]
fn a_missing_log_is_waited_for() {
    let mut tail = Tail::new();
    tail.poll();
    assert_eq!(tail.follower.state(), &SourceState::Waiting);
    tail.write("ha.log", &line(0));
    tail.poll();
    assert_eq!(tail.follower.state(), &SourceState::Reading);
    tail.expect(1, 0);
}

#[test]
fn a_log_that_is_a_folder_is_named_with_what_to_do() {
    let mut tail = Tail::new();
    fs::create_dir(tail.path("ha.log")).unwrap();
    tail.poll();
    let SourceState::Unreadable(reason) = tail.follower.state() else { panic!("{:?}", tail.follower.state()) };
    assert!(reason.contains("ha.log") && reason.contains("set intake.log_file"), "{reason}");
    fs::remove_dir(tail.path("ha.log")).unwrap();
    tail.write("ha.log", &line(0));
    tail.poll();
    tail.expect(1, 0);
}

#[test]
fn renaming_loses_nothing_while_the_writer_still_holds_the_old_file() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 5));
    tail.poll();
    tail.rename("ha.log", "ha.log.1");
    tail.write("ha.log.1", &lines(5, 7));
    tail.write("ha.log", &lines(7, 9));
    tail.write("ha.log.1", &line(9));
    tail.poll();
    tail.expect(10, 0);
    tail.write("ha.log.1", &line(10));
    tail.write("ha.log", &line(11));
    tail.poll();
    tail.expect(12, 0);
}

#[test]
fn several_renames_between_two_looks_lose_nothing() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 5));
    tail.poll();
    tail.rename("ha.log", "ha.log.1");
    tail.write("ha.log", &lines(5, 8));
    tail.rename("ha.log.1", "ha.log.2");
    tail.rename("ha.log", "ha.log.1");
    tail.write("ha.log", &lines(8, 9));
    tail.poll();
    tail.expect(9, 0);
}

#[test]
fn rotation_while_the_program_was_down_loses_nothing_and_counts_nothing_twice() {
    let mut tail = Tail::new();
    tail.write("ha.log.1", &lines(100, 110));
    tail.write("ha.log", &lines(0, 5));
    tail.poll();
    tail.expect(5, 0);
    tail.write("ha.log", &lines(5, 6));
    tail.rename("ha.log.1", "ha.log.3");
    tail.rename("ha.log", "ha.log.2");
    tail.write("ha.log.1", &lines(6, 8));
    tail.write("ha.log", &lines(8, 9));
    tail.restart();
    tail.poll();
    tail.poll();
    tail.expect(9, 0);
    tail.restart();
    tail.poll();
    tail.expect(9, 0);
}

#[test]
fn copy_and_truncate_reads_the_rest_from_the_copy() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 50));
    tail.poll();
    tail.write("ha.log", &lines(50, 60));
    fs::copy(tail.path("ha.log"), tail.path("ha.log.1")).unwrap();
    tail.poll();
    tail.expect(60, 0);
    tail.write("ha.log", &lines(60, 65));
    fs::copy(tail.path("ha.log"), tail.path("ha.log.1")).unwrap();
    tail.truncate("ha.log");
    tail.write("ha.log", &lines(65, 67));
    tail.poll();
    tail.expect(67, 0);
    tail.restart();
    tail.poll();
    tail.expect(67, 0);
}

#[test]
fn a_copy_of_a_new_log_that_is_not_yet_truncated_is_not_counted_as_well() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 20));
    tail.poll();
    tail.rename("ha.log", "ha.log.2");
    tail.write("ha.log", &lines(20, 50));
    fs::copy(tail.path("ha.log"), tail.path("ha.log.1")).unwrap();
    tail.restart();
    tail.poll();
    tail.expect(50, 0);
    tail.truncate("ha.log");
    tail.write("ha.log", &lines(50, 55));
    tail.poll();
    tail.expect(55, 0);
}

#[test]
fn a_copy_that_has_just_begun_is_not_counted_as_well() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 20));
    tail.poll();
    tail.rename("ha.log", "ha.log.2");
    tail.write("ha.log", &lines(20, 50));
    tail.write("ha.log.1", "");
    tail.restart();
    tail.poll();
    tail.expect(50, 0);
    tail.write("ha.log.1", &lines(20, 50));
    tail.poll();
    tail.truncate("ha.log");
    tail.write("ha.log", &lines(50, 55));
    tail.poll();
    tail.expect(55, 0);
}

#[test]
fn copy_and_truncate_is_recognised_although_the_log_has_grown_past_the_old_position() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 3));
    tail.poll();
    fs::copy(tail.path("ha.log"), tail.path("ha.log.1")).unwrap();
    tail.truncate("ha.log");
    tail.write("ha.log", &lines(3, 30));
    tail.poll();
    tail.expect(30, 0);
}

#[test]
fn copy_and_truncate_while_the_program_was_down_reads_the_rest_from_the_copy() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 50));
    tail.poll();
    tail.write("ha.log", &lines(50, 60));
    fs::copy(tail.path("ha.log"), tail.path("ha.log.1")).unwrap();
    tail.truncate("ha.log");
    tail.write("ha.log", &lines(60, 90));
    tail.restart();
    tail.poll();
    tail.expect(90, 0);
}

#[test]
fn a_deleted_log_is_drained_and_its_successor_read_from_the_start_also_with_the_same_inode() {
    let mut tail = Tail::with_grace(Duration::ZERO);
    tail.write("ha.log", &lines(0, 5));
    tail.poll();
    fs::remove_file(tail.path("ha.log")).unwrap();
    tail.poll();
    tail.poll();
    assert_eq!(tail.follower.state(), &SourceState::Waiting);
    // Many file systems give the freed inode to the next file.
    tail.write("ha.log", &lines(5, 20));
    tail.poll();
    tail.expect(20, 0);
    fs::remove_file(tail.path("ha.log")).unwrap();
    tail.write("ha.log", &lines(20, 40));
    tail.restart();
    tail.poll();
    tail.expect(40, 0);
}

#[test]
fn a_log_that_was_copied_and_put_back_is_read_on() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 20));
    tail.poll();
    fs::copy(tail.path("ha.log"), tail.path("elsewhere")).unwrap();
    tail.rename("elsewhere", "ha.log");
    tail.write("ha.log", &lines(20, 25));
    tail.restart();
    tail.poll();
    tail.expect(25, 0);
    tail.restart();
    tail.poll();
    tail.expect(25, 0);
}

#[test]
fn a_file_that_is_put_beside_the_log_in_pieces_is_left_alone() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 20));
    tail.poll();
    for piece in 0..4 {
        tail.write("ha.log.old", &lines(100 + piece * 10, 110 + piece * 10));
        tail.poll();
        if piece == 2 {
            tail.restart();
        }
    }
    tail.expect(20, 0);
}

#[test]
fn a_first_start_amid_copy_and_truncate_counts_the_log_once() {
    for truncated_at_once in [false, true] {
        let mut tail = Tail::new();
        tail.write("ha.log", &lines(0, 50));
        tail.write("ha.log.1", &lines(0, 20));
        tail.follower.scan(&mut tail.batch);
        tail.write("ha.log.1", &lines(20, 50));
        if !truncated_at_once {
            tail.poll();
        }
        tail.truncate("ha.log");
        tail.write("ha.log", &lines(50, 60));
        tail.poll();
        tail.expect(60, 0);
    }
}

#[test]
fn history_stays_history_when_the_log_could_not_be_read_at_the_first_start() {
    let mut tail = Tail::new();
    fs::create_dir(tail.path("ha.log")).unwrap();
    tail.write("ha.log.1", &lines(100, 120));
    tail.poll();
    fs::remove_dir(tail.path("ha.log")).unwrap();
    tail.write("ha.log", &lines(0, 5));
    tail.restart();
    tail.poll();
    tail.expect(5, 0);
}

#[test]
fn other_files_in_the_folder_and_old_rotated_ones_are_left_alone() {
    let mut tail = Tail::new();
    tail.write("ha.log.1", &lines(100, 110));
    tail.write("ha.log-20260101", &lines(110, 120));
    tail.write("ha.log.2.gz", "packed");
    tail.write("other.log", &lines(120, 130));
    tail.write("ha.log", &lines(0, 5));
    tail.poll();
    tail.expect(5, 0);
    // Unpacked by hand later: the log was not rotated, so it cannot have been the log since.
    tail.write("ha.log.2", &lines(130, 140));
    tail.poll();
    tail.restart();
    tail.poll();
    tail.expect(5, 0);
}

#[test]
fn a_log_that_was_empty_at_the_first_stop_is_read_after_its_rotation() {
    let mut tail = Tail::new();
    tail.write("ha.log.1", &lines(100, 110));
    tail.write("ha.log", "");
    tail.poll();
    tail.write("ha.log", &lines(0, 50));
    tail.rename("ha.log.1", "ha.log.2");
    tail.rename("ha.log", "ha.log.1");
    tail.write("ha.log", &lines(50, 52));
    tail.restart();
    tail.poll();
    tail.expect(52, 0);
}

#[test]
fn a_log_that_was_empty_at_the_first_stop_is_read_after_copy_and_truncate() {
    let mut tail = Tail::new();
    tail.write("ha.log", "");
    tail.poll();
    tail.write("ha.log", &lines(0, 50));
    fs::copy(tail.path("ha.log"), tail.path("ha.log.1")).unwrap();
    tail.truncate("ha.log");
    tail.write("ha.log", &lines(50, 52));
    tail.restart();
    tail.poll();
    tail.expect(52, 0);
}

#[test]
fn a_log_that_did_not_exist_at_the_first_stop_is_read_with_its_rotated_files() {
    let mut tail = Tail::new();
    tail.poll();
    tail.write("ha.log.1", &lines(0, 20));
    tail.write("ha.log", &lines(20, 22));
    tail.restart();
    tail.poll();
    tail.expect(22, 0);
}

#[test]
fn a_crash_before_the_first_lines_are_committed_loses_none_of_them() {
    let mut tail = Tail::new();
    tail.follower.scan(&mut tail.batch);
    let baseline = tail.batch.seal(1).unwrap();
    tail.writer.append(&baseline).unwrap();
    tail.write("ha.log", &lines(0, 500));
    tail.follower.scan(&mut tail.batch);
    assert!(tail.follower.read(&mut tail.batch, 1_000_000, far()));
    tail.rename("ha.log", "ha.log.1");
    tail.write("ha.log", &lines(500, 520));
    tail.restart();
    tail.poll();
    tail.expect(520, 0);
}

#[test]
fn a_log_that_lost_its_end_is_not_counted_again() {
    for restart in [false, true] {
        let mut tail = Tail::new();
        tail.write("ha.log", &lines(0, 1000));
        tail.poll();
        let half = lines(0, 500).len();
        let log = OpenOptions::new().write(true).open(tail.path("ha.log")).unwrap();
        log.set_len(u64::try_from(half).unwrap()).unwrap();
        if restart {
            tail.restart();
        }
        tail.poll();
        tail.expect(1000, 0);
        tail.restart();
        tail.write("ha.log", &lines(1000, 1010));
        tail.poll();
        tail.expect(1010, 0);
        tail.restart();
        tail.poll();
        tail.expect(1010, 0);
    }
}

#[test]
fn a_file_beside_the_log_that_cannot_be_looked_at_does_not_hinder() {
    let mut tail = Tail::new();
    std::os::unix::fs::symlink("ha.log.x", tail.path("ha.log.x")).unwrap();
    tail.write("ha.log", &lines(0, 5));
    tail.poll();
    assert_eq!(tail.follower.state(), &SourceState::Reading);
    tail.expect(5, 0);
}

#[test]
fn bad_lines_are_quarantined_with_their_reason_and_the_stream_goes_on() {
    let mut tail = Tail::new();
    let good = line(0);
    let overlong = format!("{}\n", "x".repeat(3 << 20));
    tail.write("ha.log", &line(0));
    for bad in ["\n", "garbled\n", &format!("{}\n", &good[..60]), &overlong, "s1 \u{0}\n"] {
        tail.write("ha.log", bad);
        tail.write("ha.log", &line(1));
    }
    tail.poll();
    tail.expect(6, 5);
    let reasons = tail.traffic.rejects_by_reason().unwrap();
    let expected = ["binary", "empty line", "over-long", "truncated", "unknown format"];
    assert_eq!(reasons, expected.map(|reason| (reason.to_owned(), 1)));
}

#[test]
fn an_over_long_line_is_one_reject_although_it_comes_in_pieces_and_the_program_restarts_within() {
    let mut tail = Tail::new();
    tail.write("ha.log", &line(0));
    for piece in 0..6 {
        tail.write("ha.log", &"y".repeat(400_000 + piece));
        tail.poll();
        tail.expect(1, 0);
        if piece % 2 == 0 {
            tail.restart();
        }
    }
    tail.write("ha.log", &format!("\n{}", line(1)));
    tail.poll();
    tail.expect(2, 1);
}

#[test]
fn the_last_line_of_a_finished_file_without_a_newline_is_a_reject() {
    let mut tail = Tail::with_grace(Duration::ZERO);
    tail.write("ha.log", &lines(0, 2));
    tail.write("ha.log", line(2).trim_end());
    tail.poll();
    tail.expect(2, 0);
    tail.rename("ha.log", "ha.log.1");
    tail.write("ha.log", &line(3));
    tail.poll();
    tail.poll();
    tail.expect(3, 1);
    tail.restart();
    tail.poll();
    tail.expect(3, 1);
}

#[test]
fn a_crash_before_the_commit_reads_the_same_lines_again() {
    let mut tail = Tail::new();
    tail.write("ha.log", &lines(0, 5));
    tail.poll();
    tail.write("ha.log", &lines(5, 9));
    tail.follower.scan(&mut tail.batch);
    assert!(tail.follower.read(&mut tail.batch, 1_000_000, far()));
    tail.restart();
    tail.poll();
    tail.expect(9, 0);
}
