use super::*;

#[test]
fn features_are_sorted_and_each_once() {
    assert_eq!(check_features(&[Feature::MailSend, Feature::Chat, Feature::Chat], "common").unwrap(), [Feature::Chat, Feature::MailSend]);
    assert!(check_features(&[], "common").is_err());
    for tenant in ["consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"] {
        assert!(check_features(&[Feature::MailSync], tenant).is_ok());
        for feature in [Feature::Chat, Feature::Channels, Feature::SharedMailboxes, Feature::People] {
            let refused = check_features(&[Feature::MailSync, feature], tenant).unwrap_err();
            assert!(refused.kind() == ErrorKind::InvalidInput && refused.reason().contains("Personal Microsoft accounts"), "{}", refused.reason());
        }
    }
}

#[test]
fn texts_have_their_limits() {
    assert!(check_owner("o").is_ok() && check_owner(&"ä".repeat(200)).is_ok());
    assert!(check_owner("").is_err() && check_owner(&"a".repeat(201)).is_err() && check_owner("a\u{7}").is_err());
    assert!(check_context(None).is_ok() && check_context(Some(&"ä".repeat(1000))).is_ok() && check_context(Some(&"a".repeat(1001))).is_err());
    assert!(check_hint(Some("ann@contoso.example")).is_ok() && check_hint(Some("a\nb")).is_err());
    assert!(check_extra(&["a b".to_owned()], "https://graph.microsoft.com/").is_err());
    assert_eq!(refuse_personal("consumers", "").unwrap_err().kind(), ErrorKind::Forbidden);
    assert!(refuse_personal("organizations", "").is_ok());
}

#[test]
fn redirects_come_back_to_the_host() {
    for redirect in ["", "app", "http://app.example/cb", "ftp://localhost/", "https://app.example/cb#x", "https://u@app.example/", "javascript:alert(1)"] {
        assert!(check_redirect(redirect).is_err(), "{redirect}");
    }
    assert!(check_redirect(&format!("https://app.example/{}", "a".repeat(250))).is_err());
    assert!(check_redirect("http://localhost:1234").is_ok() && check_redirect("http://127.0.0.1/cb").is_ok());
}
