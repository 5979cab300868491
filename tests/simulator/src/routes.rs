//! What the simulator has of Microsoft's paths. What is not here is answered 501, never like an error of Microsoft's.

use crate::http::{Answer, Call, Host};
use serde_json::json;

/// One path, or one family of paths.
pub struct Route {
    pub path: &'static str,
    /// Methods that are served.
    pub has: &'static str,
    /// Methods that Microsoft serves there and the simulator does not. All others are refused with 405, as Graph does.
    pub lacks: &'static str,
    /// Query options of GET that are understood. Every other one is 501.
    pub options: &'static str,
}

const fn route(path: &'static str, has: &'static str, lacks: &'static str, options: &'static str) -> Route {
    Route { path, has, lacks, options }
}

/// `{user}` is `me` or `users/…`; `{folder}` is `mailFolders/…`, with as many `childFolders/…` as there are;
/// `{messages}` is `messages`, or `messages` of a folder. Two stars stand for anything below.
pub const GRAPH: [Route; 152] = [
    route("$metadata", "GET", "", ""),
    route("$batch", "POST", "", ""),
    route("organization", "GET", "", "$select $count"),
    route("organization/{id}", "GET", "PATCH DELETE", "$select"),
    route("organization/{id}/**", "", "GET POST PUT PATCH DELETE", ""),
    route("users", "GET", "POST", "$select $filter $orderby $search $top $count $skiptoken"),
    route("users/$count", "GET", "", "$filter $search"),
    route("users/delta", "", "GET", ""),
    route("{user}", "GET", "PATCH DELETE", "$select"),
    route("{user}/photo", "GET", "DELETE", "$select"),
    route("{user}/photo/$value", "GET PUT PATCH", "DELETE", ""),
    route("{user}/photos", "", "GET", ""),
    route("{user}/photos/**", "", "GET", ""),
    route("{user}/mailboxSettings", "GET PATCH", "", "$select"),
    route("{user}/mailboxSettings/{property}", "GET", "", ""),
    route("{user}/outlook/masterCategories", "GET POST", "", "$select $top $skip $count"),
    route("{user}/outlook/masterCategories/{id}", "GET PATCH DELETE", "", "$select"),
    route("{user}/outlook", "", "GET", ""),
    route("{user}/outlook/supportedLanguages", "", "GET", ""),
    route("{user}/outlook/supportedTimeZones", "", "GET", ""),
    route("{user}/translateExchangeIds", "POST", "", ""),
    route("{user}/sendMail", "POST", "", ""),
    route("{messages}", "GET POST", "", "$select $expand $filter $orderby $search $top $skip $skiptoken $count"),
    route("{messages}/$count", "GET", "", "$filter"),
    route("{user}/messages/delta", "", "GET", ""),
    route("{folder}/messages/delta", "GET", "", "$select $expand $filter $orderby $search $top $skiptoken $deltatoken changeType"),
    route("{messages}/{id}", "GET PATCH DELETE", "", "$select $expand"),
    route("{messages}/{id}/$value", "GET", "PUT", ""),
    route("{messages}/{id}/createReply", "POST", "", ""),
    route("{messages}/{id}/createReplyAll", "POST", "", ""),
    route("{messages}/{id}/createForward", "POST", "", ""),
    route("{messages}/{id}/reply", "POST", "", ""),
    route("{messages}/{id}/replyAll", "POST", "", ""),
    route("{messages}/{id}/forward", "POST", "", ""),
    route("{messages}/{id}/send", "POST", "", ""),
    route("{messages}/{id}/move", "POST", "", ""),
    route("{messages}/{id}/copy", "POST", "", ""),
    route("{messages}/{id}/permanentDelete", "POST", "", ""),
    route("{messages}/{id}/extensions", "", "GET POST", ""),
    route("{messages}/{id}/extensions/{extension}", "", "GET PATCH DELETE", ""),
    route("{messages}/{id}/attachments", "GET POST", "", "$select $top $skip $count"),
    route("{messages}/{id}/attachments/$count", "", "GET", ""),
    route("{messages}/{id}/attachments/createUploadSession", "POST", "", ""),
    route("{messages}/{id}/attachments/{attachment}", "GET DELETE", "", "$select"),
    route("{messages}/{id}/attachments/{attachment}/$value", "GET", "", ""),
    route("{user}/mailFolders", "GET POST", "", "$select $filter $orderby $top $skip $count includeHiddenFolders"),
    route("{user}/mailFolders/$count", "GET", "", "$filter includeHiddenFolders"),
    route("{user}/mailFolders/delta", "GET", "", "$select $top $skiptoken $deltatoken"),
    route("{folder}", "GET PATCH DELETE", "", "$select includeHiddenFolders"),
    route("{folder}/childFolders", "GET POST", "", "$select $filter $orderby $top $skip $count includeHiddenFolders"),
    route("{folder}/childFolders/$count", "GET", "", "$filter includeHiddenFolders"),
    route("{folder}/move", "POST", "", ""),
    route("{folder}/copy", "POST", "", ""),
    route("{folder}/permanentDelete", "POST", "", ""),
    route("{folder}/messageRules", "", "GET POST", ""),
    route("{folder}/messageRules/{rule}", "", "GET PATCH DELETE", ""),
    route("{user}/inferenceClassification", "", "GET", ""),
    route("{user}/inferenceClassification/**", "", "GET POST PATCH DELETE", ""),
    route("chats", "GET POST", "", "$expand $filter $orderby $top $skiptoken"),
    route("{user}/chats", "GET", "", "$expand $filter $orderby $top $skiptoken"),
    route("{chat}", "GET", "", "$expand"),
    route("chats/{id}", "", "PATCH DELETE", ""),
    route("{chat}/members", "GET", "", ""),
    route("chats/{id}/members", "", "POST", ""),
    route("{chat}/members/{member}", "", "GET", ""),
    route("chats/{id}/members/{member}", "", "PATCH DELETE POST", ""),
    route("{chat}/messages", "GET", "", "$top $orderby $filter $skiptoken"),
    route("{user}/chats/{id}/messages", "POST", "", ""),
    route("chats/{id}/messages", "POST", "", ""),
    route("chats/{id}/messages/delta", "", "GET", ""),
    route("chats/{id}/messages/replyWithQuote", "", "POST", ""),
    route("{chat}/messages/{message}", "GET", "", ""),
    route("chats/{id}/messages/{message}", "PATCH", "", ""),
    route("{user}/chats/{id}/messages/{message}/softDelete", "POST", "", ""),
    route("{chat}/messages/{message}/hostedContents", "GET", "POST", ""),
    route("{chat}/messages/{message}/hostedContents/{content}", "GET", "PATCH DELETE", ""),
    route("{chat}/messages/{message}/hostedContents/{content}/$value", "GET", "PUT DELETE", ""),
    route("{chat}/messages/{message}/**", "", "GET POST PATCH DELETE", ""),
    route("{chat}/lastMessagePreview", "", "GET", ""),
    route("{chat}/installedApps", "", "GET POST", ""),
    route("{chat}/installedApps/**", "", "GET POST PATCH DELETE", ""),
    route("chats/{id}/markChatReadForUser", "", "POST", ""),
    route("chats/{id}/markChatUnreadForUser", "", "POST", ""),
    route("chats/{id}/hideForUser", "", "POST", ""),
    route("chats/{id}/unhideForUser", "", "POST", ""),
    route("{user}/contacts", "GET POST", "", "$select $top $skip $count"),
    route("{user}/contacts/$count", "", "GET", ""),
    route("{user}/contacts/delta", "GET", "", "$select $top $skiptoken $deltatoken"),
    route("{user}/contacts/{contact}", "GET PATCH DELETE", "", "$select"),
    route("{user}/contacts/{contact}/**", "", "GET POST PUT PATCH DELETE", ""),
    route("{user}/contactFolders", "GET POST", "", "$select $top $skip $count"),
    route("{user}/contactFolders/delta", "", "GET", ""),
    route("{user}/contactFolders/{contactFolder}", "GET DELETE", "PATCH", "$select"),
    route("{user}/contactFolders/{contactFolder}/childFolders", "GET POST", "", "$select $top $skip $count"),
    route("{user}/contactFolders/{contactFolder}/childFolders/**", "", "GET POST PATCH DELETE", ""),
    route("{user}/contactFolders/{contactFolder}/contacts", "GET POST", "", "$select $top $skip $count"),
    route("{user}/contactFolders/{contactFolder}/contacts/delta", "GET", "", "$select $top $skiptoken $deltatoken"),
    route("{user}/contactFolders/{contactFolder}/contacts/{contact}", "GET PATCH DELETE", "", "$select"),
    route("{user}/contactFolders/{contactFolder}/contacts/{contact}/**", "", "GET POST PUT PATCH DELETE", ""),
    route("{user}/calendar/**", "", "GET POST PATCH DELETE", ""),
    route("{user}/calendars/**", "", "GET POST PATCH DELETE", ""),
    route("{user}/calendarView", "GET", "", "startDateTime endDateTime $select $top $skip $count"),
    route("{user}/calendarView/delta", "GET", "", "startDateTime endDateTime $skiptoken $deltatoken"),
    route("{user}/calendarView/**", "", "GET", ""),
    route("{user}/events", "", "GET POST", ""),
    route("{user}/events/{event}", "GET", "PATCH DELETE", "$select"),
    route("{user}/events/{event}/**", "", "GET POST PATCH DELETE", ""),
    route("{user}/onlineMeetings/**", "", "GET POST PATCH DELETE", ""),
    route("{user}/drive", "GET", "PATCH", ""),
    route("{user}/drive/**", "GET POST PUT PATCH DELETE", "", "$select @microsoft.graph.conflictBehavior"),
    route("{user}/drives", "", "GET", ""),
    route("drives/{id}", "GET", "PATCH", ""),
    route("drives/{id}/**", "GET POST PUT PATCH DELETE", "", "$select @microsoft.graph.conflictBehavior"),
    route("sites/**", "", "GET POST PUT PATCH DELETE", ""),
    route("{user}/joinedTeams", "GET", "", ""),
    route("{user}/teamwork/installedApps", "GET POST", "", "$expand $filter"),
    route("{user}/teamwork/installedApps/{install}", "GET DELETE", "", "$expand"),
    route("{user}/teamwork/installedApps/{install}/chat", "GET", "", "$select"),
    route("{user}/teamwork/installedApps/{install}/upgrade", "POST", "", ""),
    route("{user}/teamwork/**", "", "GET POST PATCH DELETE", ""),
    route("{user}/presence", "", "GET", ""),
    route("teams", "GET", "POST", "$filter $select $top $skiptoken $count"),
    route("teams/{id}", "GET", "PATCH DELETE", "$select"),
    route("teams/{id}/allChannels", "GET", "", "$filter $select"),
    route("teams/{id}/primaryChannel", "GET", "", ""),
    route("teams/{id}/channels", "GET", "POST", "$filter $select"),
    route("teams/{id}/channels/{channel}", "GET", "PATCH DELETE", "$select"),
    route("teams/{id}/channels/{channel}/filesFolder", "GET", "", ""),
    route("teams/{id}/channels/{channel}/messages", "GET POST", "", "$top $skiptoken"),
    route("teams/{id}/channels/{channel}/messages/delta", "", "GET", ""),
    route("teams/{id}/channels/{channel}/messages/{message}", "GET PATCH", "", ""),
    route("teams/{id}/channels/{channel}/messages/{message}/hostedContents", "GET", "POST", ""),
    route("teams/{id}/channels/{channel}/messages/{message}/hostedContents/{content}", "GET", "PATCH DELETE", ""),
    route("teams/{id}/channels/{channel}/messages/{message}/hostedContents/{content}/$value", "GET", "PUT DELETE", ""),
    route("teams/{id}/channels/{channel}/messages/{message}/replies/{reply}/hostedContents", "GET", "POST", ""),
    route("teams/{id}/channels/{channel}/messages/{message}/replies/{reply}/hostedContents/{content}", "GET", "PATCH DELETE", ""),
    route("teams/{id}/channels/{channel}/messages/{message}/replies/{reply}/hostedContents/{content}/$value", "GET", "PUT DELETE", ""),
    route("teams/{id}/channels/{channel}/messages/{message}/softDelete", "POST", "", ""),
    route("teams/{id}/channels/{channel}/messages/{message}/replies", "GET POST", "", "$top $skiptoken"),
    route("teams/{id}/channels/{channel}/messages/{message}/replies/{reply}", "GET PATCH", "", ""),
    route("teams/{id}/channels/{channel}/messages/{message}/replies/{reply}/softDelete", "POST", "", ""),
    route("teams/{id}/installedApps", "GET POST", "", "$expand $filter"),
    route("teams/{id}/installedApps/{install}", "GET DELETE", "", "$expand"),
    route("teams/{id}/installedApps/{install}/upgrade", "POST", "", ""),
    route("teams/**", "", "GET POST PUT PATCH DELETE", ""),
    route("appCatalogs/teamsApps", "GET POST", "", "$filter $select $expand requiresReview"),
    route("appCatalogs/teamsApps/{app}", "", "GET PATCH DELETE", ""),
    route("appCatalogs/teamsApps/{app}/appDefinitions", "POST", "GET", "requiresReview"),
    route("appCatalogs/**", "", "GET POST PATCH DELETE", ""),
    route("subscriptions", "GET POST", "", ""),
    route("subscriptions/{id}", "GET PATCH DELETE", "", ""),
    route("subscriptions/{id}/reauthorize", "POST", "", ""),
];

