mod chance;
mod delivery;
mod edit;
mod folders;
mod killed_calls;
mod kills;
mod late;
mod ledger;
mod microsoft;
mod model;
mod priority;
mod progress;
mod sender;
mod uploads;
mod wire;
mod world;

use super::check::check_draft;
use super::item::{Start, Verdict, backoff_ms, start, verdict};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::model::{Address, ChatDraft, RouteDraft, FileAttachment, ForwardDraft, MailDraft, Receipt, ReplyDraft};
use crate::store::ItemState;
use std::sync::Arc;

impl super::Outbox {
    /// As the engine does, of an account that is connected.
    pub async fn enqueue(&self, draft: RouteDraft, is_bulk: bool) -> Result<Receipt> {
        check_draft(&draft, self.tools.clock.now())?;
        self.enqueue_one(&Arc::new(vec![draft]), is_bulk, |_, _| true).await
    }
}

fn mail() -> MailDraft {
    MailDraft {
        account_id: "acc_1".into(),
        to: vec![Address { address: "alex@contoso.com".into(), name: "Alex".into() }],
        subject: "Interview".into(),
        body: "At three?".into(),
        ..MailDraft::default()
    }
}

fn kind(draft: impl Into<RouteDraft>) -> Option<ErrorKind> {
    check_draft(&draft.into(), crate::clock::from_ms(1_000)).err().map(|e| e.kind())
}

#[test]
fn a_plain_mail_and_chat_pass() {
    assert_eq!(kind(mail()), None);
    assert_eq!(kind(ChatDraft { account_id: "a".into(), to: "o'neil+x@sub.contoso.com".into(), body: "Hi".into(), ..ChatDraft::default() }), None);
}

#[test]
fn malformed_addresses_are_refused() {
    for bad in ["", "alex", "@contoso.com", "alex@", "alex@contoso", "a b@contoso.com", "alex@contoso.com\r\nBcc: x@y.z", "a@b@contoso.com", "<alex@contoso.com>", ".a@contoso.com", "a@-x.com", "a@x..com", "a;b@contoso.com", "a\u{2028}b@contoso.com"] {
        let mut draft = mail();
        draft.to = vec![Address { address: bad.into(), name: String::new() }];
        assert_eq!(kind(draft), Some(ErrorKind::InvalidInput), "{bad:?}");
        let chat = ChatDraft { account_id: "a".into(), to: bad.into(), body: "Hi".into(), ..ChatDraft::default() };
        assert_eq!(kind(chat), Some(ErrorKind::InvalidInput), "{bad:?}");
        let from = Some(Address { address: bad.into(), name: String::new() });
        assert_eq!(kind(MailDraft { from_address: from.clone(), ..mail() }), Some(ErrorKind::InvalidInput), "{bad:?}");
        let to = vec![Address { address: "alex@contoso.com".into(), name: String::new() }];
        assert_eq!(kind(ReplyDraft { account_id: "a".into(), message_id: "m".into(), from_address: from.clone(), ..ReplyDraft::default() }), Some(ErrorKind::InvalidInput), "{bad:?}");
        assert_eq!(kind(ForwardDraft { account_id: "a".into(), message_id: "m".into(), to, from_address: from, ..ForwardDraft::default() }), Some(ErrorKind::InvalidInput), "{bad:?}");
    }
}

#[test]
fn a_context_is_as_a_key() {
    for (context, refused) in [("c", false), (&*"c".repeat(200), false), ("", true), (&*"c".repeat(201), true), ("a\nb", true)] {
        assert_eq!(kind(MailDraft { context: Some(context.into()), ..mail() }), refused.then_some(ErrorKind::InvalidInput), "{context:?}");
    }
}

#[test]
fn line_breaks_in_header_fields_are_refused() {
    for bad in ["a\rb", "a\nb", "a\r\nBcc: eve@x.com", "a\u{85}b", "a\u{2028}b", "a\u{2029}b", "a\0b"] {
        let mut subject = mail();
        subject.subject = bad.into();
        assert_eq!(kind(subject), Some(ErrorKind::InvalidInput), "{bad:?}");
        let mut name = mail();
        name.to[0].name = bad.into();
        assert_eq!(kind(name), Some(ErrorKind::InvalidInput), "{bad:?}");
        let from = Some(Address { address: "jobs@contoso.com".into(), name: bad.into() });
        assert_eq!(kind(MailDraft { from_address: from, ..mail() }), Some(ErrorKind::InvalidInput), "{bad:?}");
    }
}

