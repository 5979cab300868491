'use strict'
// Finds the native half for this machine. It is loaded once in each thread, also when the package is: a second load would make classes of the same names
// that do not know each other (a cleared require.cache; test runners that give each file modules of its own).

const name = `tidings.${process.platform}-${process.arch}.node`
const loaded = Symbol.for(`tidings ${require.resolve('./load.cjs')}`)
try {
  if (!globalThis[loaded]) Object.defineProperty(globalThis, loaded, { value: require(`./${name}`) })
  module.exports = globalThis[loaded]
} catch (cause) {
  throw new Error(`The native file ${name} is missing or cannot be loaded here. Build it with bindings/build.sh node.`, { cause })
}
