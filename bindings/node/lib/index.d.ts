// The whole package: what follows from the contract, and the helpers written by hand.
import type { BotAnswer, BotDraft, BotInvoke, ChannelPostDraft, ChatDraft, Draft, EndpointDraft, Engine, FileAttachment, ForwardDraft, LogLevel, LogRecord, MailDraft, ReplyDraft, WorkflowDraft } from './native.js'

export * from './native.js'

/** A draft of a mail, for `send` and `enqueue`. */
export function mail(draft: MailDraft): Draft
/** A draft of a Teams message, for `send` and `enqueue`. */
export function chat(draft: ChatDraft): Draft
/** A draft of a reply, for `send` and `enqueue`. */
export function reply(draft: ReplyDraft): Draft
/** A draft of a forward, for `send` and `enqueue`. */
export function forward(draft: ForwardDraft): Draft
/** A draft of a message in a channel, for `send` and `enqueue`. */
export function channelPost(draft: ChannelPostDraft): Draft
/** A draft of a post to a workflow, for `send` and `enqueue`. */
export function workflow(draft: WorkflowDraft): Draft
/** A draft of a message of the bot, for `send` and `enqueue`. */
export function botMessage(draft: BotDraft): Draft
/** A draft of a message to the endpoints of a subscriber, for `send` and `enqueue`. */
export function toEndpoint(draft: EndpointDraft): Draft
/** How a host answers what Teams asks the bot and waits for. */
export interface NotificationOptions {
  /**
   * Gives the answer, or nothing when it is done and there is nothing to show. Without it, such requests are answered with 501. `signal` aborts when it takes too
   * long; its answer is not heard then.
   */
  onInvoke?: (invoke: BotInvoke, options: { signal: AbortSignal }) => BotAnswer | void | null | Promise<BotAnswer | void | null>
  /** Default: 10,000. Teams waits for about 15 seconds at the most. */
  timeoutMs?: number
  /** Hears of an `onInvoke` that took too long, threw, or gave what cannot be sent; the person was told so in words. Default: a warning of the process. */
  onError?: (invoke: BotInvoke, error: unknown) => void
}
/**
 * A route that takes Microsoft's notifications and what people say to the bot: a listener of `node:http` and a handler of Express that hands each request to
 * `receive`. The body must not have been read as anything but bytes before.
 */
export function notifications(engine: Engine, options?: NotificationOptions): (
  request: { method?: string | undefined; url?: string | undefined; headers?: { [name: string]: string | string[] | undefined }; [Symbol.asyncIterator](): AsyncIterator<any> },
  response: { headersSent: boolean; writeHead(status: number, headers?: any): unknown; end(body?: any): unknown },
) => Promise<void>
/**
 * Calls `callback` with each record that the engines of this process log, at this level (default: `info`) and above; gives a function that
 * stops it. It keeps no process alive. What the callback throws becomes a warning of the process. Errors: as `logs`.
 */
export function onLog(callback: (record: LogRecord) => void, level?: LogLevel): () => void
/** What is said of an attachment where its source does not say it. */
export interface AttachmentOptions {
  /** Of a path, a `File` or a file stream, its own. */
  name?: string
  /** Of a `Blob`, its own; else `application/octet-stream`. */
  contentType?: string
  /** Bytes that it comes to; another count is an error. */
  size?: number
  /** It is an image that the HTML body shows, as in `FileAttachment`. */
  contentId?: string
  /** Gives up: nothing of the content is left. */
  signal?: AbortSignal
}
/**
 * An attachment of up to 150 MB for drafts of this account, from a path, bytes, a `Blob`, or a stream or iterator of bytes. It is read in pieces, and sealed
 * and durable when this resolves; `stageAttachment` says how long. When the source fails or the signal aborts, that is thrown as it is and nothing of the
 * content is left. Errors: as `stageAttachment` and the methods of `AttachmentWriter`.
 */
export function attachmentFrom(
  engine: Engine,
  accountId: string,
  source: string | URL | ArrayBuffer | ArrayBufferView | Blob | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | ReadableStream<Uint8Array>,
  options?: AttachmentOptions,
): Promise<FileAttachment>
