// Written from udl/src/*.udl by `cargo run -p tidings-generator -- stubs`. Do not edit.

/** Last argument of every asynchronous method. Aborting stops the wait and rejects with the signal's reason; durable steps still run to their end. */
export interface CallOptions {
  signal?: AbortSignal;
}

/** What a failed call means for the caller; each kind asks for a different reaction. */
export type ErrorKind = 'invalid_input' | 'limit_exceeded' | 'not_connected' | 'needs_reconnect' | 'consent_missing' | 'forbidden' | 'not_found' | 'conflict' | 'throttled' | 'upstream' | 'network' | 'outcome_unknown' | 'link_rejected' | 'token_rejected' | 'vault_locked' | 'wrong_key' | 'corrupt' | 'store_busy' | 'store_full' | 'cursor_expired' | 'app_not_installed' | 'bot_blocked' | 'conversation_gone' | 'cancelled' | 'closed' | 'forked' | 'internal';

/** Who can mend it. */
export type Remedy = 'user' | 'admin' | 'developer' | 'wait' | 'nobody';

/** What the store does with mail. Tokens and keys are always sealed.
 * `Sealed`: subjects, addresses and bodies are encrypted. `Clear`: there is a full-text index beside them, which whoever has the file can read; `search` uses it. */
export type Content = 'sealed' | 'clear';

/** What becomes of sends that were open when the store was copied or restored from a backup; the original, or the time since, may have sent them.
 * `Park`: they wait, and their receipts say so, until the store is opened with `Go`. `Go`: they go out, also those that wait since an earlier open. */
export type CopiedStore = 'park' | 'go';

/** What a person connects for; the engine derives the smallest set of Microsoft permissions. */
export type Feature = 'chat' | 'channels' | 'people' | 'mail_send' | 'mail_sync' | 'shared_mailboxes' | 'contacts' | 'calendar';

export type AccountState = 'connected' | 'needs_reconnect' | 'awaiting_admin' | 'declined' | 'misconfigured' | 'disconnected';

/** `Person`: one person's mailbox and chats. `Tenant`: a whole organisation, without a person. `Link`: a person who is known, whose data is not touched.
 * `SharedMailbox`: a mailbox that is opened through the account of somebody who may, or through that of its organisation. */
export type AccountKind = 'person' | 'tenant' | 'link' | 'shared_mailbox';

/** `NotAsked`: the account has no mail feature. `Unlicensed`: no Exchange Online licence. `OnPremises`: it is on a server of the organisation's own, which
 * Graph cannot reach. `Forbidden`: the permission is missing. `Unreachable`: no answer; try again. */
export type MailboxState = 'not_asked' | 'reachable' | 'unlicensed' | 'on_premises' | 'forbidden' | 'unreachable';

/** `Healthy`: a success within 25 hours, or it has nothing to sync. `Incomplete`: the same, but something is set aside. `NeverSynced`: nothing was fetched yet. `Stale`: the last success is older. `Error`: it does not work. */
export type Badge = 'healthy' | 'incomplete' | 'never_synced' | 'stale' | 'error';

/** How news of a mailbox come: `Manual` when the host calls `sync`, `Push` while Microsoft posts to `notification_url`. */
export type Transport = 'manual' | 'polling' | 'push';

export type BodyType = 'text' | 'html' | 'markdown';

export type Importance = 'low' | 'normal' | 'high';

export type Route = 'mail' | 'reply' | 'forward' | 'chat' | 'channel_post' | 'workflow' | 'bot' | 'to_endpoint';

/** `Queued`: stored, not sent. `Sending`: under way. `Sent`: Microsoft has it. `Unknown`: it may have been sent; it is never repeated by itself.
 * `Failed`: it was not sent. `Cancelled`: taken back before it was sent. */
export type SendState = 'queued' | 'sending' | 'sent' | 'unknown' | 'failed' | 'cancelled';

export type BounceKind = 'permanent' | 'temporary';

/** `Urgent` tells the recipients every two minutes for twenty minutes, where their organisation allows it. */
export type ChatImportance = 'normal' | 'high' | 'urgent';

/** `MessageEdited`, `MessageDeleted`: of a message that was there before. `Installed`, `Removed`: the app of the bot, for a person or a team. `CardAction`: a button
 * of a card was pressed. */
export type BotActivityKind = 'message' | 'message_edited' | 'message_deleted' | 'reaction_added' | 'reaction_removed' | 'installed' | 'removed' | 'card_action';

/** Where a bot writes, and is written to. */
export type BotPlaceKind = 'personal' | 'group' | 'channel';

/** Whether the bot may write there, as it was told last. */
export type BotPlaceState = 'open' | 'not_installed' | 'blocked' | 'gone';

/** Where an app's bot works. `Personal`: one person's own chat with it; `Team`: the channels of a team; `GroupChat`: chats of several people. */
export type AppScope = 'personal' | 'team' | 'group_chat';

/** Kinds of endpoints. `TeamsChannel`: a channel of a team. `TeamsUser`: the bot's own chat with a person. `Workflow`: what was added with `add_workflow`. `Chat`: a chat of
 * a connected person. `Mail`: a mail address. */
export type EndpointKind = 'teams_channel' | 'teams_user' | 'workflow' | 'chat' | 'mail';

/** `Retired`: it gets nothing until it is changed; `reason` of it says why. */
export type EndpointState = 'active' | 'retired';

/** `Private` and `Shared`: only its own members see it. */
export type ChannelKind = 'standard' | 'private' | 'shared' | 'other';

export type ChatKind = 'one_on_one' | 'group' | 'meeting' | 'other';

/** What of a message could not be read or told: all of it, what is attached, or whether it was removed. */
export type QuarantineKind = 'message' | 'attachments' | 'removal';

/** How far back mail is fetched: not at all, only mail that comes from now on; 30, 90 or 365 days; or all of it. */
export type BackfillRange = 'nothing' | 'thirty_days' | 'ninety_days' | 'twelve_months' | 'everything';

/** What a back-fill is at. `Listing`: mail of the range is fetched, the newest first. `Seeding`: all mail of the range is here, and the folders are walked once more
 * for their delta links, which also shows what was missed or removed meanwhile. `Paused`: `resume_backfill` goes on from there. `Cancelled`: what is here stays,
 * and nothing older is fetched. */
export type BackfillState = 'listing' | 'seeding' | 'paused' | 'cancelled' | 'done';

/** What an attachment is. */
export type AttachmentKind = 'file' | 'item' | 'reference';

/** What a message is, by its form. That can be forged: what is proven, and answers a mail that was sent here, stands in that receipt. */
export type MessageKind = 'ordinary' | 'bounce' | 'automatic_reply';

/** `Complete`: it was flagged, and is done. */
export type FlagStatus = 'not_flagged' | 'flagged' | 'complete';

/** A form in which a body is made ready. */
export type BodyForm = 'original' | 'text' | 'html';

/** What becomes of pictures that a mail carries itself and shows in its HTML. */
export type InlineImages = 'keep' | 'data' | 'leave_out';

/** `Single`: happens once. `Occurrence`: one of a series, as the series is. `Exception`: one of a series that was changed by itself. */
export type EventKind = 'single' | 'occurrence' | 'exception';

/** What others see of the person's time. */
export type ShowAs = 'free' | 'tentative' | 'busy' | 'out_of_office' | 'working_elsewhere' | 'unknown';

export type Sensitivity = 'normal' | 'personal' | 'private' | 'confidential';

/** What somebody who is invited has answered. */
export type AttendeeAnswer = 'none' | 'organizer' | 'accepted' | 'tentative' | 'declined';

/** `Resource`: a room or a thing. */
export type AttendeeKind = 'required' | 'optional' | 'resource';

/** `System`: of Teams itself, as when somebody joins. */
export type TeamsMessageKind = 'message' | 'system';

export type ChangeKind = 'message_added' | 'message_changed' | 'message_moved' | 'message_removed' | 'account_changed' | 'send_changed' | 'contact_changed' | 'contact_removed' | 'event_changed' | 'event_removed' | 'chat_message_changed' | 'chat_message_removed' | 'send_answered' | 'bot_message' | 'bot_message_edited' | 'bot_reaction' | 'bot_installed' | 'bot_removed' | 'bot_card_action' | 'endpoint_changed';

/** Which version of Graph is asked. `Beta` changes without notice. */
export type GraphVersion = 'v1' | 'beta';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace';

export type AuditKind = 'store_made' | 'signed_in' | 'sign_in_refused' | 'approval_asked' | 'state_changed' | 'disconnected' | 'content_read' | 'raw_request' | 'send_queued' | 'send_settled' | 'sent_changed' | 'key_rotated' | 'key_destroyed' | 'owner_deleted' | 'owner_restored' | 'purged' | 'store_copied' | 'chain_begun' | 'audit_trimmed' | 'workflow_added' | 'workflow_removed';

/** `Changed`: a record is not as it was written. `Missing`: one is gone. `Swapped`: one stands in another's place. `TailMissing`: the end is gone. */
export type AuditFault = 'changed' | 'missing' | 'swapped' | 'tail_missing';

/** A further application of yours in Entra, chosen by its name in `connect`. */
export interface App {
  /** 1 to 50 letters, digits, `-` or `_`; `default` is the one of `Config` itself. */
  name: string;
  clientId: string;
  clientSecret?: Secret | string | null;
  certificate?: ClientCertificate | null;
  /** Default: `"common"`. */
  tenant?: string;
}

/** How an engine is set up. */
export interface Config {
  /** Folder of the store, made with mode 0700 if missing. One folder may be opened by several processes. */
  dataDir: string;
  /** Application (client) id of your registration in Entra. */
  clientId: string;
  cloud: Cloud;
  /** Client secret of a confidential client; none for a public client. */
  clientSecret?: Secret | string | null;
  /** Certificate instead of a client secret. */
  certificate?: ClientCertificate | null;
  /** Whose sign-in page: `common`, `organizations`, `consumers`, a tenant id or a verified domain. Default: `"common"`. */
  tenant?: string;
  /** Further applications. Default: `[]`. */
  apps?: readonly App[];
  /** Chosen when the store is made; opening it with the other is an error. Default: `"sealed"`. */
  content?: Content;
  /** What becomes of sends that were open when the store was copied or restored from a backup. Default: `"park"`. */
  onCopiedStore?: CopiedStore;
  /** How long `send` waits for the outcome before it answers `queued`, in milliseconds. Default: `30000`. */
  sendTimeoutMs?: number;
  /** How long a started sign-in stays valid, in seconds, 300 at the most. Default: `300`. */
  signInSeconds?: number;
  /** Messages asked for per page of a sync, 1 to 1000. Default: `100`. */
  pageSize?: number;
  /** Folders to sync, by well-known name or id, or `all`; empty: `inbox` and `sentitems`. `choose_folders` chooses others for an account. Default: `[]`. */
  folders?: readonly string[];
  /** Accept TLS 1.2 beside 1.3, for networks whose proxy needs it. Default: `false`. */
  allowTls12?: boolean;
  /** Proxy as `http://host:port`, or `http://user:password@host:port`; without it the environment decides. A secret, since it may hold a password. */
  proxy?: Secret | string | null;
  /** Further certificate authorities to trust, as PEM: those of a proxy that looks into TLS. The system's are trusted anyway. */
  caCertificates?: string | null;
  /** Requests to Microsoft at a time for one tenant and service (mail, Teams, directory), 1 to 64. One mailbox never has more than four. Default: `4`. */
  maxTenantRequests?: number;
  /** Requests to Microsoft at a time in all, 1 to 64. Sign-in, renewal of tokens and posts to workflows are not counted. Default: `64`. */
  maxRequests?: number;
  /** For how many days the change feed is kept, 1 to 3650, and at the most the last million changes of an account. A cursor from before that is told so. Default: `90`. */
  keepChangesDays?: number;
  /** For how many days a send is kept after it was sent, failed, cancelled or left in doubt, 1 to 3650. After that its receipt is NotFound, and its
   * idempotency key forgotten. Default: `90`. */
  keepSendsDays?: number;
  /** Hosts that workflows may be at: one by its name, or with a dot before it all below that name, as in `.logic.azure.com`. Empty: `.logic.azure.com`,
   * `.environment.api.powerplatform.com` and `.api.powerplatform.com` in the public cloud, none in the others. Default: `[]`. */
  workflowHosts?: readonly string[];
  /** Mails that leave a mailbox in any minute, up to 10,000; 0: no limit. Exchange Online takes 30 and lets those beyond wait by itself. It holds over restarts
   * and for all processes of the store. What `send` waits for passes those of a campaign. Default: `0`. */
  mailsPerMinute?: number;
  /** Recipients of the mails that leave a mailbox in any 24 hours, up to 1,000,000; 0: no limit. Exchange Online takes 10,000 and refuses those beyond. Default: `0`. */
  recipientsPerDay?: number;
  /** Where Microsoft posts that something changed in a mailbox: a route of the host's own, which hands what comes to `receive`. https, without user and fragment,
   * 2,000 characters at the most; none: no mailbox is watched. Plain http is for loopback hosts of a custom cloud only. */
  notificationUrl?: string | null;
  /** How many days before today events of the calendar are synced, 0 to 900. Default: `30`. */
  calendarDaysBefore?: number;
  /** How many days after today events of the calendar are synced, 1 to 900. Default: `365`. */
  calendarDaysAfter?: number;
  /** Notifications bring what changed of a message, encrypted for a certificate that the engine makes and replaces, and signed by Microsoft. It is proven and counted (`metrics`),
   * and read from the mailbox all the same. Such a subscription lives for a day instead of three. Needs `notification_url`. Default: `false`. */
  encryptedNotifications?: boolean;
  /** How many megabytes of attachments are kept on disk, sealed, for whoever reads them again; 0: none. Those that were read least recently go first. It is the same in all processes of a
   * store, up to 1,000,000. Default: `0`. */
  attachmentCacheMb?: number;
  /** The application that is a bot in Teams: `default`, or the name of one of `apps`. It needs a client secret or a certificate; none: there is no bot. */
  botApp?: string | null;
  /** Where the bot asks for its tokens: the tenant id of its own organisation if its registration is for one organisation only, as those made since August 2025
   * are. None: where bots of several organisations ask (`botframework.com`). */
  botTenant?: string | null;
  /** Address of the Bot Connector for somebody whom the bot was never told of, as in `https://smba.infra.gcc.teams.microsoft.com/gcc`. None: that of the cloud. */
  botServiceUrl?: string | null;
  /** Id of the bot's app in the organisations' catalogues, as `app_id` of its package: where a message of the bot is to go and the app is missing, it is then installed
   * first, once, if the account of the organisation may: for a person, in a group chat, or in the team that `team_id` of the draft names (`AppCatalog.Read.All`;
   * `TeamsAppInstallation.ReadWriteSelfForUser.All`, `…ForChat.All`, `…ForTeam.All`; `User.ReadBasic.All` for people by address). Teams learns of it a little later: the message is
   * tried again for two minutes. None: nothing is installed. */
  botExternalId?: string | null;
}

/** A sign-in to start. */
export interface ConnectRequest {
  /** Your own opaque key of the person or team that owns the account, 1 to 200 characters. */
  owner: string;
  /** At least one. */
  features: readonly Feature[];
  /** Where Microsoft sends the browser back; must be registered in Entra. `connect_here` fills it in. Default: `""`. */
  redirectUri?: string;
  /** Address to fill in on Microsoft's page. */
  loginHint?: string | null;
  /** Further Microsoft permissions to ask for, as in `Calendars.Read`. Default: `[]`. */
  extraScopes?: readonly string[];
  /** Name of the application to connect through; none: the one of `Config` itself. */
  app?: string | null;
  /** Tenant id or domain to sign in to, for guests; none: the one of the application. */
  tenant?: string | null;
  /** Anything you want to find again at the account, at most 1000 characters; stored sealed. */
  context?: string | null;
}

/** An organisation to connect, by its administrator. */
export interface TenantRequest {
  /** As in `ConnectRequest`. */
  owner: string;
  redirectUri: string;
  app?: string | null;
  /** Tenant id or domain, when it is known. */
  tenant?: string | null;
  context?: string | null;
  /** Makes an endpoint for the person who signs in, through the bot of the organisation that is connected; it works once the administrator has approved. None: no endpoint. */
  endpoint?: SubscriberLink | null;
}

/** A person to get to know without touching any data: `openid profile User.Read`, nothing lasting. */
export interface LinkRequest {
  /** Your own key of that person, 1 to 200 characters. */
  owner: string;
  redirectUri: string;
  app?: string | null;
  /** Tenant id or domain the person must belong to. */
  tenant?: string | null;
  loginHint?: string | null;
  context?: string | null;
  /** Makes an endpoint for the person once they have signed in, through the bot of a connected organisation, to which they must belong. None: no endpoint. */
  endpoint?: SubscriberLink | null;
}

/** A started sign-in. Send the person to `url`; keep `binding` in that person's session and hand it to `finish_connect`. */
export interface SignIn {
  url: string;
  /** Secret that ties the callback to the browser it was started in. */
  binding: string;
  expiresAt: Date;
}

/** One permission of Microsoft's, explained. */
export interface Permission {
  /** Microsoft's name, as in `Mail.Send`. */
  name: string;
  /** What it is, in a few words for the person who is asked. */
  title: string;
  /** Why it is asked for. */
  reason: string;
  /** Features that need it. */
  features: Feature[];
  /** Microsoft lets only an administrator grant it. */
  needsAdmin: boolean;
  /** Whether the account asked about has it; none without an account. */
  granted: boolean | null;
}

/** Permissions, and what they leave alone. */
export interface PermissionList {
  items: Permission[];
  /** What is not accessed, in sentences for the person who is asked. */
  notAccessed: string[];
}

/** What to explain: the permissions that features need or, with an account, those it was granted as well. */
export interface PermissionQuery {
  /** Default: `[]`. */
  features?: readonly Feature[];
  /** Default: `[]`. */
  extraScopes?: readonly string[];
  accountId?: string | null;
  /** Whose the account must be. */
  owner?: string | null;
}

