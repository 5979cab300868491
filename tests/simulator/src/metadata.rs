//! `$metadata`: the part of Graph's schema that the simulator has, written from `schema.rs`.

use crate::http::Answer;
use crate::schema::{ATTACHMENT, CATEGORY, CHAT, CHAT_MESSAGE, CHANNEL, CONTACT, CONTACT_FOLDER, EVENT, Entity, FOLDER, MESSAGE, ORGANIZATION, PHOTO, SETTINGS, TEAM, TEAMS_APP, TEAMS_APP_DEFINITION, INSTALLATION, USER, USER_INSTALLATION};

/// Name, base, properties as `name:type`.
type Plain = (&'static str, &'static str, &'static str);

const BASES: [Plain; 3] = [
    ("entity", "", "id:Edm.String"),
    ("directoryObject", "entity", "deletedDateTime:Edm.DateTimeOffset"),
    ("outlookItem", "entity", "categories:Collection(Edm.String) changeKey:Edm.String createdDateTime:Edm.DateTimeOffset lastModifiedDateTime:Edm.DateTimeOffset"),
];

const ENTITIES: [Plain; 6] = [
    ("fileAttachment", "attachment", "contentBytes:Edm.Binary contentId:Edm.String contentLocation:Edm.String"),
    ("itemAttachment", "attachment", ""),
    ("singleValueLegacyExtendedProperty", "entity", "value:Edm.String"),
    ("conversationMember", "entity", "displayName:Edm.String roles:Collection(Edm.String) visibleHistoryStartDateTime:Edm.DateTimeOffset"),
    ("aadUserConversationMember", "conversationMember", "email:Edm.String tenantId:Edm.String userId:Edm.String"),
    ("chatMessageInfo", "entity", "body:itemBody createdDateTime:Edm.DateTimeOffset isDeleted:Edm.Boolean messageType:chatMessageType from:chatMessageFromIdentitySet"),
];

const COMPLEX: [(&str, &str); 33] = [
    ("itemBody", "content:Edm.String contentType:bodyType"),
    ("emailAddress", "address:Edm.String name:Edm.String"),
    ("recipient", "emailAddress:emailAddress"),
    ("internetMessageHeader", "name:Edm.String value:Edm.String"),
    ("dateTimeTimeZone", "dateTime:Edm.String timeZone:Edm.String"),
    ("followupFlag", "completedDateTime:dateTimeTimeZone dueDateTime:dateTimeTimeZone flagStatus:followupFlagStatus startDateTime:dateTimeTimeZone"),
    ("assignedPlan", "assignedDateTime:Edm.DateTimeOffset capabilityStatus:Edm.String service:Edm.String servicePlanId:Edm.Guid"),
    ("verifiedDomain", "capabilities:Edm.String isDefault:Edm.Boolean isInitial:Edm.Boolean name:Edm.String type:Edm.String"),
    ("localeInfo", "displayName:Edm.String locale:Edm.String"),
    ("timeZoneBase", "name:Edm.String"),
    ("workingHours", "daysOfWeek:Collection(dayOfWeek) endTime:Edm.TimeOfDay startTime:Edm.TimeOfDay timeZone:timeZoneBase"),
    ("automaticRepliesSetting", "externalAudience:externalAudienceScope externalReplyMessage:Edm.String internalReplyMessage:Edm.String scheduledEndDateTime:dateTimeTimeZone scheduledStartDateTime:dateTimeTimeZone status:automaticRepliesStatus"),
    ("genericError", "code:Edm.String message:Edm.String"),
    ("convertIdResult", "errorDetails:genericError sourceId:Edm.String targetId:Edm.String"),
    ("chatViewpoint", "isHidden:Edm.Boolean lastMessageReadDateTime:Edm.DateTimeOffset"),
    ("chatMessageAttachment", "content:Edm.String contentType:Edm.String contentUrl:Edm.String id:Edm.String name:Edm.String thumbnailUrl:Edm.String"),
    ("chatMessageMention", "id:Edm.Int32 mentionText:Edm.String mentioned:chatMessageMentionedIdentitySet"),
    ("identity", "displayName:Edm.String id:Edm.String"),
    ("identitySet", "application:identity device:identity user:identity"),
    ("chatMessageFromIdentitySet", "application:identity device:identity user:identity"),
    ("chatMessageMentionedIdentitySet", "application:identity conversation:teamworkConversationIdentity device:identity tag:teamworkTagIdentity user:identity"),
    ("teamworkConversationIdentity", "conversationIdentityType:teamworkConversationIdentityType displayName:Edm.String id:Edm.String"),
    ("teamworkTagIdentity", "displayName:Edm.String id:Edm.String"),
    ("chatMessageReactionIdentitySet", "application:identity device:identity user:identity"),
    ("chatMessageReaction", "createdDateTime:Edm.DateTimeOffset reactionType:Edm.String user:chatMessageReactionIdentitySet"),
    ("channelIdentity", "channelId:Edm.String teamId:Edm.String"),
    ("chatMessagePolicyViolation", "justificationText:Edm.String"),
    ("eventMessageDetail", ""),
    ("location", "displayName:Edm.String locationEmailAddress:Edm.String locationUri:Edm.String uniqueId:Edm.String"),
    ("responseStatus", "response:responseType time:Edm.DateTimeOffset"),
    ("attendee", "emailAddress:emailAddress status:responseStatus type:attendeeType"),
    ("onlineMeetingInfo", "conferenceId:Edm.String joinUrl:Edm.String quickDial:Edm.String tollNumber:Edm.String"),
    ("teamworkOnlineMeetingInfo", "calendarEventId:Edm.String joinWebUrl:Edm.String"),
];

const ENUMS: [(&str, &str); 24] = [
    ("teamsAppDistributionMethod", "store organization sideloaded unknownFutureValue"),
    ("teamsAppPublishingState", "submitted rejected published unknownFutureValue"),
    ("teamworkConversationIdentityType", "team channel chat unknownFutureValue"),
    ("teamSpecialization", "none educationStandard educationClass educationProfessionalLearningCommunity educationStaff healthcareStandard healthcareCareCoordination unknownFutureValue"),
    ("teamVisibilityType", "private public hiddenMembership unknownFutureValue"),
    ("channelMembershipType", "standard private unknownFutureValue shared"),
    ("bodyType", "text html"),
    ("importance", "low normal high"),
    ("inferenceClassificationType", "focused other"),
    ("followupFlagStatus", "notFlagged complete flagged"),
    ("automaticRepliesStatus", "disabled alwaysEnabled scheduled"),
    ("externalAudienceScope", "none contactsOnly all"),
    ("delegateMeetingMessageDeliveryOptions", "sendToDelegateAndInformationToPrincipal sendToDelegateAndPrincipal sendToDelegateOnly"),
    ("userPurpose", "user linked shared room equipment others unknownFutureValue"),
    ("dayOfWeek", "sunday monday tuesday wednesday thursday friday saturday"),
    ("chatType", "oneOnOne group meeting unknownFutureValue"),
    ("chatMessageType", "message chatEvent typing unknownFutureValue systemEventMessage"),
    ("chatMessageImportance", "normal high urgent unknownFutureValue"),
    ("eventType", "singleInstance occurrence exception seriesMaster"),
    ("freeBusyStatus", "unknown free tentative busy oof workingElsewhere"),
    ("sensitivity", "normal personal private confidential"),
    ("responseType", "none organizer tentativelyAccepted accepted declined notResponded"),
    ("attendeeType", "required optional resource"),
    ("exchangeIdFormat", "entryId ewsId immutableEntryId restId restImmutableEntryId"),
];

/// Name, what it is bound to, parameters, and what it returns.
const ACTIONS: [(&str, &str, &str, &str); 15] = [
    ("softDelete", "chatMessage", "", ""),
    ("sendMail", "user", "Message:message SaveToSentItems:Edm.Boolean", ""),
    ("translateExchangeIds", "user", "InputIds:Collection(Edm.String) TargetIdType:exchangeIdFormat SourceIdType:exchangeIdFormat", "Collection(convertIdResult)"),
    ("send", "message", "", ""),
    ("reply", "message", "Message:message Comment:Edm.String", ""),
    ("replyAll", "message", "Message:message Comment:Edm.String", ""),
    ("forward", "message", "ToRecipients:Collection(recipient) Message:message Comment:Edm.String", ""),
    ("createReply", "message", "Message:message Comment:Edm.String", "message"),
    ("createReplyAll", "message", "Message:message Comment:Edm.String", "message"),
    ("createForward", "message", "ToRecipients:Collection(recipient) Message:message Comment:Edm.String", "message"),
    ("move", "message", "DestinationId:Edm.String", "message"),
    ("copy", "message", "DestinationId:Edm.String", "message"),
    ("permanentDelete", "message", "", ""),
    ("move", "mailFolder", "DestinationId:Edm.String", "mailFolder"),
    ("copy", "mailFolder", "DestinationId:Edm.String", "mailFolder"),
];

fn full(kind: &str) -> String {
    match kind.strip_prefix("Collection(").and_then(|k| k.strip_suffix(')')) {
        Some(inner) => format!("Collection({})", full(inner)),
        None if kind.starts_with("Edm.") => kind.into(),
        None => format!("graph.{kind}"),
    }
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(' ').filter_map(|pair| pair.split_once(':'))
}

fn based(base: &str) -> String {
    if base.is_empty() { " Abstract=\"true\"".into() } else { format!(" BaseType=\"graph.{base}\"") }
}

fn key(name: &str) -> &'static str {
    if name == "entity" { "<Key><PropertyRef Name=\"id\"/></Key>" } else { "" }
}

