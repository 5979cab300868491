#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::model::{MailDraft, ReplyDraft};

fn image(id: &str) -> FileAttachment {
    FileAttachment { name: "logo.png".into(), content: vec![1, 2, 3], content_type: "image/png".into(), content_id: Some(id.into()), staged: None }
}

fn usual() -> Signature {
    Signature { text: "Adele\nContoso".into(), html: "<b>Adele</b> <img src=\"cid:logo\">".into(), images: vec![image("logo")] }
}

fn signed(body: &str, kind: BodyType, signature: &Signature) -> MailDraft {
    let to = vec![crate::model::Address { address: "alex@contoso.com".into(), name: String::new() }];
    let mail = MailDraft { account_id: "a".into(), to, body: body.into(), body_type: kind, add_signature: true, ..MailDraft::default() };
    let RouteDraft::Mail { mail } = sign(mail.into(), signature).unwrap() else { panic!() };
    assert!(!mail.add_signature, "once");
    mail
}

#[test]
fn a_signature_stands_below_the_body() {
    for (body, kind, html) in [
        ("Hi", BodyType::Text, "Hi\n-- \nAdele\nContoso"),
        ("Hi\n", BodyType::Text, "Hi\n-- \nAdele\nContoso"),
        ("", BodyType::Text, "-- \nAdele\nContoso"),
        ("<p>Hi</p>", BodyType::Html, "<p>Hi</p><br><div><b>Adele</b> <img src=\"cid:logo\"></div>"),
        ("**Hi** <b>", BodyType::Markdown, "<p><strong>Hi</strong> &lt;b&gt;</p>\n<br><div><b>Adele</b> <img src=\"cid:logo\"></div>"),
        ("<html><BODY>Hi</BODY></html>", BodyType::Html, "<html><BODY>Hi<br><div><b>Adele</b> <img src=\"cid:logo\"></div></BODY></html>"),
        ("<html>Ü</html >", BodyType::Html, "<html>Ü<br><div><b>Adele</b> <img src=\"cid:logo\"></div></html >"),
    ] {
        let mail = signed(body, kind, &usual());
        assert_eq!(mail.body, html);
        let is_text = kind == BodyType::Text;
        assert_eq!((mail.body_type, mail.attachments.len()), (if is_text { BodyType::Text } else { BodyType::Html }, usize::from(!is_text)), "{body}");
    }
    let plain = Signature { html: String::new(), images: Vec::new(), ..usual() };
    assert_eq!(signed("<p>Hi</p>", BodyType::Html, &plain).body, "<p>Hi</p><br><div>Adele<br>Contoso</div>");
}

#[test]
fn a_name_that_the_draft_uses_is_refused() {
    let reply = ReplyDraft { account_id: "a".into(), message_id: "m".into(), body: "<img src=cid:logo>".into(), body_type: BodyType::Html, attachments: vec![image("logo")], add_signature: true, ..ReplyDraft::default() };
    let error = sign(reply.clone().into(), &usual()).unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.reason().contains("content_id logo"));
    assert!(sign(ReplyDraft { attachments: vec![image("other")], ..reply }.into(), &usual()).is_ok());
}

#[test]
fn what_makes_a_draft_too_large_is_refused() {
    let mut large = usual();
    large.images = vec![FileAttachment { content: vec![0; 200 * 1024], ..image("logo") }];
    let to = vec![crate::model::Address { address: "alex@contoso.com".into(), name: String::new() }];
    let mail = MailDraft { account_id: "a".into(), to, body: "x".repeat(2_800_000), body_type: BodyType::Html, add_signature: true, ..MailDraft::default() };
    assert_eq!(sign(mail.into(), &large).unwrap_err().kind(), ErrorKind::LimitExceeded);
}

#[test]
fn a_signature_that_cannot_be_is_refused() {
    let kind = |signature: Signature| check(&signature).err().map(|e| e.kind());
    assert_eq!(kind(usual()), None);
    assert_eq!(kind(Signature { html: String::new(), images: Vec::new(), ..usual() }), None);
    let with = |change: fn(&mut FileAttachment)| {
        let mut file = image("logo");
        change(&mut file);
        Signature { images: vec![file], ..usual() }
    };
    for bad in [
        Signature { text: " \n".into(), ..usual() },
        Signature { html: String::new(), ..usual() },
        Signature { images: vec![image("a"), image("a")], ..usual() },
        with(|file| file.content_id = None),
        with(|file| file.content_id = Some("<a>".into())),
        with(|file| file.content = Vec::new()),
        with(|file| (file.content, file.staged) = (Vec::new(), Some("stg_00000000000000000000000000000000".into()))),
        with(|file| file.name = "a/b".into()),
        with(|file| file.name = "a\r\nb".into()),
        with(|file| file.content_type = "image\n".into()),
    ] {
        assert_eq!(kind(bad.clone()), Some(ErrorKind::InvalidInput), "{bad:?}");
    }
    assert_eq!(kind(with(|file| file.content = vec![0; 256 * 1024])), Some(ErrorKind::LimitExceeded));
}
