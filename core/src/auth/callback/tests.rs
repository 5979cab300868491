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
fn the_parameters_count_wherever_the_browser_came_to() {
    for text in [
        "https://app.example/cb?code=c&state=s",
        "http://app.example/cb?code=c&state=s",
        "https://10.0.0.7:8443/prefix/cb/?code=c&state=s",
        "HTTPS://APP.EXAMPLE//cb?code=c&state=s",
        "/callback?code=c&state=s",
        "//callback?code=c&state=s",
        "callback?state=s&code=c",
        "?code=c&state=s",
        "code=c&state=s",
        "&code=c&&state=s&",
        "https://app.example/cb?code=c&state=s#",
        "/cb?code=c&state=s#_=_",
        "code=c&state=s#fragment?state=other",
        "[::1]:80/cb?code=c&state=s",
        // The parameters alone, with marks of an address in their values.
        "code=c&iss=https://login.microsoftonline.com/t/v2.0&state=s",
        "state=s&session_state=what?&code=c",
    ] {
        let callback = Callback::parse(text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!((callback.state.as_str(), callback.code().unwrap()), ("s", "c"), "{text}");
    }
    for nothing in ["https://app.example/cb", "/cb", "", "?", "https://app.example/cb#code=c&state=s"] {
        let error = Callback::parse(nothing).err().expect(nothing);
        assert!(error.kind() == ErrorKind::InvalidInput && error.reason().contains("can be brought"), "{nothing}");
    }
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
