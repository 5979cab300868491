use crate::client::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

const APP: &str = "4f2b6f0a-0000-4000-8000-000000000002";
const NOW: i64 = 1_768_467_600;

fn credentials(secret: &str) -> [(&'static str, &str); 4] {
    let scope = "https://graph.microsoft.com/.default";
    [("client_id", APP), ("client_secret", secret), ("grant_type", "client_credentials"), ("scope", scope)]
}

async fn token(world: &World, tenant: &str, fields: &[(&str, &str)]) -> Reply {
    world.form(&format!("/{tenant}/oauth2/v2.0/token"), fields).await
}

#[tokio::test]
async fn an_app_on_its_own_has_what_was_agreed_to() {
    let world = world().await;
    let fields = credentials("simulator-secret");
    let refused = token(&world, "contoso.com", &fields).await;
    assert_eq!((refused.json()["error"].as_str(), number(&refused)), (Some("unauthorized_client"), 700_016));
    // Someone's own consent makes the app known, and gives it nothing.
    let url = world.authorize_url("openid profile", "").replace(world.sim.client_id(), APP);
    assert!(world.sign_in(&url, "adele@contoso.com", json!({})).await["location"].is_string());
    let bare = token(&world, "contoso.com", &fields).await.json();
    let bare = bare["access_token"].as_str().unwrap();
    assert!(said(bare)["roles"].is_null());
    let app = Person { world: &world, token: bare.into() };
    assert_eq!(app.get("/users").await.status, 403);
    world.control("/apps", json!({"client_id": APP, "app_permissions": ["User.Read.All"]})).await;
    world.control("/approve", json!({"domain": "contoso.com", "client_id": APP})).await;
    let full = token(&world, "contoso.com", &fields).await.json();
    let full = full["access_token"].as_str().unwrap();
    assert_eq!(said(full)["roles"], json!(["User.Read.All"]));
    let app = Person { world: &world, token: full.into() };
    assert_eq!(app.get("/users").await.status, 200);
    assert_eq!(app.get("/users/adele@contoso.com/messages").await.status, 403);
    assert_eq!(number(&token(&world, "fabrikam.com", &fields).await), 700_016);
    assert_eq!(number(&token(&world, "consumers", &fields).await), 9_001_023);
    world.control("/withdraw", json!({"domain": "contoso.com", "client_id": APP})).await;
    assert_eq!(number(&token(&world, "contoso.com", &fields).await), 700_016);
}

#[tokio::test]
async fn consent_may_take_its_time() {
    let world = world().await;
    world.control("/oddities", json!({"late_consent": true})).await;
    world.control("/approve", json!({"domain": "contoso.com", "client_id": APP})).await;
    let fields = credentials("simulator-secret");
    assert_eq!(number(&token(&world, "contoso.com", &fields).await), 700_016);
    for roles in [false, true] {
        let answer = token(&world, "contoso.com", &fields).await.json();
        assert_eq!(said(answer["access_token"].as_str().unwrap())["roles"].is_array(), roles);
    }
}

#[tokio::test]
async fn secrets_are_wrong_expire_and_apps_go() {
    let world = world().await;
    world.control("/approve", json!({"domain": "contoso.com", "client_id": APP})).await;
    let wrong = token(&world, "contoso.com", &credentials("other")).await;
    assert_eq!((wrong.status, number(&wrong)), (401, 7_000_215));
    world.control("/apps", json!({"client_id": APP, "secret_expires": "2026-01-15T10:00:00Z"})).await;
    let fields = credentials("simulator-secret");
    assert_eq!(token(&world, "contoso.com", &fields).await.status, 200);
    world.advance(3_600_000).await;
    let expired = token(&world, "contoso.com", &fields).await;
    assert_eq!((expired.status, number(&expired), expired.json()["error"].as_str()), (401, 7_000_222, Some("invalid_client")));
    world.control("/apps", json!({"client_id": APP, "secret": "new", "secret_expires": null})).await;
    assert_eq!(token(&world, "contoso.com", &credentials("new")).await.status, 200);
    world.control("/apps/delete", json!({"client_id": APP})).await;
    assert_eq!(number(&token(&world, "contoso.com", &credentials("new")).await), 700_016);
}

#[tokio::test]
async fn what_a_registration_does_not_name_is_refused() {
    let world = world().await;
    let app = world.sim.client_id();
    let url = world.authorize_url("openid User.Read Mail.Send", "");
    for (permissions, page) in [(json!(["User.Read"]), "AADSTS650053"), (json!([]), "AADSTS650057")] {
        world.control("/apps", json!({"client_id": app, "permissions": permissions})).await;
        let answer = world.sign_in(&url, "adele@contoso.com", json!({})).await;
        assert!(answer["page"].as_str().unwrap().starts_with(page), "{answer}");
    }
    world.control("/apps", json!({"client_id": app, "permissions": null, "redirect_uris": ["https://app.example/only"]})).await;
    let answer = world.sign_in(&url, "adele@contoso.com", json!({})).await;
    assert!(answer["page"].as_str().unwrap().starts_with("AADSTS50011"));
    let made = world.control("/apps", json!({"secret": "s"})).await;
    assert_eq!(made["client_id"].as_str().unwrap().len(), 36);
}

struct Signer {
    key: RsaKeyPair,
    certificate: Vec<u8>,
}

impl Signer {
    async fn new(world: &World) -> Signer {
        let made = world.control("/apps", json!({"client_id": APP, "certificate": true})).await;
        let pem = |name: &str| made[name].as_str().unwrap().to_string();
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem("private_key").as_bytes()).unwrap();
        let certificate = CertificateDer::from_pem_slice(pem("certificate").as_bytes()).unwrap();
        Signer { key: RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap(), certificate: certificate.as_ref().to_vec() }
    }

    fn assertion(&self, algorithm: &str, thumbprint: &str, claims: &Value) -> String {
        use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
        let b64 = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        let hash = if thumbprint == "x5t" { &SHA1_FOR_LEGACY_USE_ONLY } else { &SHA256 };
        let mut header = json!({"alg": algorithm, "typ": "JWT"});
        header[thumbprint] = json!(b64(digest(hash, &self.certificate).as_ref()));
        let text = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()));
        let encoding: &'static dyn RsaEncoding = if algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", b64(&signature))
    }
}

