//! Behind the socket may be anything; a real HAProxy is in `tests/it/gateway.rs`.

use super::*;
use tokio::net::UnixListener;

/// A socket whose every connection gets this answer, byte by byte the same, and is then closed or kept.
fn server(answer: &'static str, closes: bool) -> (tempfile::TempDir, Runtime) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut command = [0; 1000];
            let _ = stream.read(&mut command).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            if !closes {
                kept.push(stream);
            }
        }
    });
    let runtime = Runtime::new(&path, Path::new("/maps"));
    (folder, runtime)
}

const INFO: &str = "Name: HAProxy\nVersion: 2.6.12\nPid: 7\nUptime_sec: 1\n\n";

#[tokio::test]
async fn what_is_no_haproxy_is_refused() {
    for answer in ["", "\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "Name: HAProxy\n", "\u{0}\u{1}"] {
        let (_folder, runtime) = server(answer, true);
        let error = runtime.process().await.unwrap_err();
        assert!(matches!(error, RuntimeError::Refused { command: "show info", .. }), "{answer:?}: {error}");
        assert!(runtime.version().await.is_err(), "{answer:?}");
        let step = MapStep::Version("1".to_owned());
        assert!(runtime.apply(&[step]).await.is_err(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_map_that_an_old_configuration_does_not_have_has_no_version() {
    let (_folder, runtime) = server("Unknown map identifier. Please use #<id> or <file>.\n\n", true);
    assert_eq!(runtime.version().await.unwrap(), None);
}

#[tokio::test]
async fn who_never_ends_an_answer_is_given_up() {
    let (_folder, runtime) = server(INFO, false);
    let runtime = Runtime { answer_within: Duration::from_millis(50), ..runtime };
    let error = runtime.process().await.unwrap_err();
    assert_eq!(error.to_string(), "HAProxy did not answer within 50 ms when it was asked to show info");
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut() {
    let endless = Box::leak("x".repeat(1_000_000).into_boxed_str());
    let (_folder, runtime) = server(endless, true);
    let error = runtime.process().await.unwrap_err();
    assert!(error.to_string().len() < 400, "{error}");
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_named_with_what_to_do() {
    let runtime = Runtime::new(Path::new("/nonexistent/admin.sock"), Path::new("/maps"));
    let error = runtime.process().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot connect to HAProxy's socket /nonexistent/admin.sock: it does not exist; start HAProxy, or set \
         haproxy_socket to its `stats socket`"
    );
}

#[test]
fn commands_are_packed_into_texts_that_fit() {
    let parts = |length: usize, count: usize| (0..count).map(move |_| "x".repeat(length));
    for (length, count, most) in [(100, 1000, usize::MAX), (100, 1000, 50), (14_999, 3, 9), (1, 1, 1), (1, 0, 1)] {
        let texts = packed(parts(length, count), ';', most);
        let pieces: Vec<&str> = texts.iter().flat_map(|text| text.split(';')).collect();
        assert_eq!(pieces.len(), count);
        assert!(texts.iter().all(|text| text.len() < MAX_COMMAND_BYTES && text.split(';').count() <= most));
    }
}