/** What an administrator has to approve. Send the administrator's browser to `url`, or hand `sheet` to the IT department. */
export interface Approval {
  accountId: string;
  /** Microsoft's page for administrators; comes back to the redirect URI, for `finish_connect`. */
  url: string;
  /** Secret that ties the callback to the browser it was started in. */
  binding: string;
  expiresAt: Date;
  /** Text for the box in which Microsoft asks the person why. */
  justification: string;
  /** Markdown: application id, each permission with its reason, what is not accessed, what to do. */
  sheet: string;
}

/** A connected Microsoft 365 account. */
export interface Account {
  id: string;
  owner: string;
  kind: AccountKind;
  state: AccountState;
  /** Application it was connected through. */
  app: string;
  context: string | null;
  /** Address and name as Microsoft gives them; for display, never a key. */
  address: string;
  displayName: string;
  /** Entra tenant id and object id: who it is. Empty until somebody has signed in. */
  tenantId: string;
  userId: string;
  features: Feature[];
  /** What was really granted. */
  scopes: string[];
  /** Features asked for that the granted permissions do not cover. */
  missing: Feature[];
  connectedAt: Date;
  /** Folders that are synced, by well-known name or id, or `all`; empty: those of the configuration. */
  folders: string[];
  /** Why it is not connected, and what to do. */
  problem: string | null;
  /** What will not work although it is connected, why, and what to do. */
  warnings: string[];
  /** When access ends for good, since no lasting access (`offline_access`) was granted. */
  accessEndsAt: Date | null;
  /** Of a shared mailbox: id of the account it is opened through, or was before it was disconnected. */
  delegate: string | null;
}

/** Which accounts, in the order in which they were connected first. */
export interface AccountFilter {
  owner?: string | null;
  state?: AccountState | null;
  /** 1 to 1000. Default: `100`. */
  limit?: number;
  /** `next` of the page before; good for the same owner and state. */
  cursor?: string | null;
}

/** Some accounts of a list. */
export interface AccountPage {
  items: Account[];
  /** Cursor of the next page; none at the end. */
  next: string | null;
}

/** What `verify` found. */
export interface Verification {
  /** As it is now; name and address are brought up to date. */
  account: Account;
  mailbox: MailboxState;
  /** The test message, if one was asked for. */
  testMessage: Receipt | null;
  /** What does not work and what to do, in words; empty when all is well. */
  problems: string[];
}

/** How an account is doing, from recorded facts. */
export interface AccountHealth {
  accountId: string;
  badge: Badge;
  state: AccountState;
  transport: Transport;
  /** Last complete sync. */
  lastSuccessAt: Date | null;
  /** Last failure since then. */
  lastErrorAt: Date | null;
  lastErrorKind: ErrorKind | null;
  lastError: string | null;
  /** What is set aside because it could not be read or told; `quarantined` lists it. */
  quarantined: number;
  /** Sends that wait for the host since the store was copied or restored. */
  parkedSends: number;
  /** What to do, in words; empty when there is nothing to do. */
  nextStep: string;
  /** Since when news come that way; none where it is the usual way. */
  transportSince: Date | null;
}

/** All accounts of an owner; the badge is that of the worst. */
export interface Health {
  owner: string;
  badge: Badge;
  accounts: AccountHealth[];
}

/** A mail address with an optional display name. */
export interface Address {
  address: string;
  name: string;
}

/** A mail address with an optional display name. */
export type AddressInput = string | {
  address: string;
  /** Default: `""`. */
  name?: string;
};

/** A file to send with a mail or a message of Teams: its content, below 3 MB, or the id of a content that was staged, of any size that Microsoft takes. */
export interface FileAttachment {
  name: string;
  /** Empty where `staged` says which content it is. */
  content: Buffer;
  contentType: string;
  /** It is an image that the HTML body shows, as in `<img src="cid:logo">` with the content id `logo`; in a message of Teams a PNG, JPEG or GIF with a content of
   * its own, all of them below 2.8 MB. None: it is listed below the mail or message. */
  contentId: string | null;
  /** Id of a staged content of this account, as `stage_attachment` and the helpers for files and streams give it. */
  staged: string | null;
}

/** A file to send with a mail or a message of Teams: its content, below 3 MB, or the id of a content that was staged, of any size that Microsoft takes. */
export interface FileAttachmentInput {
  name: string;
  /** Empty where `staged` says which content it is. */
  content: Uint8Array;
  /** Default: `"application/octet-stream"`. */
  contentType?: string;
  /** It is an image that the HTML body shows, as in `<img src="cid:logo">` with the content id `logo`; in a message of Teams a PNG, JPEG or GIF with a content of
   * its own, all of them below 2.8 MB. None: it is listed below the mail or message. */
  contentId?: string | null;
  /** Id of a staged content of this account, as `stage_attachment` and the helpers for files and streams give it. */
  staged?: string | null;
}

/** What an account puts below its mails. */
export interface Signature {
  /** For bodies that are text. */
  text: string;
  /** For those of HTML and Markdown, as it is; none: the text. */
  html: string;
  /** What the HTML shows, as in `<img src="cid:logo">` with the content id `logo`. Each has a content of its own. */
  images: FileAttachment[];
}

/** What an account puts below its mails. */
export type SignatureInput = string | {
  /** For bodies that are text. */
  text: string;
  /** For those of HTML and Markdown, as it is; none: the text. Default: `""`. */
  html?: string;
  /** What the HTML shows, as in `<img src="cid:logo">` with the content id `logo`. Each has a content of its own. Default: `[]`. */
  images?: readonly FileAttachmentInput[];
};

/** A header of a mail that is sent. */
export interface MailHeader {
  name: string;
  value: string;
}

/** A new mail. To, cc and bcc together 1 to 500 recipients. */
export interface MailDraft {
  accountId: string;
  to: AddressInput | readonly AddressInput[];
  subject: string;
  body: string;
  /** Default: `"text"`. */
  bodyType?: BodyType;
  /** Default: `[]`. */
  cc?: AddressInput | readonly AddressInput[];
  /** Default: `[]`. */
  bcc?: AddressInput | readonly AddressInput[];
  /** Default: `[]`. */
  replyTo?: AddressInput | readonly AddressInput[];
  /** Default: `"normal"`. */
  importance?: Importance;
  /** Default: `[]`. */
  attachments?: readonly FileAttachmentInput[];
  /** Idempotency key, unique per account: the same key and content give the same receipt, other content is a Conflict. */
  key?: string | null;
  /** Not sent after this time: what is provably unsent by then becomes `failed`, anything else `unknown`. None: it waits for as long as it takes. It is
   * no part of the content: the same key with another deadline gives the send as it was first handed in. */
  deadline?: Date | null;
  /** Mails of one account with the same ordering key leave in the order in which they were handed in. None: this mail waits for no other. 1 to 200
   * characters. It is no part of the content, as the deadline is none. */
  orderingKey?: string | null;
  /** Not sent before this time; until then the receipt is `queued`, and `send` answers at once. It may lie a year ahead. It waits for no other message and
   * keeps no other waiting, but for those of its order that are to leave at the same time. Like the deadline it is no part of the content. */
  sendAt?: Date | null;
  /** Asks the recipients' mail programs to confirm that it was read, and their mail servers that it arrived. Both may ignore it. Default: `false`. */
  readReceipt?: boolean;
  /** Default: `false`. */
  deliveryReceipt?: boolean;
  /** Up to five headers of your own; their names begin with `x-`. Default: `[]`. */
  headers?: readonly MailHeader[];
  /** In whose name it leaves: a shared mailbox, a group or another person, if Exchange lets this account send as it, or on its behalf (recipients then see who
   * wrote). It needs the feature shared_mailboxes. None: the account's own address, which may be given as well, and needs nothing more. The draft and the
   * sent copy lie in the account's own mailbox. */
  fromAddress?: AddressInput | null;
  /** What this mail is about to the host, 1 to 200 characters: `last_sender` then tells the account and the From that its owner used last in this context.
   * Like the deadline it is no part of the content. None: nothing is remembered. */
  context?: string | null;
  /** Values for the fields of a template: names with dots, as in `candidate.first_name`. None: subject and body are taken to the letter, `{{` included. Some:
   * both are templates, filled when the draft is handed in; only what they become is stored, compared and sent. `{{ name }}`, the filters `default`, `upper`,
   * `lower`, `title`, `trim` and `escape`, and `{% if %}` with `and`, `or`, `not`, `==`, `!=` and `is defined`; no loops, and nothing else. Each value is escaped for
   * where it stands: in HTML, as text; in Markdown, as text; in text, as it is. Every field that is named must be given, but those with `default` or
   * `is defined`. 100 fields, names of 100 characters, templates and values of 256 KB, and 1 MB filled at the most.
   * Source: Jinja, Template Designer Documentation. */
  mergeFields?: Readonly<Record<string, string>> | null;
  /** Puts the account's signature below the body, as `set_signature` gave it: behind a line `-- ` where the body is text, else as HTML, with its images; a body in Markdown
   * becomes HTML. It is added once the templates are filled, and is none itself. The signature of the moment counts in which the draft is handed in; it is no part of the
   * content that `key` stands for, though whether there is one is. Errors: InvalidInput, where the account has none, and where an attachment has the content id of an image of it. Default: `false`. */
  addSignature?: boolean;
  /** The host's own key for what the mail is about, as a candidate or a ticket, 1 to 200 characters. The sent copy carries it in `links` of its message once it is synced,
   * and so does every mail that comes into its conversation afterwards; `messages` finds them by it. It is no part of the content, as the deadline is none. */
  link?: string | null;
}

/** An answer within a conversation, to those who the message that is answered asks to answer to. Microsoft makes subject, recipients and the quoted
 * message below the body, and whether the answered message was read stays as it was. */
export interface ReplyDraft {
  accountId: string;
  /** Id of the message that is answered, as `messages` shows it. It is one of this account. */
  messageId: string;
  body: string;
  /** Default: `"text"`. */
  bodyType?: BodyType;
  /** Also to everybody else who got that message. Default: `false`. */
  toAll?: boolean;
  /** Beside those whom Microsoft fills in. Default: `[]`. */
  to?: AddressInput | readonly AddressInput[];
  /** Default: `[]`. */
  cc?: AddressInput | readonly AddressInput[];
  /** Default: `[]`. */
  bcc?: AddressInput | readonly AddressInput[];
  /** Default: `"normal"`. */
  importance?: Importance;
  /** Default: `[]`. */
  attachments?: readonly FileAttachmentInput[];
  /** Idempotency key, as in `MailDraft`. */
  key?: string | null;
  /** Not sent after this time, as in `MailDraft`. */
  deadline?: Date | null;
  /** As in `MailDraft`; mails, replies and forwards share these keys. None: replies to one message leave in the order in which they were handed in. */
  orderingKey?: string | null;
  /** Not sent before this time, as in `MailDraft`. */
  sendAt?: Date | null;
  /** As in `MailDraft`. Default: `false`. */
  readReceipt?: boolean;
  /** Default: `false`. */
  deliveryReceipt?: boolean;
  /** Default: `[]`. */
  headers?: readonly MailHeader[];
  /** As in `MailDraft`. */
  fromAddress?: AddressInput | null;
  context?: string | null;
  /** Values for the fields of the body, which then is a template; as in `MailDraft`. */
  mergeFields?: Readonly<Record<string, string>> | null;
  /** As in `MailDraft`: it stands below the body and above the quoted message. Default: `false`. */
  addSignature?: boolean;
  /** As in `MailDraft`. */
  link?: string | null;
}

/** A message passed on, with its attachments. Microsoft makes the subject and the quoted message below the body. */
export interface ForwardDraft {
  accountId: string;
  /** Id of the message that is passed on, as `messages` shows it. It is one of this account. */
  messageId: string;
  to: AddressInput | readonly AddressInput[];
  /** Default: `""`. */
  body?: string;
  /** Default: `"text"`. */
  bodyType?: BodyType;
  /** Default: `[]`. */
  cc?: AddressInput | readonly AddressInput[];
  /** Default: `[]`. */
  bcc?: AddressInput | readonly AddressInput[];
  /** Default: `"normal"`. */
  importance?: Importance;
  /** Default: `[]`. */
  attachments?: readonly FileAttachmentInput[];
  /** Idempotency key, as in `MailDraft`. */
  key?: string | null;
  /** Not sent after this time, as in `MailDraft`. */
  deadline?: Date | null;
  /** As in `MailDraft`; mails, replies and forwards share these keys. */
  orderingKey?: string | null;
  /** Not sent before this time, as in `MailDraft`. */
  sendAt?: Date | null;
  /** As in `MailDraft`. Default: `false`. */
  readReceipt?: boolean;
  /** Default: `false`. */
  deliveryReceipt?: boolean;
  /** Default: `[]`. */
  headers?: readonly MailHeader[];
  /** As in `MailDraft`. */
  fromAddress?: AddressInput | null;
  context?: string | null;
  /** Values for the fields of the body, which then is a template; as in `MailDraft`. */
  mergeFields?: Readonly<Record<string, string>> | null;
  /** As in `MailDraft`: it stands below the body and above the quoted message. Default: `false`. */
  addSignature?: boolean;
  /** As in `MailDraft`. */
  link?: string | null;
}

/** A post to a Teams workflow that was registered with `add_workflow`: a text, or an Adaptive Card. Posts to one workflow leave in the order in which they
 * were handed in. */
export type WorkflowDraft = string | {
  /** Id of the workflow, as `add_workflow` gives it. */
  workflowId: string;
  /** Shown as a card with this text. One of `text` and `card` is needed, not both. What is posted may have 28,000 bytes. */
  text?: string | null;
  /** An Adaptive Card as JSON, version 1.0 to 1.5. */
  card?: string | null;
  /** Idempotency key, as in `MailDraft`. */
  key?: string | null;
  /** Not sent after this time, as in `MailDraft`. */
  deadline?: Date | null;
  /** Not sent before this time, as in `MailDraft`. */
  sendAt?: Date | null;
  /** Values for the fields of `text`, which then is a template; as in `MailDraft`. */
  mergeFields?: Readonly<Record<string, string>> | null;
};

/** What would be sent. */
export interface Preview {
  /** Of a mail or a post in a channel; empty where there is none, and where Microsoft makes it. */
  subject: string;
  /** Body or text, filled. Empty for a card. */
  body: string;
  bodyType: BodyType;
}

/** What became of a draft. */
export interface Receipt {
  id: string;
  /** The account it leaves from, or the workflow it goes to. Empty for a whole. */
  accountId: string;
  route: Route;
  state: SendState;
  key: string | null;
  /** Times it was tried with a request that may have had an effect, or whose process ended with it. Waiting for the network, a limit or a sign-in is no attempt. */
  attempts: number;
  /** Why it is not sent, or not yet, and what to do. */
  reason: string | null;
  /** Message-ID header of a mail (RFC 5322). */
  internetMessageId: string | null;
  /** Microsoft's id of the sent copy or chat message, and of the chat. */
  graphId: string | null;
  chatId: string | null;
  /** The conversation of a sent mail, as in `conversation_id` of messages; none where Microsoft did not tell. */
  conversationId: string | null;
  createdAt: Date;
  sentAt: Date | null;
  /** When it will be tried, or tried again. */
  nextAttemptAt: Date | null;
  /** It was open when the store was copied or restored, and waits for the host. */
  isParked: boolean;
  /** As in its draft. */
  link: string | null;
  /** What mail systems reported of a mail that did not arrive, or not yet, oldest first. Known once the reports are synced. Only reports that name this very mail, and
   * whose origin is proven: the mailbox's own organisation, or the domain of the recipient. */
  bounces: Bounce[];
  /** Answers that no person wrote: out of office and the like, oldest first. Known once they are synced; proven like the reports. */
  automaticReplies: AutomaticReply[];
  /** The endpoint it goes to; None: it goes to none. */
  endpointId: string | null;
  /** Id of the receipt of the whole it is a part of. */
  wholeId: string | null;
  /** Of a whole: what became of each part, in the order in which the endpoints were made. Its own state is `Queued` while none has begun, `Sending` while one is open,
   * then `Sent` if all were; else `Unknown` or `Failed` if one is, and `Cancelled` if all are. */
  parts: SendPart[];
}

/** A part of a whole that was sent to endpoints. */
export interface SendPart {
  endpointId: string;
  /** Its own receipt. None: it was refused as it was handed in, and nothing of it was stored. */
  receiptId: string | null;
  state: SendState;
  reason: string | null;
}

/** What a mail system reported of one recipient of a sent mail. Source: RFC 3464. */
export interface Bounce {
  recipient: string;
  /** Status code as in RFC 3463: `5.1.10`. */
  status: string;
  /** What the mail system said, in its own words and language; foreign text, 500 characters at the most. */
  reason: string | null;
  kind: BounceKind;
  at: Date;
  /** The message that reports it, as in `id` of a message. */
  messageId: string;
}

/** An answer to a sent mail that no person wrote. */
export interface AutomaticReply {
  fromAddress: Address | null;
  at: Date;
  /** The answer, as in `id` of a message. */
  messageId: string;
}

/** The account and the From that an owner used last in a context. */
export interface LastSender {
  accountId: string;
  /** None: the account's own address. */
  fromAddress: Address | null;
}

export interface OutboxFilter {
  /** Sends of all accounts and workflows of this owner. One of `owner` and `account_id` is needed. */
  owner?: string | null;
  /** Id of an account or of a workflow. */
  accountId?: string | null;
  state?: SendState | null;
  /** Newest first, at most this many, 1 to 1000. Default: `100`. */
  limit?: number;
}

/** A mention. It stands in the body wherever its placeholder stands, under the name that Microsoft has. */
export interface Mention {
  /** Text of your choice that is in the body, as in `@alex`. 1 to 100 characters; each mention has its own. */
  placeholder: string;
  target: MentionTarget;
  /** Shown in place of the name that Microsoft has. */
  text?: string | null;
}

/** A file that is somewhere already, as in SharePoint or OneDrive. Whether those who read the message may open it is as it is there. */
export interface FileLink {
  name: string;
  /** An `https` address. */
  url: string;
}

