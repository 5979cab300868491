//! A message of the bot, through the Bot Connector: person and conversation found or made, message sent. There is no key to recognise a repetition by, and no way
//! to read what was said, so an answer that is lost leaves the send unknown. Making the conversation with a person says nothing to anybody, and may be repeated.
//! Source: Teams, send proactive messages; Bot Framework, REST API of the Bot Connector.

mod content;
mod install;
mod person;
mod sent;

pub use sent::SentByBot;

use crate::bot::{self, BotCaller, Named};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::model::{BotDraft, BotPlaceKind, BotPlaceState, RouteDraft, SendRoute};
use crate::outbox::channel::{Channel, Finding, Ids, Order, Outcome, OwnWords, Prepared, Sender, Terms};
use crate::outbox::check::{header, id as check_id};
use crate::outbox::content::Fields;
use crate::outbox::job::Job;
use crate::roster::bot_caller;
use crate::store::{ConversationRow, ItemState};
use serde::{Deserialize, Serialize};

pub struct Bot;

/// What is known of a message of the bot under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BotProgress {
    /// Once it is known, or made.
    pub chat_id: Option<String>,
    /// Id of the message.
    pub graph_id: Option<String>,
    /// Of the person it is for.
    pub teams_user_id: Option<String>,
    /// Of those who are mentioned, in their order: `29:…` and name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentioned: Vec<(String, String)>,
    /// The bot is not where it is to speak; its app is installed there before it does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_missing: bool,
    /// When the app was installed for this send, in milliseconds since 1970; a second time would change nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<i64>,
    /// The conversation was made just now, so it is there.
    #[serde(skip)]
    is_new: bool,
}

