use super::*;

#[test]
fn a_callback_is_read_strictly() {
    let ok = Callback::parse("https://app.example/cb?code=a%20b&state=s&session_state=x&session_state=y").unwrap();
    assert_eq!((ok.state.as_str(), ok.code().unwrap()), ("s", "a b"));
    assert!(Callback::parse("?code=1&state=s").is_ok());
    assert!(Callback::parse("code=1&state=s").is_ok());
    for bad in ["code=1", "code=1&state=", "code=1&code=2&state=s", "state=s&st%61te=t", "state=s&code=%zz", "state=s&code=%f", "state=%ff", "state=s\n"] {
        assert_eq!(Callback::parse(bad).err().expect(bad).kind(), ErrorKind::InvalidInput, "{bad}");
    }
    assert_eq!(Callback::parse(&format!("state=s&x={}", "a".repeat(20_000))).err().unwrap().kind(), ErrorKind::LimitExceeded);
}

#[test]
fn a_callback_must_have_come_to_the_redirect_uri() {
    let came = |to: &str, expected: &str| Callback::parse(&format!("{to}?state=s&code=c")).unwrap().came_to(expected).is_ok();
    assert!(came("https://app.example/cb", "https://app.example/cb"));
    assert!(came("https://app.example/cb/", "https://app.example/cb"));
    assert!(came("http://localhost:9999/", "http://localhost:1234"));
    assert!(!came("https://app.example:444/cb", "https://app.example/cb"));
    assert!(!came("http://app.example/cb", "https://app.example/cb"));
    assert!(!came("https://app.example/CB", "https://app.example/cb"));
    assert!(!came("https://evil.example/cb", "https://app.example/cb"));
}

#[test]
fn errors_of_the_callback_keep_no_foreign_text() {
    let declined = Callback::parse("error=access_denied&error_description=AADSTS65004%3a+<script>&state=s").unwrap();
    let error = declined.refusal().unwrap().error(true);
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(error.reason().contains("AADSTS65004") && !error.reason().contains("script"));
    let admin = Callback::parse("error=access_denied&error_description=AADSTS90094&state=s").unwrap();
    assert_eq!(admin.refusal().unwrap().error(true).kind(), ErrorKind::ConsentMissing);
    assert_eq!(Callback::parse("state=s").unwrap().code().err().unwrap().kind(), ErrorKind::InvalidInput);
}
