//! Sending: the copy in Sent Items, the copies that arrive, and what comes back undeliverable.

use super::automatic::{self, Origin, Report};
use super::compose::{addresses, apply, blank};
use super::item::{bad_mime, is_mime, matches, new_message_id, own_address, shown};
use super::json::plain;
use super::message::{Address, Message};
use super::senders::{Names, names};
use super::{Job, eml, not_found};
use crate::actions::{Parameters, outlook};
use crate::graph::bad;
use crate::http::{Answer, unbase64};
use crate::routes::lacks;
use crate::world::World;
use serde_json::Value;

const RECIPIENTS_MAX: usize = 500;

/// In whose name it leaves, unless anything is wrong with sending it.
fn accepted(job: &Job, message: &Message) -> Result<Names, Answer> {
    let all: Vec<&Address> = message.to.iter().chain(&message.cc).chain(&message.bcc).collect();
    let plausible =
        |a: &&Address| a.address.split_once('@').is_some_and(|(l, d)| !l.is_empty() && !d.is_empty() && !d.contains(' '));
    if all.is_empty() || !all.iter().all(plausible) {
        return Err(Answer::fail(400, "ErrorInvalidRecipients", "At least one recipient is not valid."));
    }
    if all.len() > RECIPIENTS_MAX {
        return Err(Answer::fail(400, "ErrorExceededRecipientLimit", "The message has too many recipients."));
    }
    names(job.world, job.actor, job.person, job.may_share, message)
}

/// The same once more? Clients must not do that, whatever happened to the first answer.
fn accuse_twice(job: &mut Job, message: &Message) {
    let text = if message.html { plain(&message.content()) } else { message.content() };
    let to: Vec<String> = message.to.iter().chain(&message.cc).chain(&message.bcc).map(|a| a.address.to_lowercase()).collect();
    let person = job.world.people.people[job.person].address.clone();
    let ledger = &mut job.world.ledger;
    let same_id = ledger.sent_before(&["id", &person, &message.message_id]);
    let same_text = ledger.sent_before(&["text", &person, &to.join(" "), &message.subject, text.trim()]);
    if same_id || same_text {
        let what = if same_id { &message.message_id } else { &message.subject };
        ledger.accuse("sent_twice", job.seq, format!("{person} to {}: {what}", to.join(", ")));
    }
}

/// Copies into the mailboxes of the simulated world, and reports of what cannot be delivered.
pub fn deliver(world: &mut World, person: usize, message: &Message) {
    let (mut seen, mut reached) = (Vec::new(), Vec::new());
    for to in message.to.iter().chain(&message.cc).chain(&message.bcc) {
        let address = to.address.to_lowercase();
        if seen.contains(&address) {
            continue;
        }
        match world.senders.readers(&world.people, &address) {
            Some(readers) => {
                for reader in readers {
                    // One mailbox gets one copy, by however many addresses it is reached.
                    if !reached.contains(&reader) {
                        arrive(world, reader, message);
                        automatic::reply(world, reader, person, message);
                        reached.push(reader);
                    }
                }
            }
            None if world.people.knows_domain(&address) => {
                let report = Report { recipient: address.clone(), is_delayed: false, status: None, origin: Origin::Own, message_id: None };
                automatic::report(world, person, message, &report);
            }
            None => {}
        }
        seen.push(address);
    }
}

fn arrive(world: &mut World, reader: usize, message: &Message) {
    let now = world.now();
    let mut copy = message.clone();
    copy.bcc.clear();
    copy.attachments.iter_mut().for_each(|a| a.id.clear());
    (copy.is_read, copy.is_draft, copy.received, copy.created, copy.modified) = (false, false, now, now, now);
    (copy.late, copy.fresh) = (0, false);
    copy.categories.clear();
    copy.extended.clear();
    copy.flag = "notFlagged".into();
    copy.flag_dates.clear();
    let mailbox = &mut world.mail[reader];
    if let Some(thread) = mailbox.thread_for(&copy).filter(|_| copy.in_reply_to.is_some()) {
        copy.thread = thread;
    }
    let inbox = mailbox.folder("inbox").unwrap_or(0);
    mailbox.insert(&mut world.ids, inbox, copy);
}

