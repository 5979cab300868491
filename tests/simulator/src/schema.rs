//! The types of Graph that the simulator knows: names and types of Microsoft's schema, and what is simulated of each. `$metadata`,
//! and the refusal of names that are unknown or not simulated, come from here.

pub struct Property {
    pub name: &'static str,
    /// As the schema writes it: `Edm.String`, `importance`, `Collection(recipient)`.
    pub kind: &'static str,
    /// `r` can be selected, `f` filtered, `s` sorted by; nothing: Microsoft has it, the simulator does not.
    pub can: &'static str,
}

pub struct Entity {
    pub name: &'static str,
    pub base: &'static str,
    pub properties: &'static [Property],
    /// Navigation; those that can be expanded with an `r`.
    pub links: &'static [Property],
    /// Paths below properties, for filters and orders.
    pub paths: &'static [Property],
}

const fn p(name: &'static str, kind: &'static str, can: &'static str) -> Property {
    Property { name, kind, can }
}

const TEXT: &str = "Edm.String";
const BOOL: &str = "Edm.Boolean";
const TIME: &str = "Edm.DateTimeOffset";
const INT: &str = "Edm.Int32";
const TEXTS: &str = "Collection(Edm.String)";
const PEOPLE: &str = "Collection(recipient)";

pub static MESSAGE: Entity = Entity {
    name: "message",
    base: "outlookItem",
    properties: &[
        p("id", TEXT, "rf"),
        p("createdDateTime", TIME, "rfs"),
        p("lastModifiedDateTime", TIME, "rfs"),
        p("changeKey", TEXT, "r"),
        p("categories", TEXTS, "rf"),
        p("receivedDateTime", TIME, "rfs"),
        p("sentDateTime", TIME, "rfs"),
        p("hasAttachments", BOOL, "rfs"),
        p("internetMessageId", TEXT, "rf"),
        p("internetMessageHeaders", "Collection(internetMessageHeader)", "r"),
        p("subject", TEXT, "rfs"),
        p("body", "itemBody", "r"),
        p("bodyPreview", TEXT, "r"),
        p("uniqueBody", "itemBody", "r"),
        p("importance", "importance", "rfs"),
        p("parentFolderId", TEXT, "rf"),
        p("conversationId", TEXT, "rf"),
        p("conversationIndex", "Edm.Binary", "r"),
        p("isDeliveryReceiptRequested", BOOL, "r"),
        p("isReadReceiptRequested", BOOL, "r"),
        p("isRead", BOOL, "rfs"),
        p("isDraft", BOOL, "rfs"),
        p("webLink", TEXT, "r"),
        p("inferenceClassification", "inferenceClassificationType", "rf"),
        p("sender", "recipient", "r"),
        p("from", "recipient", "r"),
        p("toRecipients", PEOPLE, "r"),
        p("ccRecipients", PEOPLE, "r"),
        p("bccRecipients", PEOPLE, "r"),
        p("replyTo", PEOPLE, "r"),
        p("flag", "followupFlag", "r"),
    ],
    links: &[
        p("attachments", "Collection(attachment)", "r"),
        p("singleValueExtendedProperties", "Collection(singleValueLegacyExtendedProperty)", "rf"),
        p("multiValueExtendedProperties", "Collection(multiValueLegacyExtendedProperty)", ""),
        p("extensions", "Collection(extension)", ""),
    ],
    paths: &[
        p("from/emailAddress/address", TEXT, "fs"),
        p("from/emailAddress/name", TEXT, "fs"),
        p("sender/emailAddress/address", TEXT, "fs"),
        p("sender/emailAddress/name", TEXT, "fs"),
        p("flag/flagStatus", "followupFlagStatus", "fs"),
        p("body/content", TEXT, "f"),
        p("body/contentType", "bodyType", ""),
    ],
};

