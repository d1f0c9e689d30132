//! The stable words by which programs tell errors of the API apart, each with what it means and what to do.
//!
//! A code is never renamed and never changes its meaning. The API's document lists them all.

macro_rules! codes {
    ($($variant:ident = $name:literal, $title:literal, $meaning:literal;)*) => {
        /// What went wrong, for a program.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// In the order of their description.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in the field `code`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// A short sentence without a full stop: the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// When it happens, and what to do then.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    InvalidBody = "invalid_body", "The body cannot be read",
        "The body is not the JSON that the operation takes: `detail` says where. Correct it and send it again.";
    InvalidParameter = "invalid_parameter", "A parameter cannot be read",
        "A part of the path, the query or a header has a form that it may not have: `detail` says which.";
    InvalidFields = "invalid_fields", "Some fields are not right",
        "The body was read, and values in it are not allowed: `errors` has a sentence for each. Nothing was changed.";
    InvalidCursor = "invalid_cursor", "The cursor is not one of this list",
        "A cursor comes from `next_cursor` of the same list; leave it out to begin at the top.";
    SignInRequired = "sign_in_required", "Sign in first",
        "There is no session or token, or it has ended. Refresh the session, sign in, or send a valid token.";
    SignatureRefused = "signature_refused", "The signature does not sign in this address",
        "The challenge is unknown, used or expired, or the signature is not this wallet's signature of it. Ask for a new challenge and sign that one.";
    SignatureSchemeUnsupported = "signature_scheme_unsupported", "This kind of signature cannot be verified here",
        "zkLogin needs facts of the chain that this server does not follow. Sign in with another kind of wallet.";
    RefreshRefused = "refresh_refused", "The session cannot be refreshed",
        "The refresh token is missing, expired or was used before; a used one ends its session. Sign in again.";
    OriginRefused = "origin_refused", "Requests from other sites are refused",
        "A page of another origin tried to change something with the cookies of this one. Scripts use an API token.";
    ScopeMissing = "scope_missing", "The token may not do this",
        "The API token lacks the scope named in `detail`. Create one that has it.";
    SessionRequired = "session_required", "Only a signed-in person may do this",
        "Sessions, API tokens and the text of keys are not for API tokens. Sign in with the wallet.";
    AccountClosed = "account_closed", "The account is closed",
        "Nothing can be changed in a closed account.";
    AccountSuspended = "account_suspended", "The account is suspended",
        "Reading works; changes wait until the operator lifts the suspension.";
    NotFound = "not_found", "There is nothing here",
        "The address names nothing that exists for this account.";
    MethodNotAllowed = "method_not_allowed", "Not with this method",
        "The address exists, and does not take this method: `Allow` lists those that it does.";
    BodyTooLarge = "body_too_large", "The body is too large",
        "Requests may carry 64 KiB.";
    UnsupportedMediaType = "unsupported_media_type", "The body is not JSON",
        "Send `Content-Type: application/json`.";
    IdempotencyKeyReused = "idempotency_key_reused", "The Idempotency-Key was used for something else",
        "The same key came before with another request. Use a new key for each thing that is to happen once.";
    ServiceState = "service_state", "The service is in a state that does not allow this",
        "`detail` says which state, and what to do first.";
    TierTooSmall = "tier_too_small", "The tier does not include this",
        "Change to the tier named in `detail` first.";
    PaymentPending = "payment_pending", "The first payment is still to come",
        "Keys can be created and the service enabled once it was paid for the first time.";
    PaymentUnderWay = "payment_under_way", "A payment is under way",
        "What is asked for depends on a payment that has no answer yet. Try again in a moment.";
    InvoiceUnpaid = "invoice_unpaid", "An invoice is unpaid",
        "Pay what is owed first: a deposit is used for it at once.";
    CannotPay = "cannot_pay", "It cannot be paid at present",
        "What is asked for is paid at once, and neither credits nor any payment method cover it: `detail` says how much it is. Deposit, or raise the spending limit, and ask again. Nothing was changed.";
    PriceChanged = "price_changed", "It costs another amount now",
        "What it costs now is not the `expected_micros` of the request: `detail` says both. Look at the preview again. Nothing was changed.";
    BillingOnHold = "billing_on_hold", "Billing is on hold",
        "Something in the books of the account has to be looked into. Nothing is charged until then.";
    InvoiceState = "invoice_state", "The invoice is in a state that does not allow this",
        "`detail` says which state.";
    NoEscrowAccount = "no_escrow_account", "There is no account on the chain",
        "The first deposit makes one.";
    ChainUnavailable = "chain_unavailable", "The chain does not answer",
        "Nothing was done. Try again in a moment; what was signed and handed in goes on by itself.";
    TransactionState = "transaction_state", "The transaction is in a state that does not allow this",
        "It is signed already, or over: `detail` says which.";
    TooManyUnsigned = "too_many_unsigned", "Too many transactions wait for a signature",
        "Sign one of them, give one up, or wait until they have expired.";
    WalletHasPlenty = "wallet_has_plenty", "The wallet has plenty",
        "The faucet of a simulated chain fills wallets that have little: `detail` says up to what.";
    LimitReached = "limit_reached", "The limit is reached",
        "There are as many as there can be: `detail` says how many. Delete one first.";
    CreationsLimited = "creations_limited", "Too many were created in the last hour",
        "API keys can be created five times an hour and service, and so can Seal keys. `Retry-After` says when the next is possible.";
    SubscriptionsLimited = "subscriptions_limited", "Too many subscriptions in the last day",
        "Services can be subscribed to 20 times a day. Ask again after the seconds in `Retry-After`.";
    KeyState = "key_state", "The key is in a state that does not allow this",
        "The key is revoked, expired or deleted: `detail` says which, and what is possible.";
    NotRevealable = "not_revealable", "The key was shown once and is not kept",
        "It was created to be shown once only. Rotate it to get a new one.";
    AlreadyExists = "already_exists", "There is one already",
        "`detail` says what exists already.";
    RateLimited = "rate_limited", "Too many requests",
        "Wait for the seconds in `Retry-After`.";
    TooManyWatchers = "too_many_watchers", "Too many are watching",
        "Close another page that watches live, and try again.";
    RequestTimeout = "request_timeout", "The request took too long",
        "It was not finished within its time. Whether it took effect is not known: repeat it with the same Idempotency-Key.";
    QueryTimeout = "query_timeout", "The query took too long",
        "It was ended. Ask for less time, or narrow it down.";
    QueriesBusy = "queries_busy", "Too many queries are running",
        "Others ask for much at this moment. Wait for the seconds in `Retry-After`.";
    NotReady = "not_ready", "Not ready",
        "A part of the server cannot do its work: `detail` says which. Try again later.";
    OffsetMismatch = "offset_mismatch", "The stream does not go on there",
        "For gateways that send their log: bytes before the piece are missing. `Upload-Offset` says where to go on.";
    StreamSuperseded = "stream_superseded", "A newer stream has begun",
        "For gateways that send their log: they go on with the newest stream, or begin one with a higher number.";
    Internal = "internal", "Something went wrong here",
        "It is our fault, and it was logged with the answer's `X-Request-ID`. Try again later.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_one_word_and_explained() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code:?}");
            assert!(code.meaning().ends_with('.') && !code.title().ends_with('.'), "{code:?}");
        }
    }
}
