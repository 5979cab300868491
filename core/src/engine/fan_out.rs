//! One message to the endpoints of a subscriber: looked up, made a draft of its route for each, and handed in together.

use super::{Inner, usable};
use crate::clock::to_ms;
use crate::endpoints::{check_context, check_subscriber, context_hash, shown};
use crate::error::{Error, ErrorKind, Result};
use crate::markup::check_card;
use crate::model::{
    AccountKind, BodyType, BotDraft, ChannelPostDraft, ChatDraft, Draft, Endpoint, EndpointDraft, EndpointState, EndpointTarget, Event, MailDraft, Receipt, RouteDraft, WorkflowDraft,
};
use crate::outbox::{check_draft, check_drafts, check_id, fill, is_key, of_draft};
use crate::random;
use crate::store::{EndpointWindow, MOST_ENDPOINTS, NewPart, PartOf, RefusedPart, WHOLE_ID, WholeRow};
use crate::sync::clean_text;

const LONGEST_SUMMARY: usize = 500;
/// How often messages are handed in again whose key another call used at the same moment.
const KEY_TRIES: u32 = 3;

/// What becomes of one draft that was handed in.
enum Place {
    /// A send of its own, by its number among all.
    One(usize),
    Whole(String),
    /// It was handed in before.
    Known(Box<Receipt>),
}

/// One endpoint of a message, and what it gets.
struct Addressed {
    endpoint: Endpoint,
    version: i64,
    draft: RouteDraft,
}

/// All that is handed in together.
#[derive(Default)]
struct Submission {
    drafts: Vec<RouteDraft>,
    parts: Vec<Option<NewPart>>,
    places: Vec<Place>,
}

impl Inner {
    /// Drafts of which one at least goes to endpoints: all of them in one transaction, or none.
    pub(super) async fn enqueue_to_endpoints(&self, drafts: Vec<Draft>, is_bulk: bool) -> Result<Vec<Receipt>> {
        for _ in 0..KEY_TRIES {
            match self.enqueue_at_once(drafts.clone(), is_bulk).await {
                // Another call used a key of these in between: now it is known.
                Err(error) if error.kind() == ErrorKind::StoreBusy => {}
                outcome => return outcome,
            }
        }
        self.enqueue_at_once(drafts, is_bulk).await
    }

    async fn enqueue_at_once(&self, drafts: Vec<Draft>, is_bulk: bool) -> Result<Vec<Receipt>> {
        let mut submission = Submission::default();
        let is_list = drafts.len() > 1;
        for (number, draft) in drafts.into_iter().enumerate() {
            self.add_draft(&mut submission, draft).await.map_err(|e| if is_list { of_draft(number, e) } else { e })?;
        }
        let Submission { drafts, parts, places } = submission;
        let receipts = match drafts.is_empty() {
            true => Vec::new(),
            false => {
                check_drafts(&drafts, self.clock.now())?;
                self.outbox.enqueue_all(drafts, parts, is_bulk, usable::may_send).await?
            }
        };
        for receipt in &receipts {
            self.event_bus.publish(Event::SendChanged { receipt: receipt.clone() });
        }
        let mut answers = Vec::with_capacity(places.len());
        for place in places {
            answers.push(match place {
                Place::One(number) => receipts.get(number).cloned().ok_or_else(|| Error::internal("A receipt was lost."))?,
                Place::Whole(id) => self.outbox.whole(&id, None).await?,
                Place::Known(receipt) => *receipt,
            });
        }
        Ok(answers)
    }

