//! The only source of random bytes for ids and secrets. `core` takes them as arguments.

/// The system has no random bytes to give: nothing that is secret can be made.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// Random bytes from the system, fit for keys.
///
/// # Errors
/// [`NoRandomness`], which a running Linux does not bring about.
pub fn random<const BYTES: usize>() -> Result<[u8; BYTES], NoRandomness> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}
