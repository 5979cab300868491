//! What a person has beside mail: a photo, mailbox settings, categories, and ids in several forms.

use crate::actions::Parameters;
use crate::graph::{Caller, bad, not_allowed, page};
use crate::http::{Answer, Bytes, Call};
use crate::mail::{denied, not_found};
use crate::odata::Trouble;
use crate::people::Mailbox;
use crate::query::{self, lacking};
use crate::schema::{CATEGORY, Meaning, PHOTO, SETTINGS};
use crate::world::World;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// What people have changed; the rest is as everybody has it.
#[derive(Default)]
pub struct Profile {
    settings: Option<Value>,
    categories: Option<Vec<Value>>,
    photo: Option<(String, Bytes)>,
}

const SETTING_READ: [&str; 2] = ["MailboxSettings.Read", "MailboxSettings.ReadWrite"];

/// The paths below a person that lead here.
pub fn is_here(name: &str) -> bool {
    ["photo", "mailboxSettings", "outlook", "translateExchangeIds"].iter().any(|n| n.eq_ignore_ascii_case(name))
}

pub fn handle(world: &mut World, caller: &Caller, call: &Call, person: usize, rest: &[&str]) -> Answer {
    let lower: Vec<String> = rest.iter().map(|s| s.to_ascii_lowercase()).collect();
    let names: Vec<&str> = lower.iter().map(String::as_str).collect();
    let own = caller.person.is_none_or(|p| p == person);
    let answer = match names.as_slice() {
        ["photo", rest @ ..] => photo(world, caller, call, person, rest),
        ["translateexchangeids"] if own => translate(world, caller, call, person),
        _ if !own => Err(denied()),
        _ if world.people.people[person].mailbox != Mailbox::Ready => {
            let text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
            Err(Answer::fail(404, "MailboxNotEnabledForRESTAPI", text))
        }
        _ if !caller.has(if call.method == "GET" { &SETTING_READ } else { &SETTING_READ[1..] }) => Err(denied()),
        ["mailboxsettings", name @ ..] => settings(world, call, person, name.first().copied()),
        ["outlook", "mastercategories", ..] => categories(world, call, person, rest.get(2).copied()),
        _ => Ok(not_allowed()),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

fn context(world: &World, call: &Call, person: usize, tail: &str) -> String {
    format!("{}/$metadata#users('{}')/{tail}", call.base(), world.people.people[person].id)
}

/// Width and height of a PNG or JPEG; others are taken as Outlook's largest size.
fn measures(bytes: &[u8]) -> (u32, u32) {
    let number = |at: usize, size: usize| bytes.get(at..at + size).map(|b| b.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)));
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n")
        && let (Some(width), Some(height)) = (number(16, 4), number(20, 4))
    {
        return (width, height);
    }
    let mut at = 2;
    while bytes.starts_with(b"\xff\xd8") {
        let (Some(marker), Some(length)) = (number(at, 2), number(at + 2, 2)) else { break };
        if (0xffc0..=0xffc2).contains(&marker)
            && let (Some(height), Some(width)) = (number(at + 5, 2), number(at + 7, 2))
        {
            return (width, height);
        }
        at += 2 + length as usize;
    }
    (648, 648)
}

fn photo(world: &mut World, caller: &Caller, call: &Call, person: usize, rest: &[&str]) -> Result<Answer, Answer> {
    let own = caller.person == Some(person);
    let writes = call.method != "GET";
    let may = match (writes, own) {
        (true, true) => caller.has(&["User.ReadWrite", "User.ReadWrite.All", "ProfilePhoto.ReadWrite.All"]),
        (true, false) => caller.has(&["User.ReadWrite.All", "ProfilePhoto.ReadWrite.All"]),
        (false, true) if caller.has(&["User.Read", "User.ReadWrite"]) => true,
        (false, _) => caller.has(&["User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", "ProfilePhoto.Read.All", "ProfilePhoto.ReadWrite.All"]),
    };
    if !may {
        return Err(denied());
    }
    if writes && rest == ["$value"] && call.method != "POST" {
        let kind = call.header("content-type").unwrap_or("").to_string();
        if !kind.starts_with("image/") || call.body.is_empty() {
            return Err(Answer::fail(400, "BadRequest", "A photo is sent as image/jpeg or image/png."));
        }
        world.profiles.entry(person).or_default().photo = Some((kind, call.body.clone()));
        return Ok(Answer::empty(200));
    }
    if writes {
        return Ok(not_allowed());
    }
    let select = query::select(call, &PHOTO, "RequestBroker--ParseUri")?;
    let Some((kind, bytes)) = world.profiles.get(&person).and_then(|p| p.photo.clone()) else {
        return Err(Answer::fail(404, "ImageNotFound", "The photo wasn't found."));
    };
    if rest == ["$value"] {
        return Ok(Answer::bytes(200, &kind, bytes));
    }
    let (width, height) = measures(&bytes);
    let mut shown = picked(json!({"id": format!("{width}X{height}"), "height": height, "width": width}), &select);
    shown["@odata.context"] = json!(context(world, call, person, "photo/$entity"));
    shown["@odata.mediaContentType"] = json!(kind);
    Ok(Answer::json(200, &shown))
}

