#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::model::{ChatDraft, ForwardDraft, Importance, MailDraft, MailHeader, ReplyDraft};

fn full_mail() -> MailDraft {
    let one = |address: &str, name: &str| Address { address: address.into(), name: name.into() };
    MailDraft {
        account_id: "acc_1".into(),
        from_address: None,
        context: None,
        to: vec![one("alex@contoso.com", "Alex Wilber"), one("megan@contoso.com", "")],
        subject: "Gespräch".into(),
        body: "<p>At three?</p>".into(),
        body_type: BodyType::Html,
        merge_fields: None,
        add_signature: false,
        cc: vec![one("nestor@contoso.com", "N")],
        bcc: vec![one("fred@fabrikam.com", "")],
        reply_to: vec![one("jobs@contoso.com", "Jobs")],
        importance: Importance::High,
        attachments: vec![FileAttachment { name: "cv.pdf".into(), content: vec![0, 1, 255], content_type: "application/pdf".into(), content_id: None, staged: None }],
        key: Some("k".into()),
        link: None,
        deadline: None,
        ordering_key: None,
        send_at: None,
        read_receipt: false,
        delivery_receipt: false,
        headers: Vec::new(),
    }
}

fn full_chat() -> ChatDraft {
    ChatDraft { account_id: "acc_1".into(), to: "alex@contoso.com".into(), body: "Hi".into(), body_type: BodyType::Html, key: Some("k".into()), ..ChatDraft::default() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The hash of form 1 under a key everybody knows. These never change: stores in the field hold them.
fn hash(draft: impl Into<RouteDraft>) -> String {
    hex(&crate::seal::KeyBytes::from_slice(&[7; 32]).unwrap().mac(&[&canonical(&draft.into())]).unwrap())
}

#[test]
fn form_one_is_what_it_was() {
    let plain = MailDraft { to: vec![Address { address: "a@b.c".into(), name: String::new() }], ..MailDraft::default() };
    assert_eq!(
        hex(&canonical(&plain.clone().into())),
        "016d01000000000000001d000000000000000100000000000000056140622e630000000000000000"
    );
    for (draft, golden) in [
        (RouteDraft::from(full_mail()), "211d906c9736b659f17c62fa388298f2bf36f8d58beb4a6840c487abf0292942"),
        (RouteDraft::from(plain), "c8f54bcb03cc6f1268e38a2f5776541e8ea20fd1ce278ebc64e24eca06a94e0b"),
        (RouteDraft::from(full_chat()), "a265e7db39b592964b1e0abb2f3a54580607cbf44903f3e78bd765965a701c6f"),
        (RouteDraft::from(ChatDraft { body_type: BodyType::Text, ..full_chat() }), "baef90c49bb19f14cc61e73c14bd3ec256547857893a9ee5f3611892dbc332bf"),
    ] {
        assert_eq!(hash(draft.clone()), golden, "{draft:?}");
    }
}

#[test]
fn the_text_of_the_first_versions_is_written_to_the_letter() {
    let text = |draft: RouteDraft| String::from_utf8(first_text(&draft).unwrap()).unwrap();
    assert_eq!(
        text(full_mail().into()),
        concat!(
            r#"{"mail":{"mail":{"account_id":"acc_1","to":[{"address":"alex@contoso.com","name":"Alex Wilber"},{"address":"megan@contoso.com","name":""}],"#,
            r#""subject":"Gespräch","body":"<p>At three?</p>","body_type":"html","cc":[{"address":"nestor@contoso.com","name":"N"}],"#,
            r#""bcc":[{"address":"fred@fabrikam.com","name":""}],"reply_to":[{"address":"jobs@contoso.com","name":"Jobs"}],"importance":"high","#,
            r#""attachments":[{"name":"cv.pdf","content":[0,1,255],"content_type":"application/pdf"}],"key":"k"}}}"#
        )
    );
    assert_eq!(text(full_chat().into()), r#"{"chat":{"chat":{"account_id":"acc_1","to":"alex@contoso.com","body":"Hi","body_type":"html","key":"k"}}}"#);
}

#[test]
fn every_field_of_the_content_counts_and_nothing_else() {
    let changes: [fn(&mut MailDraft); 21] = [
        |m| m.to.swap(0, 1),
        |m| m.to[1].name = "x".into(),
        |m| m.subject.push('x'),
        |m| m.body.push('x'),
        |m| m.body_type = BodyType::Text,
        |m| m.cc.clear(),
        |m| m.bcc = std::mem::take(&mut m.cc),
        |m| m.reply_to.clear(),
        |m| m.importance = Importance::Low,
        |m| m.attachments[0].content[0] = 9,
        |m| m.attachments[0].name = "cv.pd".into(),
        |m| m.attachments[0].content_type = "fapplication/pdf".into(),
        |m| m.attachments[0].content_id = Some("a".into()),
        |m| m.add_signature = true,
        |m| m.read_receipt = true,
        |m| m.delivery_receipt = true,
        |m| m.from_address = Some(Address { address: "jobs@contoso.com".into(), name: String::new() }),
        |m| m.from_address = Some(Address { address: "jobs@contoso.com".into(), name: "Jobs".into() }),
        |m| (m.from_address, m.to) = (m.to.pop(), std::mem::take(&mut m.to)),
        |m| m.headers = vec![MailHeader { name: "x-a".into(), value: "bc".into() }],
        |m| m.headers = vec![MailHeader { name: "x-ab".into(), value: "c".into() }],
    ];
    let mut seen = vec![hash(full_mail())];
    for change in changes {
        let mut mail = full_mail();
        change(&mut mail);
        let hash = hash(mail);
        assert!(!seen.contains(&hash), "{seen:?}");
        seen.push(hash);
    }
    let same = MailDraft { account_id: "other".into(), key: None, link: Some("l".into()), deadline: Some(crate::clock::from_ms(1)), send_at: Some(crate::clock::from_ms(1)), ordering_key: Some("o".into()), context: Some("c".into()), ..full_mail() };
    assert_eq!(hash(same), hash(full_mail()));
}

#[test]
fn the_sender_of_a_reply_and_a_forward_counts() {
    let from = Some(Address { address: "jobs@contoso.com".into(), name: String::new() });
    let reply = ReplyDraft { message_id: "m".into(), ..ReplyDraft::default() };
    let forward = ForwardDraft { message_id: "m".into(), ..ForwardDraft::default() };
    assert_ne!(hash(ReplyDraft { from_address: from.clone(), ..reply.clone() }), hash(reply.clone()));
    assert_ne!(hash(ForwardDraft { from_address: from, ..forward.clone() }), hash(forward.clone()));
    let context = Some("candidate-7".to_owned());
    assert_eq!(hash(ReplyDraft { context: context.clone(), ..reply.clone() }), hash(reply));
    assert_eq!(hash(ForwardDraft { context, ..forward.clone() }), hash(forward));
}
