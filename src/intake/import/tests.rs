use std::fs;

use super::*;
use crate::intake::file::{hash, modified_ns};
use crate::traffic::{Options, Writer};

const STORE: Options = Options { memory_limit_mib: 256, threads: 1 };
const AT_ONCE: Duration = Duration::ZERO;

fn lines(from: u64, to: u64) -> String {
    let line = |number| {
        format!(
            "s1 1795424400000 1 7 {number} {number} 5 1 1 1 0 0 ::1 5 20002 GET /a 200 1 2 0/0/0/0/0/4/5 ---- b s 1\n"
        )
    };
    (from..to).map(line).collect()
}

/// An importer of a folder, with its store.
struct Desk {
    home: tempfile::TempDir,
    traffic: Traffic,
    writer: Writer,
    importer: Importer,
    followed: BTreeSet<String>,
}

impl Desk {
    fn new(undecided_at_most: Duration) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (traffic, writer) = Traffic::open(&home.path().join("t.duckdb"), &STORE).unwrap();
        let folder = DropFolder::create(&home.path().join("import")).unwrap().settled_after(AT_ONCE);
        let imports = Imports::of_folder(folder).undecided_at_most(undecided_at_most);
        let importer = Importer::new(imports, &traffic, Duration::ZERO);
        Self { home, traffic, writer, importer, followed: BTreeSet::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.path("import").join(name), content).unwrap();
    }

    fn is_in(&self, place: &str) -> bool {
        self.path("import").join(place).exists()
    }

    /// A look into the folder, and all that follows from it. Tells whether anything was read.
    fn round(&mut self) -> bool {
        self.importer.scan(self.followed.clone());
        let mut batch = Batch::new(self.traffic.new_shapes().unwrap());
        let mut any = false;
        while self.importer.read(&mut batch, 1_000_000, Instant::now() + Duration::from_secs(3600)) {
            any = true;
        }
        if !batch.is_empty() {
            self.writer.append(&batch.seal(1).unwrap()).unwrap();
        }
        self.importer.stored(1, true);
        any
    }

    fn rows(&self) -> u64 {
        self.traffic.line_counts().unwrap().0
    }

    /// As if a log with this content had been followed so far, and then had gone.
    fn was_followed(&mut self, log: &str, content: &str, read_offset: u64) -> FilePosition {
        let head = &content.as_bytes()[..content.len().min(1024)];
        let position = FilePosition {
            source: log.to_owned(),
            device: 1,
            inode: 2,
            head_bytes: u32::try_from(head.len()).unwrap(),
            head_hash: hash(head),
            counted_from: 0,
            read_offset,
            modified_ns: modified_ns(&fs::metadata(self.home.path()).unwrap()),
        };
        let mut batch = Batch::new(self.traffic.new_shapes().unwrap());
        batch.begin_source(log.to_owned());
        batch.set_position(position.clone());
        self.writer.append(&batch.seal(1).unwrap()).unwrap();
        position
    }
}

#[test]
fn a_file_that_cannot_be_moved_away_is_read_once_and_moved_when_that_can_be_done() {
    let mut desk = Desk::new(AT_ONCE);
    // Where the files are to go is no folder.
    for place in ["done", "failed"] {
        fs::remove_dir(desk.path("import").join(place)).unwrap();
        fs::write(desk.path("import").join(place), "").unwrap();
    }
    desk.put("a", &lines(0, 10));
    fs::write(desk.path("import/bad"), b"\x1f\x8b\x08 nothing of the kind").unwrap();
    assert!(desk.round());
    assert_eq!(desk.rows(), 10);
    for _ in 0..3 {
        assert!(!desk.round(), "it is read again");
    }
    // Another file in its place is another file.
    fs::remove_file(desk.path("import/a")).unwrap();
    desk.put("a", &lines(10, 30));
    assert!(desk.round());
    assert_eq!(desk.rows(), 30);
    assert!(!desk.round(), "it is read again");
    for place in ["done", "failed"] {
        fs::remove_file(desk.path("import").join(place)).unwrap();
        fs::create_dir(desk.path("import").join(place)).unwrap();
    }
    assert!(!desk.round(), "it is read again");
    assert!(desk.is_in("done/a") && desk.is_in("failed/bad") && desk.is_in("failed/bad.reason.txt"));
    assert!(!desk.is_in("a") && !desk.is_in("bad"));
}

#[test]
fn a_file_whose_log_is_gone_and_not_followed_any_more_is_counted_from_where_that_had_got_to() {
    let mut desk = Desk::new(AT_ONCE);
    let (content, counted) = (lines(0, 100), lines(0, 40));
    for folder in ["logs", "never/made"] {
        let log = desk.path(folder).join("ha.log").to_string_lossy().into_owned();
        desk.was_followed(&log, &content, u64::try_from(counted.len()).unwrap());
    }
    fs::create_dir(desk.path("logs")).unwrap();
    desk.put("a", &content);
    // The first look begins the wait.
    assert!(!desk.round());
    assert!(desk.round());
    assert_eq!(desk.rows(), 60);
    assert!(desk.is_in("done/a"));
    // Should it come back, it is read on behind what was imported.
    let length = u64::try_from(content.len()).unwrap();
    for file in desk.traffic.followed_files().unwrap() {
        assert_eq!((file.position.read_offset, file.is_gone), (length, false));
    }
    desk.put("again", &content);
    while !desk.is_in("done/again") {
        desk.round();
    }
    assert_eq!(desk.rows(), 60);
}

#[test]
fn a_file_whose_log_is_followed_and_does_not_have_it_waits_and_fails_in_the_end() {
    let mut desk = Desk::new(AT_ONCE);
    let content = lines(0, 100);
    let log = desk.path("logs/ha.log").to_string_lossy().into_owned();
    let position = desk.was_followed(&log, &content, 0);
    desk.followed.insert(log.clone());
    desk.put("a", &content);
    assert!(!desk.round());
    assert!(desk.is_in("a"), "it waits");
    desk.round();
    assert!(desk.is_in("failed/a"));
    let reason = fs::read_to_string(desk.path("import/failed/a.reason.txt")).unwrap();
    assert!(reason.contains(&log) && reason.contains("put it into the folder again"), "{reason}");
    assert_eq!((desk.rows(), desk.traffic.file_positions(&log).unwrap()), (0, Some(vec![position.clone()])));
    // Its follower is done with it.
    let mut batch = Batch::new(desk.traffic.new_shapes().unwrap());
    batch.forget(position);
    desk.writer.append(&batch.seal(1).unwrap()).unwrap();
    desk.put("a", &content);
    assert!(desk.round());
    assert_eq!(desk.rows(), 100);
}

#[test]
fn a_file_waits_for_its_log_as_long_as_it_may_and_others_are_imported_meanwhile() {
    let mut desk = Desk::new(Duration::from_secs(3600));
    let content = lines(0, 100);
    let log = desk.path("logs/ha.log").to_string_lossy().into_owned();
    desk.was_followed(&log, &content, 0);
    desk.put("b", &lines(100, 110));
    desk.put("a", &content);
    desk.round();
    desk.importer.not_before = None;
    desk.round();
    desk.importer.not_before = None;
    desk.round();
    assert!(desk.is_in("a") && desk.is_in("done/b"));
    assert_eq!(desk.rows(), 10);
}