pub static FOLDER: Entity = Entity {
    name: "mailFolder",
    base: "entity",
    properties: &[
        p("id", TEXT, "rf"),
        p("displayName", TEXT, "rfs"),
        p("parentFolderId", TEXT, "rf"),
        p("childFolderCount", INT, "rfs"),
        p("unreadItemCount", INT, "rfs"),
        p("totalItemCount", INT, "rfs"),
        p("isHidden", BOOL, "rf"),
    ],
    links: &[
        p("childFolders", "Collection(mailFolder)", ""),
        p("messages", "Collection(message)", ""),
        p("messageRules", "Collection(messageRule)", ""),
        p("singleValueExtendedProperties", "Collection(singleValueLegacyExtendedProperty)", ""),
        p("multiValueExtendedProperties", "Collection(multiValueLegacyExtendedProperty)", ""),
    ],
    paths: &[],
};

pub static CONTACT: Entity = Entity {
    name: "contact",
    base: "outlookItem",
    properties: &[
        p("id", TEXT, "r"),
        p("createdDateTime", TIME, "r"),
        p("lastModifiedDateTime", TIME, "r"),
        p("changeKey", TEXT, "r"),
        p("categories", TEXTS, "r"),
        p("parentFolderId", TEXT, "r"),
        p("displayName", TEXT, "r"),
        p("givenName", TEXT, "r"),
        p("middleName", TEXT, "r"),
        p("surname", TEXT, "r"),
        p("nickName", TEXT, "r"),
        p("initials", TEXT, "r"),
        p("title", TEXT, "r"),
        p("generation", TEXT, "r"),
        p("fileAs", TEXT, "r"),
        p("companyName", TEXT, "r"),
        p("department", TEXT, "r"),
        p("jobTitle", TEXT, "r"),
        p("profession", TEXT, "r"),
        p("officeLocation", TEXT, "r"),
        p("businessHomePage", TEXT, "r"),
        p("assistantName", TEXT, "r"),
        p("manager", TEXT, "r"),
        p("spouseName", TEXT, "r"),
        p("personalNotes", TEXT, "r"),
        p("birthday", TIME, "r"),
        p("businessPhones", TEXTS, "r"),
        p("homePhones", TEXTS, "r"),
        p("mobilePhone", TEXT, "r"),
        p("imAddresses", TEXTS, "r"),
        p("children", TEXTS, "r"),
        p("emailAddresses", "Collection(emailAddress)", "r"),
        p("primaryEmailAddress", "emailAddress", "r"),
        p("secondaryEmailAddress", "emailAddress", "r"),
        p("tertiaryEmailAddress", "emailAddress", "r"),
        p("businessAddress", "physicalAddress", ""),
        p("homeAddress", "physicalAddress", ""),
        p("otherAddress", "physicalAddress", ""),
        p("yomiCompanyName", TEXT, ""),
        p("yomiGivenName", TEXT, ""),
        p("yomiSurname", TEXT, ""),
    ],
    links: &[
        p("photo", "profilePhoto", ""),
        p("extensions", "Collection(extension)", ""),
        p("singleValueExtendedProperties", "Collection(singleValueLegacyExtendedProperty)", ""),
        p("multiValueExtendedProperties", "Collection(multiValueLegacyExtendedProperty)", ""),
    ],
    paths: &[],
};

pub static CONTACT_FOLDER: Entity = Entity {
    name: "contactFolder",
    base: "entity",
    properties: &[p("id", TEXT, "r"), p("displayName", TEXT, "r"), p("parentFolderId", TEXT, "r")],
    links: &[
        p("childFolders", "Collection(contactFolder)", ""),
        p("contacts", "Collection(contact)", ""),
        p("singleValueExtendedProperties", "Collection(singleValueLegacyExtendedProperty)", ""),
        p("multiValueExtendedProperties", "Collection(multiValueLegacyExtendedProperty)", ""),
    ],
    paths: &[],
};