/// Where a message goes.
enum To<'a> {
    Person(&'a str),
    Conversation(&'a str),
    Thread(&'a str),
    Reply(&'a str, &'a str),
}

fn target(draft: &BotDraft) -> To<'_> {
    match (&draft.conversation_id, &draft.channel_id, &draft.reply_to) {
        (Some(id), _, _) => To::Conversation(id),
        (None, Some(channel), Some(head)) => To::Reply(channel, head),
        (None, Some(channel), None) => To::Thread(channel),
        (None, None, _) => To::Person(&draft.to),
    }
}

impl Channel for Bot {
    type Draft = BotDraft;
    type Progress = BotProgress;

    const ROUTE: SendRoute = SendRoute::Bot;
    const SENDER: Sender = Sender::Bot;

    fn of(draft: RouteDraft) -> Option<BotDraft> {
        if let RouteDraft::Bot { bot } = draft { Some(bot) } else { None }
    }

    fn terms(draft: &BotDraft) -> Terms<'_> {
        Terms { key: draft.key.as_deref(), deadline: draft.deadline, send_at: draft.send_at }
    }

    fn check(draft: &BotDraft) -> Result<()> {
        check_target(draft)?;
        draft.summary.as_deref().map_or(Ok(()), |text| header("summary", text, 500))?;
        content::check(draft)
    }

    fn order(draft: &BotDraft) -> Order {
        match target(draft) {
            To::Person(to) => Order::By("bot person", to.to_lowercase()),
            To::Conversation(id) => Order::By("bot conversation", id.to_owned()),
            To::Thread(channel) | To::Reply(channel, _) => Order::By("bot channel", channel.to_owned()),
        }
    }

    fn weight(draft: &BotDraft) -> usize {
        draft.body.len() + draft.cards.iter().map(String::len).sum::<usize>()
    }

    fn canonical(draft: &BotDraft) -> Vec<u8> {
        let mut out = Fields::new(b'b');
        out.text(1, &draft.to);
        for (tag, text) in [(2, &draft.conversation_id), (3, &draft.channel_id), (4, &draft.reply_to), (5, &draft.summary)] {
            out.text(tag, text.as_deref().unwrap_or_default());
        }
        content::append(draft, &mut out, 6);
        out.into_bytes()
    }

    async fn prepare(job: &mut Job<Self>) -> Result<Prepared> {
        match make_ready(job).await {
            Ok(()) => Ok(Prepared::Ready),
            Err(error) => {
                if error.kind() == ErrorKind::AppNotInstalled {
                    install::give_up(job);
                }
                Err(error)
            }
        }
    }

    async fn dispatch(job: &mut Job<Self>) -> Result<()> {
        match say(job).await {
            // What was remembered is gone. Nothing was said; the conversation with a person is made anew, once.
            Err(error) if error.kind() == ErrorKind::ConversationGone && is_replaceable(job) => {
                note_state(job, BotPlaceState::Gone).await?;
                if let To::Person(who) = target(&job.draft) {
                    install::forget(job, who).await?;
                }
                job.progress.own.chat_id = None;
                find_conversation(job).await.map_err(|unfound| if unfound.kind().is_retryable() { unfound } else { error })?;
                say(job).await
            }
            answer => answer,
        }
        .map_err(|error| install::known_late(job, error))
    }

    async fn reconcile(job: &mut Job<Self>) -> Result<Finding> {
        if job.progress.own.is_missing {
            return Ok(Finding::Anew);
        }
        Ok(Finding::Settled(Outcome::Unknown(
            "The Bot Connector did not confirm the message; it may have been delivered. Look into the conversation before sending it again.".to_owned(),
        )))
    }

    async fn refused(job: &mut Job<Self>, error: Error) -> Option<Outcome> {
        if error.kind() == ErrorKind::AppNotInstalled && install::may_help(job) {
            // Nothing was said, and whoever takes it in hand now knows so.
            job.progress.own.is_missing = true;
            let noted = async { note_state(job, BotPlaceState::NotInstalled).await.and(job.advance(ItemState::Prepared).await) }.await;
            return match noted {
                Ok(true) => None,
                Ok(false) => Some(Outcome::Lost),
                Err(error) => Some(Outcome::Later(error)),
            };
        }
        install::give_up(job);
        let state = match error.kind() {
            ErrorKind::AppNotInstalled => Some(BotPlaceState::NotInstalled),
            ErrorKind::BotBlocked => Some(BotPlaceState::Blocked),
            ErrorKind::ConversationGone => Some(BotPlaceState::Gone),
            _ => None,
        };
        if let Some(state) = state {
            // What is not noted is told again by the next send.
            let _ = note_state(job, state).await;
        }
        Some(match job.progress.doubted {
            false => Outcome::Failed(error),
            true => Outcome::Unknown(format!("An earlier request may have delivered it; the last one was refused. {}", error.reason())),
        })
    }

    fn ids(own: BotProgress) -> Ids {
        Ids { graph_id: own.graph_id, chat_id: own.chat_id, teams_user_id: own.teams_user_id, ..Ids::default() }
    }

    fn said(draft: &BotDraft, own: &BotProgress) -> Option<OwnWords> {
        let conversation_id = own.chat_id.clone()?;
        Some(OwnWords { conversation_id, activity_id: own.graph_id.clone().unwrap_or_default(), text: content::text(draft) })
    }
}

fn check_target(draft: &BotDraft) -> Result<()> {
    let named = [!draft.to.is_empty(), draft.conversation_id.is_some(), draft.channel_id.is_some()];
    if named.iter().filter(|is_named| **is_named).count() != 1 {
        return Err(Error::invalid("A message of the bot goes to one place: fill in to, conversation_id or channel_id, and leave the others out."));
    }
    if draft.reply_to.is_some() && draft.channel_id.is_none() {
        return Err(Error::invalid("reply_to names a thread of a channel. Fill in channel_id as well, or leave reply_to out."));
    }
    draft.team_id.as_deref().map_or(Ok(()), |id| check_id("team_id", id))?;
    match target(draft) {
        To::Person(to) => person::check(to),
        To::Conversation(id) => bot::check_conversation(id),
        To::Thread(channel) | To::Reply(channel, _) if !bot::is_team_thread(channel) => {
            Err(Error::invalid("channel_id is no id of a channel. Pass one as channels shows it; it looks like 19:…@thread.tacv2."))
        }
        To::Thread(_) => Ok(()),
        To::Reply(_, head) => match !head.is_empty() && head.len() <= 30 && head.bytes().all(|b| b.is_ascii_digit()) {
            true => Ok(()),
            false => Err(Error::invalid("reply_to is no id of a message in a channel. Pass graph_id of its receipt; it is made of digits.")),
        },
    }
}

