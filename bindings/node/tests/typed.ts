// Read by tsc, not run: what must type-check, and what must not.
import { ClientCertificate, Engine, Secret, RootKey, ThrottledError, TidingsError, chat, generateRootKey, invokeResponse, loadOrCreateKey, logs, mail, notifications, onLog, wrappedRootKey } from 'tidings'
import type { RawResponse } from 'tidings'
import type { BotInvoke, HttpResponse } from 'tidings'
import { createServer } from 'node:http'
import type { AccountPage, Account, AuditRecord, Badge, Change, Cloud, Config, Event, LogLevel, LogRecord, MailboxState, Message, MessagePage, Receipt } from 'tidings'

const same = <T>(value: T): T => value

export async function uses(account: Account, url: string, signal: AbortSignal): Promise<void> {
  const cloud: Cloud = { type: 'custom', login: url, graph: url }
  const config: Config = { dataDir: 'data', clientId: 'id', cloud, clientSecret: 'secret' }
  const engine = Engine.open({ ...config, clientSecret: new Secret('secret'), cloud: 'public' }, generateRootKey())
  Engine.open(config, RootKey.raw(generateRootKey()))
  same<RootKey>(loadOrCreateKey('tidings.key'))
  Engine.open(config, loadOrCreateKey(new URL('file:///etc/tidings.key')))
  const { binding, expiresAt } = await engine.connect({ owner: 'recruiter-42', features: ['chat', 'mail_send'], redirectUri: url }, { signal })
  same<Date>(expiresAt)
  same<Account>(await engine.finishConnect(url, binding))
  const receipt = same<Receipt>(await engine.send(chat({ accountId: account.id, to: 'a@contoso.com', body: 'Hi' }), { signal }))
  await engine.send({ mail: { accountId: account.id, to: ['a@contoso.com', { address: 'b@contoso.com' }], subject: 'Hi', body: 'Text' } })
  await engine.enqueue(mail({ accountId: account.id, to: 'a@contoso.com', subject: 'Hi', body: 'Text', attachments: [{ name: 'a', content: new Uint8Array() }] }))
  same<AccountPage>(await engine.accounts())
  const page = same<MessagePage>(await engine.messages({ folder: 'inbox', isRead: false }))
  same<string | undefined>(page.items[0]?.fromAddress?.name)
  for await (const event of engine.events()) {
    same<Event>(event)
    if (event.type === 'sync_finished') same<number>(event.report.durationMs)
    else if (event.type === 'missed') same<number>(event.count)
  }
  for await (const change of engine.changes({ owner: 'me', cursor: 'cursor' })) same<Change>(change)
  const response = same<RawResponse>(await engine.request(account.id, { path: '/me', query: { $top: '5' } }, null, { signal }))
  same<Record<string, string>>(response.headers())
  for await (const piece of response) same<Buffer>(piece)
  for await (const page of engine.pages(account.id, '/me/events')) same<string | null>(page.deltaLink)
  same<number | null>((await engine.batch(account.id, ['/me', { path: '/me', version: 'beta' }]))[0]?.status ?? null)
  try {
    await engine.sync(account.id)
  } catch (e) {
    if (e instanceof ThrottledError) same<number | null>(e.retryAfterMs)
    else if (e instanceof TidingsError && e.kind === 'closed') same<string>(e.reason)
  }
  Engine.open('tidings.toml', RootKey.passphrase('correct horse battery'))
  Engine.open(new URL('file:///etc/tidings.toml'), generateRootKey())
  const certificate = ClientCertificate.fromPem('PEM', 'PEM')
  Engine.open({ ...config, certificate, content: 'clear', apps: [{ name: 'bot', clientId: 'id', clientSecret: 'secret' }] }, generateRootKey())
  same<string>((await engine.approval(account.id, url)).sheet)
  const device = await engine.connectDevice({ owner: 'script', features: ['mail_send'] }, { signal })
  same<string>(device.userCode())
  same<Account>(await device.wait({ signal }))
  same<MailboxState>((await engine.verify(account.id, true)).mailbox)
  same<string[]>((await engine.purge({ owner: 'recruiter-42' })).accountIds)
  same<number>((await engine.rotateKeys({ newRootKey: generateRootKey() })).values)
  same<number>((await engine.rotateKeys()).values)
  const log = await engine.audit(100)
  same<AuditRecord[]>((await engine.audit(100, log.next)).items)
  const { head } = await engine.verifyAudit()
  same<boolean>((await engine.verifyAudit(head)).intact)
  same<string[]>((await engine.permissions({ features: ['chat'] })).notAccessed)
  same<Message[]>(await engine.search({ text: 'invoice' }))
  same<Badge>((await engine.health('recruiter-42')).badge)
  same<number>(engine.metrics().requests)
  same<Buffer | null>(wrappedRootKey('data'))
  for await (const record of logs('debug')) same<LogRecord>(record)
  const stop = onLog((record) => same<LogLevel>(record.level), 'warn')
  same<void>(stop())
  // @ts-expect-error there is no such level
  onLog(() => {}, 'loud')
  // @ts-expect-error there is no such feature
  await engine.connect({ owner: 'x', features: ['fax'] })
  // @ts-expect-error a draft is not a text
  await engine.send('text')
  // @ts-expect-error engines are opened
  new Engine()
  // @ts-expect-error a state is one of the known
  receipt.state = 'lost'
  await engine.close()
}

export function answers(engine: Engine): void {
  createServer(notifications(engine))
  createServer(notifications(engine, { onInvoke: async (invoke) => ({ type: 'message', text: same<BotInvoke>(invoke).verb ?? '' }), timeoutMs: 5_000, onError: (invoke, error) => console.error(invoke.name, error) }))
  createServer(notifications(engine, { onInvoke: () => {} }))
  createServer(notifications(engine, { onInvoke: (_, { signal }) => (signal.aborted ? null : { type: 'card', card: '{}' }) }))
  // @ts-expect-error no such answer
  notifications(engine, { onInvoke: () => ({ type: 'fax' }) })
  same<HttpResponse>(invokeResponse('task/fetch', { type: 'json', body: '{}' }))
}
