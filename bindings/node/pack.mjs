// pack.mjs FOLDER NATIVE…: the tarballs of npm for these native files, which are named for their platforms: linux-x64-gnu.node, win32-x64.node.
// Each goes into a package of its own, @tidings/linux-x64-gnu, that npm installs on that platform alone; the package `tidings` is without any and asks for them.

import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const LICENCES = ['LICENSE-MIT', 'LICENSE-APACHE']
const main = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'))

const [folder, ...natives] = process.argv.slice(2)
if (!folder || natives.length === 0) {
  console.error('usage: pack.mjs FOLDER NATIVE…')
  process.exit(2)
}
mkdirSync(folder, { recursive: true })
const stage = mkdtempSync(join(tmpdir(), 'tidings-pack-'))
try {
  const platforms = natives.map(pack)
  cpSync(here, join(stage, 'tidings'), { recursive: true, filter: (from) => !/node_modules|\.node$|target/.test(from.slice(here.length)) })
  tarball('tidings', { ...main, optionalDependencies: Object.fromEntries(platforms.map((name) => [name, main.version])) })
} finally {
  rmSync(stage, { recursive: true, force: true })
}

function pack(native) {
  const platform = basename(native, '.node')
  const [, os, cpu, libc] = /^(linux|darwin|win32)-(x64|arm64)(?:-(gnu|musl))?$/.exec(platform) ?? []
  if (!os || (os === 'linux') !== (libc !== undefined)) throw new Error(`${native} is not named for a platform, as linux-x64-gnu.node is.`)
  mkdirSync(join(stage, platform))
  copyFileSync(native, join(stage, platform, 'tidings.node'))
  for (const licence of LICENCES) copyFileSync(join(here, licence), join(stage, platform, licence))
  const { version, license, engines } = main
  const name = `@tidings/${platform}`
  tarball(platform, {
    name, version, description: `The native half of tidings for ${platform}.`, license, engines, os: [os], cpu: [cpu],
    ...(libc ? { libc: [libc === 'gnu' ? 'glibc' : 'musl'] } : {}), main: 'tidings.node', files: ['tidings.node', ...LICENCES],
  })
  return name
}

function tarball(name, manifest) {
  writeFileSync(join(stage, name, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  const out = execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', resolve(folder)], { cwd: join(stage, name), encoding: 'utf8', shell: process.platform === 'win32' })
  console.log(join(folder, out.trim().split('\n').at(-1)))
}
