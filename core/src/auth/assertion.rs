//! Proof of which application asks, in place of a client secret: a token signed with the application's certificate (RFC 7523).

use crate::clock::{Clock, to_ms};
use crate::error::Result;
use crate::random;
use crate::secret::ClientCertificate;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Long enough for a machine whose clock is a little late, short enough to be of no use to a finder.
const LIVES_SECONDS: i64 = 600;

/// An application's certificate, and where its proofs are for.
pub struct Proof {
    pub certificate: Arc<ClientCertificate>,
    pub client_id: String,
    /// The token endpoint, word for word as it is asked.
    pub audience: String,
    pub clock: Arc<dyn Clock>,
}

impl Proof {
    /// A new assertion, good for one request.
    pub fn assertion(&self) -> Result<Zeroizing<String>> {
        let now = to_ms(self.clock.now()).div_euclid(1000);
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(self.certificate.thumbprint()) });
        let claims = json!({
            "aud": self.audience, "iss": self.client_id, "sub": self.client_id, "jti": random::uuid()?,
            "nbf": now, "iat": now, "exp": now.saturating_add(LIVES_SECONDS),
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.certificate.sign(signed.as_bytes())?;
        Ok(Zeroizing::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    /// Adds the proof to the form of a token request.
    pub fn attach(&self, form: &mut Vec<u8>) -> Result<()> {
        let assertion = self.assertion()?;
        let mut fields = url::form_urlencoded::Serializer::new(String::new());
        fields.append_pair("client_assertion_type", TYPE).append_pair("client_assertion", &assertion);
        let fields = Zeroizing::new(fields.finish());
        if !form.is_empty() {
            form.push(b'&');
        }
        form.extend_from_slice(fields.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TestClock;
    use crate::trust::is_guid;
    use std::collections::HashMap;

    #[test]
    fn an_assertion_says_who_asks_whom_and_is_signed_by_the_certificate() {
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        let audience = "https://login.microsoftonline.com/common/oauth2/v2.0/token";
        let proof = Proof {
            certificate: Arc::new(ClientCertificate::from_pem(certificate.pem(), key.serialize_pem()).unwrap()),
            client_id: "app".into(),
            audience: audience.into(),
            clock: Arc::new(TestClock::new(1_790_000_000_999)),
        };
        let mut form = b"grant_type=refresh_token".to_vec();
        proof.attach(&mut form).unwrap();
        let form: HashMap<String, String> = url::form_urlencoded::parse(&form).into_owned().collect();
        assert_eq!((form["grant_type"].as_str(), form["client_assertion_type"].as_str()), ("refresh_token", TYPE));

        // Verified by another library than the one that signed.
        let public = jsonwebtoken::DecodingKey::from_rsa_der(key.public_key_raw());
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::PS256);
        validation.set_audience(&[audience]);
        validation.validate_exp = false;
        let read = |token: &str| jsonwebtoken::decode::<Value>(token, &public, &validation).unwrap();
        let token = read(&form["client_assertion"]);
        assert_eq!(token.header.x5t_s256, Some(URL_SAFE_NO_PAD.encode(proof.certificate.thumbprint())));
        let claims = token.claims;
        assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some("app"), Some("app")));
        assert_eq!((claims["nbf"].as_i64(), claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(1_790_000_000), Some(1_790_000_000), Some(1_790_000_600)));
        assert!(is_guid(claims["jti"].as_str().unwrap()));
        assert_ne!(read(&proof.assertion().unwrap()).claims["jti"], claims["jti"], "each is new");
    }
}
