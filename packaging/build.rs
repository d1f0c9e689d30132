//! Tells the linker where the prebuilt DuckDB library is, so that the binary also runs outside cargo, and stops a
//! build that would fail later with a worse message.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    println!("cargo:rerun-if-changed=packaging/build.rs");
    if env::var_os("CARGO_FEATURE_BUNDLED").is_none() {
        let folder = env::var("DUCKDB_LIB_DIR").unwrap_or_default();
        assert!(
            !folder.is_empty(),
            "the DuckDB library is not set up: run `make setup` once (or build with --features bundled)"
        );
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let page = Path::new(&root).join("assets/dist/index.html");
    println!("cargo:rerun-if-changed={}", page.display());
    assert!(page.exists(), "the dashboard is not built: run `make web` once");
}
