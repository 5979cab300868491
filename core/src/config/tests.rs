use super::*;

const CLIENT: &str = "00000000-0000-0000-0000-000000000000";

fn app(name: &str) -> App {
    App { name: name.into(), client_id: CLIENT.into(), client_secret: None, certificate: None, tenant: "common".into() }
}

fn refusal(change: impl FnOnce(&mut Config)) -> String {
    let mut config = Config::new("folder", CLIENT);
    change(&mut config);
    config.check().err().map(|e| e.reason().to_owned()).unwrap_or_default()
}

#[test]
fn applications_are_told_apart_by_good_names() {
    assert_eq!(refusal(|c| c.apps = vec![app("one"), app("two_2-x")]), "");
    assert!(refusal(|c| c.apps = vec![app("one"), app("one")]).contains("“one” in apps is there twice"));
    assert!(refusal(|c| c.apps = vec![app("default")]).contains("configuration itself"));
    for bad in ["", "a b", "ä", "a/b", &"a".repeat(51)] {
        assert!(refusal(|c| c.apps = vec![app(bad)]).contains("1 to 50"), "{bad}");
    }
    assert!(refusal(|c| c.apps = vec![App { client_id: "not an id".into(), ..app("one") }]).contains("“one” in apps: client_id"));
    assert!(refusal(|c| c.apps = vec![App { tenant: "a b".into(), ..app("one") }]).contains("“one” in apps: tenant"));
    assert!(refusal(|c| c.apps = (0..101).map(|n| app(&format!("a{n}"))).collect()).contains("100"));
}

#[test]
fn personal_accounts_are_of_the_public_cloud() {
    for tenant in ["consumers", "Consumers", PERSONAL_TENANT] {
        assert_eq!(refusal(|c| c.tenant = tenant.into()), "");
        for cloud in [Cloud::UsGov, Cloud::UsGovDod, Cloud::China] {
            assert!(refusal(|c| (c.tenant, c.cloud) = (tenant.into(), cloud.clone())).contains("public cloud only"));
        }
    }
    assert_eq!(refusal(|c| (c.tenant, c.cloud) = ("organizations".into(), Cloud::China)), "");
    assert!(refusal(|c| (c.apps, c.cloud) = (vec![App { tenant: "consumers".into(), ..app("one") }], Cloud::UsGov)).contains("“one” in apps: Personal"));
}

#[test]
fn an_application_proves_itself_in_one_way() {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    let certificate = Arc::new(ClientCertificate::from_pem(certificate.pem(), key.serialize_pem()).unwrap());
    let secret = Arc::new(Secret::new("s".into()));
    assert_eq!(refusal(|c| c.certificate = Some(certificate.clone())), "");
    assert!(refusal(|c| (c.certificate, c.client_secret) = (Some(certificate.clone()), Some(secret.clone()))).contains("both given"));
    let both = App { certificate: Some(certificate.clone()), client_secret: Some(secret), ..app("one") };
    assert!(refusal(|c| c.apps = vec![both]).contains("“one” in apps: client_secret and certificate"));
}

#[test]
fn an_empty_secret_is_none() {
    let empty = || Some(Arc::new(Secret::new(String::new())));
    assert!(refusal(|c| c.client_secret = empty()).contains("client_secret is empty"));
    assert!(refusal(|c| c.apps = vec![App { client_secret: empty(), ..app("one") }]).contains("“one” in apps: client_secret is empty"));
}

#[test]
fn printing_it_tells_no_secret() {
    let mut config = Config::new("folder", CLIENT);
    config.client_secret = Some(Arc::new(Secret::new("hush".into())));
    config.proxy = Some(Arc::new(Secret::new("http://user:hush@proxy.example:8080".into())));
    config.ca_certificates = Some("-----BEGIN PRIVATE KEY-----hush".into());
    config.cloud = Cloud::custom("https://user:hush@login.example/", "https://hush@graph.example");
    let text = format!("{config:?}");
    assert!(!text.contains("hush") && !text.contains("user"), "{text}");
    assert!(text.contains("…@login.example/"), "{text}");
}