/// What was selected of an object; everything when nothing was.
pub fn picked(all: Value, select: &[String]) -> Value {
    let keep = |name: &String| select.is_empty() || select.iter().any(|s| s == "*" || s.eq_ignore_ascii_case(name));
    match all {
        Value::Object(map) => Value::Object(map.into_iter().filter(|(name, _)| keep(name)).collect()),
        other => other,
    }
}

fn standard(world: &World, person: usize) -> Value {
    let archive = world.mail[person].folder("archive").map(|at| world.mail[person].folders[at].id.clone());
    let moment = |text: &str| json!({"dateTime": text, "timeZone": "UTC"});
    json!({
        "archiveFolder": archive, "timeZone": "UTC", "dateFormat": "M/d/yyyy", "timeFormat": "h:mm tt", "userPurpose": "user",
        "delegateMeetingMessageDeliveryOptions": "sendToDelegateOnly",
        "automaticRepliesSetting": {
            "status": "disabled", "externalAudience": "all", "internalReplyMessage": "", "externalReplyMessage": "",
            "scheduledStartDateTime": moment("2026-01-01T00:00:00.0000000"), "scheduledEndDateTime": moment("2026-01-02T00:00:00.0000000"),
        },
        "language": {"locale": "en-US", "displayName": "English (United States)"},
        "workingHours": {
            "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"], "startTime": "08:00:00.0000000",
            "endTime": "17:00:00.0000000", "timeZone": {"name": "Pacific Standard Time"},
        },
    })
}

fn settings(world: &mut World, call: &Call, person: usize, name: Option<&str>) -> Result<Answer, Answer> {
    let base = standard(world, person);
    let now = world.profiles.get(&person).and_then(|p| p.settings.clone()).unwrap_or(base);
    if call.method == "PATCH" && name.is_none() {
        let Some(Value::Object(asked)) = call.json() else {
            return Err(bad("Unable to read JSON request payload."));
        };
        let changed = changed(now, &asked)?;
        world.profiles.entry(person).or_default().settings = Some(changed.clone());
        return Ok(settings_answer(world, call, person, changed));
    }
    if call.method != "GET" {
        return Ok(not_allowed());
    }
    let Some(name) = name else {
        let select = query::select(call, &SETTINGS, "RequestBroker--ParseUri")?;
        return Ok(settings_answer(world, call, person, picked(now, &select)));
    };
    let Some((name, value)) = now.as_object().into_iter().flatten().find(|(k, _)| k.eq_ignore_ascii_case(name)) else {
        return Err(crate::graph::no_segment(name));
    };
    let at = json!(context(world, call, person, &format!("mailboxSettings/{name}")));
    let shown = match value {
        Value::Object(map) => {
            let mut map = map.clone();
            map.insert("@odata.context".into(), at);
            Value::Object(map)
        }
        plain => json!({"@odata.context": at, "value": plain}),
    };
    Ok(Answer::json(200, &shown))
}

fn settings_answer(world: &World, call: &Call, person: usize, mut settings: Value) -> Answer {
    settings["@odata.context"] = json!(context(world, call, person, "mailboxSettings"));
    Answer::json(200, &settings)
}

/// Values that these properties can have.
const CHOICES: [(&str, &[&str]); 3] = [
    ("status", &["disabled", "alwaysEnabled", "scheduled"]),
    ("externalAudience", &["none", "contactsOnly", "all"]),
    ("delegateMeetingMessageDeliveryOptions", &["sendToDelegateAndInformationToPrincipal", "sendToDelegateAndPrincipal", "sendToDelegateOnly"]),
];

fn changed(mut now: Value, asked: &Map<String, Value>) -> Result<Value, Answer> {
    for (name, value) in asked.iter().filter(|(name, _)| !name.starts_with('@')) {
        let property = match SETTINGS.means(name, 'r') {
            Meaning::Here(property) => property.name,
            _ => return Err(query::refused(Trouble::Wrong(SETTINGS.no_property(name)))),
        };
        if matches!(property, "archiveFolder" | "userPurpose") {
            return Err(Answer::fail(400, "ErrorInvalidPropertySet", format!("The property '{property}' cannot be set.")));
        }
        merge(property, &mut now[property], value)?;
    }
    Ok(now)
}

