//! The app of the bot is installed where a message is to go and the bot is not, if its id is set and the organisation's account may: for the person, in the team or in the
//! group chat; once for each send. Also the way to somebody whom the bot has never seen: the chat of the installation is the conversation with them. Teams learns of an
//! installation a little later, and is asked again until then.
//! Sources: Graph, userTeamwork: install app, team: add app, chat: install app, userScopeTeamsAppInstallation: get chat; Teams, send proactive messages (proactively install apps).

use super::{Bot, To, connector, keep, target};
use crate::bot;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::AppPlace;
use crate::model::BotPlaceKind;
use crate::outbox::item::{Verdict, verdict};
use crate::outbox::job::Job;
use crate::roster::by_of;

/// How long Teams may take to know of an installation that was made for a message.
const LONGEST_MS: i64 = 120_000;
/// Between two looks at whether it does, which come as far apart as the installation is old.
const PAUSES_MS: (i64, i64) = (2_000, 30_000);

/// Whom the chat is with, as the store knows it.
async fn key(job: &Job<Bot>, who: &str) -> Result<[u8; 32]> {
    job.tools.vault.hashes(&job.item.account_id).await?.of("bot chat with", &[who.to_lowercase().as_bytes()])
}

/// The conversation with somebody whom the bot has not seen, as it was found before.
pub async fn remembered(job: &Job<Bot>, who: &str) -> Result<Option<String>> {
    Ok(job.tools.store.chat(&job.item.account_id, &key(job, who).await?).await?.map(|(id, _)| id))
}

pub async fn forget(job: &Job<Bot>, who: &str) -> Result<()> {
    job.tools.store.keep_chat(&job.item.account_id, &key(job, who).await?, None, job.now()).await
}

/// Nothing was said, the app's id is set, and it was not installed for this send before.
pub fn may_help(job: &Job<Bot>) -> bool {
    let has_app = job.tools.bots.as_ref().is_some_and(|connector| connector.app().is_some());
    has_app && job.progress.own.installed_at.is_none() && !job.progress.doubted
}

/// The send fails: sent again later, it may install once more.
pub fn give_up(job: &mut Job<Bot>) {
    (job.progress.own.is_missing, job.progress.own.installed_at) = (false, None);
}

/// What it means that the bot is still not there once its app was installed: Teams does not know it yet, or does not let the bot write after all.
pub fn known_late(job: &Job<Bot>, error: Error) -> Error {
    let Some(at) = job.progress.own.installed_at.filter(|_| error.kind() == ErrorKind::AppNotInstalled) else { return error };
    let age = job.now().saturating_sub(at);
    if !(0..LONGEST_MS).contains(&age) {
        let reason = "The app of the bot was installed for this message, and two minutes later Teams still says that the bot is not there. Look whether it was removed again or a policy keeps it away; otherwise send it again later with retry.";
        return error.with_reason(reason);
    }
    let reason = "The app of the bot was installed for this message, and Teams does not know of it yet; nothing was sent. It is tried again for two minutes.";
    // Its own back-off, whatever else the send has waited for.
    Error::new(ErrorKind::Throttled, reason).with_request_of(&error).with_retry_after_ms(u64::try_from(age.clamp(PAUSES_MS.0, PAUSES_MS.1)).ok()).before_its_turn()
}

/// Installs the app where the message goes; for somebody named in `to`, the conversation is known then. `otherwise`: why the bot could not write there before; it stays the
/// error where the app is not installed by programs, or may not be.
pub async fn reach(job: &mut Job<Bot>, otherwise: Error) -> Result<()> {
    let Some(external_id) = connector(job)?.app().map(str::to_owned) else { return Err(otherwise) };
    match installed(job, &external_id).await {
        Ok(true) => {
            tracing::info!(target: "tidings::outbox", account = job.item.account_id, "the app of the bot was installed where a message goes");
            (job.progress.own.is_missing, job.progress.own.installed_at) = (false, Some(job.now()));
            failpoint!("bot.installed");
            Ok(())
        }
        Ok(false) => Err(otherwise),
        // It passes, and nothing was said.
        Err(error) if verdict(&error) != Verdict::Refused => Err(super::of_preparing(error)),
        Err(error) => {
            let reason = format!("{} Its app could not be installed there: {}", otherwise.reason(), error.reason());
            Err(otherwise.with_reason(reason))
        }
    }
}