fn property(name: &str, kind: &str) -> String {
    format!("<Property Name=\"{name}\" Type=\"{}\"/>", full(kind))
}

fn plain((name, base, properties): &Plain) -> String {
    let inside: String = pairs(properties).map(|(name, kind)| property(name, kind)).collect();
    format!("<EntityType Name=\"{name}\"{}>{}{inside}</EntityType>", based(base), key(name))
}

/// What is inherited stands with the base.
fn inherited(entity: &Entity, name: &str) -> bool {
    let mut base = entity.base;
    while let Some((_, above, properties)) = BASES.iter().find(|(n, ..)| *n == base) {
        if pairs(properties).any(|(n, _)| n == name) {
            return true;
        }
        base = above;
    }
    // A file's own properties stand with the file.
    entity.name == "attachment" && name.starts_with("content") && name != "contentType"
}

fn entity(entity: &Entity) -> String {
    let own = entity.properties.iter().filter(|p| p.can.contains('r') && !inherited(entity, p.name));
    let inside: String = own.map(|p| property(p.name, p.kind)).collect();
    if entity.base.is_empty() {
        return format!("<ComplexType Name=\"{}\">{inside}</ComplexType>", entity.name);
    }
    let link = |name: &str, kind: &str| format!("<NavigationProperty Name=\"{name}\" Type=\"{}\" ContainsTarget=\"true\"/>", full(kind));
    let mut links: String = entity.links.iter().filter(|p| p.can.contains('r')).map(|p| link(p.name, p.kind)).collect();
    let below: &[(&str, &str)] = match entity.name {
        "user" => &[("messages", "Collection(message)"), ("mailFolders", "Collection(mailFolder)"), ("joinedTeams", "Collection(team)"), ("chats", "Collection(chat)"), ("photo", "profilePhoto"), ("contacts", "Collection(contact)"), ("contactFolders", "Collection(contactFolder)"), ("calendarView", "Collection(event)"), ("events", "Collection(event)"), ("outlook", "outlookUser"), ("teamwork", "userTeamwork")],
        "mailFolder" => &[("messages", "Collection(message)"), ("childFolders", "Collection(mailFolder)")],
        "contactFolder" => &[("contacts", "Collection(contact)"), ("childFolders", "Collection(contactFolder)")],
        "chat" => &[("messages", "Collection(chatMessage)")],
        "team" => &[("channels", "Collection(channel)"), ("installedApps", "Collection(teamsAppInstallation)")],
        "channel" => &[("messages", "Collection(chatMessage)")],
        "userScopeTeamsAppInstallation" => &[("chat", "chat")],
        "chatMessage" => &[("replies", "Collection(chatMessage)")],
        _ => &[],
    };
    links.extend(below.iter().map(|(name, kind)| link(name, kind)));
    let settings = if entity.name == "user" { property("mailboxSettings", "mailboxSettings") } else { String::new() };
    format!("<EntityType Name=\"{}\"{}>{inside}{settings}{links}</EntityType>", entity.name, based(entity.base))
}