    async fn add_draft(&self, submission: &mut Submission, draft: Draft) -> Result<()> {
        let to_endpoint = match draft.by_route() {
            Err(to_endpoint) => to_endpoint,
            Ok(draft) => {
                let draft = fill(draft).await?;
                check_draft(&draft, self.clock.now())?;
                self.may_send_draft(&draft).await?;
                submission.places.push(Place::One(submission.drafts.len()));
                submission.drafts.push(draft);
                submission.parts.push(None);
                return Ok(());
            }
        };
        check(&to_endpoint)?;
        let content_hash = self.content_of(&to_endpoint)?;
        if let Some(key) = &to_endpoint.key
            && let Some(known) = self.outbox.known_whole(&to_endpoint.subscriber, key, &content_hash).await?
        {
            submission.places.push(Place::Known(Box::new(known)));
            return Ok(());
        }
        let (mut taken, mut refused, mut first) = (Vec::new(), Vec::new(), None);
        for one in self.addressed(&to_endpoint).await? {
            match self.may_send_draft(&one.draft).await {
                Ok(()) => taken.push(one),
                Err(error) => {
                    refused.push(RefusedPart { endpoint_id: one.endpoint.id, reason: error.reason().to_owned() });
                    first = first.or(Some(error));
                }
            }
        }
        if let (true, Some(error)) = (taken.is_empty(), first) {
            return Err(error);
        }
        let id = format!("{WHOLE_ID}{}", random::token::<16>()?);
        let whole = WholeRow { id: id.clone(), subscriber: to_endpoint.subscriber, key: to_endpoint.key, content_hash: content_hash.to_vec(), created_at: to_ms(self.clock.now()), refused };
        let mut whole = Some(whole);
        for Addressed { endpoint, version, draft } in taken {
            let of = PartOf { whole_id: id.clone(), endpoint_id: endpoint.id, endpoint_version: version };
            submission.parts.push(Some(NewPart { of, whole: whole.take() }));
            submission.drafts.push(draft);
        }
        submission.places.push(Place::Whole(id));
        Ok(())
    }