fn merge(name: &str, old: &mut Value, new: &Value) -> Result<(), Answer> {
    let wrong = || Answer::fail(400, "RequestBodyRead", format!("Cannot read the value of the property '{name}'."));
    if let (Value::Object(old), Value::Object(new)) = (&mut *old, new) {
        for (name, value) in new.iter().filter(|(name, _)| !name.starts_with('@')) {
            let known = old.get_mut(name).ok_or_else(|| Answer::fail(400, "RequestBodyRead", format!("The property '{name}' does not exist.")))?;
            merge(name, known, value)?;
        }
        return Ok(());
    }
    if old.is_object() || new.is_object() || old.is_array() != new.is_array() || !(new.is_string() || new.is_array()) {
        return Err(wrong());
    }
    if let Some((_, choices)) = CHOICES.iter().find(|(n, _)| *n == name)
        && !choices.iter().any(|c| new == c)
    {
        return Err(Answer::fail(400, "RequestBodyRead", format!("Requested value {new} was not found.")));
    }
    *old = new.clone();
    Ok(())
}

/// The categories that every mailbox begins with.
const FIRST: [(&str, &str); 6] = [
    ("Red category", "preset0"),
    ("Orange category", "preset1"),
    ("Yellow category", "preset3"),
    ("Green category", "preset4"),
    ("Blue category", "preset7"),
    ("Purple category", "preset8"),
];

fn category(world: &World, person: usize, name: &str, color: &str) -> Value {
    let digest = Sha256::digest(format!("{} {name}", world.people.people[person].id).as_bytes());
    let hex: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
    let id = format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32]);
    json!({"id": id, "displayName": name, "color": color})
}

fn categories(world: &mut World, call: &Call, person: usize, id: Option<&str>) -> Result<Answer, Answer> {
    let select = query::select(call, &CATEGORY, "RequestBroker--ParseUri")?;
    let first = || FIRST.iter().map(|(name, color)| category(world, person, name, color)).collect();
    let mut all = world.profiles.get(&person).and_then(|p| p.categories.clone()).unwrap_or_else(first);
    let at = id.map(|id| all.iter().position(|c| c["id"] == id).ok_or_else(not_found)).transpose()?;
    let one = |world: &World, status: u16, shown: Value| {
        let mut shown = picked(shown, &select);
        shown["@odata.context"] = json!(context(world, call, person, "outlook/masterCategories/$entity"));
        Answer::json(status, &shown)
    };
    let body = || match call.json() {
        Some(Value::Object(body)) => Ok(body),
        _ => Err(bad("Unable to read JSON request payload.")),
    };
    let answer = match (call.method.as_str(), at) {
        ("GET", None) => {
            let ((top, skip), counted) = (query::window(call, 100, 1000)?, query::count(call)?);
            let count = counted.then_some(all.len());
            let next = (skip + top < all.len()).then(|| crate::odata::relink(call, "$skip", &(skip + top).to_string()));
            let value = all.into_iter().skip(skip).take(top).map(|c| picked(c, &select)).collect();
            return Ok(page(context(world, call, person, "outlook/masterCategories"), value, next, count));
        }
        ("GET", Some(at)) => return Ok(one(world, 200, all[at].clone())),
        ("POST", None) => {
            let body = body()?;
            known(&body, &["displayName", "color"])?;
            let name = body.get("displayName").and_then(Value::as_str).filter(|n| !n.is_empty());
            let name = name.ok_or_else(|| bad("The category needs a displayName."))?;
            if all.iter().any(|c| c["displayName"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name))) {
                return Err(Answer::fail(409, "CategoryNameDuplicate", "A category with the same name already exists."));
            }
            let made = category(world, person, name, &color(&body)?.unwrap_or_else(|| "none".into()));
            all.push(made.clone());
            one(world, 201, made)
        }
        ("PATCH", Some(at)) => {
            let body = body()?;
            known(&body, &["color"])?;
            if let Some(color) = color(&body)? {
                all[at]["color"] = json!(color);
            }
            one(world, 200, all[at].clone())
        }
        ("DELETE", Some(at)) => {
            all.remove(at);
            Answer::empty(204)
        }
        _ => return Ok(not_allowed()),
    };
    world.profiles.entry(person).or_default().categories = Some(all);
    Ok(answer)
}

fn known(body: &Map<String, Value>, names: &[&str]) -> Result<(), Answer> {
    match body.keys().find(|k| !k.starts_with('@') && !names.contains(&k.as_str())) {
        Some(odd) => Err(Answer::fail(400, "ErrorInvalidPropertySet", format!("The property '{odd}' cannot be set."))),
        None => Ok(()),
    }
}