/// The draft goes to Sent Items under the same immutable id, the copies go out.
pub fn send_draft(job: &mut Job, key: u32) -> Answer {
    let Some(message) = job.mailbox().get(key).cloned() else {
        return not_found();
    };
    if !message.is_draft {
        job.world.ledger.accuse("sent_twice", job.seq, format!("{}: no draft any more", message.message_id));
        return Answer::fail(400, "ErrorInvalidOperation", "The message is not a draft and cannot be sent.");
    }
    let names = match matches(job, key).and_then(|()| accepted(job, &message)) {
        Ok(names) => names,
        Err(answer) => return answer,
    };
    let (person, delay) = (job.person, job.world.limits.submission_delay_ms);
    if job.world.submissions.iter().any(|s| (s.person, s.key) == (person, key)) {
        job.world.ledger.accuse("sent_twice", job.seq, format!("{}: its submission is under way", message.message_id));
        return not_found();
    }
    accuse_twice(job, &message);
    let renamed = job.world.odd("rewritten_message_id").then(|| new_message_id(job, &own_address(job)));
    if delay > 0 {
        job.world.submissions.push(Submission { due: job.now + delay, person, key, renamed, names });
    } else {
        submit(job.world, person, key, renamed, names);
    }
    Answer::empty(202)
}

/// A draft that was accepted and is not sent yet.
pub struct Submission {
    due: i64,
    person: usize,
    key: u32,
    renamed: Option<String>,
    names: Names,
}

/// What was accepted goes out once its time has come.
pub fn submit_due(world: &mut World) {
    let now = world.now();
    while let Some(at) = world.submissions.iter().position(|s| s.due <= now) {
        let due = world.submissions.remove(at);
        if world.mail[due.person].get(due.key).is_some_and(|m| m.is_draft) {
            submit(world, due.person, due.key, due.renamed, due.names);
        }
    }
}

fn submit(world: &mut World, person: usize, key: u32, renamed: Option<String>, names: Names) {
    let now = world.now();
    let late = if world.odd("sent_copy_late") { 2 } else { 0 };
    let mailbox = &mut world.mail[person];
    let sent_items = mailbox.folder("sentitems").unwrap_or(0);
    mailbox.edit(key, now, |m| {
        (m.is_draft, m.is_read, m.sent, m.received) = (false, true, now, now);
        (m.late, m.fresh) = (late, false);
        names.put(m);
        if let Some(id) = renamed {
            m.message_id = id;
        }
    });
    mailbox.shift(&mut world.ids, key, sent_items, now);
    if let Some(sent) = world.mail[person].get(key).cloned() {
        deliver(world, person, &sent);
    }
}

/// A message that was never a draft.
fn send_now(job: &mut Job, mut message: Message, keep: bool) -> Answer {
    match accepted(job, &message) {
        Ok(names) => names.put(&mut message),
        Err(answer) => return answer,
    }
    if message.message_id.is_empty() {
        message.message_id = new_message_id(job, &own_address(job));
    }
    accuse_twice(job, &message);
    (message.is_draft, message.is_read, message.sent, message.received) = (false, true, job.now, job.now);
    let mailbox = &mut job.world.mail[job.person];
    if message.thread == 0 {
        message.thread = mailbox.thread_for(&message).unwrap_or_else(|| job.world.ids.next());
    }
    if keep {
        let sent_items = mailbox.folder("sentitems").unwrap_or(0);
        mailbox.insert(&mut job.world.ids, sent_items, message.clone());
    }
    deliver(job.world, job.person, &message);
    Answer::empty(202)
}

pub fn send_mail(job: &mut Job) -> Answer {
    let own = own_address(job);
    if is_mime(job.call) {
        let Some(raw) = std::str::from_utf8(&job.call.body).ok().and_then(unbase64) else {
            return bad_mime();
        };
        let Ok(mut message) = eml::parse(&raw, job.now) else {
            return bad_mime();
        };
        (message.from, message.sender, message.created) = (Some(own.clone()), Some(own), job.now);
        return send_now(job, message, true);
    }
    let read = Parameters::of(job.call, "sendMail", &["message", "saveToSentItems"])
        .and_then(|given| given.flag("saveToSentItems", true).map(|keep| (given, keep)));
    let (given, keep) = match read {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let mut message = blank(own, job.now);
    if let Err(answer) = apply(&mut message, given.get("message"), true) {
        return answer;
    }
    send_now(job, message, keep)
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Reply,
    ReplyAll,
    Forward,
}

impl Kind {
    fn action(self, at_once: bool) -> &'static str {
        match (self, at_once) {
            (Kind::Reply, true) => "reply",
            (Kind::Reply, false) => "createReply",
            (Kind::ReplyAll, true) => "replyAll",
            (Kind::ReplyAll, false) => "createReplyAll",
            (Kind::Forward, true) => "forward",
            (Kind::Forward, false) => "createForward",
        }
    }
}