pub fn show() -> Answer {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">\
         <edmx:DataServices><Schema Namespace=\"microsoft.graph\" Alias=\"graph\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">",
    );
    for (name, members) in ENUMS {
        let inside: String = members.split(' ').enumerate().map(|(n, m)| format!("<Member Name=\"{m}\" Value=\"{n}\"/>")).collect();
        out.push_str(&format!("<EnumType Name=\"{name}\">{inside}</EnumType>"));
    }
    let colors: String = (0..25).map(|n| format!("<Member Name=\"preset{n}\" Value=\"{n}\"/>")).collect();
    out.push_str(&format!("<EnumType Name=\"categoryColor\"><Member Name=\"none\" Value=\"-1\"/>{colors}</EnumType>"));
    for (name, properties) in COMPLEX {
        let inside: String = pairs(properties).map(|(name, kind)| property(name, kind)).collect();
        out.push_str(&format!("<ComplexType Name=\"{name}\">{inside}</ComplexType>"));
    }
    out.extend(BASES.iter().chain(&ENTITIES).map(plain));
    out.push_str("<EntityType Name=\"outlookUser\" BaseType=\"graph.entity\"><NavigationProperty Name=\"masterCategories\" Type=\"Collection(graph.outlookCategory)\" ContainsTarget=\"true\"/></EntityType>");
    for (name, link, kind) in [("userTeamwork", "installedApps", "userScopeTeamsAppInstallation"), ("appCatalogs", "teamsApps", "teamsApp")] {
        out.push_str(&format!(
            "<EntityType Name=\"{name}\" BaseType=\"graph.entity\"><NavigationProperty Name=\"{link}\" Type=\"Collection(graph.{kind})\" ContainsTarget=\"true\"/></EntityType>"
        ));
    }
    let all = [&USER, &ORGANIZATION, &MESSAGE, &FOLDER, &ATTACHMENT, &CATEGORY, &SETTINGS, &PHOTO, &CHAT, &CHAT_MESSAGE, &TEAM, &CHANNEL, &TEAMS_APP, &TEAMS_APP_DEFINITION, &INSTALLATION, &USER_INSTALLATION, &CONTACT, &CONTACT_FOLDER, &EVENT];
    out.extend(all.into_iter().map(entity));
    for (name, bound, parameters, returns) in ACTIONS {
        let mut inside = format!("<Parameter Name=\"bindingParameter\" Type=\"graph.{bound}\"/>");
        inside.extend(pairs(parameters).map(|(name, kind)| format!("<Parameter Name=\"{name}\" Type=\"{}\"/>", full(kind))));
        if !returns.is_empty() {
            inside.push_str(&format!("<ReturnType Type=\"{}\"/>", full(returns)));
        }
        out.push_str(&format!("<Action Name=\"{name}\" IsBound=\"true\">{inside}</Action>"));
    }
    for bound in ["message", "mailFolder", "contact", "event"] {
        let many = format!("Collection(graph.{bound})");
        out.push_str(&format!("<Function Name=\"delta\" IsBound=\"true\"><Parameter Name=\"bindingParameter\" Type=\"{many}\"/><ReturnType Type=\"{many}\"/></Function>"));
    }
    out.push_str("<EntityContainer Name=\"GraphService\">");
    for (name, kind) in [("users", "user"), ("chats", "chat"), ("teams", "team"), ("organization", "organization")] {
        out.push_str(&format!("<EntitySet Name=\"{name}\" EntityType=\"graph.{kind}\"/>"));
    }
    out.push_str("<Singleton Name=\"me\" Type=\"graph.user\"/><Singleton Name=\"appCatalogs\" Type=\"graph.appCatalogs\"/></EntityContainer></Schema></edmx:DataServices></edmx:Edmx>");
    Answer::bytes(200, "application/xml", out.into())
}