/// False: there is no such person, app or chat.
async fn installed(job: &mut Job<Bot>, external_id: &str) -> Result<bool> {
    let Some(place) = place(job).await? else { return Ok(false) };
    let (graph, caller) = (&job.tools.graph, job.caller());
    let Some(app_id) = graph.app_in_catalog(&caller, external_id).await? else {
        return Err(Error::new(ErrorKind::NotFound, "The organisation's catalogue has no app with the id that bot_external_id names."));
    };
    let ensured = graph.ensure_app(&caller, &place, &app_id).await?;
    let (To::Person(who), AppPlace::User(user_id)) = (target(&job.draft), &place) else { return Ok(true) };
    let who = who.to_owned();
    let chat = graph.app_chat(&caller, user_id, &ensured.installed.id, !ensured.was_there).await?;
    let Some(chat_id) = chat.filter(|id| bot::check_conversation(id).is_ok()) else { return Ok(false) };
    let user = job.progress.own.teams_user_id.clone().or_else(|| bot::is_teams_user(&who).then(|| who.clone()));
    keep(job, &chat_id, BotPlaceKind::Personal, user, None).await?;
    job.tools.store.keep_chat(&job.item.account_id, &key(job, &who).await?, Some(&chat_id), job.now()).await?;
    job.progress.own.chat_id = Some(chat_id);
    Ok(true)
}

/// Where the app has to be for this message. None: nobody knows the person.
async fn place(job: &Job<Bot>) -> Result<Option<AppPlace>> {
    let id = match target(&job.draft) {
        To::Person(who) => return Ok(object_id(job, who).await?.map(AppPlace::User)),
        To::Thread(_) | To::Reply(..) => return team(job).map(Some),
        To::Conversation(id) => id,
    };
    let Some(known) = job.tools.store.conversation(&job.item.account_id, id).await? else { return Ok(None) };
    match (known.kind, known.teams_user_id) {
        (BotPlaceKind::Personal, Some(user)) => Ok(object_id(job, &user).await?.map(AppPlace::User)),
        (BotPlaceKind::Personal, None) => Ok(None),
        (BotPlaceKind::Group, _) => Ok(Some(AppPlace::Chat(id.to_owned()))),
        (BotPlaceKind::Channel, _) => team(job).map(Some),
    }
}

/// A channel does not tell its team, and Graph cannot be asked for it.
fn team(job: &Job<Bot>) -> Result<AppPlace> {
    let none = || Error::invalid("name the team of the channel in team_id, as teams shows it.");
    job.draft.team_id.clone().filter(|id| crate::trust::is_guid(id)).map(AppPlace::Team).ok_or_else(none)
}

fn unread(error: Error) -> Error {
    if error.kind() != ErrorKind::Forbidden {
        return error;
    }
    error.with_reason("Whoever is named by an address is looked up in the directory, for which User.ReadBasic.All (or User.Read.All) was not granted. Ask an administrator.")
}

/// Of Entra: as the bot has seen them, or as the directory has them.
async fn object_id(job: &Job<Bot>, who: &str) -> Result<Option<String>> {
    if crate::trust::is_guid(who) {
        return Ok(Some(who.to_owned()));
    }
    let (tools, account_id) = (&job.tools, job.item.account_id.as_str());
    let seen = tools.store.bot_person(account_id, &by_of(&tools.vault, account_id, who).await?).await?.and_then(|row| row.object_id);
    match seen {
        Some(id) => Ok(Some(id)),
        None if bot::is_teams_user(who) => Ok(None),
        None => Ok(tools.graph.find_person(&job.caller(), who).await.map_err(unread)?.map(|person| person.id)),
    }
}