    /// A keyed hash of what it says, as it was handed in.
    fn content_of(&self, draft: &EndpointDraft) -> Result<[u8; 32]> {
        let kind: &[u8] = match draft.body_type {
            BodyType::Text => b"text",
            BodyType::Html => b"html",
            BodyType::Markdown => b"markdown",
        };
        let texts = [draft.context.as_deref(), draft.endpoint_id.as_deref(), Some(&draft.subject), Some(&draft.body), draft.card.as_deref()];
        let mut parts: Vec<&[u8]> = texts.iter().flat_map(|text| [if text.is_some() { &b"1"[..] } else { b"0" }, text.unwrap_or_default().as_bytes()]).chain([kind]).collect();
        let mut fields: Vec<(&String, &String)> = draft.merge_fields.iter().flatten().collect();
        fields.sort();
        parts.extend(fields.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
        self.vault.store_hash("endpoint content", &parts)
    }

    /// The endpoints it goes to, in the order in which they were made, each with its draft.
    async fn addressed(&self, draft: &EndpointDraft) -> Result<Vec<Addressed>> {
        let (mut addressed, mut retired) = (Vec::new(), None::<Endpoint>);
        for (endpoint, version) in self.endpoints_for(draft).await? {
            if endpoint.state == EndpointState::Retired {
                retired = retired.into_iter().chain([endpoint]).max_by_key(|endpoint| endpoint.changed_at);
                continue;
            }
            let about = |error: Error| {
                let reason = format!("For endpoint {} ({:?}): {}", endpoint.id, endpoint.kind, error.reason());
                error.with_reason(reason)
            };
            let made = self.draft_for(&endpoint, draft).await.map_err(about)?;
            let made = fill(made).await.map_err(about)?;
            check_draft(&made, self.clock.now()).map_err(about)?;
            addressed.push(Addressed { endpoint, version, draft: made });
        }
        match retired {
            Some(retired) if addressed.is_empty() => {
                let reason = retired.reason.unwrap_or_default();
                Err(Error::new(ErrorKind::Conflict, format!("The endpoint {} is retired, so nothing was accepted: {reason} Change it with change_endpoint.", retired.id)))
            }
            _ if addressed.is_empty() => Err(Error::new(ErrorKind::NotFound, "This subscriber has no endpoint in this context. Add one with add_endpoint.")),
            _ => Ok(addressed),
        }
    }

    async fn endpoints_for(&self, draft: &EndpointDraft) -> Result<Vec<(Endpoint, i64)>> {
        let read = async || {
            let rows = match &draft.endpoint_id {
                Some(id) => {
                    let none = || Error::new(ErrorKind::NotFound, "This subscriber has no endpoint with this id.");
                    vec![self.store.endpoint(id).await?.filter(|row| row.subscriber == draft.subscriber).ok_or_else(none)?]
                }
                None => {
                    let context_hash = Some(context_hash(&self.vault, &draft.subscriber, draft.context.as_deref())?);
                    let window = EndpointWindow { subscriber: Some(draft.subscriber.clone()), context_hash, limit: MOST_ENDPOINTS, ..EndpointWindow::default() };
                    self.store.endpoints(&window).await?
                }
            };
            self.vault.open_rows(rows, |row| &row.account_id, |key, row| Ok((row.version, shown(key, row)?))).await
        };
        Ok(self.vault.with_current_keys(read).await?.into_iter().map(|(version, endpoint)| (endpoint, version)).collect())
    }

    async fn draft_for(&self, endpoint: &Endpoint, draft: &EndpointDraft) -> Result<RouteDraft> {
        let account_id = endpoint.account_id.clone();
        let EndpointDraft { body, body_type, merge_fields, card, deadline, send_at, .. } = draft;
        let (body_type, merge_fields, deadline, send_at) = (*body_type, merge_fields.clone(), *deadline, *send_at);
        // A card stands in place of the body.
        let (cards, shown_body) = (Vec::from_iter(card.clone()), if card.is_some() { String::new() } else { body.clone() });
        let unfilled = merge_fields.clone().filter(|_| card.is_none());
        let bot = |to: String, channel_id, team_id| {
            let summary = card.as_ref().and_then(|_| summary_of(draft));
            BotDraft { account_id: account_id.clone(), to, channel_id, team_id, body: shown_body.clone(), body_type, merge_fields: unfilled.clone(), summary, cards: cards.clone(), deadline, send_at, ..BotDraft::default() }
        };
        Ok(match &endpoint.target {
            EndpointTarget::TeamsUser { user } => bot(user.clone(), None, None).into(),
            EndpointTarget::TeamsChannel { team_id, channel_id } => match self.row(&endpoint.account_id).await?.kind {
                AccountKind::Tenant => bot(String::new(), Some(channel_id.clone()), Some(team_id.clone())).into(),
                _ => {
                    let subject = Some(draft.subject.clone()).filter(|subject| !subject.is_empty());
                    let (team_id, channel_id) = (team_id.clone(), channel_id.clone());
                    ChannelPostDraft { account_id, team_id, channel_id, subject, body: shown_body, body_type, merge_fields: unfilled, cards, deadline, send_at, ..ChannelPostDraft::default() }.into()
                }
            },
            EndpointTarget::Chat { to, chat_id } => {
                let to = to.clone().unwrap_or_default();
                ChatDraft { account_id, to, chat_id: chat_id.clone(), body: shown_body, body_type, merge_fields: unfilled, cards, deadline, send_at, ..ChatDraft::default() }.into()
            }
            EndpointTarget::Workflow { workflow_id } => {
                let text = card.is_none().then(|| clean_text(body_type, body));
                WorkflowDraft { workflow_id: workflow_id.clone(), text, card: card.clone(), merge_fields: unfilled, key: None, deadline, send_at }.into()
            }
            EndpointTarget::Mail { address } => {
                if draft.subject.trim().is_empty() || body.trim().is_empty() {
                    return Err(Error::invalid("A mail needs a subject and a body. Fill them in; a card is not shown in mails."));
                }
                let (subject, to) = (draft.subject.clone(), vec![address.clone()]);
                MailDraft { account_id, to, subject, body: body.clone(), body_type, merge_fields, deadline, send_at, ..MailDraft::default() }.into()
            }
        })
    }
}

/// What stands where the card cannot be seen: the text in one line. A template is none.
fn summary_of(draft: &EndpointDraft) -> Option<String> {
    if draft.merge_fields.is_some() {
        return None;
    }
    let text = clean_text(draft.body_type, &draft.body);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).take(LONGEST_SUMMARY).collect();
    (!line.is_empty()).then_some(line)
}

/// What is wrong in itself; what its routes allow is looked at for each endpoint.
fn check(draft: &EndpointDraft) -> Result<()> {
    check_subscriber(&draft.subscriber)?;
    draft.context.as_deref().map_or(Ok(()), check_context)?;
    draft.endpoint_id.as_deref().map_or(Ok(()), |id| check_id("endpoint_id", id))?;
    if draft.key.as_deref().is_some_and(|key| !is_key(key)) {
        return Err(Error::invalid("The idempotency key must have 1 to 200 characters without control characters."));
    }
    if draft.body.trim().is_empty() && draft.card.is_none() {
        return Err(Error::invalid("The message is empty. Fill in body, or a card."));
    }
    draft.card.as_deref().map_or(Ok(()), check_card)
}