/// The sign-in host.
pub const LOGIN: [Route; 26] = [
    route("{tenant}/v2.0/.well-known/openid-configuration", "GET", "", ""),
    route("{tenant}/.well-known/openid-configuration", "GET", "", ""),
    route("{tenant}/discovery/v2.0/keys", "GET", "", ""),
    route("{tenant}/discovery/keys", "GET", "", ""),
    route("{tenant}/discovery/instance", "GET", "", ""),
    route("{tenant}/oauth2/v2.0/authorize", "GET POST", "", ""),
    route("{tenant}/oauth2/authorize", "GET POST", "", ""),
    route("{tenant}/oauth2/v2.0/token", "GET POST", "", ""),
    route("{tenant}/oauth2/token", "GET POST", "", ""),
    route("{tenant}/oauth2/v2.0/devicecode", "POST", "", ""),
    route("{tenant}/oauth2/devicecode", "", "POST", ""),
    route("{tenant}/oauth2/v2.0/logout", "GET POST", "", ""),
    route("{tenant}/oauth2/logout", "GET POST", "", ""),
    route("{tenant}/v2.0/adminconsent", "GET POST", "", ""),
    route("{tenant}/adminconsent", "GET POST", "", ""),
    route("devicelogin", "GET POST", "", ""),
    route("error", "GET", "", ""),
    route("{tenant}/saml2", "", "GET POST", ""),
    route("{tenant}/wsfed", "", "GET POST", ""),
    route("{tenant}/reprocess", "", "GET POST", ""),
    route("{tenant}/kerberos", "", "POST", ""),
    route("{tenant}/openid/userinfo", "", "GET POST", ""),
    route("{tenant}/userrealm/{user}", "", "GET", ""),
    route("{tenant}/getcredentialtype", "", "POST", ""),
    route("{tenant}/federationmetadata/2007-06/federationmetadata.xml", "", "GET", ""),
    route("{tenant}/winauth/**", "", "GET POST", ""),
];