/// Nothing of it was said, and it can be made again.
fn is_replaceable(job: &Job<Bot>) -> bool {
    matches!(target(&job.draft), To::Person(_)) && !job.progress.own.is_new && !job.progress.doubted
}

async fn caller(job: &Job<Bot>, known: Option<&ConversationRow>) -> Result<BotCaller> {
    bot_caller(&*job.tools.store, &job.caller(), known).await
}

fn connector(job: &Job<Bot>) -> Result<&bot::Connector> {
    // The setting was taken away after it was handed in: another process may have it.
    job.tools.bots.as_ref().ok_or_else(|| Error::new(ErrorKind::NotConnected, "There is no bot here any more. Set bot_app to the application that is the bot."))
}

async fn tenant(job: &Job<Bot>) -> Result<String> {
    let row = job.tools.store.account(&job.item.account_id).await?.ok_or_else(|| Error::new(ErrorKind::NotConnected, "The account is gone."))?;
    Ok(row.tenant_id)
}

async fn make_ready(job: &mut Job<Bot>) -> Result<()> {
    if job.progress.own.is_missing {
        install::reach(job, bot::not_installed()).await?;
    }
    find_people(job).await?;
    find_conversation(job).await
}

async fn find_people(job: &mut Job<Bot>) -> Result<()> {
    if let (To::Person(to), None, None) = (target(&job.draft), &job.progress.own.teams_user_id, &job.progress.own.chat_id) {
        let (to, team) = (to.to_owned(), job.draft.team_id.clone());
        match person::find(job, &to, team.as_deref()).await {
            Ok((id, _)) => job.progress.own.teams_user_id = Some(id),
            // The bot has not seen them, nor may it look there. They can be reached all the same, if its app is there for them.
            Err(unseen) if matches!(unseen.kind(), ErrorKind::NotFound | ErrorKind::AppNotInstalled) && install::may_help(job) => {
                job.progress.own.chat_id = install::remembered(job, &to).await?;
                if job.progress.own.chat_id.is_none() {
                    install::reach(job, unseen).await?;
                }
            }
            Err(error) => return Err(error),
        }
    }
    if job.progress.own.mentioned.len() != job.draft.mentions.len() {
        let (mut found, team) = (Vec::new(), job.draft.team_id.clone());
        for address in content::mentioned(&job.draft) {
            let one = match person::find(job, &address, team.as_deref()).await {
                // Where they are looked for is where the message goes, and the bot is to be there.
                Err(error) if error.kind() == ErrorKind::AppNotInstalled && job.draft.channel_id.is_some() && install::may_help(job) => {
                    install::reach(job, error).await?;
                    person::find(job, &address, team.as_deref()).await
                }
                found => found,
            };
            found.push(one.map_err(|error| install::known_late(job, error))?);
        }
        job.progress.own.mentioned = found;
    }
    Ok(())
}

/// Its id is stored with the state that follows; asked for again, Teams gives the same one.
async fn find_conversation(job: &mut Job<Bot>) -> Result<()> {
    if job.progress.own.chat_id.is_some() {
        return Ok(());
    }
    let id = match target(&job.draft) {
        To::Conversation(id) => id.to_owned(),
        To::Reply(channel, head) => bot::thread_of(channel, head),
        // Made with the message itself.
        To::Thread(_) => return Ok(()),
        To::Person(_) => {
            let user = job.progress.own.teams_user_id.clone().ok_or_else(|| Error::internal("A message of the bot has no recipient."))?;
            match job.tools.store.conversation_with(&job.item.account_id, &user).await? {
                Some(known) => known.conversation_id,
                None => return make_conversation(job, user).await,
            }
        }
    };
    job.progress.own.chat_id = Some(id);
    Ok(())
}