async fn assert_with(world: &World, assertion: &str) -> Reply {
    let fields = [
        ("client_id", APP),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
        ("grant_type", "client_credentials"),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    token(world, "contoso.com", &fields).await
}

#[tokio::test]
async fn a_certificate_proves_the_app() {
    let world = world().await;
    world.control("/approve", json!({"domain": "contoso.com", "client_id": APP})).await;
    let signer = Signer::new(&world).await;
    let aud = format!("{}/contoso.com/oauth2/v2.0/token", world.sim.login());
    let claims = |jti: &str| json!({"aud": aud, "iss": APP, "sub": APP, "jti": jti, "nbf": NOW, "exp": NOW + 600});
    for (algorithm, thumbprint, jti) in [("PS256", "x5t#S256", "1"), ("RS256", "x5t", "2"), ("RS256", "x5t#S256", "3")] {
        let reply = assert_with(&world, &signer.assertion(algorithm, thumbprint, &claims(jti))).await;
        assert_eq!(reply.status, 200, "{algorithm} {thumbprint}: {}", String::from_utf8_lossy(&reply.body));
    }
    let with = |name: &str, value: Value| {
        let mut claims = claims("9");
        claims[name] = value;
        signer.assertion("PS256", "x5t#S256", &claims)
    };
    let good = signer.assertion("PS256", "x5t#S256", &claims("4"));
    let other = Signer::new(&world).await;
    let mut forged = good.rsplit_once('.').unwrap().0.to_string();
    forged.push_str(&format!(".{}", other.assertion("PS256", "x5t#S256", &claims("5")).rsplit_once('.').unwrap().1));
    for (assertion, code) in [
        (forged, 700_027),
        (signer.assertion("PS256", "x5t", &claims("6")), 700_027),
        (with("aud", json!("https://elsewhere.example/")), 700_023),
        (with("iss", json!("someone")), 700_021),
        (with("exp", json!(NOW - 600)), 700_024),
        (with("exp", json!(NOW as f64 - 599.5)), 700_024),
        (with("jti", json!("")), 50_027),
        ("no.jwt".into(), 50_027),
    ] {
        let reply = assert_with(&world, &assertion).await;
        assert_eq!((reply.status, number(&reply)), (401, code), "{}", String::from_utf8_lossy(&reply.body));
    }
    // Clients keep an assertion and show it again, and some write its times with a fraction.
    for _ in 0..2 {
        assert_eq!(assert_with(&world, &good).await.status, 200);
    }
    assert_eq!(assert_with(&world, &with("exp", json!(NOW as f64 + 599.5))).await.status, 200);
    for aud in ["contoso.com/v2.0", "contoso.com/oauth2/token"] {
        let aud = format!("{}/{aud}", world.sim.login());
        assert_eq!(assert_with(&world, &with("aud", json!(aud))).await.status, 200);
    }
}
