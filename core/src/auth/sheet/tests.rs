use super::*;
use crate::seal::{Cipher, KeyBytes, AadContext};

fn row(kind: AccountKind) -> AccountRow {
    let key = KeyBytes::from_slice(&[7; 32]).unwrap();
    let sealed = Cipher::new(b"s", 1, &key).seal(AadContext { table: "t", column: "c", account_id: "", row: "", version: 1 }, b"").unwrap();
    AccountRow { kind, features: vec![Feature::MailSend], extra_scopes: vec!["Tasks.Read".into()], ..AccountRow::new("a", "owner", sealed, 1) }
}

const LINK: &str = "https://login.microsoftonline.com/organizations/v2.0/adminconsent?client_id=c";

#[test]
fn an_administrator_reads_what_is_asked_for_and_what_is_not() {
    let texts = write(&row(AccountKind::Person), "c-1", LINK);
    for words in ["`c-1`", "`Mail.Send`", "`Mail.ReadWrite`", "`Tasks.Read`", "## What is not accessed", LINK, "## Afterwards", "sign in again", "Teams"] {
        assert!(texts.sheet.contains(words), "{words}: {}", texts.sheet);
    }
    assert!(texts.justification.contains("send mail") && texts.justification.contains("Mail.Send") && !texts.justification.contains("openid"));
    assert!(!texts.sheet.contains("owner") && texts.justification.len() < 1000);
}

#[test]
fn an_organisation_is_told_that_nobody_signs_in() {
    let texts = write(&AccountRow { tenant_id: "t-1".into(), ..row(AccountKind::Tenant) }, "c-1", LINK);
    assert!(texts.sheet.contains("`t-1`") && texts.sheet.contains("without a signed-in person") && texts.sheet.contains("nobody has to sign in"));
    let link = write(&row(AccountKind::Link), "c-1", LINK);
    assert!(!link.sheet.contains("offline_access") && link.justification.contains("who I am"));
}
