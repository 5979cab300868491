#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::model::{ChannelPostDraft, ChatDraft};
use crate::outbox::channel::Channel;
use crate::outbox::channels::{ChannelPost, Chat};

const CARD_TEXT: &str = r#"{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"Hi"}]}"#;

fn chat(change: impl FnOnce(&mut ChatDraft)) -> ChatDraft {
    let mut chat = ChatDraft { account_id: "a".into(), to: "alex@contoso.com".into(), body: "Hi @alex".into(), ..ChatDraft::default() };
    change(&mut chat);
    chat
}

fn post(change: impl FnOnce(&mut ChannelPostDraft)) -> ChannelPostDraft {
    let mut post = ChannelPostDraft { account_id: "a".into(), team_id: "t".into(), channel_id: "19:c@thread.tacv2".into(), body: "Hi @alex".into(), ..ChannelPostDraft::default() };
    change(&mut post);
    post
}

fn mention(placeholder: &str, target: MentionTarget) -> Mention {
    Mention { placeholder: placeholder.into(), target, text: None }
}

fn alex() -> MentionTarget {
    MentionTarget::Person { address: "alex@contoso.com".into() }
}

fn attached(name: &str) -> FileAttachment {
    FileAttachment { name: name.into(), content: b"x".to_vec(), content_type: "text/plain".into(), content_id: None, staged: None }
}