fn color(body: &Map<String, Value>) -> Result<Option<String>, Answer> {
    let Some(given) = body.get("color") else { return Ok(None) };
    let lower = given.as_str().unwrap_or("").to_lowercase();
    let preset = lower.strip_prefix("preset").and_then(|n| n.parse::<u8>().ok()).is_some_and(|n| n <= 24);
    if lower == "none" || preset {
        return Ok(Some(lower));
    }
    Err(Answer::fail(400, "RequestBodyRead", format!("Requested value {given} was not found.")))
}

const IDS_MAX: usize = 1000;

fn translate(world: &mut World, caller: &Caller, call: &Call, person: usize) -> Result<Answer, Answer> {
    if call.method != "POST" {
        return Ok(not_allowed());
    }
    if !caller.has(&["User.Read", "User.ReadWrite", "User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All"]) {
        return Err(denied());
    }
    const ACTION: &str = "translateExchangeIds";
    let given = Parameters::of(call, ACTION, &["inputIds", "targetIdType", "sourceIdType"])?;
    let kind = |name: &str| {
        let text = given.need(name, ACTION)?.to_string();
        match text.to_lowercase().as_str() {
            "restid" | "restimmutableentryid" | "ewsid" => Ok(text.to_lowercase()),
            "entryid" | "immutableentryid" => Err(lacking(format!("ids of the kind {text}"))),
            _ => Err(Answer::fail(400, "RequestBodyRead", format!("Requested value '{text}' was not found."))),
        }
    };
    let (from, to) = (kind("sourceIdType")?, kind("targetIdType")?);
    let ids: Vec<String> = match given.get("inputIds").as_array() {
        Some(list) => list.iter().filter_map(|id| id.as_str().map(String::from)).collect(),
        None => return Err(bad("The required parameter 'inputIds' was not found in the request payload.")),
    };
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Err(bad(format!("Between 1 and {IDS_MAX} ids can be translated at once.")));
    }
    let mailbox = &world.mail[person];
    // An EWS id is that of REST in the plain base64 alphabet.
    let plain = |id: &str| id.replace('-', "/").replace('_', "+");
    let safe = |id: &str| id.replace('/', "-").replace('+', "_");
    let one = |id: &String| {
        let asked = if from == "ewsid" { safe(id) } else { id.clone() };
        let found = mailbox.find(&asked).and_then(|key| mailbox.get(key));
        let right = found.filter(|m| if from == "restimmutableentryid" { m.immutable == asked } else { m.id == asked });
        match right {
            Some(m) => json!({"sourceId": id, "targetId": match to.as_str() {
                "restimmutableentryid" => m.immutable.clone(),
                "ewsid" => plain(&m.id),
                _ => m.id.clone(),
            }}),
            None => json!({"sourceId": id, "targetId": null, "errorDetails": {"code": "ErrorInvalidIdMalformed", "message": "Id is malformed, or there is no such item."}}),
        }
    };
    let value = ids.iter().map(one).collect();
    let context = format!("{}/$metadata#Collection(microsoft.graph.convertIdResult)", call.base());
    Ok(page(context, value, None, None))
}

/// Graph's organisation: the tenant of who asks.
pub fn organization(world: &World, caller: &Caller, call: &Call, id: Option<&str>) -> Answer {
    use crate::schema::ORGANIZATION;
    let tenant = &world.people.tenants[caller.tenant];
    let may = ["User.Read", "User.ReadWrite", "User.Read.All", "Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
    if !caller.has(&may) || tenant.id == crate::people::PERSONAL {
        return Answer::fail(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
    }
    let read = query::select(call, &ORGANIZATION, "BadRequest").and_then(|select| query::count(call).map(|count| (select, count)));
    let (select, counted) = match read {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let name = tenant.domain.split('.').next().unwrap_or("");
    let title: String = name.chars().enumerate().map(|(n, c)| if n == 0 { c.to_ascii_uppercase() } else { c }).collect();
    let all = json!({
        "id": tenant.id, "deletedDateTime": null, "businessPhones": [], "city": null, "country": null, "countryLetterCode": "US",
        "createdDateTime": "2025-01-01T00:00:00Z", "defaultUsageLocation": null, "displayName": title, "marketingNotificationEmails": [],
        "onPremisesLastSyncDateTime": null, "onPremisesSyncEnabled": null, "postalCode": null, "preferredLanguage": "en", "state": null,
        "street": null, "technicalNotificationMails": [], "tenantType": "AAD", "assignedPlans": [],
        "verifiedDomains": [{"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": true, "isInitial": true, "name": tenant.domain, "type": "Managed"}],
    });
    let mut shown = picked(all, &select);
    match id {
        None => page(format!("{}/$metadata#organization", call.base()), vec![shown], None, counted.then_some(1)),
        Some(id) if id.eq_ignore_ascii_case(&tenant.id) => {
            shown["@odata.context"] = json!(format!("{}/$metadata#organization/$entity", call.base()));
            Answer::json(200, &shown)
        }
        Some(id) => crate::users::unknown(id),
    }
}