/** A Teams message in a chat: to one person (`to`), to a group (`members`), or in a chat there is (`chat_id`); one of the three. Messages to one chat leave in
 * the order in which they were handed in. */
export interface ChatDraft {
  accountId: string;
  /** Mail address of one person; the one-to-one chat is made or reused. Default: `""`. */
  to?: string;
  /** Text, HTML or Markdown. HTML is cleaned to what Teams shows. It may be empty beside a card or a file. Default: `""`. */
  body?: string;
  /** Default: `"text"`. */
  bodyType?: BodyType;
  /** Idempotency key, as in `MailDraft`. */
  key?: string | null;
  /** Not sent after this time, as in `MailDraft`. */
  deadline?: Date | null;
  /** Not sent before this time, as in `MailDraft`. */
  sendAt?: Date | null;
  /** Id of a chat there is, as receipts and `chats` show it. */
  chatId?: string | null;
  /** Mail addresses of the others in a group, up to 249. The group that this account made here for the same members and topic is reused; else one is made. Default: `[]`. */
  members?: readonly string[];
  /** Name of the group, up to 250 characters. */
  topic?: string | null;
  /** Default: `"normal"`. */
  importance?: ChatImportance;
  /** Default: `[]`. */
  mentions?: readonly Mention[];
  /** Adaptive Cards as JSON, up to 10. Buttons that answer to a bot do nothing in a person's message. Default: `[]`. */
  cards?: readonly string[];
  /** Files that are somewhere already, up to 10 with the attachments. Default: `[]`. */
  files?: readonly FileLink[];
  /** Files that are uploaded before the message is posted: into the folder `Microsoft Teams Chat Files` of the sender's OneDrive, where the others in the
   * chat may then read them (they are shared with each of them, without a mail). Where another file has the name already, a number follows it. How far
   * they are is durable: after a cut connection, or in another process, the upload goes on, and nothing is uploaded twice. Files of a message that is not
   * posted are removed again. Those with a `content_id` are pictures of the text and go with the message itself, without any of this. The account needs `Files.ReadWrite` among the extra scopes it was connected with, and for a group
   * that `chat_id` names `Chat.ReadBasic`; without, ConsentMissing before anything is stored. In a group by `members` those of the draft may open them.
   * Names that OneDrive does not take are InvalidInput. Source: Graph, chatMessage: send (with file attachment), and driveItem: invite. Default: `[]`. */
  attachments?: readonly FileAttachmentInput[];
  /** Values for the fields of the body, which then is a template; as in `MailDraft`. */
  mergeFields?: Readonly<Record<string, string>> | null;
}

/** A message in a channel of a team, as the person; with `reply_to` an answer in its thread. Messages to one channel leave in the order in which they were
 * handed in. */
export interface ChannelPostDraft {
  accountId: string;
  /** Ids as `teams` and `channels` show them. */
  teamId: string;
  channelId: string;
  /** As in `ChatDraft`. Default: `""`. */
  body?: string;
  /** Default: `"text"`. */
  bodyType?: BodyType;
  /** Id of the message at the head of the thread that is answered, as `graph_id` of its receipt. */
  replyTo?: string | null;
  /** Shown above the message; a reply has none. */
  subject?: string | null;
  /** Default: `"normal"`. */
  importance?: ChatImportance;
  /** Default: `[]`. */
  mentions?: readonly Mention[];
  /** As in `ChatDraft`. Default: `[]`. */
  cards?: readonly string[];
  /** Default: `[]`. */
  files?: readonly FileLink[];
  /** Idempotency key, as in `MailDraft`. */
  key?: string | null;
  /** Not sent after this time, as in `MailDraft`. */
  deadline?: Date | null;
  /** Not sent before this time, as in `MailDraft`. */
  sendAt?: Date | null;
  /** As in `ChatDraft`, uploaded to the files of the channel, which its members may open. The account needs `Files.ReadWrite.All` among the extra scopes.
   * Source: Graph, channel: get filesFolder. Default: `[]`. */
  attachments?: readonly FileAttachmentInput[];
  /** Values for the fields of subject and body, which then are templates; as in `MailDraft`. */
  mergeFields?: Readonly<Record<string, string>> | null;
}

/** A Teams workflow (Power Automate) that takes posts at a URL. Whoever has the URL can post, so it is a secret: it is stored sealed, and never shown again. */
export interface Workflow {
  /** For `WorkflowDraft`; stands where receipts, changes, events and the audit log name an account. */
  id: string;
  owner: string;
  name: string;
  /** Its URL without what proves anything: `https://prod-1.westeurope.logic.azure.com/…`. */
  url: string;
  host: string;
  context: string | null;
  addedAt: Date;
}

/** A message of the bot: to one person (`to`), as a new thread in a channel (`channel_id`), as an answer in one (`channel_id` and `reply_to`), or in a conversation
 * the bot was told of (`conversation_id`). Messages to one place leave in the order in which they were handed in, if they name it in the same way: a person's address,
 * object id and `29:…` are three names, and so is the conversation with them. Of one conversation Teams takes 60 messages in 30 seconds and 1,800 in an hour; what is more
 * waits. */
export interface BotDraft {
  /** Id of the account of an organisation, as `connect_tenant` gives it. */
  accountId: string;
  /** Somebody of the organisation: the id that this bot knows them by (`29:…`, as `roster` shows it), their object id in Entra, or their mail address or user
   * name. But for the first, they must have been seen: in a roster, or in a team named by `team_id`; by what somebody said to the bot they are known by object id.
   * With `bot_external_id` nobody has to have been seen. The conversation with them is made once and remembered. Default: `""`. */
  to?: string;
  /** Id of a conversation, as receipts show it in `chat_id`. */
  conversationId?: string | null;
  /** Id of a channel, as `channels` shows it. */
  channelId?: string | null;
  /** Id of the message at the head of the thread that is answered, as `graph_id` of its receipt. */
  replyTo?: string | null;
  /** The team in which somebody is looked for who was not seen yet, and that a channel is in, for `bot_external_id`: where the bot's app is missing, it is installed
   * there. Its id as `teams` shows it. */
  teamId?: string | null;
  /** Text, HTML or Markdown. HTML is cleaned to what Teams shows. It may be empty beside a card or a file. Default: `""`. */
  body?: string;
  /** Default: `"text"`. */
  bodyType?: BodyType;
  /** Values for the fields of the body, which then is a template; as in `MailDraft`. */
  mergeFields?: Readonly<Record<string, string>> | null;
  /** Shown where a card cannot be, as in a notification; up to 500 characters. */
  summary?: string | null;
  /** `Urgent` counts as `High`: bots have no other. Default: `"normal"`. */
  importance?: ChatImportance;
  /** It also appears in the activity feed of whoever gets it. Default: `false`. */
  notify?: boolean;
  /** People only. They must have been seen, as in `to`. Default: `[]`. */
  mentions?: readonly Mention[];
  /** Adaptive Cards as JSON, up to 10. Default: `[]`. */
  cards?: readonly string[];
  /** Files that are somewhere already, up to 10; shown as links below the text. Default: `[]`. */
  files?: readonly FileLink[];
  /** Idempotency key, as in `MailDraft`. */
  key?: string | null;
  /** Not sent after this time, as in `MailDraft`. */
  deadline?: Date | null;
  /** Not sent before this time, as in `MailDraft`. */
  sendAt?: Date | null;
}

/** Somebody in a team, as the bot sees them. */
export interface RosterMember {
  /** `29:…`: this bot's own id for them. */
  id: string;
  /** Of Entra. None: it is not told. */
  objectId: string | null;
  name: string;
  /** None: the organisation hides it, or there is none. */
  address: string | null;
  userName: string | null;
  isGuest: boolean;
}

/** Some people of a team. */
export interface RosterPage {
  items: RosterMember[];
  /** For the next page; none: that was the last. */
  next: string | null;
}

/** Something that somebody said to the bot, that it was told, or that it said itself: then `kind` is `Message`, `MessageEdited` once its words were changed, or
 * `MessageDeleted`. */
export interface BotActivity {
  id: string;
  accountId: string;
  /** For `conversation_id` of a `BotDraft`; of a thread in a channel it is the thread. */
  conversationId: string;
  kind: BotActivityKind;
  /** Teams' id of the message it is, or is about. */
  activityId: string;
  /** Who did it: the bot's own id for them (`29:…`). None: it is not told. */
  senderId: string | null;
  /** The same in Entra. */
  senderObjectId: string | null;
  senderName: string;
  /** What was said as plain text, without the mention of the bot. Strangers wrote it. Of what the bot said: the body as it was handed in, else the summary. */
  text: string;
  /** What a card sends, as JSON; the reactions, separated by commas. */
  value: string | null;
  at: Date;
  /** Which button of a card was pressed, if that has a verb (`Action.Execute`). */
  verb: string | null;
  /** The bot itself said it; `sender_id` is then `28:…`. */
  isOwn: boolean;
}

/** Which activities. */
export interface BotActivityQuery {
  /** Whose: of all organisations of an owner, or of one account. One of them is needed; with both, the account must be the owner's. */
  owner?: string | null;
  accountId?: string | null;
  conversationId?: string | null;
  /** 1 to 500. Default: `100`. */
  limit?: number;
  /** `next` of the page before. */
  cursor?: string | null;
}

export interface BotActivityPage {
  items: BotActivity[];
  /** For the next page; none: that was the last. */
  next: string | null;
}

/** A conversation of the bot. */
export interface BotConversation {
  accountId: string;
  /** For `conversation_id` of a `BotDraft`. */
  id: string;
  kind: BotPlaceKind;
  state: BotPlaceState;
  /** With whom, of one with a person. */
  userId: string | null;
  /** Of the person, team or group; empty where it was not told. */
  name: string;
  /** When something was said or happened there last, as far as the bot was told. */
  activeAt: Date;
}

/** Which conversations. */
export interface BotConversationQuery {
  /** Whose: of all organisations of an owner, or of one account. One of them is needed; with both, the account must be the owner's. */
  owner?: string | null;
  accountId?: string | null;
  /** 1 to 500. Default: `100`. */
  limit?: number;
  /** `next` of the page before. */
  cursor?: string | null;
}

export interface BotConversationPage {
  items: BotConversation[];
  /** For the next page; none: that was the last. */
  next: string | null;
}

/** Something that Teams asks the bot and waits for: the host answers it with a `BotAnswer`. */
export interface BotInvoke {
  /** Of the organisation. Where it is connected more than once: the account that was connected first. */
  accountId: string;
  /** For `conversation_id` of a `BotDraft`. */
  conversationId: string;
  /** The same when it is posted again; empty where Teams gives none. */
  activityId: string;
  /** Who did it, as in `BotActivity`. */
  senderId: string | null;
  senderObjectId: string | null;
  senderName: string;
  /** What is asked: `adaptiveCard/action`, `signin/verifyState`, or another name of Teams. */
  name: string;
  /** What comes with it, as JSON; none of a `signin/verifyState`. Strangers wrote it. */
  value: string | null;
  /** Of an `adaptiveCard/action`: the verb of the button. */
  verb: string | null;
  /** Of an `adaptiveCard/action`: what the card sends, as JSON. */
  data: string | null;
  /** Of an `adaptiveCard/action`: nobody pressed a button, the card refreshes itself because it is shown. */
  isAutomatic: boolean;
  /** Of a `signin/verifyState`: the code that the sign-in page handed over. A secret. */
  signInState: string | null;
  /** Teams' id of the message that it is about, such as the one with the card. */
  replyTo: string | null;
  /** Language of the person, as in `en-US`. */
  locale: string | null;
}

/** What came to the route of a host that answers what Teams asks. */
export interface BotReceived {
  /** What to answer with, unless there is something in `invoke` that is answered. */
  response: HttpResponse;
  /** It is proven, and Teams waits, some ten seconds. */
  invoke: BotInvoke | null;
}

/** Who makes an app, as Teams shows it. */
export interface AppDeveloper {
  /** 1 to 32 characters. */
  name: string;
  /** These three are https addresses of at most 2,048 characters. */
  websiteUrl: string;
  privacyUrl: string;
  termsUrl: string;
}

/** What Teams says of an app in one language. */
export interface AppTexts {
  /** 1 to 30 characters. */
  name: string;
  /** 1 to 80 characters. */
  description: string;
  /** 1 to 4,000 characters. */
  fullDescription: string;
  /** 1 to 100 characters. None: the name. */
  fullName?: string | null;
}

/** The texts of an app in a further language. */
export interface AppLocalization {
  /** A language tag, as in `fr` or `fr-ca`. */
  language: string;
  texts: AppTexts;
}

/** A Teams app with a bot, as it is uploaded in Teams, in its admin centre or to the catalogue. Lengths count UTF-16 units. */
export interface AppPackage {
  /** A GUID that the app keeps over all its versions; the catalogue calls it the external id. */
  appId: string;
  /** Three numbers, as in `1.0.0`. A changed package needs a higher one. */
  version: string;
  developer: AppDeveloper;
  texts: AppTexts;
  /** A PNG of 192 × 192 pixels, 1 MB at the most. */
  colorIcon: Uint8Array;
  /** A PNG of 32 × 32 pixels, white on a transparent ground, 1 MB at the most. */
  outlineIcon: Uint8Array;
  /** Where the bot works, one at least. */
  scopes: readonly AppScope[];
  /** The ground behind the icon, as in `#4464EE`. Default: `"#FFFFFF"`. */
  accentColor?: string;
  /** The application id of the bot. None: the `client_id`. */
  botId?: string | null;
  /** The application in Entra whose tokens may install the app for itself. None: that of `bot_app`, or else of the configuration. */
  clientId?: string | null;
  /** The resource of single sign-on. None: `api://` and the `client_id`. */
  resource?: string | null;
  /** People cannot write to the bot; it only tells. Default: `false`. */
  isNotificationOnly?: boolean;
  /** The bot sends and takes files in personal chats. Default: `false`. */
  supportsFiles?: boolean;
  /** Hosts that what the bot shows may open, at most 16: no `https://`, no path; whole parts may be `*`, as in `*.contoso.com`. Default: `[]`. */
  validDomains?: readonly string[];
  /** Language tag of `texts`, which are shown as well where there is no better language. Default: `"en-us"`. */
  language?: string;
  /** At most 100 further languages. Default: `[]`. */
  localizations?: readonly AppLocalization[];
}

/** Which app, and where: exactly one of `team_id` and `user` is given. */
export interface InstallRequest {
  /** The account that asks: of a person, or of an organisation. */
  accountId: string;
  /** The id in the app's manifest. */
  externalId: string;
  teamId?: string | null;
  /** A person of the organisation, by mail address or object id. */
  user?: string | null;
  /** Whose the account must be. */
  owner?: string | null;
  /** With `install_app` through the account of an organisation: an endpoint is made there once the app is installed, for the person, or in the channel General of the team. None: no endpoint. */
  endpoint?: SubscriberLink | null;
}

/** An app as it is installed for a team or a person. */
export interface AppInstall {
  installationId: string;
  /** The catalogue's id of the app. */
  appId: string;
  /** The person's own chat with the bot. None: for a team, and where Microsoft has made none yet. */
  chatId: string | null;
  /** It was installed before this call. */
  wasThere: boolean;
  /** Of the app that is installed, as in its manifest; none where Microsoft does not tell. */
  version: string | null;
}

/** An endpoint to add. */
export interface EndpointRequest {
  /** Your own key of who is told something, 1 to 200 characters; it may be the owner of an account. */
  subscriber: string;
  target: EndpointTarget;
  /** The account it goes through; empty for a workflow. Default: `""`. */
  accountId?: string;
  /** What they are told there, as `interviews`: 1 to 200 characters. None: what names no context. */
  context?: string | null;
  /** Whose account or workflow it must be. None: anybody's. */
  owner?: string | null;
}

/** What becomes of an endpoint; what is left out stays as it is. */
export interface EndpointChange {
  /** Where it is from now on, which makes it active. */
  target?: EndpointTarget | null;
  /** The account it goes through from now on; given with a target alone. */
  accountId?: string | null;
  /** Its context; an empty one takes it away. */
  context?: string | null;
  /** False retires it, true makes it active again. */
  isActive?: boolean | null;
}

/** Where a subscriber is told something. */
export interface Endpoint {
  id: string;
  subscriber: string;
  context: string | null;
  /** The account it goes through, or the workflow. */
  accountId: string;
  kind: EndpointKind;
  target: EndpointTarget;
  state: EndpointState;
  /** Why it was retired. */
  reason: string | null;
  createdAt: Date;
  changedAt: Date;
}

/** Which endpoints. One of `owner`, `account_id` and `subscriber` is needed. */
export interface EndpointQuery {
  /** Of the accounts and workflows of this owner. */
  owner?: string | null;
  /** Of this account or workflow. */
  accountId?: string | null;
  subscriber?: string | null;
  /** With `subscriber`. Empty: those without a context. */
  context?: string | null;
  state?: EndpointState | null;
  /** 1 to 1000. Default: `100`. */
  limit?: number;
  /** `next` of the page before. */
  cursor?: string | null;
}

export interface EndpointPage {
  items: Endpoint[];
  /** For the next page; none: that was the last. */
  next: string | null;
}

/** For whom an endpoint is made once a person has signed in. */
export interface SubscriberLink {
  /** The subscriber. Empty: the owner of the request. Default: `""`. */
  subscriber?: string;
  context?: string | null;
  /** The account of the organisation through which the bot writes to them. Empty with `connect_tenant`: it is the one that is connected. Default: `""`. */
  accountId?: string;
}

/** A message to one endpoint of a subscriber, or to all that are active in a context. Each endpoint gets it by its own route with a receipt of its own, and the receipt that `send`
 * gives stands for the whole. */
