//! Who asks: a customer, by a session or an API token, from somewhere.

use std::net::IpAddr;
use std::sync::Arc;

use crate::app::{AppError, Refusal};
use crate::core::api_token::{Scope, allows};
use crate::core::error_code::Code;
use crate::core::id::{ApiTokenId, CustomerId, SessionId};

/// Somebody whose session or token has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub customer: CustomerId,
    pub credential: Credential,
    pub ip: IpAddr,
}

/// By what a caller is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A person who has signed in: may do everything.
    Session(SessionId),
    /// A script: may do what its scopes say.
    Token(ApiTokenId, Arc<[Scope]>),
}

impl Caller {
    /// # Errors
    /// [`Code::ScopeMissing`] for a token without the scope.
    pub fn require(&self, needed: Scope) -> Result<(), AppError> {
        match &self.credential {
            Credential::Session(_) => Ok(()),
            Credential::Token(_, granted) if allows(granted, needed) => Ok(()),
            Credential::Token(..) => {
                Err(Refusal::new(Code::ScopeMissing, format!("it needs {}", needed.name())).into())
            }
        }
    }

    /// The session.
    ///
    /// # Errors
    /// [`Code::SessionRequired`] for a token.
    pub fn session(&self) -> Result<&SessionId, AppError> {
        match &self.credential {
            Credential::Session(session) => Ok(session),
            Credential::Token(..) => Err(Refusal::of(Code::SessionRequired).into()),
        }
    }

    /// As the activity log names it.
    pub(super) fn actor(&self) -> String {
        match &self.credential {
            Credential::Session(session) => session.to_string(),
            Credential::Token(token, _) => token.to_string(),
        }
    }
}
