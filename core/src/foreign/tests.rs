use super::*;

const SECRET: &str = "Jv7Qk2Lm9Xp4Rt8Wz3Yb6Nc1";

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add_text(SECRET);
    secrets
}

#[test]
fn a_repeated_secret_is_seen_in_every_encoding_that_fits_a_code() {
    let hex: String = SECRET.bytes().map(|b| format!("{b:02x}")).collect();
    let base64 = |before: &str| STANDARD.encode(format!("{before}{SECRET}")).replace(['+', '/', '='], "");
    let reversed: String = SECRET.chars().rev().collect();
    for repeated in [
        SECRET.to_owned(),
        SECRET.to_lowercase(),
        SECRET.to_uppercase(),
        format!("Error{}", &SECRET[5..17]),
        format!("A{}", SECRET.chars().map(|c| format!("{c}_")).collect::<String>()),
        format!("A.{}.x", &SECRET[..12]),
        reversed.clone(),
        format!("E{}", hex.to_uppercase()),
        format!("A{hex}"),
        base64(""),
        base64("B"),
        base64("Be"),
        base64("").to_lowercase(),
        base64("Bearer "),
        base64("").chars().rev().collect(),
        STANDARD.encode(base64("")).replace('=', ""),
        STANDARD.encode(&reversed).replace('=', ""),
        format!("X{}", base32(SECRET.as_bytes())),
        SECRET.chars().map(rot13).collect(),
        SECRET.bytes().take(12).map(|b| format!("u{b:04x}")).collect(),
        SECRET.bytes().take(12).map(|b| format!("x{b:02x}")).collect(),
    ] {
        assert!(secrets().shares(&repeated), "{repeated}");
        let code = format!("E{}", repeated.chars().take(60).collect::<String>());
        assert_eq!(ShownCode::of(&code, &secrets()), None, "{code}");
    }
}

#[test]
fn request_ids_may_carry_nothing_either() {
    let hex: String = SECRET.bytes().take(16).map(|b| format!("{b:02x}")).collect();
    let guid = |hex: &str| format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]);
    let turned = format!("{}{}{}{}{}{}{}{}{}", &hex[6..8], &hex[4..6], &hex[2..4], &hex[..2], &hex[10..12], &hex[8..10], &hex[14..16], &hex[12..14], &hex[16..]);
    for carried in [guid(&hex), guid(&hex).to_uppercase(), guid(&turned), guid(&hex.chars().rev().collect::<String>())] {
        assert_eq!(RequestId::of(&carried, &secrets()), None, "{carried}");
    }
    assert!(RequestId::of("48d31887-5fad-4d73-a9f5-3c356e68a038", &secrets()).is_some());
    for other in ["48d31887", "48d31887-5fad-4d73-a9f5-3c356e68a038 ", "{48d31887-5fad-4d73-a9f5-3c356e68a038}", "48d31887-5fad-4d73-a9f5-3c356e68a03g", ""] {
        assert_eq!(RequestId::of(other, &secrets()), None, "{other}");
    }
}

#[test]
fn codes_of_the_service_are_shown() {
    for code in ["ErrorItemNotFound", "Request_ResourceNotFound", "mailboxnotenabledforrestapi", "generalException", "Directory.QuotaExceeded", "E50126"] {
        assert!(ShownCode::of(code, &secrets()).is_some(), "{code}");
    }
    for other in ["", "1Error", "Error Item", "Error<b>", "Error-Item", &"e".repeat(65), "Érror"] {
        assert_eq!(ShownCode::of(other, &secrets()), None, "{other}");
    }
}

#[test]
fn fields_of_a_form_are_secrets_but_for_the_known_ones() {
    let mut secrets = Secrets::default();
    secrets.add_form(b"client_id=4f2b6f0a-0000-4000-8000-000000000001&scope=openid+Mail.ReadWrite&grant_type=refresh_token&refresh_token=M.R3_BAY.abcdefghijklmnop&anything=unheard_of_secret");
    assert!(secrets.shares("abcdefghijklmnop") && secrets.shares("Unheard.Of.Secret"));
    assert!(!secrets.shares("4f2b6f0a-0000-4000-8000-000000000001") && !secrets.shares("openid.Mail.ReadWrite") && !secrets.shares("refresh_token"));
    assert!(!format!("{secrets:?}").contains("BAY"));
}

#[test]
fn an_id_may_name_the_person_of_a_token_but_not_repeat_its_signature() {
    let mut secrets = Secrets::default();
    let payload = URL_SAFE_NO_PAD.encode(r#"{"oid":"48d31887-5fad-4d73-a9f5-3c356e68a038"}"#);
    secrets.add_text(&format!("eyJ0eXAiOiJKV1QifQ.{payload}.{SECRET}"));
    let proofs = secrets.proofs();
    assert!(!proofs.are_in(&payload), "ids and links of Microsoft hold the person's id in base64");
    for repeated in [SECRET, &SECRET[3..15], &SECRET.to_lowercase(), &STANDARD.encode(SECRET)] {
        assert!(proofs.are_in(repeated), "{repeated}");
    }
    assert!(!Secrets::default().proofs().are_in(SECRET));
}