export type EndpointDraft = string | {
  subscriber: string;
  /** As in `EndpointRequest`: endpoints of this context and no other. */
  context?: string | null;
  /** The only endpoint that gets it, one of this subscriber; its context does not matter then. None: all that are active. */
  endpointId?: string | null;
  /** Of mails, which need one, and of a person's posts in channels. Default: `""`. */
  subject?: string;
  /** Text, HTML or Markdown. Mails need one; Teams and workflows take `card` in its place. Default: `""`. */
  body?: string;
  /** Default: `"text"`. */
  bodyType?: BodyType;
  /** Values for the fields of subject and body, which then are templates; as in `MailDraft`. */
  mergeFields?: Readonly<Record<string, string>> | null;
  /** An Adaptive Card as JSON, shown in Teams and handed to workflows in place of the body. A bot's message shows the body as text where a card cannot be seen, as in a notification. */
  card?: string | null;
  /** Idempotency key, unique per subscriber: the same key and content give the same receipt, whatever endpoints there are by then; other content is a Conflict. */
  key?: string | null;
  /** Not sent after this time, as in `MailDraft`. */
  deadline?: Date | null;
  /** Not sent before this time, as in `MailDraft`. It goes to the endpoints of the moment in which it is handed in. */
  sendAt?: Date | null;
};

/** Somebody of the organisation. */
export interface Person {
  id: string;
  name: string;
  /** Mail address; none where Microsoft shows none, as for some guests. */
  address: string | null;
  /** Name of sign-in (user principal name). */
  userName: string | null;
  jobTitle: string | null;
  isGuest: boolean;
}

/** Whom to look for. */
export interface PeopleQuery {
  accountId: string;
  /** Beginning of a name or of a mail address, 1 to 200 characters. */
  text: string;
  /** 1 to 100. Default: `20`. */
  limit?: number;
  /** Whose the account must be. */
  owner?: string | null;
}

/** A team that the person belongs to. */
export interface Team {
  id: string;
  name: string;
  description: string | null;
  /** Nothing can be posted in it. */
  isArchived: boolean;
}

/** A channel of a team. */
export interface TeamChannel {
  id: string;
  teamId: string;
  name: string;
  description: string | null;
  kind: ChannelKind;
  isArchived: boolean;
  /** Opens it in Teams. */
  webUrl: string | null;
}

/** A team with its channels. */
export interface TeamChannels {
  team: Team;
  channels: TeamChannel[];
  /** Why its channels could not be listed; the other teams are not concerned. */
  problem: string | null;
}

/** Somebody in a chat. */
export interface ChatMember {
  /** None for somebody of another organisation whose id is not shown. */
  userId: string | null;
  name: string;
  address: string | null;
}

/** A chat that the person is in. */
export interface TeamsChat {
  id: string;
  kind: ChatKind;
  topic: string | null;
  /** The person included; of a large chat the first 25. */
  members: ChatMember[];
  updatedAt: Date | null;
  webUrl: string | null;
}

/** What is said in a chat. */
export interface ChatMessage {
  id: string;
  chatId: string;
  /** Who said it; none for an app or a message of Teams itself. */
  sender: ChatMember | null;
  body: string;
  /** The body as HTML is as its sender wrote it: clean it before you show it. */
  bodyType: BodyType;
  isDeleted: boolean;
  sentAt: Date | null;
  editedAt: Date | null;
}

/** What a sync did. */
export interface SyncReport {
  accountId: string;
  folders: number;
  pages: number;
  added: number;
  changed: number;
  moved: number;
  removed: number;
  /** Folders whose delta state was lost and that were compared anew. */
  resynced: number;
  /** Items that could not be read and are set aside, also by earlier syncs; `quarantined` lists them. They are asked for again by themselves. */
  quarantined: number;
  /** Messages whose attachments are not listed yet: there are too many to wait for. They are listed afterwards, while the engine is open, else by the next sync; each is a change. */
  attachmentsPending: number;
  durationMs: number;
  /** Contacts that are new, changed or gone. */
  contacts: number;
  /** Events of the calendar that are new, changed or gone; each occurrence of a series is one. */
  events: number;
  /** Chat messages that are new, changed or gone. */
  chatMessages: number;
}

/** What became of one account in `sync_all`: a report, or an error. */
export interface SyncOutcome {
  accountId: string;
  report: SyncReport | null;
  errorKind: ErrorKind | null;
  /** Why it was not synced, and what to do. */
  error: string | null;
  /** When to try again at the earliest, in milliseconds from now, if Microsoft said so. */
  retryAfterMs: number | null;
}

/** What `run_once` did. */
export interface RunReport {
  /** Of the mailboxes that were due, in any order. */
  syncs: SyncOutcome[];
  /** False: the deadline came first, and something is due still. */
  isComplete: boolean;
  /** When something will be due next, if ever: run again by then. */
  nextDueAt: Date | null;
}

/** A mail folder. */
export interface Folder {
  id: string;
  accountId: string;
  displayName: string;
  /** `inbox`, `sentitems` …, when it is one of Microsoft's own. */
  wellKnownName: string | null;
  /** Chosen for sync. */
  isSynced: boolean;
  /** Messages held here. */
  stored: number;
  /** Messages, and unread ones among them: as held here where the folder is synced completely, else as Microsoft told last. */
  total: number;
  unread: number;
}

/** Something of a mailbox that is set aside, and asked for again by the syncs to come. */
export interface QuarantinedItem {
  kind: QuarantineKind;
  /** Microsoft's id of the message; none when it came without a usable one: its folder is then read anew. */
  graphId: string | null;
  folderId: string;
  /** Why, in our own words. */
  reason: string;
  /** How often it was asked for. */
  tries: number;
  since: Date;
  /** The first sync after this time asks again. */
  nextTryAt: Date;
}

/** How many messages a back-fill would look at. */
export interface BackfillEstimate {
  accountId: string;
  range: BackfillRange;
  /** Mail received then or later; none for all of it. */
  since: Date | null;
  /** In the folders that are synced, as Microsoft counts them now. */
  messages: number;
  folders: number;
}

/** A back-fill of an account, as it is now. */
export interface Backfill {
  accountId: string;
  range: BackfillRange;
  state: BackfillState;
  /** Mail received then or later; none for all of it. */
  since: Date | null;
  /** Messages looked at; never less than before. */
  done: number;
  /** Messages in the range, as counted when it began; at least `done`. */
  total: number;
  /** Messages a minute while it is at work; none until that is known. */
  rate: number | null;
  /** Milliseconds until all mail of the range is here, at this rate; none unless it is `Listing` and the rate is known. */
  remainingMs: number | null;
  startedAt: Date;
  /** Why it does not get on now, if that is so. It tries again by itself, and goes on when the account is connected again. */
  problemKind: ErrorKind | null;
  problem: string | null;
}

export interface AttachmentInfo {
  id: string;
  name: string;
  contentType: string;
  /** Bytes. */
  size: number;
  isInline: boolean;
  kind: AttachmentKind;
}

/** A mail as it was at the last sync; its body comes from `body`. */
export interface Message {
  /** Stable as long as the mail is in this mailbox, moves included. */
  id: string;
  accountId: string;
  /** Microsoft's immutable id. */
  graphId: string;
  folderId: string;
  conversationId: string;
  internetMessageId: string | null;
  subject: string;
  /** First line or two of the text. */
  preview: string;
  fromAddress: Address | null;
  senderAddress: Address | null;
  to: Address[];
  cc: Address[];
  bcc: Address[];
  replyTo: Address[];
  receivedAt: Date | null;
  sentAt: Date | null;
  isRead: boolean;
  isDraft: boolean;
  isFlagged: boolean;
  importance: Importance;
  categories: string[];
  /** True when it has attachments other than inline ones. */
  hasAttachments: boolean;
  /** Inline ones as well, where there are others or the HTML shows them. Listed once the mail is stored; `attachments_pending` of a sync counts those to come. */
  attachments: AttachmentInfo[];
  webLink: string | null;
  /** Microsoft's version of the content (subject, people, body); read state, flag and categories may change under the same one. Empty: not told. */
  changeKey: string;
  /** The host's keys for what it is about: given by `link`, of the send whose copy it is, or of the messages and sends into whose conversation it came. */
  links: string[];
  /** `is_flagged` says the same of `Flagged`. */
  flagStatus: FlagStatus;
  /** The day a flag is due, as Microsoft keeps it: mostly midnight of it, UTC. */
  flagDueAt: Date | null;
  /** A change made here (`mark_read`, `flag` …) is still on its way to the mailbox. */
  isEditWaiting: boolean;
  /** Told once it was looked at, in the sync that brings it. */
  kind: MessageKind;
}

/** What is made of a body beside its forms. */
export interface BodyOptions {
  /** Default: `"keep"`. */
  inlineImages?: InlineImages;
  /** Quoted mail and signature are split off, by the marks of the large mail programs: `text` and `html` are what the sender wrote. Nothing is split off where the sender
   * answered between the lines. A guess: show the rest on request, never drop it. Default: `false`. */
  split?: boolean;
}

/** Body of a mail, as stored and in both forms; a form that was not asked for is empty. */
export interface MessageBody {
  /** The form Microsoft delivered, and its content unchanged. Unsafe to show as HTML. */
  bodyType: BodyType;
  content: string;
  /** Plain text, made from the HTML where need be. */
  text: string;
  /** HTML that is safe to show: an allow-list of elements, nothing remote. */
  html: string;
  /** With `split`: the mail below, and the signature, apart from `text` and `html`, in the same forms. Empty: none was found. */
  quotedText: string;
  quotedHtml: string;
  signatureText: string;
  signatureHtml: string;
}

export interface MessageQuery {
  /** Whose mail: all accounts of an owner, or one account. One of them is needed; with both, the account must be the owner's. */
  owner?: string | null;
  accountId?: string | null;
  /** Folder by id, well-known name in any case, display name or path (`Inbox/Candidates`); without an account, that folder of all accounts of the owner. */
  folder?: string | null;
  isRead?: boolean | null;
  conversationId?: string | null;
  /** 1 to 500. Default: `50`. */
  limit?: number;
  /** `next` of the page before; good for the same owner, account and filters. */
  cursor?: string | null;
  /** One of `links` of a message. */
  link?: string | null;
  /** With attachments other than inline ones, or without. */
  hasAttachments?: boolean | null;
  /** Received at this time or later. */
  receivedAfter?: Date | null;
  /** Received before this time; so is one without a time. */
  receivedBefore?: Date | null;
  /** With this address: sender, recipient, copy or blind copy. Capital letters do not matter. */
  address?: string | null;
}

/** Newest first. */
export interface MessagePage {
  items: Message[];
  /** Cursor of the next page; none at the end. */
  next: string | null;
}

/** Which conversations: those with a mail in the folder, an unread one, one with the link; of several filters, one mail that meets all of them. */
export interface ThreadQuery {
  /** As in `MessageQuery`. */
  owner?: string | null;
  accountId?: string | null;
  /** Folder by id, well-known name in any case, display name or path (`Inbox/Candidates`); without an account, that folder of all accounts of the owner: `inbox` is the unified inbox. */
  folder?: string | null;
  /** Default: `false`. */
  unreadOnly?: boolean;
  /** One of `links` of a message. */
  link?: string | null;
  /** 1 to 200. Default: `50`. */
  limit?: number;
  /** `next` of the page before; good for the same owner, account and filters. */
  cursor?: string | null;
  /** With a mail with this address: sender, recipient, copy or blind copy. */
  address?: string | null;
}

/** One conversation of one account, in a list. */
export interface ThreadSummary {
  /** Empty: a mail that belongs to none, and is a thread of its own. */
  conversationId: string;
  accountId: string;
  /** Of its oldest mail here. */
  subject: string;
  /** Its newest mail that meets the filters. */
  newest: Message;
  /** Mails of it that are here, in whatever folder; drafts and deleted ones as well where those folders are synced. */
  messages: number;
  /** Unread ones among them. */
  unread: number;
  /** Who wrote, the latest first, then who was written to; each once, 100 at the most, of the newest 50 mails and the oldest. */
  participants: Address[];
  /** One of its mails has attachments other than inline ones. */
  hasAttachments: boolean;
  /** Of the newest 50 mails and the oldest. */
  links: string[];
}

/** By the time of `newest`, newest first. */
export interface ThreadPage {
  items: ThreadSummary[];
  /** Cursor of the next page; none at the end. */
  next: string | null;
}

/** All mails of one conversation, oldest first. */
export interface MailThread {
  conversationId: string;
  accountId: string;
  subject: string;
  messages: Message[];
}

/** Words to look for; all of them must be there. `search` says where. */
export type SearchQuery = string | {
  /** 1 to 200 characters. */
  text: string;
  /** As in `MessageQuery`. */
  owner?: string | null;
  accountId?: string | null;
  /** 1 to 500. Default: `50`. */
  limit?: number;
};

/** Messages of an owner's accounts get a key of the host's own by who is in them. */
export interface LinkRule {
  owner: string;
  /** As in `link`: 1 to 200 characters. One rule of an owner has it. */
  key: string;
  /** Mail addresses, whatever the case of their letters. With `domains` 1 to 1,000. */
  addresses: string[];
  /** As in `contoso.com`, which stands for its subdomains as well. */
  domains: string[];
}

/** Messages of an owner's accounts get a key of the host's own by who is in them. */
export interface LinkRuleInput {
  owner: string;
  /** As in `link`: 1 to 200 characters. One rule of an owner has it. */
  key: string;
  /** Mail addresses, whatever the case of their letters. With `domains` 1 to 1,000. Default: `[]`. */
  addresses?: readonly string[];
  /** As in `contoso.com`, which stands for its subdomains as well. Default: `[]`. */
  domains?: readonly string[];
}

/** A contact of a mailbox, as it was at the last sync. */
export interface Contact {
  id: string;
  accountId: string;
  /** Microsoft's immutable id. */
  graphId: string;
  /** `contacts` for the default folder, else Microsoft's id of the folder. */
  folderId: string;
  displayName: string;
  givenName: string | null;
  surname: string | null;
  companyName: string | null;
  department: string | null;
  jobTitle: string | null;
  /** Mail addresses, the primary one first. */
  addresses: Address[];
  businessPhones: string[];
  homePhones: string[];
  mobilePhone: string | null;
  categories: string[];
}

export interface ContactQuery {
  /** Whose contacts: of all accounts of an owner, or of one account. One of them is needed; with both, the account must be the owner's. */
  owner?: string | null;
  accountId?: string | null;
  /** Those with this mail address, in any letter case; of a contact its first 100 count. */
  address?: string | null;
  /** 1 to 500. Default: `50`. */
  limit?: number;
  /** `next` of the page before; good for the same owner, account and address. */
  cursor?: string | null;
}

/** In the order in which they came here first. */
export interface ContactPage {
  items: Contact[];
  /** Cursor of the next page; none at the end. */
  next: string | null;
}

/** Somebody who is invited, or a room. */
export interface Attendee {
  address: Address;
  kind: AttendeeKind;
  answer: AttendeeAnswer;
  answeredAt: Date | null;
}

/** An event of the default calendar of a mailbox, as it was at the last sync. Of a series each occurrence is one. */
export interface CalendarEvent {
  id: string;
  accountId: string;
  /** Microsoft's immutable id. */
  graphId: string;
  kind: EventKind;
  /** Microsoft's id of the series; none of one that happens once. */
  seriesId: string | null;
  subject: string;
  /** The beginning of the text. */
  preview: string;
  /** Of one that lasts all day midnight UTC of its first day, whatever the zone: show `start_date`. */
  startAt: Date;
  /** When it is over; of one that lasts all day midnight UTC after its last day. */
  endAt: Date;
  isAllDay: boolean;
  /** First day of one that lasts all day, as `2026-03-02`, which is no other day in another zone; else none. */
  startDate: string | null;
  /** Last day of one that lasts all day. */
  endDate: string | null;
  /** The zone the event was made in, as IANA calls it (`Europe/Berlin`); a name that is no zone of Windows as Microsoft gives it; none for a zone that
   * somebody made up. `start_at` is right in any case. */
  startTimeZone: string | null;
  endTimeZone: string | null;
  location: string | null;
  organizer: Address | null;
  /** It is the person's own. */
  isOrganizer: boolean;
  attendees: Attendee[];
  /** Opens the online meeting. */
  onlineMeetingUrl: string | null;
  /** The organiser called it off; it stays until the person removes it. */
  isCancelled: boolean;
  showAs: ShowAs;
  sensitivity: Sensitivity;
  categories: string[];
  /** Opens it in Outlook on the web. */
  webLink: string | null;
  /** When it, or the series it is of, was changed last. */
  changedAt: Date | null;
}

export interface CalendarQuery {
  /** Those that are not over by then. */
  starting: Date;
  /** Those that begin before. */
  ending: Date;
  /** Whose events: of all accounts of an owner, or of one account. One of them is needed; with both, the account must be the owner's. */
  owner?: string | null;
  accountId?: string | null;
  /** 1 to 500. Default: `50`. */
  limit?: number;
  /** `next` of the page before; good for the same owner, account and times. */
  cursor?: string | null;
}

/** In the order in which they begin. */
export interface CalendarPage {
  items: CalendarEvent[];
  /** Cursor of the next page; none at the end. */
  next: string | null;
}

/** A message of a chat of the account, as it was at the last sync. */
export interface TeamsMessage {
  id: string;
  accountId: string;
  /** Microsoft's id, which is one within its chat. */
  graphId: string;
  /** Microsoft's id of the chat. */
  chatId: string;
  kind: TeamsMessageKind;
  /** Who said it; none for an app or a message of Teams itself. */
  sender: ChatMember | null;
  /** The app that said it. */
  appName: string | null;
  /** The person of the account said it. */
  isOwn: boolean;
  subject: string | null;
  /** In the form that was asked for. */
  body: string;
  importance: ChatImportance;
  /** Names of those who are mentioned. */
  mentions: ChatMember[];
  /** Names of the files; nothing of them is kept here. */
  attachments: string[];
  /** Microsoft's id of the message of this chat that it quotes. */
  replyTo: string | null;
  sentAt: Date;
  editedAt: Date | null;
}

export interface TeamsMessageQuery {
  /** Whose messages: of all accounts of an owner, or of one account. One of them is needed; with both, the account must be the owner's. */
  owner?: string | null;
  accountId?: string | null;
  /** Those of this chat, by Microsoft's id. */
  chatId?: string | null;
  /** `Html` is safe to show, `Original` as its sender wrote it. Default: `"html"`. */
  form?: BodyForm;
  /** 1 to 500. Default: `50`. */
  limit?: number;
  /** `next` of the page before; good for the same owner, account and chat. */
  cursor?: string | null;
}