pub static EVENT: Entity = Entity {
    name: "event",
    base: "outlookItem",
    properties: &[
        p("id", TEXT, "r"),
        p("createdDateTime", TIME, "r"),
        p("lastModifiedDateTime", TIME, "r"),
        p("changeKey", TEXT, "r"),
        p("categories", TEXTS, "r"),
        p("subject", TEXT, "r"),
        p("body", "itemBody", "r"),
        p("bodyPreview", TEXT, "r"),
        p("start", "dateTimeTimeZone", "r"),
        p("end", "dateTimeTimeZone", "r"),
        p("originalStartTimeZone", TEXT, "r"),
        p("originalEndTimeZone", TEXT, "r"),
        p("isAllDay", BOOL, "r"),
        p("isCancelled", BOOL, "r"),
        p("isOrganizer", BOOL, "r"),
        p("isOnlineMeeting", BOOL, "r"),
        p("onlineMeetingUrl", TEXT, "r"),
        p("onlineMeeting", "onlineMeetingInfo", "r"),
        p("location", "location", "r"),
        p("organizer", "recipient", "r"),
        p("attendees", "Collection(attendee)", "r"),
        p("type", "eventType", "r"),
        p("seriesMasterId", TEXT, "r"),
        p("showAs", "freeBusyStatus", "r"),
        p("sensitivity", "sensitivity", "r"),
        p("importance", "importance", "r"),
        p("webLink", TEXT, "r"),
        p("iCalUId", TEXT, "r"),
        p("hasAttachments", BOOL, "r"),
        p("isDraft", BOOL, "r"),
        p("isReminderOn", BOOL, "r"),
        p("responseRequested", BOOL, "r"),
        p("hideAttendees", BOOL, "r"),
        p("allowNewTimeProposals", BOOL, "r"),
        p("cancelledOccurrences", TEXTS, ""),
        p("locations", "Collection(location)", ""),
        p("onlineMeetingProvider", "onlineMeetingProviderType", ""),
        p("originalStart", TIME, ""),
        p("recurrence", "patternedRecurrence", ""),
        p("reminderMinutesBeforeStart", INT, ""),
        p("responseStatus", "responseStatus", ""),
        p("transactionId", TEXT, ""),
    ],
    links: &[
        p("attachments", "Collection(attachment)", ""),
        p("calendar", "calendar", ""),
        p("instances", "Collection(event)", ""),
        p("exceptionOccurrences", "Collection(event)", ""),
        p("extensions", "Collection(extension)", ""),
        p("singleValueExtendedProperties", "Collection(singleValueLegacyExtendedProperty)", ""),
        p("multiValueExtendedProperties", "Collection(multiValueLegacyExtendedProperty)", ""),
    ],
    paths: &[],
};

pub static ATTACHMENT: Entity = Entity {
    name: "attachment",
    base: "entity",
    properties: &[
        p("id", TEXT, "r"),
        p("lastModifiedDateTime", TIME, "r"),
        p("name", TEXT, "r"),
        p("contentType", TEXT, "r"),
        p("size", INT, "r"),
        p("isInline", BOOL, "r"),
        p("contentId", TEXT, "r"),
        p("contentLocation", TEXT, "r"),
        p("contentBytes", "Edm.Binary", "r"),
    ],
    links: &[p("item", "outlookItem", "")],
    paths: &[],
};

pub static CATEGORY: Entity = Entity {
    name: "outlookCategory",
    base: "entity",
    properties: &[p("id", TEXT, "r"), p("displayName", TEXT, "r"), p("color", "categoryColor", "r")],
    links: &[],
    paths: &[],
};

pub static SETTINGS: Entity = Entity {
    name: "mailboxSettings",
    base: "",
    properties: &[
        p("archiveFolder", TEXT, "r"),
        p("automaticRepliesSetting", "automaticRepliesSetting", "r"),
        p("dateFormat", TEXT, "r"),
        p("delegateMeetingMessageDeliveryOptions", "delegateMeetingMessageDeliveryOptions", "r"),
        p("language", "localeInfo", "r"),
        p("timeFormat", TEXT, "r"),
        p("timeZone", TEXT, "r"),
        p("userPurpose", "userPurpose", "r"),
        p("workingHours", "workingHours", "r"),
    ],
    links: &[],
    paths: &[],
};