async fn make_conversation(job: &mut Job<Bot>, user: String) -> Result<()> {
    let (caller, tenant_id) = (caller(job, None).await?, tenant(job).await?);
    let made = match connector(job)?.personal(&caller, &tenant_id, &user).await.map_err(of_preparing) {
        Err(error) if error.kind() == ErrorKind::AppNotInstalled && install::may_help(job) => return install::reach(job, error).await,
        made => made.map_err(|error| install::known_late(job, error))?,
    };
    failpoint!("bot.conversation_made");
    job.progress.own.is_new = true;
    keep(job, &made.conversation_id, BotPlaceKind::Personal, Some(user), made.service_url.or(caller.service_url)).await?;
    job.progress.own.chat_id = Some(made.conversation_id);
    Ok(())
}

/// Nothing was said yet, whatever became of the request.
fn of_preparing(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Upstream | ErrorKind::OutcomeUnknown => Error::new(ErrorKind::Network, "The Bot Connector gave no usable answer about the conversation; nothing was sent. It is tried again."),
        _ => error,
    }
}

async fn say(job: &mut Job<Bot>) -> Result<()> {
    let mentioned: Vec<Named> = job.progress.own.mentioned.iter().map(|(id, name)| Named { user_id: id.clone(), name: name.clone(), text: String::new() }).collect();
    let activity = content::compose(&job.draft, &mentioned)?;
    let Some(conversation_id) = job.progress.own.chat_id.clone() else {
        let To::Thread(channel) = target(&job.draft) else { return Err(Error::internal("A prepared message of the bot has no conversation.")) };
        let (channel, caller, tenant_id) = (channel.to_owned(), caller(job, None).await?, tenant(job).await?);
        let made = connector(job)?.thread(&caller, &tenant_id, &channel, &activity).await?;
        // It is said; what is known of it is kept as far as that works.
        let head = made.activity_id.or_else(|| made.conversation_id.split_once(";messageid=").map(|(_, head)| head.to_owned()));
        job.progress.own.graph_id = head;
        job.progress.own.chat_id = Some(made.conversation_id.clone());
        note_said(keep(job, &made.conversation_id, BotPlaceKind::Channel, None, made.service_url.or(caller.service_url)).await);
        return Ok(());
    };
    let known = job.tools.store.conversation(&job.item.account_id, &conversation_id).await?;
    if known.is_none() && matches!(target(&job.draft), To::Conversation(_)) {
        return Err(Error::new(ErrorKind::NotFound, "The bot knows no conversation with this id in this organisation. Pass one as receipts show it in chat_id."));
    }
    let own = job.progress.own.teams_user_id.clone();
    let mut caller = caller(job, known.as_ref()).await?;
    caller.person = caller.person.or(own);
    let sent = connector(job)?.say(&caller, &conversation_id, &activity).await?;
    job.progress.own.graph_id = sent.activity_id;
    let is_open = known.as_ref().is_none_or(|row| row.state == BotPlaceState::Open);
    if sent.service_url.is_some() || !is_open {
        let kind = match target(&job.draft) {
            To::Person(_) => BotPlaceKind::Personal,
            To::Thread(_) | To::Reply(..) => BotPlaceKind::Channel,
            To::Conversation(_) => known.map_or(BotPlaceKind::Channel, |row| row.kind),
        };
        note_said(keep(job, &conversation_id, kind, None, sent.service_url).await);
    }
    Ok(())
}

/// The message is out: that is what has to be stored.
fn note_said(kept: Result<()>) {
    if let Err(error) = kept {
        tracing::warn!(target: "tidings::outbox", kind = ?error.kind(), "a conversation of the bot could not be noted");
    }
}

async fn keep(job: &Job<Bot>, conversation_id: &str, kind: BotPlaceKind, teams_user_id: Option<String>, service_url: Option<String>) -> Result<()> {
    let row = ConversationRow {
        account_id: job.item.account_id.clone(),
        conversation_id: conversation_id.to_owned(),
        kind,
        teams_user_id,
        service_url,
        state: BotPlaceState::Open,
        updated_at: job.now(),
        active_at: job.now(),
        version: 0,
        sealed: None,
    };
    job.tools.store.keep_conversation(&row).await
}

async fn note_state(job: &Job<Bot>, state: BotPlaceState) -> Result<()> {
    match &job.progress.own.chat_id {
        Some(id) => job.tools.store.set_conversation_state(&job.item.account_id, id, state).await,
        None => Ok(()),
    }
}
