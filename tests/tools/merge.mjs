// Joins target/results-LANGUAGE.json to target/results.json. A language without results is skipped, with the reason.

import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'

const scenarios = new Map()
const languages = ['rust', 'python', 'node', 'kotlin']
for (const language of languages) {
  const file = `target/results-${language}.json`
  if (!existsSync(file)) continue
  for (const { file: name, name: title, proves, ...result } of JSON.parse(readFileSync(file, 'utf8')).scenarios) {
    if (!scenarios.has(name)) scenarios.set(name, { file: name, name: title, proves, languages: {} })
    scenarios.get(name).languages[language] = result
  }
}
for (const scenario of scenarios.values()) {
  for (const language of languages) scenario.languages[language] ??= { outcome: 'skipped', reason: `the ${language} runner did not run it`, ms: 0 }
}
const all = [...scenarios.values()].sort((a, b) => a.file.localeCompare(b.file))
mkdirSync('target', { recursive: true })
writeFileSync('target/results.json', `${JSON.stringify({ scenarios: all }, null, 1)}\n`)
console.log(`${all.length} scenarios of ${readdirSync('tests/scenarios').filter((n) => n.endsWith('.toml')).length}`)
