//! Chats, teams, channels and their apps.

use super::{Entity, Property, TEXT, BOOL, TIME, p};

pub static CHAT: Entity = Entity {
    name: "chat",
    base: "entity",
    properties: &[
        p("id", TEXT, "r"),
        p("topic", TEXT, "rf"),
        p("createdDateTime", TIME, "rf"),
        p("lastUpdatedDateTime", TIME, "rf"),
        p("chatType", "chatType", "rf"),
        p("webUrl", TEXT, "r"),
        p("tenantId", TEXT, "r"),
        p("onlineMeetingInfo", "teamworkOnlineMeetingInfo", "r"),
        p("viewpoint", "chatViewpoint", "r"),
        p("isHiddenForAllMembers", BOOL, ""),
        p("migrationMode", "migrationMode", ""),
        p("originalCreatedDateTime", TIME, ""),
    ],
    links: &[
        p("members", "Collection(conversationMember)", "r"),
        p("lastMessagePreview", "chatMessageInfo", "r"),
        p("messages", "Collection(chatMessage)", ""),
        p("installedApps", "Collection(teamsAppInstallation)", ""),
        p("permissionGrants", "Collection(resourceSpecificPermissionGrant)", ""),
        p("pinnedMessages", "Collection(pinnedChatMessageInfo)", ""),
        p("tabs", "Collection(teamsTab)", ""),
    ],
    paths: &[p("lastMessagePreview/createdDateTime", TIME, "fs")],
};

pub static CHAT_MESSAGE: Entity = Entity {
    name: "chatMessage",
    base: "entity",
    properties: &[
        p("id", TEXT, "r"),
        p("replyToId", TEXT, "r"),
        p("etag", TEXT, "r"),
        p("messageType", "chatMessageType", "r"),
        p("createdDateTime", TIME, "rfs"),
        p("lastModifiedDateTime", TIME, "rfs"),
        p("lastEditedDateTime", TIME, "r"),
        p("deletedDateTime", TIME, "r"),
        p("subject", TEXT, "r"),
        p("summary", TEXT, "r"),
        p("chatId", TEXT, "r"),
        p("importance", "chatMessageImportance", "r"),
        p("locale", TEXT, "r"),
        p("webUrl", TEXT, "r"),
        p("channelIdentity", "channelIdentity", "r"),
        p("policyViolation", "chatMessagePolicyViolation", "r"),
        p("eventDetail", "eventMessageDetail", "r"),
        p("from", "chatMessageFromIdentitySet", "r"),
        p("body", "itemBody", "r"),
        p("attachments", "Collection(chatMessageAttachment)", "r"),
        p("mentions", "Collection(chatMessageMention)", "r"),
        p("reactions", "Collection(chatMessageReaction)", "r"),
        p("messageHistory", "Collection(chatMessageHistoryItem)", ""),
    ],
    links: &[p("hostedContents", "Collection(chatMessageHostedContent)", ""), p("replies", "Collection(chatMessage)", "")],
    paths: &[],
};

pub static TEAM: Entity = Entity {
    name: "team",
    base: "entity",
    properties: &[
        p("id", TEXT, "rf"),
        p("createdDateTime", TIME, "r"),
        p("displayName", TEXT, "rf"),
        p("description", TEXT, "rf"),
        p("internalId", TEXT, "r"),
        p("classification", TEXT, "r"),
        p("specialization", "teamSpecialization", "r"),
        p("visibility", "teamVisibilityType", "r"),
        p("webUrl", TEXT, "r"),
        p("isArchived", BOOL, "r"),
        p("tenantId", TEXT, "r"),
        p("firstChannelName", TEXT, ""),
        p("funSettings", "teamFunSettings", ""),
        p("guestSettings", "teamGuestSettings", ""),
        p("memberSettings", "teamMemberSettings", ""),
        p("messagingSettings", "teamMessagingSettings", ""),
        p("summary", "teamSummary", ""),
    ],
    links: &[p("channels", "Collection(channel)", ""), p("members", "Collection(conversationMember)", ""), p("tags", "Collection(teamworkTag)", "")],
    paths: &[],
};

pub static CHANNEL: Entity = Entity {
    name: "channel",
    base: "entity",
    properties: &[
        p("id", TEXT, "rf"),
        p("createdDateTime", TIME, "r"),
        p("displayName", TEXT, "rf"),
        p("description", TEXT, "r"),
        p("isFavoriteByDefault", BOOL, "r"),
        p("email", TEXT, "r"),
        p("tenantId", TEXT, "r"),
        p("membershipType", "channelMembershipType", "rf"),
        p("isArchived", BOOL, "r"),
        p("webUrl", TEXT, "r"),
        p("migrationMode", "migrationMode", ""),
        p("originalCreatedDateTime", TIME, ""),
        p("summary", "channelSummary", ""),
    ],
    links: &[p("filesFolder", "driveItem", ""), p("members", "Collection(conversationMember)", ""), p("messages", "Collection(chatMessage)", "")],
    paths: &[],
};

pub static TEAMS_APP: Entity = Entity {
    name: "teamsApp",
    base: "entity",
    properties: &[p("id", TEXT, "rf"), p("displayName", TEXT, "rf"), p("distributionMethod", "teamsAppDistributionMethod", "rf"), p("externalId", TEXT, "rf")],
    links: &[p("appDefinitions", "Collection(teamsAppDefinition)", "r")],
    paths: &[],
};

pub static TEAMS_APP_DEFINITION: Entity = Entity {
    name: "teamsAppDefinition",
    base: "entity",
    properties: &[
        p("id", TEXT, "r"),
        p("createdBy", "identitySet", "r"),
        p("description", TEXT, "r"),
        p("displayName", TEXT, "r"),
        p("lastModifiedDateTime", TIME, "r"),
        p("publishingState", "teamsAppPublishingState", "r"),
        p("shortDescription", TEXT, "r"),
        p("teamsAppId", TEXT, "r"),
        p("version", TEXT, "r"),
        p("authorization", "teamsAppAuthorization", ""),
    ],
    links: &[p("bot", "teamworkBot", ""), p("colorIcon", "teamsAppIcon", ""), p("outlineIcon", "teamsAppIcon", "")],
    paths: &[],
};

/// What a filter on installations may name.
const INSTALLED: &[Property] = &[
    p("teamsApp/id", TEXT, "f"),
    p("teamsApp/externalId", TEXT, "f"),
    p("teamsApp/displayName", TEXT, "f"),
    p("teamsApp/distributionMethod", "teamsAppDistributionMethod", "f"),
    p("teamsAppDefinition/displayName", TEXT, "f"),
    p("teamsAppDefinition/version", TEXT, "f"),
];

pub static INSTALLATION: Entity = Entity {
    name: "teamsAppInstallation",
    base: "entity",
    properties: &[p("id", TEXT, "rf"), p("consentedPermissionSet", "teamsAppPermissionSet", "")],
    links: &[p("teamsApp", "teamsApp", "r"), p("teamsAppDefinition", "teamsAppDefinition", "r")],
    paths: INSTALLED,
};

pub static USER_INSTALLATION: Entity = Entity {
    name: "userScopeTeamsAppInstallation",
    base: "entity",
    properties: &[p("id", TEXT, "rf"), p("consentedPermissionSet", "teamsAppPermissionSet", "")],
    links: &[p("teamsApp", "teamsApp", "r"), p("teamsAppDefinition", "teamsAppDefinition", "r"), p("chat", "chat", "")],
    paths: INSTALLED,
};
