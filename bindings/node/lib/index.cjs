'use strict'
// The package, for `require`; index.mjs gives the same names to `import`.

const native = require('./load.cjs')

/** A draft of a mail, for `send` and `enqueue`. */
const mail = (draft) => ({ type: 'mail', mail: draft })
/** A draft of a Teams message, for `send` and `enqueue`. */
const chat = (draft) => ({ type: 'chat', chat: draft })
/** A draft of a reply, for `send` and `enqueue`. */
const reply = (draft) => ({ type: 'reply', reply: draft })
/** A draft of a forward, for `send` and `enqueue`. */
const forward = (draft) => ({ type: 'forward', forward: draft })
/** A draft of a post to a workflow, for `send` and `enqueue`. */
const workflow = (draft) => ({ type: 'workflow', workflow: draft })
/** A draft of a message of the bot, for `send` and `enqueue`. */
const botMessage = (draft) => ({ type: 'bot', bot: draft })
/** A draft of a message to the endpoints of a subscriber, for `send` and `enqueue`. */
const toEndpoint = (draft) => ({ type: 'to_endpoint', toEndpoint: draft })

/** A draft of a message in a channel, for `send` and `enqueue`. */
const channelPost = (draft) => ({ type: 'channel_post', channelPost: draft })

// The native classes are dressed once, whoever loads this file again.
const whole = Symbol.for('tidings')
if (!native[whole]) Object.defineProperty(native, whole, { value: { ...require('./idioms.cjs'), ...require('./errors.cjs').classes, mail, chat, reply, forward, channelPost, workflow, botMessage, toEndpoint, ...require('./inbound.cjs') } })
module.exports = native[whole]