/** The newest first. */
export interface TeamsMessagePage {
  items: TeamsMessage[];
  /** Cursor of the next page; none at the end. */
  next: string | null;
}

/** Which changes. */
export interface ChangeQuery {
  /** Whose: all accounts of an owner, those that are gone included, or one account or workflow. One of them is needed; with both, the account must be the owner's. */
  owner?: string | null;
  accountId?: string | null;
  /** Only what came after the change with this cursor; good for the same owner or account. From the beginning when none is given. */
  cursor?: string | null;
}

/** One durable change. Store `cursor` when you have dealt with it. */
export interface Change {
  cursor: string;
  kind: ChangeKind;
  accountId: string;
  /** Id of the message, receipt, contact, event, chat message, activity of a bot or endpoint; of `SendAnswered` (a mail that was sent has a bounce or an automatic reply) the receipt. */
  subjectId: string | null;
  at: Date;
}

/** A request that came to the host's own route, as its web framework has it. */
export interface HttpRequest {
  /** Default: `"POST"`. */
  method?: string;
  /** Not looked at: which route it is, is the host's to say. Default: `"/"`. */
  path?: string;
  /** What stands behind the `?`, as it came (percent-encoded). Default: `""`. */
  query?: string;
  /** Default: `{}`. */
  headers?: Readonly<Record<string, string>>;
  /** All of it; none where there is none. */
  body?: Uint8Array | null;
}