#[test]
fn five_hundred_recipients_pass_and_one_more_does_not() {
    let many = |n: usize| (0..n).map(|i| Address { address: format!("p{i}@contoso.com"), name: String::new() }).collect::<Vec<_>>();
    let mut draft = mail();
    (draft.to, draft.cc, draft.bcc) = (many(200), many(200), many(100));
    assert_eq!(kind(draft.clone()), None);
    draft.bcc = many(101);
    assert_eq!(kind(draft.clone()), Some(ErrorKind::LimitExceeded));
    (draft.to, draft.cc, draft.bcc) = (vec![], vec![], vec![]);
    assert_eq!(kind(draft), Some(ErrorKind::InvalidInput));
}

#[test]
fn what_is_too_large_is_refused() {
    let mut draft = mail();
    draft.attachments = vec![FileAttachment { name: "cv.pdf".into(), content: vec![0; 3 * 1024 * 1024], content_type: "application/pdf".into(), content_id: None, staged: None }];
    assert_eq!(kind(draft.clone()), Some(ErrorKind::LimitExceeded));
    draft.attachments = (0..3).map(|_| FileAttachment { name: "a".into(), content: vec![0; 1_000_000], content_type: "text/plain".into(), content_id: None, staged: None }).collect();
    assert_eq!(kind(draft), Some(ErrorKind::LimitExceeded));
    let chat = ChatDraft { account_id: "a".into(), to: "b@contoso.com".into(), body: "ü".repeat(14_000), ..ChatDraft::default() };
    assert_eq!(kind(chat), Some(ErrorKind::LimitExceeded));
}

#[test]
fn a_deadline_lies_ahead() {
    for (at, refused) in [(999, true), (1_000, true), (1_001, false)] {
        let deadline = Some(crate::clock::from_ms(at));
        let chat = ChatDraft { account_id: "a".into(), to: "b@contoso.com".into(), body: "Hi".into(), deadline, ..ChatDraft::default() };
        assert_eq!(kind(chat), refused.then_some(ErrorKind::InvalidInput), "{at}");
        assert_eq!(kind(MailDraft { deadline, ..mail() }), refused.then_some(ErrorKind::InvalidInput), "{at}");
    }
}

#[test]
fn an_item_is_taken_up_where_it_was_left() {
    assert_eq!(start(ItemState::Queued), Some(Start::Prepare));
    assert_eq!(start(ItemState::RetryWait), Some(Start::Prepare));
    assert_eq!(start(ItemState::Prepared), Some(Start::Prepare), "its draft is looked for by its mark, if its id is not known");
    assert_eq!(start(ItemState::Dispatching), Some(Start::Reconcile), "the request may have been made: ask first");
    for over in [ItemState::Sent, ItemState::Unknown, ItemState::Failed, ItemState::Cancelled] {
        assert_eq!(start(over), None);
    }
}

#[test]
fn only_what_was_refused_for_good_settles_a_send() {
    let of = |kind| verdict(&Error::new(kind, ""));
    for kind in [
        ErrorKind::Throttled,
        ErrorKind::Network,
        ErrorKind::NeedsReconnect,
        ErrorKind::ConsentMissing,
        ErrorKind::TokenRejected,
        ErrorKind::VaultLocked,
        ErrorKind::WrongKey,
        ErrorKind::StoreFull,
        ErrorKind::LinkRejected,
    ] {
        assert_eq!(of(kind), Verdict::Later, "{kind:?}");
    }
    for kind in [ErrorKind::OutcomeUnknown, ErrorKind::Upstream] {
        assert_eq!(of(kind), Verdict::Doubt);
    }
    for kind in [ErrorKind::Forbidden, ErrorKind::InvalidInput, ErrorKind::NotFound, ErrorKind::LimitExceeded, ErrorKind::Conflict] {
        assert_eq!(of(kind), Verdict::Refused);
    }
    assert_eq!(of(ErrorKind::Internal), Verdict::Defect);
    // Who can mend it tells a full mailbox from a message that is too large, and a conflict that passes from one that stays.
    assert_eq!(verdict(&Error::new(ErrorKind::LimitExceeded, "").with_remedy(Remedy::User)), Verdict::Later);
    assert_eq!(verdict(&Error::new(ErrorKind::Conflict, "").with_remedy(Remedy::Wait)), Verdict::Contested);
}

#[test]
fn waits_grow_to_a_quarter_of_an_hour_and_heed_microsoft() {
    assert_eq!(backoff_ms(0, Some(30_000), 0.5), 30_000);
    assert!((1_500..=2_000).contains(&backoff_ms(0, None, 0.5)));
    assert!((675_000..=900_000).contains(&backoff_ms(49, None, 1.0)));
    assert!(backoff_ms(49, Some(1_000), 1.0) >= 675_000, "a lasting limit is not hammered at");
    assert!(backoff_ms(u32::MAX, None, 1.0) <= 900_000);
}