/// The Bot Connector, behind the region and `v3`.
pub const BOT: [Route; 22] = [
    route("conversations", "POST", "GET", ""),
    route("conversations/{id}/activities", "POST", "", ""),
    route("conversations/{id}/activities/{activity}", "POST PUT DELETE", "", ""),
    route("conversations/{id}/activities/history", "", "POST", ""),
    route("conversations/{id}/activities/{activity}/members", "", "GET", ""),
    route("conversations/{id}/attachments", "", "POST", ""),
    route("conversations/{id}/members", "GET", "", ""),
    route("conversations/{id}/members/{member}", "GET", "DELETE", ""),
    route("conversations/{id}/pagedMembers", "GET", "", ""),
    route("teams/{id}", "GET", "", ""),
    route("teams/{id}/conversations", "GET", "", ""),
    route("attachments/{id}", "", "GET", ""),
    route("attachments/{id}/views/{view}", "", "GET", ""),
    route("meetings/{id}", "", "GET", ""),
    route("meetings/{id}/notification", "", "POST", ""),
    route("meetings/{id}/participants/{participant}", "", "GET", ""),
    route("batch/conversation/users", "", "POST", ""),
    route("batch/conversation/tenant", "", "POST", ""),
    route("batch/conversation/team", "", "POST", ""),
    route("batch/conversation/channels", "", "POST", ""),
    route("batch/conversation/{operation}", "", "GET DELETE", ""),
    route("batch/conversation/failedentries/{operation}", "", "GET", ""),
];

