// Runs the scenarios through the Node interface. `runner.mjs [FILE…]`; `--child` is the second process of a scenario.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parse } from 'smol-toml'
import { Logs } from './logs.mjs'
import { ROOT, Sim } from './sim.mjs'
import { serve } from './stage.mjs'
import { run } from './steps.mjs'

// Longest a scenario may take, so that one that hangs does not stall the rest.
const LIMIT_MS = 600_000

async function main(named) {
  const sim = await Sim.start('node')
  const logs = new Logs()
  const results = []
  for (const file of files(named)) {
    const scenario = parse(readFileSync(file, 'utf8'))
    const started = performance.now()
    const result = { file: basename(file, '.toml'), name: scenario.name, proves: scenario.proves, outcome: 'passed' }
    try {
      await within(run(sim, logs, scenario))
    } catch (error) {
      Object.assign(result, { outcome: 'failed', reason: error.failed ? error.message : String(error.stack ?? error) })
    }
    result.ms = Math.round(performance.now() - started)
    results.push(result)
    const line = `${result.file}  (${result.ms} ms)`
    console.log(result.outcome === 'passed' ? `passed  ${line}` : `FAILED  ${line}\n        ${result.reason}`)
  }
  mkdirSync(join(ROOT, 'target'), { recursive: true })
  writeFileSync(join(ROOT, 'target/results-node.json'), JSON.stringify({ language: 'node', scenarios: results }))
  const failed = results.filter((r) => r.outcome === 'failed').length
  console.log(`node: ${results.length - failed} passed, ${failed} failed`)
  process.exit(failed ? 1 : 0)
}

function within(work) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not end within ${LIMIT_MS / 1000} s`)), LIMIT_MS)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Those named on the command line (by path or by bare name), or all. */
function files(named) {
  const folder = join(ROOT, 'tests/scenarios')
  if (named.length) return named.map((n) => (n.endsWith('.toml') ? n : join(folder, `${n}.toml`)))
  return readdirSync(folder).filter((n) => n.endsWith('.toml')).sort().map((n) => join(folder, n))
}

if (process.argv.includes('--child')) {
  await serve(JSON.parse(await text(process.stdin)))
  process.exit(0)
} else {
  await main(process.argv.slice(2))
}
