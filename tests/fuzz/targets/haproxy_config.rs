#![no_main]

#[allow(dead_code, unused_imports, reason = "it serves all targets")]
#[path = "../properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::haproxy_config(bytes);
});
