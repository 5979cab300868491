//! An access token by hand (authorization code with PKCE), for the case that has no engine.

use super::Outcome;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tidings_examples::control::{Control, http};
use tidings_examples::env;
use url::Url;

const REDIRECT: &str = "http://localhost/callback";
const SCOPE: &str = "openid profile offline_access https://graph.microsoft.com/User.Read https://graph.microsoft.com/Mail.ReadWrite";

pub async fn fetch() -> Outcome<String> {
    let (login, client_id) = (env("TIDINGS_LOGIN")?, env("TIDINGS_CLIENT_ID")?);
    // A fixed verifier is no secret; nothing here is worth one.
    let verifier = "bench-".repeat(8);
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let authorize = Url::parse_with_params(
        &format!("{login}/common/oauth2/v2.0/authorize"),
        [
            ("client_id", client_id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT),
            ("scope", SCOPE),
            ("state", "bench"),
            ("nonce", "bench"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ],
    )?;
    let callback = Url::parse(&Control::from_env()?.sign_in(authorize.as_str(), "adele@contoso.com").await?)?;
    let code = callback.query_pairs().find_map(|(name, value)| (name == "code").then_some(value)).ok_or("The simulator gave no code.")?;

    let form = Url::parse_with_params(
        "http://form/",
        [
            ("grant_type", "authorization_code"),
            ("client_id", &client_id),
            ("redirect_uri", REDIRECT),
            ("scope", SCOPE),
            ("code", &code),
            ("code_verifier", &verifier),
        ],
    )?;
    let request = http().post(format!("{login}/common/oauth2/v2.0/token")).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(form.query().unwrap_or_default().to_owned()).send().await?.text().await?;
    let answer: Value = serde_json::from_str(&answer)?;
    Ok(answer["access_token"].as_str().ok_or("The simulator gave no token.")?.to_owned())
}
