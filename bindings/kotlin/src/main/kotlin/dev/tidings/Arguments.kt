package dev.tidings

import java.nio.file.Path
import java.time.Instant

// Shorter ways to say the same.

public suspend fun Engine.send(mail: MailDraft): Receipt = send(Draft.Mail(mail))

public suspend fun Engine.send(chat: ChatDraft): Receipt = send(Draft.Chat(chat))

public suspend fun Engine.enqueue(mail: MailDraft): Receipt = enqueue(Draft.Mail(mail))

public suspend fun Engine.enqueue(chat: ChatDraft): Receipt = enqueue(Draft.Chat(chat))

public suspend fun Engine.edit(receiptId: String, mail: MailDraft, owner: String? = null): Receipt = edit(receiptId, Draft.Mail(mail), owner)

public suspend fun Engine.edit(receiptId: String, chat: ChatDraft, owner: String? = null): Receipt = edit(receiptId, Draft.Chat(chat), owner)

public suspend fun Engine.send(reply: ReplyDraft): Receipt = send(Draft.Reply(reply))

public suspend fun Engine.send(forward: ForwardDraft): Receipt = send(Draft.Forward(forward))

public suspend fun Engine.enqueue(reply: ReplyDraft): Receipt = enqueue(Draft.Reply(reply))

public suspend fun Engine.enqueue(forward: ForwardDraft): Receipt = enqueue(Draft.Forward(forward))

public suspend fun Engine.edit(receiptId: String, reply: ReplyDraft, owner: String? = null): Receipt = edit(receiptId, Draft.Reply(reply), owner)

public suspend fun Engine.edit(receiptId: String, forward: ForwardDraft, owner: String? = null): Receipt = edit(receiptId, Draft.Forward(forward), owner)

public suspend fun Engine.send(post: ChannelPostDraft): Receipt = send(Draft.ChannelPost(post))

public suspend fun Engine.enqueue(post: ChannelPostDraft): Receipt = enqueue(Draft.ChannelPost(post))

public suspend fun Engine.edit(receiptId: String, post: ChannelPostDraft, owner: String? = null): Receipt = edit(receiptId, Draft.ChannelPost(post), owner)

public suspend fun Engine.editSent(receiptId: String, chat: ChatDraft, owner: String? = null): Receipt = editSent(receiptId, Draft.Chat(chat), owner)

public suspend fun Engine.editSent(receiptId: String, post: ChannelPostDraft, owner: String? = null): Receipt = editSent(receiptId, Draft.ChannelPost(post), owner)

public suspend fun Engine.send(workflow: WorkflowDraft): Receipt = send(Draft.Workflow(workflow))

public suspend fun Engine.enqueue(workflow: WorkflowDraft): Receipt = enqueue(Draft.Workflow(workflow))

public suspend fun Engine.edit(receiptId: String, workflow: WorkflowDraft, owner: String? = null): Receipt = edit(receiptId, Draft.Workflow(workflow), owner)

public suspend fun Engine.send(bot: BotDraft): Receipt = send(Draft.Bot(bot))

public suspend fun Engine.enqueue(bot: BotDraft): Receipt = enqueue(Draft.Bot(bot))

public suspend fun Engine.editSent(receiptId: String, bot: BotDraft, owner: String? = null): Receipt = editSent(receiptId, Draft.Bot(bot), owner)

public suspend fun Engine.send(toEndpoint: EndpointDraft): Receipt = send(Draft.ToEndpoint(toEndpoint))

public suspend fun Engine.enqueue(toEndpoint: EndpointDraft): Receipt = enqueue(Draft.ToEndpoint(toEndpoint))

public suspend fun Engine.edit(receiptId: String, bot: BotDraft, owner: String? = null): Receipt = edit(receiptId, Draft.Bot(bot), owner)

public suspend fun Engine.preview(mail: MailDraft): Preview = preview(Draft.Mail(mail))

public suspend fun Engine.preview(reply: ReplyDraft): Preview = preview(Draft.Reply(reply))

public suspend fun Engine.preview(forward: ForwardDraft): Preview = preview(Draft.Forward(forward))

public suspend fun Engine.preview(chat: ChatDraft): Preview = preview(Draft.Chat(chat))

public suspend fun Engine.preview(post: ChannelPostDraft): Preview = preview(Draft.ChannelPost(post))

public suspend fun Engine.preview(workflow: WorkflowDraft): Preview = preview(Draft.Workflow(workflow))

public suspend fun Engine.preview(bot: BotDraft): Preview = preview(Draft.Bot(bot))

@JvmName("enqueueAllMails")
public suspend fun Engine.enqueueAll(mails: List<MailDraft>): List<Receipt> = enqueueAll(mails.map { Draft.Mail(it) })

@JvmName("enqueueAllChats")
public suspend fun Engine.enqueueAll(chats: List<ChatDraft>): List<Receipt> = enqueueAll(chats.map { Draft.Chat(it) })

public suspend fun Engine.accounts(owner: String? = null, state: AccountState? = null, limit: UInt = 100u, cursor: String? = null): AccountPage =
    accounts(AccountFilter(owner, state, limit, cursor))