#[test]
fn names_that_onedrive_does_not_take_are_refused_before_anything_else() {
    let check = |name: &str| Chat::check(&chat(|c| c.attachments = vec![attached(name)]));
    for name in ["a.pdf", "Lebenslauf – Ä.pdf", "a#b%c.txt", ".profile", "com.txt", "console.txt", "a..b", &"x".repeat(240)] {
        assert!(check(name).is_ok(), "{name}: {:?}", check(name));
    }
    for name in ["", "a\"b", "a*b", "a:b", "a<b", "a>b", "a?b", "a/b", "a\\b", "a|b", " a", "a ", "a.", "~$a.docx", "CON", "con.txt", "LPT1.txt", "com0", ".lock", "Desktop.ini", "a_vti_b"] {
        assert_eq!(check(name).unwrap_err().kind(), ErrorKind::InvalidInput, "{name}");
    }
    assert_eq!(check(&"x".repeat(241)).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert!(Chat::check(&chat(|c| (c.body, c.attachments) = (String::new(), vec![attached("a.pdf")]))).is_ok(), "a file alone is a message");
    assert!(Chat::check(&chat(|c| (c.files, c.attachments) = (vec![file("https://x"); 5], vec![attached("a.pdf"); 6]))).is_err());
}

#[test]
fn a_picture_stands_where_the_text_shows_it() {
    let logo = || FileAttachment { content_id: Some("logo&1".into()), content_type: "image/png".into(), ..attached("logo.png") };
    let with = |body: &str, body_type: BodyType, files: Vec<FileAttachment>| chat(|c| (c.body, c.body_type, c.attachments) = (body.into(), body_type, files));
    let html = with("<p>See <img src=\"cid:logo&amp;1\"></p>", BodyType::Html, vec![logo(), attached("a.pdf")]);
    assert!(Chat::check(&html).is_ok(), "{:?}", Chat::check(&html));
    assert_eq!(Chat::scopes(&html), ["Files.ReadWrite"]);
    let made = compose(&parts!(html), &[], &[Reference { id: "g".into(), url: "https://x/a.pdf".into(), name: "a.pdf".into() }]).unwrap();
    assert_eq!(made.content, "<p>See <img src=\"../hostedContents/1/$value\"></p><attachment id=\"g\"></attachment>");
    let alone = with("![](cid:logo&1)", BodyType::Markdown, vec![logo()]);
    assert!(Chat::check(&alone).is_ok() && Chat::scopes(&alone).is_empty(), "{:?}", Chat::check(&alone));
    for (number, refused) in [
        with("no picture", BodyType::Html, vec![logo()]),
        with("text", BodyType::Text, vec![logo()]),
        with("<img src=\"cid:other\">", BodyType::Html, vec![]),
        with("<img src=\"cid:logo&amp;1\">", BodyType::Html, vec![FileAttachment { content_type: "image/svg+xml".into(), ..logo() }]),
        with("<img src=\"cid:logo&amp;1\">", BodyType::Html, vec![FileAttachment { content: Vec::new(), staged: Some(format!("stg_{}", "0".repeat(32))), ..logo() }]),
        with("<img src=\"cid:logo&amp;1\">", BodyType::Html, vec![logo(), logo()]),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(Chat::check(refused).unwrap_err().kind(), ErrorKind::InvalidInput, "case {number}");
    }
    let large = FileAttachment { content: vec![0; 2_900_000], ..logo() };
    assert_eq!(Chat::check(&with("<img src=\"cid:logo&amp;1\">", BodyType::Html, vec![large])).unwrap_err().kind(), ErrorKind::LimitExceeded);
}

fn file(url: &str) -> FileLink {
    FileLink { name: "cv.pdf".into(), url: url.into() }
}

#[test]
fn a_plain_text_stays_one_and_everything_else_is_html() {
    let named = [Mentioned { kind: MentionedKind::Person, id: "u1".into(), name: "Alex <W>".into() }];
    let plain = chat(|c| c.body = "1 < 2".into());
    let made = compose(&parts!(plain), &[], &[]).unwrap();
    assert_eq!((made.body_type, made.content.as_str()), (BodyType::Text, "1 < 2"));
    let full = chat(|c| {
        c.mentions = vec![mention("@alex", alex())];
        c.cards = vec![CARD_TEXT.into(), CARD_TEXT.into()];
        c.files = vec![file("https://contoso.sharepoint.com/_layouts/Doc.aspx?sourcedoc=%7B0F8E9B5A-1C2D-4E3F-8A9B-0C1D2E3F4A5B%7D")];
    });
    let made = compose(&parts!(full), &named, &[]).unwrap();
    assert_eq!(made.body_type, BodyType::Html);
    assert!(made.content.starts_with("Hi <at id=\"0\">Alex &lt;W&gt;</at><attachment id=\""), "{}", made.content);
    assert_eq!(made.attachments[2].id, "0f8e9b5a-1c2d-4e3f-8a9b-0c1d2e3f4a5b");
    assert_ne!(made.attachments[0].id, made.attachments[1].id, "each attachment has its own id");
    for one in &made.attachments {
        assert_eq!(made.content.matches(&format!("<attachment id=\"{}\"></attachment>", one.id)).count(), 1);
    }
    let twice = chat(|c| {
        c.body = "@alex and @alex".into();
        c.mentions = vec![Mention { text: Some("A & B".into()), ..mention("@alex", alex()) }];
    });
    let made = compose(&parts!(twice), &named, &[]).unwrap();
    assert_eq!(made.content, "<at id=\"0\">A &amp; B</at> and <at id=\"1\">A &amp; B</at>");
    assert_eq!(made.mentions.len(), 2);
}

#[test]
fn a_message_to_nobody_to_everybody_or_of_the_wrong_form_is_refused() {
    let refused = |draft: ChatDraft| Chat::check(&draft).unwrap_err().kind();
    let cases: [fn(&mut ChatDraft); 23] = [
        |c| (c.body, c.body_type) = ("<p> <b>&nbsp;</b><br></p>".into(), BodyType::Html),
        |c| c.body = " \n".into(),
        |c| c.to = String::new(),
        |c| c.chat_id = Some("19:x@thread.v2".into()),
        |c| c.members = vec!["b@contoso.com".into()],
        |c| c.topic = Some("Panel".into()),
        |c| (c.to, c.chat_id) = (String::new(), Some("19:x/../y".into())),
        |c| (c.to, c.chat_id) = (String::new(), Some(" ".into())),
        |c| (c.to, c.members) = (String::new(), vec!["b@contoso.com".into(), "B@contoso.com".into()]),
        |c| (c.to, c.members) = (String::new(), vec!["b".into()]),
        |c| (c.to, c.members, c.topic) = (String::new(), vec!["b@contoso.com".into()], Some("a\nb".into())),
        |c| c.mentions = vec![mention("@megan", alex())],
        |c| c.mentions = vec![mention("", alex())],
        |c| c.mentions = vec![mention("@alex", alex()), mention("@alex", alex())],
        |c| c.mentions = vec![mention("@alex", MentionTarget::Person { address: "nobody".into() })],
        |c| c.mentions = vec![mention("@alex", MentionTarget::Team)],
        |c| c.cards = vec!["hello".into()],
        |c| c.files = vec![file("http://contoso.com/cv.pdf")],
        |c| c.files = vec![file("javascript:alert(1)")],
        |c| c.files = vec![file("https://user:word@contoso.com/cv.pdf")],
        |c| c.files = vec![FileLink { name: "a\nb".into(), ..file("https://contoso.com/cv.pdf") }],
        |c| (c.body, c.body_type) = ("<script>alert(1)</script>".into(), BodyType::Html),
        |c| (c.body, c.body_type, c.mentions) = ("<a href=\"https://x/@alex\">x</a>".into(), BodyType::Html, vec![mention("@alex", alex())]),
    ];
    for (number, change) in cases.into_iter().enumerate() {
        assert_eq!(refused(chat(change)), ErrorKind::InvalidInput, "case {number}");
    }
    let large: [fn(&mut ChatDraft); 6] = [
        |c| c.body = "x".repeat(14_000),
        |c| c.body = "&".repeat(4_000).replace('&', "&<>"),
        |c| (c.body, c.body_type) = ("<".repeat(4_000), BodyType::Markdown),
        |c| c.cards = vec![CARD_TEXT.replace("Hi", &"x".repeat(28 << 10))],
        |c| c.cards = vec![CARD_TEXT.into(); 11],
        |c| (c.to, c.members) = (String::new(), (0..250).map(|n| format!("p{n}@contoso.com")).collect()),
    ];
    for (number, change) in large.into_iter().enumerate() {
        let draft = chat(change);
        if number == 1 {
            // Plain text is not escaped, so this one fits.
            assert!(Chat::check(&draft).is_ok());
            continue;
        }
        assert_eq!(refused(draft), ErrorKind::LimitExceeded, "case {number}");
    }
    for (number, change) in [
        (|p: &mut ChannelPostDraft| p.team_id = String::new()) as fn(&mut ChannelPostDraft),
        |p| p.channel_id = "a b".into(),
        |p| p.reply_to = Some("..".into()),
        |p| p.subject = Some("a\r\nb".into()),
        |p| (p.subject, p.reply_to) = (Some("Subject".into()), Some("1".into())),
        |p| p.mentions = vec![mention("@alex", MentionTarget::Tag { tag_id: String::new() })],
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(ChannelPost::check(&post(change)).unwrap_err().kind(), ErrorKind::InvalidInput, "channel, case {number}");
    }
}

#[test]
fn what_people_send_is_taken() {
    for (number, draft) in [
        chat(|_| {}),
        chat(|c| c.mentions = vec![mention("@alex", alex())]),
        chat(|c| (c.body, c.cards) = (String::new(), vec![CARD_TEXT.into()])),
        chat(|c| (c.body, c.files) = (String::new(), vec![file("https://contoso.sharepoint.com/cv.pdf")])),
        chat(|c| (c.to, c.members, c.topic) = (String::new(), vec!["b@contoso.com".into()], Some("Panel".into()))),
        chat(|c| (c.to, c.chat_id) = (String::new(), Some("19:meeting_x@thread.v2".into()))),
        chat(|c| (c.body, c.body_type) = ("**Hi**".into(), BodyType::Markdown)),
    ]
    .iter()
    .enumerate()
    {
        assert!(Chat::check(draft).is_ok(), "case {number}: {:?}", Chat::check(draft));
    }
    let all = post(|p| {
        p.body = "@alex @channel @team @tag".into();
        p.mentions = vec![
            mention("@alex", alex()),
            mention("@channel", MentionTarget::Channel { channel_id: None }),
            mention("@team", MentionTarget::Team),
            Mention { text: Some("Interviewers".into()), ..mention("@tag", MentionTarget::Tag { tag_id: "MjQz".into() }) },
        ];
    });
    assert!(ChannelPost::check(&all).is_ok());
}

#[test]
fn every_field_counts_when_two_are_compared() {
    let changes: [fn(&mut ChatDraft); 15] = [
        |_| {},
        |c| c.to.push('x'),
        |c| c.body.push('x'),
        |c| c.body_type = BodyType::Html,
        |c| c.body_type = BodyType::Markdown,
        |c| c.chat_id = Some("x".into()),
        |c| c.members = vec!["x".into()],
        |c| c.topic = Some("x".into()),
        |c| c.importance = ChatImportance::High,
        |c| c.importance = ChatImportance::Urgent,
        |c| c.mentions = vec![mention("x", alex())],
        |c| c.cards = vec!["x".into()],
        |c| c.files = vec![file("x")],
        |c| c.attachments = vec![attached("x")],
        |c| c.attachments = vec![FileAttachment { staged: Some("x".into()), ..attached("x") }],
    ];
    let seen: std::collections::HashSet<Vec<u8>> = changes.into_iter().map(|change| Chat::canonical(&chat(change))).collect();
    assert_eq!(seen.len(), 15);
    let texts: [fn(&mut ChatDraft); 3] = [
        |c| c.mentions = vec![Mention { text: Some(String::new()), ..mention("x", alex()) }],
        |c| c.mentions = vec![mention("x", MentionTarget::Team)],
        |c| c.mentions = vec![mention("x", MentionTarget::Channel { channel_id: None })],
    ];
    assert!(texts.into_iter().all(|change| !seen.contains(&Chat::canonical(&chat(change)))));
}
