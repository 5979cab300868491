'use strict'
// Finds the native half for this machine.

const name = `tidings.${process.platform}-${process.arch}.node`
try {
  module.exports = require(`./${name}`)
} catch (cause) {
  throw new Error(`The native file ${name} is missing or cannot be loaded here. Build it with bindings/build.sh node.`, { cause })
}
