// The tarballs of npm: the package works with the package of its platform beside it, and says what is missing without.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'node:test'

const node = fileURLToPath(new URL('..', import.meta.url))
const libc = process.platform !== 'linux' ? '' : process.report.getReport().header.glibcVersionRuntime ? '-gnu' : '-musl'
const platform = `${process.platform}-${process.arch}${libc}`

test('the package and that of its platform', { skip: process.platform === 'win32' }, (t) => {
  const base = mkdtempSync(join(tmpdir(), 'tidings-'))
  t.after(() => rmSync(base, { recursive: true, force: true }))
  const native = join(base, `${platform}.node`)
  copyFileSync(join(node, 'lib', `tidings.${process.platform}-${process.arch}.node`), native)
  execFileSync(process.execPath, [join(node, 'pack.mjs'), join(base, 'dist'), native], { stdio: 'pipe' })
  const tarballs = readdirSync(join(base, 'dist')).sort()
  assert.equal(tarballs.length, 2)

  const unpack = (tarball, to) => {
    mkdirSync(to, { recursive: true })
    execFileSync('tar', ['-xzf', join(base, 'dist', tarball), '-C', to, '--strip-components=1'])
    return JSON.parse(readFileSync(join(to, 'package.json'), 'utf8'))
  }
  const main = unpack(tarballs.find((name) => /^tidings-\d/.test(name)), join(base, 'app', 'node_modules', 'tidings'))
  assert.deepEqual(main.optionalDependencies, { [`@tidings/${platform}`]: main.version })
  const files = readdirSync(join(base, 'app', 'node_modules', 'tidings'), { recursive: true }).map(String)
  assert.ok(files.includes('LICENSE-MIT') && files.includes('LICENSE-APACHE') && files.includes(join('lib', 'index.d.ts')))
  assert.ok(!files.some((name) => name.endsWith('.node') || name.startsWith('tests') || name.startsWith('src')), files.join(' '))

  const run = () => spawnSync(process.execPath, ['--input-type=module', '-e', "import { version } from 'tidings'; console.log(version())"], { cwd: join(base, 'app'), encoding: 'utf8' })
  assert.match(run().stderr, /The native half of tidings for .* is missing/)
  const half = unpack(tarballs.find((name) => !/^tidings-\d/.test(name)), join(base, 'app', 'node_modules', '@tidings', platform))
  assert.deepEqual([half.version, half.license, half.os, half.cpu], [main.version, main.license, [process.platform], [process.arch]])
  assert.deepEqual([run().stdout, run().stderr], [`${main.version}\n`, ''])
})
