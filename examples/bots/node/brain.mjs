// What the agent thinks with. Put a model in its place: text in, text out.

const candidates = { Ann: { when: 'on Thursday at 3', where: 'to room 12' }, Bob: { when: 'on Friday at 10', where: 'to room 7' } }

/** The answer to `text`; `history` is what people said there before, the oldest first. Whom it is about may stand in either. */
export function brain(text, history) {
  const ask = text.toLowerCase().includes('where') ? 'where' : 'when'
  for (const said of [text, ...history.toReversed()]) {
    for (const [name, facts] of Object.entries(candidates)) {
      if (said.includes(name)) return `${name} comes ${facts[ask]}.`
    }
  }
  return 'Whom do you mean, Ann or Bob?'
}