pub static PHOTO: Entity = Entity {
    name: "profilePhoto",
    base: "entity",
    properties: &[p("id", TEXT, "r"), p("height", INT, "r"), p("width", INT, "r")],
    links: &[],
    paths: &[],
};

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

pub static ORGANIZATION: Entity = Entity {
    name: "organization",
    base: "directoryObject",
    properties: &[
        p("id", TEXT, "r"),
        p("deletedDateTime", TIME, "r"),
        p("assignedPlans", "Collection(assignedPlan)", "r"),
        p("businessPhones", TEXTS, "r"),
        p("city", TEXT, "r"),
        p("country", TEXT, "r"),
        p("countryLetterCode", TEXT, "r"),
        p("createdDateTime", TIME, "r"),
        p("defaultUsageLocation", TEXT, "r"),
        p("displayName", TEXT, "r"),
        p("marketingNotificationEmails", TEXTS, "r"),
        p("onPremisesLastSyncDateTime", TIME, "r"),
        p("onPremisesSyncEnabled", BOOL, "r"),
        p("postalCode", TEXT, "r"),
        p("preferredLanguage", TEXT, "r"),
        p("state", TEXT, "r"),
        p("street", TEXT, "r"),
        p("technicalNotificationMails", TEXTS, "r"),
        p("tenantType", TEXT, "r"),
        p("verifiedDomains", "Collection(verifiedDomain)", "r"),
        p("mobileDeviceManagementAuthority", "mdmAuthority", ""),
        p("partnerTenantType", "partnerTenantType", ""),
        p("privacyProfile", "privacyProfile", ""),
        p("provisionedPlans", "Collection(provisionedPlan)", ""),
        p("securityComplianceNotificationMails", TEXTS, ""),
        p("securityComplianceNotificationPhones", TEXTS, ""),
    ],
    links: &[],
    paths: &[],
};

