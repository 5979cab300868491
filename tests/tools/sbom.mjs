// sbom.mjs FOLDER [--target TRIPLE]: what is linked into each package of Tidings, as CycloneDX 1.6 (ECMA-424) in JSON, one file for each.
// Asked of Cargo for each package by itself: what tests, build scripts and procedural macros need is in no package. The libraries are those of this machine's platform, or of
// TRIPLE; the crate lists all platforms, since it is linked where it is used. The same tree and tools give the same bytes.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const read = (name) => readFileSync(join(root, name), 'utf8')
const cargo = (...args) => execFileSync(process.env.CARGO ?? 'cargo', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] })

/** The packages: the crate whose library is in each, and how its ecosystem names it. */
const PACKAGES = {
  crate: { crate: 'tidings', purl: (version) => `pkg:cargo/tidings@${version}` },
  wheel: { crate: 'tidings-python', purl: (version) => `pkg:pypi/tidings@${version}` },
  npm: { crate: 'tidings-node', purl: (version) => `pkg:npm/tidings@${version}`, beside: npmDependencies },
  jar: { crate: 'tidings-uniffi', purl: (version) => `pkg:maven/dev.tidings/tidings@${version}`, beside: mavenDependencies },
}

/** Libraries in C that a crate brings along and builds: nobody sees them in Cargo.lock. */
const BUNDLED = {
  'libsqlite3-sys': { name: 'sqlite', file: 'sqlite3/sqlite3.h', version: /#define SQLITE_VERSION\s+"([^"]+)"/, license: 'blessing', purl: (v) => `pkg:generic/sqlite@${v}`, cpe: (v) => `cpe:2.3:a:sqlite:sqlite:${v}:*:*:*:*:*:*:*` },
  'aws-lc-sys': { name: 'aws-lc', file: 'aws-lc/include/openssl/base.h', version: /#define AWSLC_VERSION_NUMBER_STRING\s+"([^"]+)"/, purl: (v) => `pkg:github/aws/aws-lc@v${v}` },
}

function main(args) {
  const at = args.indexOf('--target')
  const target = at < 0 ? undefined : args.splice(at, 2)[1]
  const [folder] = args
  if (!folder || args.length > 1 || (at >= 0 && !target)) {
    console.error('usage: sbom.mjs FOLDER [--target TRIPLE]')
    process.exit(2)
  }
  mkdirSync(folder, { recursive: true })
  const host = /^host: (.*)$/m.exec(execFileSync(process.env.RUSTC ?? 'rustc', ['-vV'], { encoding: 'utf8' }))[1]
  const checksums = lockedChecksums()
  const known = new Map()
  for (const [name, it] of Object.entries(PACKAGES)) {
    const platform = target ?? (name === 'crate' ? 'all' : host)
    if (!known.has(platform)) known.set(platform, crates(platform))
    const bom = billOf(it, platform, known.get(platform), checksums)
    const file = join(folder, `tidings-${name}${name === 'crate' ? '' : `-${platform}`}.cdx.json`)
    writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`)
    console.log(`${file}: ${bom.components.length} components`)
  }
}

/** What Cargo knows of each package, by name and version. */
function crates(platform) {
  const filter = platform === 'all' ? [] : ['--filter-platform', platform]
  const { packages } = JSON.parse(cargo('metadata', '--locked', '--format-version', '1', ...filter))
  return new Map(packages.map((it) => [`${it.name}@${it.version}`, it]))
}

/** The crates that are linked, and which of them asks for which. */
function linked(crate, platform) {
  const edges = new Map()
  const above = []
  for (const line of cargo('tree', '--locked', '-p', crate, '-e', 'normal,no-proc-macro', '--target', platform, '--prefix', 'depth', '-f', '|{p}').split('\n')) {
    const found = /^(\d+)\|(\S+) v(\S+)/.exec(line)
    if (!found) continue
    const [depth, id] = [Number(found[1]), `${found[2]}@${found[3]}`]
    above.length = depth
    if (!edges.has(id)) edges.set(id, new Set())
    if (depth > 0) edges.get(above[depth - 1]).add(id)
    above.push(id)
  }
  return edges
}

function billOf(it, platform, known, checksums) {
  const edges = linked(it.crate, platform)
  const first = edges.keys().next().value
  const own = known.get(first)
  const top = component('application', { ...own, name: 'tidings' }, it.purl(own.version))
  const isTheCrate = it.purl(own.version) === cargoPurl(first)
  const components = []
  const dependencies = new Map([[top['bom-ref'], isTheCrate ? [] : [cargoPurl(first)]]])
  for (const [id, asksFor] of edges) {
    const crate = known.get(id)
    const refs = [...asksFor].map(cargoPurl)
    if (!(isTheCrate && id === first)) {
      const made = component('library', crate, cargoPurl(id))
      if (checksums.has(id)) made.hashes = [{ alg: 'SHA-256', content: checksums.get(id) }]
      components.push(made)
    }
    const bundled = BUNDLED[crate.name] && bundledIn(crate, BUNDLED[crate.name])
    if (bundled) {
      components.push(bundled)
      refs.push(bundled['bom-ref'])
      dependencies.set(bundled['bom-ref'], [])
    }
    dependencies.set(isTheCrate && id === first ? top['bom-ref'] : cargoPurl(id), refs)
  }
  for (const beside of it.beside?.() ?? []) {
    components.push(beside)
    dependencies.get(top['bom-ref']).push(beside['bom-ref'])
    dependencies.set(beside['bom-ref'], [])
  }
  const byRef = (a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1)
  const bom = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      ...(process.env.SOURCE_DATE_EPOCH ? { timestamp: new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000).toISOString() } : {}),
      tools: { components: [{ type: 'application', name: 'tests/tools/sbom.mjs', version: own.version }] },
      component: { ...top, type: 'library' },
      properties: [{ name: 'tidings:platform', value: platform }],
    },
    components: components.sort(byRef),
    dependencies: [...dependencies].map(([ref, dependsOn]) => ({ ref, dependsOn: [...new Set(dependsOn)].sort() })).sort((a, b) => (a.ref < b.ref ? -1 : 1)),
  }
  // The number of this list follows from what is in it.
  const hash = createHash('sha256').update(JSON.stringify(bom)).digest('hex')
  bom.serialNumber = `urn:uuid:${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`
  return bom
}

function component(type, { name, version, description, license, license_file: file, repository }, purl) {
  const expression = license?.replaceAll(/\s*\/\s*/g, ' OR ')
  if (!expression && !file) throw new Error(`${name} ${version} has no licence.`)
  return {
    type,
    'bom-ref': purl,
    name,
    version,
    ...(description ? { description: description.trim().replaceAll(/\s+/g, ' ') } : {}),
    scope: 'required',
    licenses: expression ? [{ expression }] : [{ license: { name: `See ${file}` } }],
    purl,
    ...(repository ? { externalReferences: [{ type: 'vcs', url: repository }] } : {}),
  }
}

function bundledIn(crate, it) {
  const found = it.version.exec(readFileSync(join(dirname(crate.manifest_path), it.file), 'utf8'))
  if (!found) throw new Error(`${crate.name} ${crate.version} does not say which ${it.name} it brings along.`)
  const made = component('library', { name: it.name, version: found[1], license: it.license ?? crate.license, description: `Built from source by ${crate.name}` }, it.purl(found[1]))
  return it.cpe ? { ...made, cpe: it.cpe(found[1]) } : made
}

const cargoPurl = (id) => `pkg:cargo/${id.replace('+', '%2B')}`

function lockedChecksums() {
  const entries = read('Cargo.lock').matchAll(/name = "([^"]+)"\nversion = "([^"]+)"\nsource = "[^"]+"\nchecksum = "([0-9a-f]{64})"/g)
  return new Map(Array.from(entries, ([, name, version, sum]) => [`${name}@${version}`, sum]))
}

/** Of the npm package: what it installs along with it. */
function npmDependencies() {
  const { dependencies = {} } = JSON.parse(read('bindings/node/package.json'))
  if (Object.keys(dependencies).length > 0) throw new Error('bindings/node/package.json has dependencies; say here which licences they have.')
  return []
}

/** Of the jar: what it needs on the class path. */
function mavenDependencies() {
  const licenses = { 'org.jetbrains.kotlin': 'Apache-2.0', 'org.jetbrains.kotlinx': 'Apache-2.0', 'net.java.dev.jna': 'Apache-2.0 OR LGPL-2.1-or-later' }
  const pom = read('bindings/kotlin/pom.xml')
  const field = (text, name) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(text)?.[1].replace(/\$\{([^}]+)\}/, (_, property) => field(pom, property.replaceAll('.', '\\.')))
  return Array.from(pom.matchAll(/<dependency>.*?<\/dependency>/gs), ([text]) => text)
    .filter((text) => (field(text, 'scope') ?? 'compile') === 'compile')
    .map((text) => {
      const [group, name, version] = ['groupId', 'artifactId', 'version'].map((part) => field(text, part))
      if (!licenses[group]) throw new Error(`${group} has no licence here.`)
      return { ...component('library', { name, version, license: licenses[group] }, `pkg:maven/${group}/${name}@${version}`), group }
    })
}

if (!existsSync(join(root, 'Cargo.lock'))) throw new Error('Cargo.lock is missing.')
main(process.argv.slice(2))