/** What the host's route is to answer. */
export interface HttpResponse {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** A request to any endpoint of Graph. */
export type RawRequest = string | {
  /** Below the version, as in `/me/events`, with or without a query. What may not stand in an address is encoded; what is encoded already stays. Or a link of an
   * answer (`@odata.nextLink`, `@odata.deltaLink`), whole and as it came; its own version counts then. */
  path: string;
  /** GET, HEAD, POST, PUT, PATCH or DELETE. Default: `"GET"`. */
  method?: string;
  /** Further options, as in `$top`: names and values, which are encoded. Default: `{}`. */
  query?: Readonly<Record<string, string>>;
  /** As in `Prefer`, `ConsistencyLevel`, `If-Match`, `Content-Type`. Ids are immutable unless `Prefer` says otherwise. Default: `{}`. */
  headers?: Readonly<Record<string, string>>;
  /** The body, as JSON. */
  json?: string | null;
  /** The body, as bytes; `Content-Type` says of what kind. */
  body?: Uint8Array | null;
  /** Default: `"v1"`. */
  version?: GraphVersion;
  /** It may be done twice: after a lost answer or a failure of the service it is repeated, as a GET or HEAD always is. Default: `false`. */
  repeat?: boolean;
  /** It goes after everything that somebody waits for. Default: `false`. */
  background?: boolean;
  /** How long it may wait in all: for its turn, a Retry-After and between repetitions, in milliseconds, an hour at the most. Default: `30000`. */
  maxWaitMs?: number;
};

/** What came of one request of a batch. */
export interface RawOutcome {
  /** HTTP status; none when there is no answer. */
  status: number | null;
  /** Names in lower case; values of the same name are joined by commas. */
  headers: Record<string, string>;
  body: Buffer;
  /** Microsoft's id of the exchange, for a support case. */
  requestId: string | null;
  /** Why there is no answer, as `request` would have failed. */
  errorKind: ErrorKind | null;
  error: string | null;
  retryAfterMs: number | null;
}

/** One page of a list. */
export interface RawPage {
  /** The items of `value`, each as JSON. */
  items: string[];
  /** Everything else of the page, as JSON: `@odata.count`, `@odata.context` and the like. */
  envelope: string;
  /** Link of the next page; none at the end. As the path of a request it goes on from here. */
  nextLink: string | null;
  /** On the last page of a delta: as the path of a request it asks for what has changed since. */
  deltaLink: string | null;
}

export interface LogField {
  name: string;
  value: string;
}

/** One log record, without line breaks or control characters. */
export interface LogRecord {
  at: Date;
  level: LogLevel;
  /** Part of the engine, as in `tidings::auth`. */
  target: string;
  message: string;
  fields: LogField[];
}

/** Counts since the engine was opened, in this process. */
export interface Metrics {
  /** HTTP requests sent, those answered 429, those sent again, those that ended in an error. */
  requests: number;
  throttled: number;
  retries: number;
  failures: number;
  tokensRenewed: number;
  sendsQueued: number;
  sendsSent: number;
  sendsFailed: number;
  sendsUnknown: number;
  syncs: number;
  pages: number;
  messagesStored: number;
  /** Sends that were parked when the engine was opened, since the store was copied or restored. */
  sendsParked: number;
  /** Notifications that belong to a subscription of the store, and activities of a bot in an organisation that is connected; and those that were dropped: forged, of unknown or
   * ended subscriptions, of another tenant. */
  notifications: number;
  notificationsRefused: number;
  subscriptionsMade: number;
  subscriptionsRenewed: number;
  /** Encrypted contents of notifications that were proven, and those that were dropped: not Microsoft's, for no certificate of the store, changed on the way, or shown twice. */
  contentsProven: number;
  contentsRefused: number;
}

/** Which keys to replace. Nothing stops meanwhile; a rotation that was cut off goes on with the next one. Processes that have the store open go on with
 * the root key they were opened with: a new store key is also kept under the one it replaces, for two hours, and every process looks for it within the
 * hour. So for two hours the replaced store key still opens the new one, in this file and in copies of it made meanwhile; after that it opens nothing
 * here. A process that slept through these hours gets VaultLocked until it is opened with the new root key. */
export interface KeyRotation {
  /** The new key that opens the store; other processes need it at their next start. */
  newRootKey?: RootKey | Uint8Array | null;
  /** The key between root key and accounts. Default: `true`. */
  storeKey?: boolean;
  /** Keys of tokens and mail; everything sealed with them is sealed anew. Default: `true`. */
  dataKeys?: boolean;
  /** Data keys of this account only. */
  accountId?: string | null;
}

/** What a rotation did. */
export interface RotationReport {
  rootKey: boolean;
  storeKey: boolean;
  /** Data keys replaced. */
  dataKeys: number;
  /** Values sealed anew. */
  values: number;
  durationMs: number;
}

/** One entry of the audit log. Never holds content, addresses or secrets. Every owner has a chain of records; what belongs to no owner, the store and its
 * own keys, has one too, and so has what a version before chains per owner wrote. */
export interface AuditRecord {
  /** 1, 2, 3 …, without gaps in its chain. */
  number: number;
  /** Keyed hash of the owner whose chain it is in; none: the store's own. */
  owner: string | null;
  at: Date;
  kind: AuditKind;
  accountId: string | null;
  /** Id of the message or receipt, or a keyed hash of the owner. */
  subject: string | null;
  /** What happened, in words. */
  detail: string;
  /** Keyed hash over this record and the hash before it in its chain, in hex. */
  hash: string;
}

/** Oldest first. */
export interface AuditPage {
  items: AuditRecord[];
  /** Cursor for what comes after; none when there are no records at all. */
  next: string | null;
}

/** The end of one owner's chain at some moment. */
export interface AuditChainHead {
  /** Keyed hash of the owner. */
  owner: string;
  number: number;
  hash: string;
}

/** The end of one owner's chain at some moment. */
export interface AuditChainHeadInput {
  /** Keyed hash of the owner. */
  owner: string;
  number: number;
  hash: string;
}

/** The end of the log at some moment. Keep it elsewhere: a log cut off behind the store's back shows against it. */
export interface AuditHead {
  /** Of the last record of the store's own chain, or of the one owner who was asked about. */
  number: number;
  hash: string;
  /** Keyed hash of the one owner who was asked about. */
  owner: string | null;
  /** Of all owners, when all were asked about. */
  chains: AuditChainHead[];
}

/** The end of the log at some moment. Keep it elsewhere: a log cut off behind the store's back shows against it. */
export interface AuditHeadInput {
  /** Of the last record of the store's own chain, or of the one owner who was asked about. */
  number: number;
  hash: string;
  /** Keyed hash of the one owner who was asked about. */
  owner?: string | null;
  /** Of all owners, when all were asked about. Default: `[]`. */
  chains?: readonly AuditChainHeadInput[];
}

/** Whether the log, or one owner's chain, is as it was written. */
export interface AuditVerdict {
  intact: boolean;
  /** How many there are, of all chains that were asked about. */
  records: number;
  /** None when there is nothing to note. */
  head: AuditHead | null;
  fault: AuditFault | null;
  /** Keyed hash of the owner in whose chain the fault is; none: in the store's own. */
  owner: string | null;
  /** Number, in its chain, of the first record that is wrong or gone. */
  at: number | null;
  reason: string;
}

/** What to purge: an account, or everything of an owner. Exactly one of them. */
export interface PurgeRequest {
  accountId?: string | null;
  owner?: string | null;
}

/** A purge that has ended; it is also in the audit log. */
export interface PurgeReport {
  accountIds: string[];
  /** Mails, sends and other rows erased. */
  rows: number;
  finishedAt: Date;
}

/** An owner who was deleted: all accounts are disconnected, what is held of them is purged at `purge_at`. */
export interface OwnerDeletion {
  owner: string;
  accountIds: string[];
  purgeAt: Date;
}

/** Which Microsoft cloud to talk to. */
export type Cloud =
  /** login.microsoftonline.com and graph.microsoft.com, GCC included. */
  | 'public' | { type: 'public' }
  /** US Government L4 (GCC High). */
  | 'us_gov' | { type: 'us_gov' }
  /** US Government L5 (DoD). */
  | 'us_gov_dod' | { type: 'us_gov_dod' }
  /** China, operated by 21Vianet. */
  | 'china' | { type: 'china' }
  /** Another Entra and Graph, such as the simulator: two origins, `graph` with or without `/v1.0`. Plain HTTP is accepted for loopback hosts only. */
  | { type: 'custom'; login: string; graph: string };

/** Anything that can be sent. */
export type Draft =
  | { type?: 'mail'; mail: MailDraft }
  | { type?: 'reply'; reply: ReplyDraft }
  | { type?: 'forward'; forward: ForwardDraft }
  | { type?: 'chat'; chat: ChatDraft }
  | { type?: 'channel_post'; channelPost: ChannelPostDraft }
  | { type?: 'workflow'; workflow: WorkflowDraft }
  | { type?: 'bot'; bot: BotDraft }
  | { type?: 'to_endpoint'; toEndpoint: EndpointDraft };

/** Whom or what a mention tells. */
export type MentionTarget =
  /** Somebody of the organisation, by mail address. */
  | { type: 'person'; address: string }
  /** A channel of the team that is posted to, with those who follow it; without an id the channel that is posted to. */
  | { type: 'channel'; channelId: string | null }
  /** All members of the team of the channel that is posted to. */
  | 'team' | { type: 'team' }
  /** Those who have this tag in the team of the channel that is posted to. Its name is the text of the mention. */
  | { type: 'tag'; tagId: string };

/** What the host answers to a `BotInvoke`. */
export type BotAnswer =
  /** To an `adaptiveCard/action`: an Adaptive Card as JSON, shown in place of the one whose button was pressed. */
  | { type: 'card'; card: string }
  /** To an `adaptiveCard/action`: a text that is shown to the person. */
  | { type: 'message'; text: string }
  /** It did not work. `status`: 400 to 599, as in HTTP; `reason` is shown to the person. */
  | { type: 'failure'; status: number; reason: string }
  /** To anything but an `adaptiveCard/action`: the JSON that Teams documents for it. */
  | { type: 'json'; body: string }
  /** It is done, and there is nothing to show. */
  | { type: 'done' };

/** Where an endpoint is. */
export type EndpointTarget =
  /** Ids as `teams` and `channels` show them. Through the account of an organisation the bot writes there, through that of a person the person does. */
  | { type: 'teams_channel'; teamId: string; channelId: string }
  /** A person of the organisation whose account it goes through, as `to` of a `BotDraft`. */
  | { type: 'teams_user'; user: string }
  /** Id as `add_workflow` gives it. */
  | { type: 'workflow'; workflowId: string }
  /** Either the mail address of a person (`to`), or a chat there is (`chat_id`), as in `ChatDraft`. */
  | { type: 'chat'; to: string | null; chatId: string | null }
  | { type: 'mail'; address: AddressInput };

/** Something that just happened; for progress and state. What must not be missed is in `changes`. */
export type Event =
  | { type: 'account_connected'; accountId: string }
  | { type: 'account_changed'; accountId: string; state: AccountState }
  | { type: 'send_changed'; receipt: Receipt }
  /** Large attachments of a mail on their way to Microsoft: bytes that have arrived, of all. */
  | { type: 'upload_progress'; accountId: string; receiptId: string; sent: number; total: number }
  | { type: 'sync_progress'; accountId: string; folderId: string; stored: number; total: number }
  | { type: 'sync_finished'; report: SyncReport }
  | { type: 'sync_failed'; accountId: string; kind: ErrorKind; reason: string }
  /** Microsoft refused for good what was changed of a message here (`mark_read`, `flag` …); it shows again what the mailbox says. */
  | { type: 'edit_refused'; accountId: string; messageId: string; kind: ErrorKind; reason: string }
  /** A back-fill got on by a page, or changed its state. */
  | { type: 'backfill_changed'; backfill: Backfill }
  /** The reader was too slow; this many events were dropped, the oldest first. */
  | { type: 'missed'; count: number };

/** Every failure of the engine. `reason` says what happened and what to do, in words that may be shown; it never holds a secret, an
 * address or foreign text. `account_id` names the account, `request_id` Microsoft's request, `retry_after_ms` the wait Microsoft asked for. */
export class TidingsError extends Error {
  readonly kind: ErrorKind;
  readonly reason: string;
  readonly accountId: string | null;
  readonly requestId: string | null;
  readonly retryAfterMs: number | null;
  readonly remedy: Remedy;
}

/** An argument is wrong; nothing was sent or stored. Mend the call. */
export class InvalidInputError extends TidingsError {
  readonly kind: 'invalid_input';
}

/** An argument or an answer is larger than the documented limit. */
export class LimitExceededError extends TidingsError {
  readonly kind: 'limit_exceeded';
}

/** No such account, or it is disconnected. */
export class NotConnectedError extends TidingsError {
  readonly kind: 'not_connected';
}

/** Microsoft wants the person to sign in again. */
export class NeedsReconnectError extends TidingsError {
  readonly kind: 'needs_reconnect';
}

/** The person or the administrator has not granted what this needs. */
export class ConsentMissingError extends TidingsError {
  readonly kind: 'consent_missing';
}

/** Signed in, but not allowed. */
export class ForbiddenError extends TidingsError {
  readonly kind: 'forbidden';
}

/** The thing asked for does not exist. */
export class NotFoundError extends TidingsError {
  readonly kind: 'not_found';
}

/** It contradicts what is already there: the same key with other content, a sign-in already used. */
export class ConflictError extends TidingsError {
  readonly kind: 'conflict';
}

/** Microsoft asks to come back later than this call may wait. */
export class ThrottledError extends TidingsError {
  readonly kind: 'throttled';
}

/** Microsoft failed or answered something unreadable. */
export class UpstreamError extends TidingsError {
  readonly kind: 'upstream';
}

/** Microsoft could not be reached; nothing was done. */
export class NetworkError extends TidingsError {
  readonly kind: 'network';
}

/** It may or may not have happened; ask before repeating. */
export class OutcomeUnknownError extends TidingsError {
  readonly kind: 'outcome_unknown';
}

/** An address received or configured is not on the list of allowed hosts; nothing was sent there. */
export class LinkRejectedError extends TidingsError {
  readonly kind: 'link_rejected';
}

/** A token or sign-in answer failed its checks; nothing was stored. */
export class TokenRejectedError extends TidingsError {
  readonly kind: 'token_rejected';
}

/** The store is locked. */
export class VaultLockedError extends TidingsError {
  readonly kind: 'vault_locked';
}

/** The root key is not the one the store was made with. */
export class WrongKeyError extends TidingsError {
  readonly kind: 'wrong_key';
}

/** The store is damaged; it was left as it is. */
export class CorruptError extends TidingsError {
  readonly kind: 'corrupt';
}

/** Another process holds the store for too long. */
export class StoreBusyError extends TidingsError {
  readonly kind: 'store_busy';
}

/** No space left; nothing was lost. */
export class StoreFullError extends TidingsError {
  readonly kind: 'store_full';
}

/** The place in the change feed is older than what is kept. Read everything anew (`messages`, `outbox`), then the feed without a cursor. */
export class CursorExpiredError extends TidingsError {
  readonly kind: 'cursor_expired';
}

/** The app of the bot is not installed for this person or team. */
export class AppNotInstalledError extends TidingsError {
  readonly kind: 'app_not_installed';
}

/** A person or an administrator has blocked the bot there. */
export class BotBlockedError extends TidingsError {
  readonly kind: 'bot_blocked';
}

/** The conversation of the bot was deleted, or is another bot's. */
export class ConversationGoneError extends TidingsError {
  readonly kind: 'conversation_gone';
}

/** The caller stopped it. */
export class CancelledError extends TidingsError {
  readonly kind: 'cancelled';
}

/** The engine is shut down. */
export class ClosedError extends TidingsError {
  readonly kind: 'closed';
}

/** The process was forked while an engine was open; neither it nor another one works in the child. Fork before `open`, or start the child as a program of its own. */
export class ForkedError extends TidingsError {
  readonly kind: 'forked';
}

/** A defect of Tidings. */
export class InternalError extends TidingsError {
  readonly kind: 'internal';
}

/** A sign-in whose callback this process receives itself, on a loopback address (RFC 8252). */
export class LoopbackSignIn {
  private constructor();
  /** Open this in a browser. */
  url(): string;
  /** Waits for the browser to come back and finishes the sign-in. A wait that is given up can be taken up by another one until the sign-in expires.
   * Errors: those of `finish_connect`; Cancelled when the sign-in expired. */
  wait(options?: CallOptions): Promise<Account>;
}

/** A sign-in on another device, by a code (RFC 8628). */
export class DeviceSignIn {
  private constructor();
  /** What the person types in at `verification_uri`. */
  userCode(): string;
  verificationUri(): string;
  /** A sentence for the person, with address and code. */
  message(): string;
  expiresAt(): Date;
  /** Waits until the person has signed in and finishes. A wait that is given up can be taken up by another one until the code expires.
   * Errors: those of `finish_connect`; Cancelled when declined or expired. */
  wait(options?: CallOptions): Promise<Account>;
}

/** One content on its way into the store. Dropped before `finish`, nothing of it is left. */
export class AttachmentWriter {
  private constructor();
  /** The next bytes, at most 8 MB. Runs to its end also when the caller stops waiting. After an error nothing of the content is left. Errors:
   * InvalidInput (more than was said), LimitExceeded (more than 150 MB, or more than 8 MB at once), Conflict (finished or given up), NotFound (erased
   * meanwhile), StoreFull. */
  write(chunk: Uint8Array, options?: CallOptions): Promise<void>;
  /** The end: the attachment for a draft. Errors: InvalidInput (less than was said; nothing of the content is left), as `write` otherwise. */
  finish(options?: CallOptions): Promise<FileAttachment>;
  /** Gives it up: nothing of the content is left. Of one that is finished nothing changes. May be called twice. */
  abort(options?: CallOptions): Promise<void>;
}

/** A content of a mailbox. Its connection is kept until the end of it, an hour at the most, or until this is let go of. After an error of `next` or `body` the
 * next call goes on where it broke off: the content is asked for again, what was given out is passed over and compared by its hash. */
export class AttachmentContent implements AsyncIterable<Buffer> {
  private constructor();
  /** As it is in the mail, or the subject of a mail as MIME; foreign text, and no safe name of a file. */
  name(): string;
  /** As the sender said. Of an item what its content is: `message/rfc822`, `text/vcard` or `text/calendar`. */
  contentType(): string;
  /** A mail as MIME is an item. */
  kind(): AttachmentKind;
  /** Bytes of the content, where Microsoft announces them. (`size` of an `AttachmentInfo` counts what the mailbox needs for it.) */
  size(): number | null;
  /** The whole content, or what `next` has not given out yet. A cancelled wait loses nothing. Errors: LimitExceeded (more than 64 MB: take it piece by piece),
   * and those of `next`. */
  body(options?: CallOptions): Promise<Buffer>;
  /** The next piece; none at the end. A content up to 1 MB is one piece. A cancelled wait loses nothing; after an error the next call goes on where it broke off.
   * Errors: Upstream (the connection broke), Conflict (after that it was another content: open it anew), NotFound (it is gone from the mailbox), InvalidInput (a
   * reference has no content), Closed, and those of `attachment`. */
  next(options?: CallOptions): Promise<Buffer | null>;
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer>;
}

/** Live events from the moment it was made. */
export class EventStream implements AsyncIterable<Event> {
  private constructor();
  /** Waits for the next event; none after shutdown. A cancelled wait loses nothing. Errors: InvalidInput (the owner). */
  next(options?: CallOptions): Promise<Event | null>;
  [Symbol.asyncIterator](): AsyncIterableIterator<Event>;
}

/** The change feed: ordered, at least once, survives restarts. */
export class ChangeStream implements AsyncIterable<Change> {
  private constructor();
  /** Waits for at least one change, then gives up to `limit` (1 to 1000) in order; empty after shutdown. A cancelled wait loses nothing. */
  next(limit: number, options?: CallOptions): Promise<Change[]>;
  /** Gives up to `limit` changes that are there, without waiting. */
  ready(limit: number, options?: CallOptions): Promise<Change[]>;
  [Symbol.asyncIterator](): AsyncIterableIterator<Change>;
}

/** An answer of Graph, whatever its status. A body up to 1 MB is here as a whole; a longer one arrives as it is asked for, and its connection is kept until the end
 * of it, an hour at the most, or until this is let go of. */
export class RawResponse implements AsyncIterable<Buffer> {
  private constructor();
  /** HTTP status. */
  status(): number;
  /** Names in lower case; values of the same name are joined by commas. */
  headers(): Record<string, string>;
  /** Microsoft's id of the exchange, for a support case. */
  requestId(): string | null;
  /** The body; of one longer than 1 MB, what `next` has not given out yet. A cancelled wait loses nothing. Errors: LimitExceeded (more than 64 MB: take it piece
   * by piece), Upstream (the connection broke), Closed. */
  body(options?: CallOptions): Promise<Buffer>;
  /** The next piece of the body; none at the end. A body up to 1 MB is one piece. A cancelled wait loses nothing. Errors: Upstream (the connection broke), Closed. */
  next(options?: CallOptions): Promise<Buffer | null>;
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer>;
}

/** A list of Graph, page by page. */
export class RawPages implements AsyncIterable<RawPage> {
  private constructor();
  /** The next page; none at the end. A cancelled wait loses nothing, and after an error the same page is asked for again. Errors: those of `request`; a refusal by
   * its kind (Forbidden, NotFound, InvalidInput …); CursorExpired, when the state of a delta is gone; LinkRejected, when a link leads away from this cloud's Graph;
   * Upstream, when the links lead in a circle; InvalidInput, when the answer is no list. */
  next(options?: CallOptions): Promise<RawPage | null>;
  [Symbol.asyncIterator](): AsyncIterableIterator<RawPage>;
}

/** Log records from the moment it was made. A reader who is too slow loses the oldest. */
export class LogStream implements AsyncIterable<LogRecord> {
  private constructor();
  /** Waits for the next record. A cancelled wait loses nothing. */
  next(options?: CallOptions): Promise<LogRecord | null>;
  [Symbol.asyncIterator](): AsyncIterableIterator<LogRecord>;
}

/** A value that is never printed and is wiped from memory when dropped. */
export class Secret {
  /** Takes the text over. */
  constructor(value: string);
}

/** The key that opens the store. It is never written anywhere. */
export class RootKey {
  private constructor();
  /** Exactly 32 random bytes. Errors: InvalidInput when it has another length or is all one byte. */
  static raw(key: Uint8Array): RootKey;
  /** From a passphrase of at least 12 characters, through Argon2id (RFC 9106: 64 MiB, 3 passes); salt and costs are kept with the store.
   * Errors: InvalidInput. */
  static passphrase(passphrase: string): RootKey;
  /** From the key store of the operating system (Keychain, Credential Manager, Secret Service); made there when there is none under these names.
   * Blocks while the system asks the person. Errors: InvalidInput, VaultLocked when the key store cannot be used. */
  static fromKeyring(service: string, user: string): RootKey;
  /** A key that your KMS has unwrapped: exactly 32 bytes. `wrapped` (1 byte to 16 KB) is kept with the store; `wrapped_root_key` gives it back for
   * the next start. Errors: InvalidInput. */
  static unwrapped(key: Uint8Array, wrapped: Uint8Array): RootKey;
}

/** A certificate that proves which application asks, instead of a client secret. Never printed.
 * Source: Microsoft identity platform, certificate credentials. */
export class ClientCertificate {
  private constructor();
  /** Both as PEM; the private key is RSA of 2048 bits or more, unencrypted. Errors: InvalidInput. */
  static fromPem(certificate: string, privateKey: string): ClientCertificate;
}

/** A clock that stands still until a test moves it. For your own tests against the simulator. */
export class TestClock {
  /** Starts at this many milliseconds since 1970 (UTC). */
  constructor(nowMs: number);
  /** The time it shows, in milliseconds since 1970 (UTC). */
  nowMs(): number;
  /** Moves it forward and wakes whoever waited for that. */
  advance(ms: number): void;
  /** Waits until the engine has nothing to do but wait (for a Retry-After, a back-off), and tells how many milliseconds that is from now. */
  nextWait(options?: CallOptions): Promise<number>;
}

/** One engine per process and store is enough; all methods may be called at the same time from any thread.
 * Durable steps run to their end even when the caller stops waiting. */
export class Engine implements AsyncDisposable {
  private constructor();
  /** Opens or makes the store, and takes up sends left by an earlier process, unless the store was copied or restored (see `on_copied_store`). A store that was
   * not closed properly is checked first. Touches no network. Errors: InvalidInput, WrongKey, Corrupt, StoreBusy. */
  static open(config: Config | string | URL, rootKey: RootKey | Uint8Array): Engine;
  /** `open` on a clock that tests move. Errors: as `open`; InvalidInput unless the cloud is `Custom` on loopback. */
  static openWithClock(config: Config, rootKey: RootKey | Uint8Array, clock: TestClock): Engine;
  /** `open` with the settings of a `tidings.toml`, in which `${NAME}` stands for an environment variable. Unknown keys are errors.
   * Errors: as `open`. */
  static openFile(path: string, rootKey: RootKey | Uint8Array): Engine;
  /** Stops new work, lets durable steps end, and closes the store. May be called twice. Streams end. */
  close(options?: CallOptions): Promise<void>;
  /** Starts a sign-in (authorization code with PKCE). Stores the attempt, touches no network. Errors: InvalidInput, Conflict (the owner was deleted).
   * Source: Microsoft identity platform, OAuth 2.0 authorization code flow; RFC 7636. */
  connect(request: ConnectRequest, options?: CallOptions): Promise<SignIn>;
  /** Ends a sign-in with the URL the browser came back to. Works once per attempt, also after a restart; runs to its end when the caller stops waiting.
   * Also takes the callback of an `Approval`. Errors: InvalidInput, Conflict (already used, or another person than the account's), Cancelled (declined or
   * expired), ConsentMissing (an administrator must approve first: `account_id` names the stored account, for `approval`), Forbidden (a policy, a wrong
   * registration, a guest who would connect an organisation, nobody who may approve for it), LimitExceeded (20 accounts of the owner wait already), TokenRejected (it failed its checks, or Microsoft does not take its code any more: start again), Network (the same callback can be
   * brought again). */
  finishConnect(callbackUrl: string, binding: string, options?: CallOptions): Promise<Account>;
  /** Starts a sign-in whose callback is received on a loopback port of this machine. Errors: as `connect`. */
  connectHere(request: ConnectRequest, options?: CallOptions): Promise<LoopbackSignIn>;
  /** Starts a sign-in by a code that the person types in on any device. Errors: as `connect`; Network, Forbidden (a wrong registration).
   * Source: Microsoft identity platform, device authorization grant; RFC 8628. */
  connectDevice(request: ConnectRequest, options?: CallOptions): Promise<DeviceSignIn>;
  /** Starts to connect an organisation. The sign-in proves which one, and by `wids` that the person may approve; the account it gives awaits the administrator's `approval` and then gets
   * tokens of its own. Errors: as `connect`; Forbidden (personal accounts).
   * Source: Microsoft identity platform, admin consent; OAuth 2.0 client credentials flow. */
  connectTenant(request: TenantRequest, options?: CallOptions): Promise<SignIn>;
  /** Starts a sign-in that only tells who somebody is. Errors: as `connect`. */
  linkPerson(request: LinkRequest, options?: CallOptions): Promise<SignIn>;
  /** Starts a new sign-in for an account that has one; it keeps its id, mail and queue, and only the same person may finish it. What Microsoft asked for
   * (claims) is passed on. Errors: as `connect`; NotFound. */
  reconnect(accountId: string, redirectUri: string, owner?: string | null, options?: CallOptions): Promise<SignIn>;
  /** Starts a sign-in that asks for further features, beside those the account has. Errors: as `connect`; NotFound. */
  addFeatures(accountId: string, features: readonly Feature[], redirectUri: string, owner?: string | null, options?: CallOptions): Promise<SignIn>;
  /** Adds a shared mailbox of the organisation, or another person's mailbox that is shared with this account, as an account of its own: with its own id,
   * folders, messages, health and schedule, and the owner of the account that opens it, its delegate. Exchange has to show first that it lets the delegate
   * in: the inbox is read, and a draft is made and removed. Where only reading works, the mailbox is synced and nothing is sent from it; whether Exchange
   * lets mail out in its name (Send As, Send on Behalf) only a send tells. Microsoft tells nothing of such mailboxes, so it is looked at every few minutes
   * once the engine has started. A mailbox that is there already keeps its id, mail and queue, and is opened through this account from then on. When its
   * delegate is disconnected or purged, so is the mailbox. With the account of an organisation any mailbox of it is added, a person's as well: it needs `Mail.Read` as a permission of the
   * application, `Mail.ReadWrite` to change mail, `Mail.Send` beside that to send; with `Contacts.Read` and `Calendars.Read` it has those as well. Such a mailbox is told of by Microsoft like a
   * person's. Runs to its end when the caller stops waiting.
   * Errors: InvalidInput (the address, the account's own address, a personal account, an account that is a shared mailbox itself), ConsentMissing (Mail.ReadWrite.Shared was not granted: add the
   * feature shared_mailboxes; of an organisation the permission is named), Forbidden (no right in Exchange, or a policy of it), NotFound (no such account, or no such mailbox), NotConnected,
   * NeedsReconnect, Throttled, Network.
   * Source: Graph, outlook-share-messages-folders and outlook-send-mail-from-other-user, auth-limit-mailbox-access. */
  addSharedMailbox(accountId: string, address: string, owner?: string | null, options?: CallOptions): Promise<Account>;
  /** Explains permissions to the person who is asked for them. Errors: InvalidInput, NotFound. */
  permissions(query?: PermissionQuery, options?: CallOptions): Promise<PermissionList>;
  /** What an administrator has to approve for this account: link, texts. The link is valid as long as a sign-in; ask again for another.
   * Errors: InvalidInput, NotFound, Forbidden (personal accounts). */
  approval(accountId: string, redirectUri: string, owner?: string | null, options?: CallOptions): Promise<Approval>;
  /** Looks whether the approval came without a callback: an organisation's account is then connected, and one that is connected has the permissions that were approved since. A person's account says that the person signs in again.
   * Errors: NotFound, NotConnected, Network, ConsentMissing (not yet), Forbidden (a wrong registration, or nobody who may approve has signed in), Conflict (another owner has this organisation). */
  resume(accountId: string, owner?: string | null, options?: CallOptions): Promise<Account>;
  /** A page of the accounts, in the order in which they were connected first. Errors: InvalidInput (limit, or the cursor is another list's). */
  accounts(filter?: AccountFilter, options?: CallOptions): Promise<AccountPage>;
  /** With an `owner`, here and in all calls that take one, the account or message of another owner is NotFound. Errors: NotFound. */
  account(accountId: string, owner?: string | null, options?: CallOptions): Promise<Account>;
  /** Asks Microsoft who the account is and whether its mailbox can be reached; sends a mail to itself if a test message is asked for. Of an
   * organisation, whether Graph takes the application's token. An account that needs
   * its person is tried once more: if a renewed token opens it, it is connected again.
   * Errors: NotFound, NotConnected, NeedsReconnect, Network. */
  verify(accountId: string, testMessage: boolean, owner?: string | null, options?: CallOptions): Promise<Verification>;
  /** How all accounts of an owner are doing. Touches no network. Errors: NotFound. */
  health(owner: string, options?: CallOptions): Promise<Health>;
  /** Cancels queued sends, stops syncs and destroys the account's tokens at once; works offline. Its subscription is deleted at Microsoft first, if that can be
   * reached within five seconds; else it expires, and what is posted until then is dropped. Shared mailboxes that are opened through it are disconnected with it. Synced mail is kept. Errors: NotFound. */
  disconnect(accountId: string, owner?: string | null, options?: CallOptions): Promise<Account>;
  /** Begins an attachment of up to 150 MB that is handed in piece by piece, sealed and durable, before the draft that names it. `size`: bytes that it comes
   * to, if that is known; another count is an error. What `finish` gives goes into drafts of this account, into several of them if they are handed in
   * before the first of them is sent. It is kept for a day, and then for as long as a send needs it. Touches no network. The helpers of each
   * language for files and streams do all of it in one call. Errors: InvalidInput (name, content type), LimitExceeded (size), NotConnected,
   * NeedsReconnect, ConsentMissing, StoreFull.
   * Source: Graph, Attach large files to Outlook messages. */
  stageAttachment(accountId: string, name: string, contentType?: string, size?: number | null, contentId?: string | null, options?: CallOptions): Promise<AttachmentWriter>;
  /** What the account puts below its mails whose drafts say `add_signature`; None takes it away. It is stored sealed, 256 KB with its images at the most, and stays
   * after `disconnect`. Drafts that were handed in before keep the signature of that moment. Durable when it returns. With `owner`, an account of another owner
   * is NotFound. Errors: InvalidInput (no text, an image without content or content id), LimitExceeded, NotFound, StoreBusy. */
  setSignature(accountId: string, signature?: SignatureInput | null, owner?: string | null, options?: CallOptions): Promise<void>;
  /** As it was set; None: the account has none. Errors: NotFound. */
  signature(accountId: string, owner?: string | null, options?: CallOptions): Promise<Signature | null>;
  /** What the draft says once its merge fields are filled in and its signature is added, as it would be sent; stores and sends nothing, and touches no network. Errors: as `send` before storing, but for
   * what only the draft's key or the things it names would bring. */
  preview(draft: Draft, options?: CallOptions): Promise<Preview>;
  /** Stores the draft, delivers it and answers with the outcome; `queued` when `send_timeout_ms` passed first.
   * Errors before anything is stored: InvalidInput, LimitExceeded, NotConnected, ConsentMissing (also of a `from_address` that is not the account's own),
   * Conflict. After that the receipt tells: without a right in Exchange to the `from_address` it is `failed`. */
  send(draft: Draft, options?: CallOptions): Promise<Receipt>;
  /** Stores the draft and answers at once; delivery goes on in the background, after what `send` waits for. Errors: as `send` before storing. */
  enqueue(draft: Draft, options?: CallOptions): Promise<Receipt>;
  /** `enqueue` for 1 to 1000 drafts in one transaction: all of them are stored, or none. Receipts come in the order of the drafts; one whose idempotency
   * key is known gives the receipt there is. Together they may hold 64 MB. Errors: as `send` before storing; what is wrong with a draft says which. */
  enqueueAll(drafts: readonly Draft[], options?: CallOptions): Promise<Receipt[]>;
  /** What became of a draft. With `owner`, a send of another owner is NotFound. Errors: NotFound. */
  receipt(receiptId: string, owner?: string | null, options?: CallOptions): Promise<Receipt>;
  /** Sends of an owner or an account, newest first; of what went to endpoints the parts, which name their whole. Errors: InvalidInput when neither is named. */
  outbox(filter?: OutboxFilter, options?: CallOptions): Promise<Receipt[]>;
  /** The account and the From that this owner used last in this context, as the drafts name it (1 to 200 characters): remembered with the send when it was
   * stored, whatever became of it, for a year after it was used last. None: nothing is remembered, or the account is disconnected or purged; the one
   * before it is not offered in its place. What one owner used no other is told. Touches no network. Errors: InvalidInput. */
  lastSender(owner: string, context: string, options?: CallOptions): Promise<LastSender | null>;
  /** Replaces what a send says that has not left: the draft is whole, what it leaves out is gone, with its time, deadline and order. The send keeps its
   * receipt, its account, its kind and its idempotency key, which then stands for the new content. With `owner`, a send of another owner is NotFound.
   * Errors: as `send` before storing; NotFound; Conflict when it has left, is being sent, or something of it may lie at Microsoft already, as a draft or a file. */
  edit(receiptId: string, draft: Draft, owner?: string | null, options?: CallOptions): Promise<Receipt>;
  /** Replaces what a message in a chat or channel, or one of the bot, says that was sent: the draft is whole and checked like a new one; its key, time and place change nothing. It is changed at once,
   * and the same call again does no harm. The account needs `Chat.ReadWrite`, for a channel `ChannelMessage.ReadWrite`, among the extra scopes it was
   * connected with; a bot needs nothing more. With `owner`, a send of another owner is NotFound. Errors: InvalidInput, LimitExceeded; NotFound (also when the message is gone);
   * Conflict for a mail, and for what was not sent; NotConnected, NeedsReconnect, ConsentMissing; Forbidden. Source: Graph, chatMessage: update. */
  editSent(receiptId: string, draft: Draft, owner?: string | null, options?: CallOptions): Promise<Receipt>;
  /** Deletes a message in a chat or channel, or one of the bot, that was sent; those who see it are shown that it was deleted. The same call again does no harm, and the receipt
   * stays. Permissions and errors: as `edit_sent`. Source: Graph, chatMessage: softDelete. */
  deleteSent(receiptId: string, owner?: string | null, options?: CallOptions): Promise<Receipt>;
  /** Takes a send back that is provably unsent, and its draft out of the mailbox if one was made. What is cancelled already stays so. A parked send ends
   * as `unknown`: it does not leave from here, and the original of the store may have sent it. With `owner`, a send of another owner is NotFound.
   * Errors: NotFound, Conflict when it was sent, is being sent, may have been sent, or failed. */
  cancel(receiptId: string, owner?: string | null, options?: CallOptions): Promise<Receipt>;
  /** Sends a failed one again, without its deadline; the receipt is `queued`, and delivery goes on in the background. With `even_if_unknown` also one that
   * may have been sent: a mail is looked for once more first, a chat message is posted again. A parked send is let go by that as well. With `owner`, a
   * send of another owner is NotFound. Errors: NotFound, Conflict when it is not failed, NotConnected, NeedsReconnect, ConsentMissing, StoreBusy. */
  retry(receiptId: string, evenIfUnknown?: boolean, owner?: string | null, options?: CallOptions): Promise<Receipt>;
  /** Registers the URL of a Teams workflow whose trigger is a webhook request. The URL is a secret and is not shown again; nothing is sent to it here: send a
   * first post to try it. `name` is for display, 1 to 100 characters; `context` is anything you want to find again at the workflow, at most 1000
   * characters, stored sealed. Durable when it returns; runs to its end when the caller stops waiting. Errors: InvalidInput (owner, name, context, or the URL
   * is none of a workflow), LinkRejected (its host is not one that workflows are at: see `workflow_hosts`), LimitExceeded (1,000 of one owner), Conflict (the
   * owner was deleted).
   * Source: Power Automate, “When a Teams webhook request is received”. */
  addWorkflow(owner: string, name: string, url: string, context?: string | null, options?: CallOptions): Promise<Workflow>;
  /** Workflows of an owner, in the order in which they were added. Touches no network. Errors: InvalidInput (the owner). */
  workflows(owner: string, options?: CallOptions): Promise<Workflow[]>;
  /** Destroys the URL and takes back what was not posted yet; works offline. Receipts stay until `purge`, which takes its id. In Power Automate the workflow is as it was. With `owner`, a
   * workflow of another owner is NotFound. Errors: NotFound. */
  removeWorkflow(workflowId: string, owner?: string | null, options?: CallOptions): Promise<void>;
  /** People of a team as the bot sees them, a page of up to `limit` (50 to 500) at a time; `account_id` is that of an organisation, `cursor` the `next` of the page
   * before. They are remembered, so that a `BotDraft` finds them by address, object id or `id`. The bot's app has to be installed in the team. Errors: InvalidInput;
   * NotFound (the account, the team); NotConnected; Forbidden; AppNotInstalled; Throttled. Source: Teams, get Teams specific context for your bot. */
  roster(accountId: string, teamId: string, limit?: number, cursor?: string | null, owner?: string | null, options?: CallOptions): Promise<RosterPage>;
  /** What people said to the bot, what it was told, and what it said itself once that was sent (`is_own`), the newest first: of all organisations of an owner or of one
   * account, of all conversations or of one. It is kept as long as changes are (`keep_changes_days`). Touches no network. Errors: InvalidInput (also when neither is named, or the cursor is another query's),
   * NotFound. */
  botActivities(query?: BotActivityQuery, options?: CallOptions): Promise<BotActivityPage>;
  /** One of them, as a change names it in `subject_id`. Touches no network. Errors: NotFound. */
  botActivity(id: string, owner?: string | null, options?: CallOptions): Promise<BotActivity>;
  /** Conversations of the bot, the one in which something happened last first: of all organisations of an owner or of one account. Touches no network. Errors: as
   * `bot_activities`. */
  conversations(query?: BotConversationQuery, options?: CallOptions): Promise<BotConversationPage>;
  /** Shows in a conversation, for a few seconds, that the bot is typing. Errors: InvalidInput; NotFound (the account, the conversation); NotConnected; AppNotInstalled;
   * BotBlocked; ConversationGone. Source: Bot Framework, activity of the type typing. */
  typing(accountId: string, conversationId: string, owner?: string | null, options?: CallOptions): Promise<void>;
  /** A Teams app with a bot as the zip that is uploaded: manifest 1.25, both icons, and a file for each further language. Everything is checked by the rules of
   * Microsoft's schema before anything is made; the same package gives the same bytes, on every machine. Stores nothing and touches no network.
   * Errors: InvalidInput, which names the field. Source: Microsoft Teams, app manifest schema 1.25. */
  appPackage(package: AppPackage, options?: CallOptions): Promise<Buffer>;
  /** Installs an app of the organisation's catalogue, or of the store, for a team or a person; that it is installed already is success, whatever its version.
   * The account needs `AppCatalog.Read.All`, and `TeamsAppInstallation.ReadWriteSelfForTeam` or `TeamsAppInstallation.ReadWriteSelfForUser` (an organisation's
   * account those that end in `.All`), or a larger one: the Self permissions install the app that names the account's application as its `client_id`. A
   * person named by address is looked up, which needs `User.ReadBasic.All`. Runs to its end when the caller stops waiting; the same call
   * again does no harm. Errors: InvalidInput; NotFound (the account, the app, the team or the person); NotConnected, NeedsReconnect; ConsentMissing, which
   * names the permission; Forbidden (a policy of the organisation, or an account of another kind); Throttled, Network; Upstream (accepted, but not to be seen yet).
   * Source: Graph, team: add app, userTeamwork: install app. */
  installApp(request: InstallRequest, options?: CallOptions): Promise<AppInstall>;
  /** The app as it is installed there; None: it is not. Permissions and errors: as `install_app`. */
  installedApp(request: InstallRequest, options?: CallOptions): Promise<AppInstall | null>;
  /** Brings the app that is installed there to the catalogue's newest version, and tells that one. Permissions and errors: as `install_app`; NotFound also
   * where it is not installed. Source: Graph, teamsAppInstallation: upgrade. */
  upgradeApp(request: InstallRequest, options?: CallOptions): Promise<AppInstall>;
  /** Removes the app there; that it is not installed is success. The bot can write there no longer. Permissions and errors: as `install_app`.
   * Source: Graph, team: remove app, userTeamwork: uninstall app. */
  uninstallApp(request: InstallRequest, options?: CallOptions): Promise<void>;
  /** Adds a place where a subscriber is told something. The same target for the same subscriber and context is the same endpoint: it is made active if it was retired, and
   * answered. Touches no network but to renew a sign-in; whether the place is there turns out with the first message. Durable when it returns. Errors: InvalidInput; NotFound (the account or workflow, of
   * this owner); NotConnected, NeedsReconnect, ConsentMissing; Forbidden (an account of a kind that cannot write there); LimitExceeded (100 of one subscriber);
   * Conflict (the subscriber is an owner who was deleted). */
  addEndpoint(request: EndpointRequest, options?: CallOptions): Promise<Endpoint>;
  /** Endpoints in the order in which they were made, retired ones too. Touches no network. Errors: InvalidInput (also when neither owner, account nor subscriber is named,
   * or the cursor is another query's), NotFound. */
  endpoints(query?: EndpointQuery, options?: CallOptions): Promise<EndpointPage>;
  /** Changes an endpoint; it keeps its id. A new target makes it active. What is under way to the old one is not called back, and can retire it no more. Durable when it returns. With
   * `owner`, an endpoint whose subscriber, account or workflow is not theirs is NotFound. Errors: as `add_endpoint`; NotFound; Conflict (there is one like it). */
  changeEndpoint(endpointId: string, change?: EndpointChange, owner?: string | null, options?: CallOptions): Promise<Endpoint>;
  /** Removes an endpoint. What is under way to it goes on, and receipts stay. With `owner`, as `change_endpoint`. Errors: NotFound. */
  removeEndpoint(endpointId: string, owner?: string | null, options?: CallOptions): Promise<void>;
  /** The person of the organisation who has this mail address; none when there is nobody. The account of an organisation needs `User.ReadBasic.All` as a
   * permission of the application. Errors: InvalidInput; NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing without the feature people or
   * chat, or the permission; Conflict when more than one person has it. Source: Graph, user: list. */
  findPerson(accountId: string, address: string, owner?: string | null, options?: CallOptions): Promise<Person | null>;
  /** People of the organisation whose name or address begins with a text, by name. Errors: as `find_person`. Source: Graph, $search on users. */
  people(query: PeopleQuery, options?: CallOptions): Promise<Person[]>;
  /** The teams the person belongs to; with the account of an organisation all its teams, for which the application needs `Team.ReadBasic.All` as its own. Errors:
   * NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing without the feature channels, or the permission. Source: Graph, user: list joinedTeams, teams: list. */
  teams(accountId: string, owner?: string | null, options?: CallOptions): Promise<Team[]>;
  /** The channels of a team that the person sees. Errors: as `teams`; InvalidInput; NotFound and Forbidden for a team that is not the person's.
   * Source: Graph, channel: list. */
  channels(accountId: string, teamId: string, owner?: string | null, options?: CallOptions): Promise<TeamChannel[]>;
  /** All teams of the person with their channels, asked for twenty teams at a time. What is wrong with one team is told of that one. Errors: as `teams`. */
  allChannels(accountId: string, owner?: string | null, options?: CallOptions): Promise<TeamChannels[]>;
  /** Chats the person is in, the one with the newest message first; `limit` 1 to 1000. It needs a permission that is not asked for sending: connect with
   * `Chat.ReadBasic` or `Chat.Read` among the extra scopes. Errors: InvalidInput; NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing.
   * Source: Graph, chat: list. */
  chats(accountId: string, limit?: number, owner?: string | null, options?: CallOptions): Promise<TeamsChat[]>;
  /** What was said in a chat, the newest first; `limit` 1 to 1000. It needs `Chat.Read` among the extra scopes the account was connected with. Microsoft's
   * terms allow no chat to be polled more than once a day. Errors: as `chats`; NotFound for a chat the person is not in. Source: Graph, chat: list messages. */
  chatMessages(accountId: string, chatId: string, limit?: number, owner?: string | null, options?: CallOptions): Promise<ChatMessage[]>;
  /** From now on, until shutdown, this process brings mailboxes up to date by itself: those of all accounts that are connected for `mail_sync`, `contacts`, `calendar` or chats that may be read, seconds after
   * something happened in them and minutes apart when they are quiet; chats once a day. What came is in `changes`. Several processes on one store share the work. May be
   * called twice. Errors: Closed, Forked. */
  start(): void;
  /** Does what is due and ends: mailboxes are brought up to date, sends and changes of messages delivered, subscriptions renewed, and what is older than is kept erased. For programs that run now and then: a
   * timer, a serverless function, a background window of a phone. At `deadline_ms` (from now; 1,000 to 86,400,000) syncs stop after a page, and what is left
   * is due at the next call. Safe beside other processes on the same store. A cancelled call stops the same way and loses nothing.
   * Errors: InvalidInput, Closed, StoreBusy; what fails in one mailbox is in the report. */
  runOnce(deadlineMs: number, options?: CallOptions): Promise<RunReport>;
  /** Brings the account's folders up to date, its contacts, its calendar and its chats (for `chat`, if `Chat.Read` was granted: Microsoft allows them to be asked for once a day). Each page is stored with its cursor in one transaction; a cancelled call stops after a page and loses nothing.
   * While a back-fill of the account is not done, folders that it has not come to the end of bring what is new in them. Calls that come while a sync of the account runs
   * share the one after it. What is wrong with one folder, one chat or one event, or with mail, contacts or the calendar as a whole, keeps none of the others out; the first of it is the error in the end.
   * Source: Graph, message: delta. Errors: NotFound (of another owner), NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network, Upstream, LinkRejected. */
  sync(accountId: string, owner?: string | null, options?: CallOptions): Promise<SyncReport>;
  /** `sync` for all accounts of an owner, or of everybody when none is named, that are connected for `mail_sync`, `contacts`, `calendar` or chats that may be read: several at a time, in any order. Outcomes
   * come in the order of `accounts`; the failure of one stops no other. A cancelled call stops each sync after a page. Errors: InvalidInput (the owner). */
  syncAll(owner?: string | null, options?: CallOptions): Promise<SyncOutcome[]>;
  /** Chooses the folders that are synced from the next sync on, by well-known name, id or, once they are known, display name, or `["all"]` for every folder, those to come as well; an empty
   * list: those of the configuration. Mail of a folder that is no longer chosen is kept as it is. Touches no network.
   * Errors: InvalidInput, LimitExceeded (more than 1,000), NotFound. */
  chooseFolders(accountId: string, folders: readonly string[], owner?: string | null, options?: CallOptions): Promise<Account>;
  /** Folders known from the last sync. Errors: NotFound. */
  folders(accountId: string, owner?: string | null, options?: CallOptions): Promise<Folder[]>;
  /** What of the mailbox is set aside because it could not be read or told, oldest first, 1,000 at the most. Each is asked for again by the syncs to come,
   * with growing pauses, and leaves this list when it can be read or is gone. Touches no network. Errors: NotFound. */
  quarantined(accountId: string, owner?: string | null, options?: CallOptions): Promise<QuarantinedItem[]>;
  /** How many messages a range holds in the folders of the account that are synced, before anything is fetched. Asks Microsoft for the folders and, for a range
   * with a beginning, for a count of each. Errors: InvalidInput, NotFound, NotConnected, NeedsReconnect, ConsentMissing, those of the network.
   * Source: Graph, list mailFolders; list messages, `$count`. */
  estimateBackfill(accountId: string, range: BackfillRange, owner?: string | null, options?: CallOptions): Promise<BackfillEstimate>;
  /** Fetches the mail of a range in the background, the newest first, bodies included, and answers once that is stored, with an estimate. It goes on in this
   * process, or in another one that opens the store, until it is `Done`: over restarts, expired links and new sign-ins. Each page is durable with how far it
   * brings the back-fill. New mail does not wait for it: `sync`, `start` and push go on. From then on nothing is fetched that is older than the range and was not
   * fetched before. Called again it changes the range: what is here stays, a larger range fetches what is missing. Progress is in `events`
   * (`BackfillChanged`) and `backfill_status`. An account without a back-fill is fetched whole by its first sync. A cancelled call has begun it or not.
   * Errors: as `estimate_backfill`; Conflict. */
  backfill(accountId: string, range: BackfillRange, owner?: string | null, options?: CallOptions): Promise<Backfill>;
  /** Has a back-fill wait; nothing more of it is stored once this answers. Durable. Changes nothing of one that is done, cancelled or paused already.
   * Touches no network. Errors: NotFound. */
  pauseBackfill(accountId: string, owner?: string | null, options?: CallOptions): Promise<Backfill>;
  /** Has a paused back-fill go on from where it is, also when its links have expired meanwhile. Durable. Changes nothing of one that is not paused.
   * Touches no network. Errors: NotFound. */
  resumeBackfill(accountId: string, owner?: string | null, options?: CallOptions): Promise<Backfill>;
  /** Ends a back-fill for good: what is here stays, and nothing older is fetched. The folders are still walked for their delta links, so that syncs go on from
   * there. `backfill` begins another one. Durable. Changes nothing of one that is done. Touches no network. Errors: NotFound. */
  cancelBackfill(accountId: string, owner?: string | null, options?: CallOptions): Promise<Backfill>;
  /** How far the account's last back-fill is; none if there was none. Touches no network. Errors: NotFound. */
  backfillStatus(accountId: string, owner?: string | null, options?: CallOptions): Promise<Backfill | null>;
  /** Of all accounts of an owner, or of one account. The first list that asks for an `address`, or after an update for
   * `has_attachments`, looks through all mail that is here, some seconds for 100,000. Errors: InvalidInput (also when neither is named, or the cursor is another query's),
   * NotFound. */
  messages(query?: MessageQuery, options?: CallOptions): Promise<MessagePage>;
  /** Conversations of all accounts of an owner or of one account, each once, with its newest mail; two accounts in the same conversation are two threads. Pages hold
   * still while mail arrives: what came since the first page was asked for shows at the top of the next walk, and moves nothing in this one. Errors: as `messages`. */
  threads(query?: ThreadQuery, options?: CallOptions): Promise<ThreadPage>;
  /** Errors: NotFound. */
  message(messageId: string, owner?: string | null, options?: CallOptions): Promise<Message>;
  /** The content as it came and both forms, or with `form` only that one made of it: making text or safe HTML of a long mail takes milliseconds. Touches no network, unless
   * pictures are asked for as data. Errors: NotFound; for pictures as data those of `attachment`. */
  body(messageId: string, owner?: string | null, form?: BodyForm | null, options?: BodyOptions | null, callOptions?: CallOptions): Promise<MessageBody>;
  /** The content of an attachment, from the mailbox: one up to 1 MB is here when this answers, a longer one arrives as it is asked for. Of an item it is MIME, a
   * vCard or iCalendar; a reference has none (see `AttachmentContent`). Works for attachments that are not listed yet as well. Needs `mail_sync`. With
   * `attachment_cache_mb` of `Config`, one that was read to its end before is served from disk, as a body is: without a request, and recorded as read all the same. Errors: NotFound
   * (also when the mail or the attachment is gone from the mailbox), InvalidInput, NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network, Upstream.
   * Source: Graph, Get attachment. */
  attachment(messageId: string, attachmentId: string, owner?: string | null, options?: CallOptions): Promise<AttachmentContent>;
  /** A whole mail as MIME, with all that is attached, from the mailbox and in the form of `attachment`. Errors: as `attachment`.
   * Source: Graph, Get MIME content of a message. */
  mime(messageId: string, owner?: string | null, options?: CallOptions): Promise<AttachmentContent>;
  /** Of all accounts of an owner or of one account. In a store with clear content its own index is asked, and the best matches come first; it holds subjects, names,
   * addresses and bodies. A store with sealed content has none: Microsoft searches the mailboxes, in subjects, senders and bodies, among the newest 1,000 that match,
   * and the newest come first. Either way only mail that is here is shown, so what lies in folders that are not synced is left out. Of an owner's accounts, those that
   * are disconnected or without `mail_sync` cannot be asked and are left out as well; any other failure fails the search. Words are words: quotes, operators and
   * brackets mean nothing. Errors: InvalidInput (also when neither is named), NotFound; sealed: NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network,
   * Upstream, with the account.
   * Source: Graph, use the $search query parameter. */
  search(query: SearchQuery, options?: CallOptions): Promise<Message[]>;
  /** The conversation a message belongs to, in its account. Errors: NotFound. */
  thread(messageId: string, owner?: string | null, options?: CallOptions): Promise<MailThread>;
  /** Sets the read state here and, in the background, in the mailbox: as `mark_all_read`, of one message, which is handed out as it is then. Errors:
   * NotFound, NotConnected, NeedsReconnect, ConsentMissing, StoreBusy. */
  markRead(messageId: string, isRead: boolean, owner?: string | null, options?: CallOptions): Promise<Message>;
  /** Sets the read state of 1 to 1,000 messages: of all of them, or of none. It is stored and shows at once, and goes to the mailbox in the background, many
   * in a batch; `is_edit_waiting` of a message says that it is on its way. Offline it waits, without end and over restarts. Of each property the newest
   * change counts, by Microsoft's clock and to the second: a newer one here replaces one that waits; where somebody else changed it in the mailbox after
   * that, theirs stays. What Microsoft refuses for good is taken back here, which is a change in the feed and the event `EditRefused`; of a message that
   * is gone nothing is left to change. A disconnect drops what waits. Source: Graph, message: update.
   * Errors, before anything is stored: InvalidInput, NotFound (one of them is unknown or of another owner), NotConnected, NeedsReconnect, ConsentMissing
   * (`Mail.ReadWrite`), StoreBusy. */
  markAllRead(messageIds: readonly string[], isRead: boolean, owner?: string | null, options?: CallOptions): Promise<void>;
  /** Flags 1 to 1,000 messages for follow-up, marks them as done, or takes the flag away; otherwise as `mark_all_read`. `due_at` is for `Flagged` alone:
   * Outlook shows its day. Without it the flag has none. Source: Graph, followupFlag. Errors: as `mark_all_read`. */
  flag(messageIds: readonly string[], status: FlagStatus, dueAt?: Date | null, owner?: string | null, options?: CallOptions): Promise<void>;
  /** Adds and removes categories of 1 to 1,000 messages, by name; otherwise as `mark_all_read`. The list as it is here, changed by these, is what the mailbox
   * gets, and the list is one property. 1 to 50 names of 1 to 255 characters. Errors: as `mark_all_read`. */
  categorize(messageIds: readonly string[], add?: readonly string[], remove?: readonly string[], owner?: string | null, options?: CallOptions): Promise<void>;
  /** Moves 1 to 1,000 messages to a folder, by its id, well-known name, display name or path, as of the last sync; otherwise as `mark_all_read`. They keep their ids. Not to
   * Deleted Items or below: mail is never deleted from here. Source: Graph, message: move. Errors: as `mark_all_read`; NotFound, for a folder that is not
   * known; InvalidInput, for one that takes no mail. */
  moveMessages(messageIds: readonly string[], folder: string, owner?: string | null, options?: CallOptions): Promise<void>;
  /** Gives 1 to 1,000 messages a key of the host's own, all of them or none: `links` shows it, of what came into their conversations since as well, and of
   * what comes there later; `messages` finds them by it. Each is a change in the feed. Nothing of it leaves this store.
   * Errors: InvalidInput, NotFound (one of them is unknown or of another owner), StoreBusy. */
  link(messageIds: readonly string[], key: string, owner?: string | null, options?: CallOptions): Promise<void>;
  /** Takes a key from 1 to 1,000 messages, whoever gave it, and remembers that. Others of their conversations keep it; where no message of a conversation
   * is left that was given it, what comes there gets it no more. Errors: as `link`. */
  unlink(messageIds: readonly string[], key: string, owner?: string | null, options?: CallOptions): Promise<void>;
  /** From now on messages of the owner's accounts get the rule's key by who wrote them and who is among `to` and `cc`: as they arrive, and those that are here in
   * the background, in steps that survive a restart; as if by `link`, so that their conversations inherit it. An address may stand in many rules. A message the key was taken
   * from by `unlink` does not get it back. A rule with the same key is replaced; what messages got by it stays. Addresses are stored sealed, and found by keyed hashes.
   * Errors: InvalidInput, LimitExceeded (10,000 rules of the owner), Conflict (the owner was deleted), StoreBusy. */
  setLinkRule(rule: LinkRuleInput, options?: CallOptions): Promise<void>;
  /** All rules of an owner, in the order in which they were made. Errors: InvalidInput. */
  linkRules(owner: string, options?: CallOptions): Promise<LinkRule[]>;
  /** No more messages get a key by this rule; those that have it keep it. Errors: InvalidInput, NotFound. */
  removeLinkRule(owner: string, key: string, options?: CallOptions): Promise<void>;
  /** `move_messages` to the archive folder of their mailboxes. Errors: as `move_messages`; NotFound where a mailbox has no archive folder. */
  archive(messageIds: readonly string[], owner?: string | null, options?: CallOptions): Promise<void>;
  /** Contacts as of the last sync, of all accounts of an owner or of one account, all of them or those with a mail address. Accounts that are connected for
   * `contacts` have theirs synced by `sync`, `start` and `run_once`. Touches no network.
   * Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound. */
  contacts(query?: ContactQuery, options?: CallOptions): Promise<ContactPage>;
  /** Events between two times as of the last sync, in the order in which they begin, of all accounts of an owner or of one account; each occurrence of a series
   * is one. Accounts that are connected for `calendar` have their default calendar synced by `sync`, `start` and `run_once`, from `calendar_days_before` to
   * `calendar_days_after` of the configuration. One that lasts all day counts from midnight to midnight UTC. Touches no network.
   * Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound, ConsentMissing (the account was not connected for `calendar`). */
  eventsBetween(query: CalendarQuery, options?: CallOptions): Promise<CalendarPage>;
  /** Messages of Teams chats as of the last sync, the newest first, of all accounts of an owner or of one account, of all chats or of one. Accounts that are
   * connected for `chat` with `Chat.Read` among the extra scopes have theirs synced: by `sync` and `sync_all` when they are called, by `start` and `run_once`
   * once a day, as Microsoft's terms allow; of a chat that is new here the last 30 days, and at the most the newest 1,000 messages at a time. A message that
   * was changed or deleted is noticed at once if it is the last of its chat, else with the next one that is said there. Touches no network.
   * Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound, ConsentMissing (the account may not read chats). */
  chatHistory(query?: TeamsMessageQuery, options?: CallOptions): Promise<TeamsMessagePage>;
  /** Live events from now on: of all accounts of an owner, or of everybody when none is named. */
  events(owner?: string | null): EventStream;
  /** The change feed of all accounts of an owner, or of one account. What is wrong with the query is told by the stream: InvalidInput, NotFound,
   * CursorExpired (it is older than what is kept: `keep_changes_days`). */
  changes(query?: ChangeQuery): ChangeStream;
  /** Takes a request that came to `notification_url`, whatever it holds, and gives the answer to send back. Mount it as one route that takes POST; the body must
   * be whole. Answered within three seconds, without a request to anybody: Microsoft's question whether the route is there by its token as plain text;
   * notifications by 202 once they are durable, good and bad ones alike (a bad one is dropped, and counted by `metrics`); what is no list of notifications by
   * 400, more than 4 MB or 1,000 of them by 413, and 503 when the store cannot be written, upon which Microsoft comes again. The accounts that were told of are
   * synced in the background, each once for all that was told of it meanwhile, and after a restart as well. What the Bot Connector posts to the bot comes the same way: an activity that is
   * proven is durable before its 202 and told by `changes`; 401 and 403 refuse what is not proven, 400 what cannot be read, 501 what waits for an answer of the host (see `receive_invoke`). Errors: Closed, Forked.
   * Source: Graph, receive change notifications through webhooks. */
  receive(request?: HttpRequest, options?: CallOptions): Promise<HttpResponse>;
  /** `receive` for a host that answers what Teams asks the bot and waits for (activities of the type `invoke`). Such a one is proven like any other; 403 refuses one
   * of an organisation that is not connected, or in a conversation of another organisation. It comes in `invoke`: make the answer with `invoke_response` within ten
   * seconds, since Teams waits for about fifteen at the most. The button of a card that somebody pressed is durable by then and told by `changes` (BotCardAction),
   * once for each activity; posted again, it comes again, as Teams wants an answer. Errors: Closed, Forked.
   * Source: Adaptive Cards, Universal Action Model; Bot Framework, invoke activity. */
  receiveInvoke(request?: HttpRequest, options?: CallOptions): Promise<BotReceived>;
  /** Whether Microsoft is to tell what changes in the account's mailbox. Every account with `mail_sync` is watched when `notification_url` is set; this takes
   * one out, or in again. Stores the wish and answers at once; the subscription is made or deleted in the background, and `health` tells by which way news
   * come. Errors: InvalidInput (`notification_url` is not set), NotFound; to watch it also NotConnected, NeedsReconnect, ConsentMissing, Forbidden (an account without
   * a mailbox, or a shared mailbox that a person opens). */
  watch(accountId: string, on: boolean, owner?: string | null, options?: CallOptions): Promise<void>;
  /** Any endpoint of Graph, v1.0 or beta, with the account's token, under its limits. A GET or HEAD is repeated after an outage or a lost answer; anything else only
   * with `repeat`, and never by itself when it may have been done. 429 and 503 with a Retry-After are waited for as long as `max_wait_ms` allows. What Graph answers
   * is handed out as it came, refusals (4xx) and redirects included: none is followed, since the token is for Graph alone; the address in `location` is yours to
   * fetch, without one. A cancelled call is not sent; one that was under way may have been done.
   * Errors: InvalidInput and LimitExceeded (before anything is sent), LinkRejected (an address that is not this cloud's Graph; nothing was sent), NotFound (of
   * another owner), NotConnected, NeedsReconnect (a renewed token is refused as well), ConsentMissing, Forbidden (the registration, or `/me` of an organisation: nothing was sent), Throttled, Network (nothing was
   * sent), OutcomeUnknown (it may have been done), Upstream (asked as often as sensible), StoreBusy.
   * Source: Graph, use the API. */
  request(accountId: string, request: RawRequest, owner?: string | null, options?: CallOptions): Promise<RawResponse>;
  /** Many requests, in `$batch`es of up to 20 or beside them, whichever fits; in any order, and none waits for another. Outcomes come in the order of the requests,
   * each with its own answer or failure: what is throttled or fails is repeated by itself, as by `request`. Bodies are whole. 10,000 requests and 64 MB of bodies at
   * the most. Errors: as `request` before anything is sent (what is wrong with a request says which); later failures are in the outcomes.
   * Source: Graph, combine multiple HTTP requests using JSON batching. */
  batch(accountId: string, requests: RawRequest | readonly RawRequest[], owner?: string | null, options?: CallOptions): Promise<RawOutcome[]>;
  /** A list, page by page: `@odata.nextLink` is followed on this cloud's Graph alone. What is wrong with the request is told by the stream. */
  pages(accountId: string, request: RawRequest, owner?: string | null): RawPages;
  /** Counts since the engine was opened. */
  metrics(): Metrics;
  /** Replaces keys while everything goes on. Waits up to 30 s for another rotation to end. Errors: InvalidInput, NotFound, StoreBusy when another rotation
   * still runs, VaultLocked when the store key or root key is to be replaced and the root key was replaced since this process opened the store.
   * Corrupt when a value cannot be opened: it is left with its old key, and everything else was replaced. */
  rotateKeys(rotation?: KeyRotation, options?: CallOptions): Promise<RotationReport>;
  /** The audit log after `cursor`, up to `limit` records (1 to 1000), in the order in which they were written. With `owner`, only the chain of this
   * owner. Errors: InvalidInput (also when the cursor is another list's). */
  audit(limit: number, cursor?: string | null, owner?: string | null, options?: CallOptions): Promise<AuditPage>;
  /** Checks the audit log record by record, and its end against `expected` if given. With `owner`, only the chain of this owner, without reading any
   * other; that a chain is gone as a whole shows when all are checked, or against `expected`. Errors: InvalidInput. */
  verifyAudit(expected?: AuditHeadInput | null, owner?: string | null, options?: CallOptions): Promise<AuditVerdict>;
  /** Erases the records up to `exported`, the head of a log that the host has read with `audit` and keeps elsewhere: the rest can still be proven. The log
   * is checked first, and the call recorded. The store's own chain is kept from the record on that says that the first owner's was begun. Answers how
   * many records were erased. Durable in pieces: a call that was cut off is taken up by the next one. Errors: InvalidInput, Corrupt (the log is not as it
   * was written, or does not hold `exported`: nothing is erased). */
  trimAudit(exported: AuditHeadInput, options?: CallOptions): Promise<number>;
  /** Destroys the content key at once, then erases every row, and the same of shared mailboxes that are opened through the account. What was begun is ended at the next open. Errors: InvalidInput, NotFound,
   * StoreBusy (all is erased, but another process that reads the store keeps older bytes in its log; the purge ends by itself once it is done). */
  purge(request?: PurgeRequest, options?: CallOptions): Promise<PurgeReport>;
  /** Disconnects all accounts of an owner and purges them in 30 days. Errors: InvalidInput, NotFound (the owner has no account). */
  deleteOwner(owner: string, options?: CallOptions): Promise<OwnerDeletion>;
  /** Takes `delete_owner` back, as long as nothing is purged; the accounts stay disconnected. Errors: NotFound. */
  restoreOwner(owner: string, options?: CallOptions): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** 32 fresh random bytes for `RootKey.raw`. Keep them where you keep your other secrets: without them nothing in the store can be read. */
export function generateRootKey(): Buffer;

/** The HTTP answer to a `BotInvoke` of this name. Touches nothing. Errors: InvalidInput (the answer does not belong to that name, the card is no Adaptive Card that
 * Teams shows, the text is empty, the JSON is none, the status is not 400 to 599), LimitExceeded (100 KB).
 * Source: Adaptive Cards, Universal Action Model, response format. */
export function invokeResponse(name: string, answer: BotAnswer): HttpResponse;

/** The root key in the file at `path`, for a program on one machine. A file that is missing is made, with its folder, for the user of this process alone (mode 0600 and
 * 0700; on Windows with the rights that its folder hands down): one line of base64 for 32 random bytes. It is never written over, and of several processes that
 * start at once all get the same key. Keep it outside of the folder of the store, and a copy of it apart from copies of the store: without it nothing in the store can be
 * read, and with both everything. Where the machine has a key store, or your platform a KMS, prefer `RootKey.from_keyring` or `RootKey.unwrapped`. Errors: InvalidInput (the path
 * names a folder, a link or no plain file), VaultLocked (others may read the file or it is theirs, it holds no key, it cannot be read or made), StoreFull. */
export function loadOrCreateKey(path: string | URL): RootKey;

/** What the engines of this process log from now on, at this level and above. Never holds secrets, addresses or subjects.
 * Errors: Conflict when the process has a `tracing` subscriber of its own; the records are there then. */
export function logs(level: LogLevel): LogStream;

/** The engine's version, as in `0.1.0`. */
export function version(): string;

/** The wrapped key that `RootKey.unwrapped` left with the store in this folder; none if there is no store yet, or it has another kind of key.
 * Needs no key. Errors: InvalidInput, Corrupt, StoreBusy. */
export function wrappedRootKey(dataDir: string): Buffer | null;