/// What the simulator was not made for.
pub fn lacks(call: &Call, what: &str) -> Answer {
    let path = crate::http::decode(&call.path, false);
    let more = if what.is_empty() { String::new() } else { format!(": {what}") };
    let text = format!("This simulator lacks {} {path}{more}", call.method);
    Answer::json(501, &json!({"error": {"code": "SimulatorLacks", "message": text}}))
}

/// 501, if the request asks for something that is not simulated.
pub fn missing(call: &Call) -> Option<Answer> {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (table, parts) = match (call.host, parts.as_slice()) {
        (Host::Graph, ["oidc", "userinfo"]) => return (call.method != "GET").then(|| lacks(call, "")),
        (Host::Graph, ["v1.0", rest @ ..]) => (&GRAPH[..], rest),
        (Host::Graph, _) => return Some(lacks(call, "")),
        (Host::Bot, [_, "v3", rest @ ..] | [_, _, "v3", rest @ ..]) => (&BOT[..], rest),
        (Host::Bot, _) => return Some(lacks(call, "")),
        (_, rest) => (&LOGIN[..], rest),
    };
    let fits: Vec<&Route> = best(table, parts);
    if fits.is_empty() {
        return Some(lacks(call, ""));
    }
    let named = |list: &str| list.split(' ').any(|m| m == call.method);
    let Some(route) = fits.iter().find(|r| named(r.has)) else {
        // Nothing of it is here, or Microsoft has this method and we do not; the rest is refused as Graph refuses it.
        let absent = fits.iter().all(|r| r.has.is_empty()) || fits.iter().any(|r| named(r.lacks));
        return (absent || call.host != Host::Graph).then(|| lacks(call, ""));
    };
    if call.host != Host::Graph {
        return None;
    }
    // Annotations stand in the query of any method.
    let known = |name: &str| (call.method == "GET" || name.starts_with('@') || name == "requiresReview") && route.options.split(' ').any(|o| o.eq_ignore_ascii_case(name));
    let params = call.params();
    let odd = params.iter().map(|(name, _)| name).find(|name| !known(name))?;
    Some(lacks(call, &format!("query option {odd}")))
}

