// The whole package: what follows from the contract, and the helpers written by hand.
import type { ChannelPostDraft, ChatDraft, Draft, ForwardDraft, LogLevel, LogRecord, MailDraft, ReplyDraft, WorkflowDraft } from './native.js'

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
/**
 * Calls `callback` with each record that the engines of this process log, at this level (default: `info`) and above; gives a function that
 * stops it. It keeps no process alive. What the callback throws becomes a warning of the process. Errors: as `logs`.
 */
export function onLog(callback: (record: LogRecord) => void, level?: LogLevel): () => void