/// A reply or a forward, as a draft or sent at once.
pub fn answer(job: &mut Job, key: u32, kind: Kind, at_once: bool) -> Answer {
    if is_mime(job.call) {
        return lacks(job.call, "a body as MIME");
    }
    let known: &[&str] = if kind == Kind::Forward { &["message", "comment", "toRecipients"] } else { &["message", "comment"] };
    let given = match Parameters::of(job.call, kind.action(at_once), known) {
        Ok(given) => given,
        Err(answer) => return answer,
    };
    let body = outlook(given.get("message"));
    let comment = match given.text("comment") {
        Ok(comment) => comment.filter(|c| !c.is_empty()),
        Err(answer) => return answer,
    };
    if comment.is_some() && !body["body"].is_null() {
        return bad("You cannot specify both comment and message body.");
    }
    let to = match given.get("toRecipients") {
        Value::Null => Vec::new(),
        some => match addresses("toRecipients", &outlook(some)) {
            Ok(to) => to,
            Err(answer) => return answer,
        },
    };
    let named_inside = body["toRecipients"].as_array().is_some_and(|a| !a.is_empty());
    if kind == Kind::Forward && ((!to.is_empty() && named_inside) || (at_once && to.is_empty() && !named_inside)) {
        return bad("The recipients of a forward are given either as toRecipients or in the message, and once.");
    }
    let own = own_address(job);
    let Some(original) = job.mailbox().get(key).cloned() else {
        return not_found();
    };
    let mut message = blank(own.clone(), job.now);
    let mark = if kind == Kind::Forward { "Fw: " } else { "Re: " };
    let (_, marked) = super::message::topic(&original.subject);
    message.subject = if marked { original.subject.clone() } else { format!("{mark}{}", original.subject) };
    message.thread = original.thread;
    if kind == Kind::Forward {
        message.attachments = original.attachments.clone();
        message.attachments.iter_mut().for_each(|a| a.id.clear());
        message.to = to;
    } else {
        message.in_reply_to = Some(original.message_id.clone());
        message.references = original.references.iter().cloned().chain([original.message_id.clone()]).collect();
        let not_own = |a: &Address| !a.address.eq_ignore_ascii_case(&own.address);
        message.to =
            if original.reply_to.is_empty() { original.from.clone().into_iter().collect() } else { original.reply_to.clone() };
        if kind == Kind::ReplyAll {
            let known = message.to.clone();
            let fits = |a: &Address| not_own(a) && !known.iter().any(|k| k.address.eq_ignore_ascii_case(&a.address));
            message.to.extend(original.to.iter().filter(|a| fits(a)).cloned());
            message.cc = original.cc.iter().filter(|a| fits(a)).cloned().collect();
        }
    }
    let from = original.from.as_ref().map_or(String::new(), |f| format!("{} &lt;{}&gt;", f.name, f.address));
    let quoted =
        if original.html { original.content() } else { format!("<pre>{}</pre>", original.content().replace('<', "&lt;")) };
    message.set_body(
        true,
        format!(
            "<html><body><div>{}</div><hr><div id=\"divRplyFwdMsg\"><b>From:</b> {from}<br><b>Sent:</b> {}<br>\
             <b>Subject:</b> {}</div><div>{quoted}</div></body></html>",
            comment.unwrap_or(""),
            crate::clock::iso(original.sent),
            original.subject
        ),
    );
    if !body.is_null()
        && let Err(answer) = apply(&mut message, &body, true)
    {
        return answer;
    }
    message.message_id = new_message_id(job, &own);
    if at_once {
        return send_now(job, message, true);
    }
    message.fresh = true;
    let (now, marks) = (job.now, job.world.odd("reply_marks_read"));
    let mailbox = &mut job.world.mail[job.person];
    if marks && kind != Kind::Forward && !original.is_read {
        mailbox.edit(key, now, |m| m.is_read = true);
    }
    let drafts = mailbox.folder("drafts").unwrap_or(0);
    let draft = mailbox.insert(&mut job.world.ids, drafts, message);
    shown(job, 201, draft)
}