pub static USER: Entity = Entity {
    name: "user",
    base: "directoryObject",
    properties: &[
        p("id", TEXT, "rf"),
        p("displayName", TEXT, "rfs"),
        p("givenName", TEXT, "rf"),
        p("surname", TEXT, "rf"),
        p("mail", TEXT, "rfs"),
        p("userPrincipalName", TEXT, "rfs"),
        p("accountEnabled", BOOL, "rf"),
        p("userType", TEXT, "rf"),
        p("businessPhones", TEXTS, "r"),
        p("jobTitle", TEXT, "r"),
        p("mobilePhone", TEXT, "r"),
        p("officeLocation", TEXT, "r"),
        p("preferredLanguage", TEXT, "r"),
        p("proxyAddresses", TEXTS, "rf"),
        p("otherMails", TEXTS, "rf"),
        p("assignedPlans", "Collection(assignedPlan)", "r"),
        p("deletedDateTime", TIME, ""),
        p("aboutMe", TEXT, ""),
        p("ageGroup", TEXT, ""),
        p("assignedLicenses", "Collection(assignedLicense)", ""),
        p("authorizationInfo", "authorizationInfo", ""),
        p("birthday", TIME, ""),
        p("city", TEXT, ""),
        p("companyName", TEXT, ""),
        p("consentProvidedForMinor", TEXT, ""),
        p("country", TEXT, ""),
        p("createdDateTime", TIME, ""),
        p("creationType", TEXT, ""),
        p("customSecurityAttributes", "customSecurityAttributeValue", ""),
        p("department", TEXT, ""),
        p("deviceEnrollmentLimit", INT, ""),
        p("employeeHireDate", TIME, ""),
        p("employeeId", TEXT, ""),
        p("employeeLeaveDateTime", TIME, ""),
        p("employeeOrgData", "employeeOrgData", ""),
        p("employeeType", TEXT, ""),
        p("externalUserState", TEXT, ""),
        p("externalUserStateChangeDateTime", TIME, ""),
        p("faxNumber", TEXT, ""),
        p("hireDate", TIME, ""),
        p("identities", "Collection(objectIdentity)", ""),
        p("imAddresses", TEXTS, ""),
        p("interests", TEXTS, ""),
        p("isResourceAccount", BOOL, ""),
        p("lastPasswordChangeDateTime", TIME, ""),
        p("legalAgeGroupClassification", TEXT, ""),
        p("licenseAssignmentStates", "Collection(licenseAssignmentState)", ""),
        p("mailboxSettings", "mailboxSettings", ""),
        p("mailNickname", TEXT, ""),
        p("mySite", TEXT, ""),
        p("onPremisesDistinguishedName", TEXT, ""),
        p("onPremisesDomainName", TEXT, ""),
        p("onPremisesExtensionAttributes", "onPremisesExtensionAttributes", ""),
        p("onPremisesImmutableId", TEXT, ""),
        p("onPremisesLastSyncDateTime", TIME, ""),
        p("onPremisesProvisioningErrors", "Collection(onPremisesProvisioningError)", ""),
        p("onPremisesSamAccountName", TEXT, ""),
        p("onPremisesSecurityIdentifier", TEXT, ""),
        p("onPremisesSyncEnabled", BOOL, ""),
        p("onPremisesUserPrincipalName", TEXT, ""),
        p("passwordPolicies", TEXT, ""),
        p("passwordProfile", "passwordProfile", ""),
        p("pastProjects", TEXTS, ""),
        p("postalCode", TEXT, ""),
        p("preferredDataLocation", TEXT, ""),
        p("preferredName", TEXT, ""),
        p("provisionedPlans", "Collection(provisionedPlan)", ""),
        p("responsibilities", TEXTS, ""),
        p("schools", TEXTS, ""),
        p("securityIdentifier", TEXT, ""),
        p("serviceProvisioningErrors", "Collection(serviceProvisioningError)", ""),
        p("showInAddressList", BOOL, ""),
        p("signInActivity", "signInActivity", ""),
        p("signInSessionsValidFromDateTime", TIME, ""),
        p("skills", TEXTS, ""),
        p("state", TEXT, ""),
        p("streetAddress", TEXT, ""),
        p("usageLocation", TEXT, ""),
    ],
    links: &[
        p("messages", "Collection(message)", ""),
        p("mailFolders", "Collection(mailFolder)", ""),
        p("chats", "Collection(chat)", ""),
        p("photo", "profilePhoto", ""),
        p("outlook", "outlookUser", ""),
        p("manager", "directoryObject", ""),
        p("memberOf", "Collection(directoryObject)", ""),
        p("directReports", "Collection(directoryObject)", ""),
    ],
    paths: &[],
};

/// What a name means to an entity.
pub enum Meaning {
    Here(&'static Property),
    /// Microsoft has it, the simulator does not.
    Lacking,
    Unknown,
}

impl Entity {
    /// What can be done with a property, a path, or a link.
    pub fn means(&'static self, path: &str, can: char) -> Meaning {
        let all = self.properties.iter().chain(self.links).chain(self.paths);
        let found = all.into_iter().find(|p| p.name.eq_ignore_ascii_case(path));
        match found {
            Some(property) if property.can.contains(can) => Meaning::Here(property),
            Some(_) => Meaning::Lacking,
            // A path below a property that is no plain value may well exist.
            None => {
                let first = path.split('/').next().unwrap_or("");
                let complex = |p: &&Property| p.name.eq_ignore_ascii_case(first) && !p.kind.starts_with("Edm.");
                let known = self.properties.iter().chain(self.links).find(complex).is_some();
                if known && path.contains('/') { Meaning::Lacking } else { Meaning::Unknown }
            }
        }
    }

    pub fn no_property(&self, name: &str) -> String {
        format!("Could not find a property named '{name}' on type 'microsoft.graph.{}'.", self.name)
    }
}
