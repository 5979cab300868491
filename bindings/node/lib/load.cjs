'use strict'
// Finds the native half for this machine: beside this file, where it was built, or in the package of this platform, which npm installs. It is loaded once in each
// thread, also when the package is: a second load would make classes of the same names that do not know each other (a cleared require.cache; test runners that give
// each file modules of its own).

const name = `tidings.${process.platform}-${process.arch}.node`
const loaded = Symbol.for(`tidings ${require.resolve('./load.cjs')}`)

/** The package of this platform, as in `@tidings/linux-x64-gnu`. */
function platformPackage() {
  let libc = ''
  if (process.platform === 'linux') {
    process.report.excludeNetwork = true // it would look up names
    libc = process.report.getReport().header.glibcVersionRuntime ? '-gnu' : '-musl'
  }
  return `@tidings/${process.platform}-${process.arch}${libc}`
}

function native() {
  try {
    return require(`./${name}`)
  } catch (cause) {
    if (cause?.code !== 'MODULE_NOT_FOUND') throw cause
  }
  return require(platformPackage())
}

try {
  if (!globalThis[loaded]) Object.defineProperty(globalThis, loaded, { value: native() })
  module.exports = globalThis[loaded]
} catch (cause) {
  throw new Error(
    `The native half of tidings for ${process.platform}-${process.arch} is missing or cannot be loaded here. Install tidings again with its optional dependencies (npm install --include=optional), or build it with bindings/build.sh node.`,
    { cause },
  )
}
