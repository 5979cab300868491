// The whole package: what follows from the contract, and the helpers written by hand.
import type { ChatDraft, Draft, MailDraft } from './native.js'

export * from './native.js'

/** A draft of a mail, for `send` and `enqueue`. */
export function mail(draft: MailDraft): Draft
/** A draft of a Teams message, for `send` and `enqueue`. */
export function chat(draft: ChatDraft): Draft
