//! Somebody with a Sui wallet, as the API sees them.

use serde_json::{Value, json};
use sui_crypto::SuiSigner;
use sui_crypto::ed25519::Ed25519PrivateKey;
use sui_sdk_types::PersonalMessage;
use suiftly::random::random;

use crate::server::{Answer, Server};

const ACCESS: &str = "__Host-suiftly-access";
const REFRESH: &str = "__Secure-suiftly-refresh";

pub struct Wallet {
    key: Ed25519PrivateKey,
    pub address: String,
}

impl Wallet {
    pub fn new() -> Self {
        let key = Ed25519PrivateKey::new(random().unwrap());
        let address = key.public_key().derive_address().to_string();
        Self { key, address }
    }

    pub fn sign(&self, message: &str) -> String {
        self.key.sign_personal_message(&PersonalMessage(message.as_bytes().into())).unwrap().to_base64()
    }

    /// Asks for a challenge.
    pub fn challenge(&self, server: &Server) -> Value {
        let asked = json!({"address": self.address}).to_string();
        let answer = server.send("POST", "/api/auth/connect-wallet", &[], Some(&asked));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Sends a signature of a challenge.
    pub fn verify(&self, server: &Server, challenge: &Value, signature: &str) -> Answer {
        let signed = json!({"address": self.address, "nonce": challenge["nonce"], "signature": signature});
        server.send("POST", "/api/auth/verify-signature", &[], Some(&signed.to_string()))
    }

    pub fn sign_in<'s>(&self, server: &'s Server) -> SignedIn<'s> {
        let challenge = self.challenge(server);
        let answer = self.verify(server, &challenge, &self.sign(challenge["message"].as_str().unwrap()));
        assert_eq!(answer.status, 200, "{answer:?}");
        SignedIn::new(server, &answer)
    }
}

/// A signed-in person with their cookies.
pub struct SignedIn<'s> {
    pub server: &'s Server,
    pub access: String,
    pub refresh: String,
    pub view: Value,
}

impl<'s> SignedIn<'s> {
    pub fn new(server: &'s Server, answer: &Answer) -> Self {
        let mut cookies = answer.cookies();
        let mut take = |name| cookies.remove(name).unwrap();
        Self { server, access: take(ACCESS), refresh: take(REFRESH), view: answer.body.clone() }
    }

    /// Has the operator grant so many dollars of credit, which pays for subscriptions.
    pub fn with_credit(self, dollars: u32) -> Self {
        let customer = self.view["customer_id"].to_string();
        let mut command = std::process::Command::new(crate::support::binary());
        command.args(["billing", "credit", "--customer", &customer, "--amount", &dollars.to_string()]);
        command.args(["--reason", "promo", "--config"]).arg(self.server.config());
        assert!(command.output().unwrap().status.success());
        self
    }

    /// A request with the access cookie.
    pub fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.send_with(method, path, &[], body)
    }

    pub fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let cookie = format!("{ACCESS}={}", self.access);
        let headers = [&[("Cookie", cookie.as_str())], headers].concat();
        self.server.send(method, path, &headers, body.map(|body| body.to_string()).as_deref())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    /// A request with the refresh cookie.
    pub fn send_refresh(&self, path: &str) -> Answer {
        let cookie = format!("{REFRESH}={}", self.refresh);
        self.server.send("POST", path, &[("Cookie", &cookie)], None)
    }

    /// Makes an API token and gives its text.
    pub fn token(&self, scopes: &[&str]) -> String {
        let asked = json!({"name": "test", "scopes": scopes, "expires_in_days": 1});
        let answer = self.send("POST", "/api/auth/tokens", Some(asked));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["text"].as_str().unwrap().to_owned()
    }
}