public suspend fun Engine.outbox(owner: String? = null, accountId: String? = null, state: SendState? = null, limit: UInt = 100u): List<Receipt> =
    outbox(OutboxFilter(owner, accountId, state, limit))

public suspend fun Engine.messages(
    owner: String? = null,
    accountId: String? = null,
    folder: String? = null,
    isRead: Boolean? = null,
    conversationId: String? = null,
    limit: UInt = 50u,
    cursor: String? = null,
    link: String? = null,
    hasAttachments: Boolean? = null,
    receivedAfter: Instant? = null,
    receivedBefore: Instant? = null,
    address: String? = null,
): MessagePage = messages(MessageQuery(owner, accountId, folder, isRead, conversationId, limit, cursor, link, hasAttachments, receivedAfter, receivedBefore, address))

public suspend fun Engine.threads(
    owner: String? = null,
    accountId: String? = null,
    folder: String? = null,
    unreadOnly: Boolean = false,
    link: String? = null,
    limit: UInt = 50u,
    cursor: String? = null,
    address: String? = null,
): ThreadPage = threads(ThreadQuery(owner, accountId, folder, unreadOnly, link, limit, cursor, address))

public suspend fun Engine.botActivities(owner: String? = null, accountId: String? = null, conversationId: String? = null, limit: UInt = 100u, cursor: String? = null): BotActivityPage =
    botActivities(BotActivityQuery(owner, accountId, conversationId, limit, cursor))

public suspend fun Engine.conversations(owner: String? = null, accountId: String? = null, limit: UInt = 100u, cursor: String? = null): BotConversationPage =
    conversations(BotConversationQuery(owner, accountId, limit, cursor))

public suspend fun Engine.contacts(owner: String? = null, accountId: String? = null, address: String? = null, limit: UInt = 50u, cursor: String? = null): ContactPage =
    contacts(ContactQuery(owner, accountId, address, limit, cursor))

public suspend fun Engine.eventsBetween(
    starting: Instant,
    ending: Instant,
    owner: String? = null,
    accountId: String? = null,
    limit: UInt = 50u,
    cursor: String? = null,
): CalendarPage = eventsBetween(CalendarQuery(starting, ending, owner, accountId, limit, cursor))

public suspend fun Engine.chatHistory(
    owner: String? = null,
    accountId: String? = null,
    chatId: String? = null,
    form: BodyForm = BodyForm.HTML,
    limit: UInt = 50u,
    cursor: String? = null,
): TeamsMessagePage = chatHistory(TeamsMessageQuery(owner, accountId, chatId, form, limit, cursor))

public suspend fun Engine.people(accountId: String, text: String, limit: UInt = 20u, owner: String? = null): List<Person> =
    people(PeopleQuery(accountId, text, limit, owner))

/** Another Entra and Graph, such as the simulator. */
public fun Cloud.Companion.custom(login: String, graph: String): Cloud = Cloud.Custom(login, graph)

/** [Engine.openFile] under the name one looks for. */
public fun Engine.Companion.open(path: String, rootKey: RootKey): Engine = openFile(path, rootKey)

public fun Engine.Companion.open(path: Path, rootKey: RootKey): Engine = openFile(path.toString(), rootKey)

public fun loadOrCreateKey(path: Path): RootKey = loadOrCreateKey(path.toString())

public suspend fun Engine.setLinkRule(owner: String, key: String, addresses: List<String> = emptyList(), domains: List<String> = emptyList()): Unit =
    setLinkRule(LinkRule(owner, key, addresses, domains))

/** Everything of one account. */
public suspend fun Engine.purge(accountId: String): PurgeReport = purge(PurgeRequest(accountId = accountId))

/** Everything of an owner. */
public suspend fun Engine.purgeOwner(owner: String): PurgeReport = purge(PurgeRequest(owner = owner))

public suspend fun Engine.rotateKeys(newRootKey: RootKey? = null, storeKey: Boolean = true, dataKeys: Boolean = true, accountId: String? = null): RotationReport =
    rotateKeys(KeyRotation(newRootKey, storeKey, dataKeys, accountId))

public suspend fun Engine.permissions(vararg features: Feature, accountId: String? = null, owner: String? = null): PermissionList =
    permissions(PermissionQuery(features.toList(), accountId = accountId, owner = owner))

public suspend fun Engine.search(text: String, owner: String? = null, accountId: String? = null, limit: UInt = 50u): List<Message> =
    search(SearchQuery(text, owner, accountId, limit))

/** A GET of this path. */
public suspend fun Engine.request(accountId: String, path: String, owner: String? = null): RawResponse = request(accountId, RawRequest(path), owner)

public fun Engine.pageFlow(accountId: String, path: String, owner: String? = null): kotlinx.coroutines.flow.Flow<RawPage> = pageFlow(accountId, RawRequest(path), owner)

public fun Engine.changes(owner: String? = null, accountId: String? = null, cursor: String? = null): ChangeStream = changes(ChangeQuery(owner, accountId, cursor))