/// The routes that say the most about this path: words before placeholders, placeholders before stars.
fn best<'a>(table: &'a [Route], parts: &[&str]) -> Vec<&'a Route> {
    let ranked: Vec<(u64, &Route)> = table.iter().filter_map(|r| fit(r.path, parts).map(|rank| (rank, r))).collect();
    let top = ranked.iter().map(|(rank, _)| *rank).max().unwrap_or(0);
    ranked.into_iter().filter(|(rank, _)| *rank == top).map(|(_, r)| r).collect()
}

/// How well a path fits a pattern: two bits a segment, the first ones weighing most; none when it does not.
fn fit(pattern: &str, parts: &[&str]) -> Option<u64> {
    let mut ranks = Vec::new();
    let mut rest = parts;
    for want in pattern.split('/') {
        // The name of a chat weighs as any name does, so that paths under `chats` and under a person are told alike.
        let named = want == "{chat}";
        let (taken, rank) = match want {
            "**" => (rest.len(), 1),
            "{user}" => (user(rest)?, 3),
            "{folder}" => (user(rest)? + folder(rest.get(user(rest)?..)?)?, 3),
            "{messages}" => {
                let owner = user(rest)?;
                let below = rest.get(owner..)?;
                let inside = folder(below).unwrap_or(0);
                word(below.get(inside..)?, "messages")?;
                (owner + inside + 1, 3)
            }
            "{chat}" => {
                let owner = user(rest).unwrap_or(0);
                word(rest.get(owner..)?, "chats")?;
                rest.get(owner + 1)?;
                (owner + 2, 3)
            }
            want if want.starts_with('{') => (rest.first().map(|_| 1)?, 2),
            want => (word(rest, want)?, 3),
        };
        ranks.extend(std::iter::repeat_n(rank, taken));
        if named && let Some(last) = ranks.last_mut() {
            *last = 2;
        }
        rest = rest.get(taken..)?;
    }
    let score = ranks.iter().take(32).enumerate().fold(0, |sum, (at, rank)| sum | rank << (62 - 2 * at));
    rest.is_empty().then_some(score)
}

fn word(parts: &[&str], want: &str) -> Option<usize> {
    parts.first().filter(|p| p.eq_ignore_ascii_case(want)).map(|_| 1)
}

/// `me`, or `users` and a name.
fn user(parts: &[&str]) -> Option<usize> {
    match parts {
        [me, ..] if me.eq_ignore_ascii_case("me") => Some(1),
        [users, name, ..] if users.eq_ignore_ascii_case("users") && !["$count", "delta"].contains(name) => Some(2),
        _ => None,
    }
}

/// `mailFolders/…`, and the folders in it.
fn folder(parts: &[&str]) -> Option<usize> {
    word(parts, "mailFolders")?;
    let named = |at: usize| parts.get(at).is_some_and(|name| !["$count", "delta"].contains(name));
    let mut taken = named(1).then_some(2)?;
    while word(parts.get(taken..)?, "childFolders").is_some() && named(taken + 1) {
        taken += 2;
    }
    Some(taken)
}
