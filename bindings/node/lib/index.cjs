'use strict'
// The package, for `require`; index.mjs gives the same names to `import`.

const { classes } = require('./errors.cjs')

/** A draft of a mail, for `send` and `enqueue`. */
const mail = (draft) => ({ type: 'mail', mail: draft })
/** A draft of a Teams message, for `send` and `enqueue`. */
const chat = (draft) => ({ type: 'chat', chat: draft })

module.exports = { ...require('./idioms.cjs'), ...classes, mail, chat }
