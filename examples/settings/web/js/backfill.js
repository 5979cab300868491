// Earlier mail: how far back, how much that is, and how far it has come.

import { get, post } from './api.js'
import { ask, button, fill, h, freshId, toast } from './dom.js'
import { duration, number, plural, RANGES } from './words.js'

export function backfillSection(id, refresh) {
  const element = h('div')
  let now = null
  let asks = false
  let account
  // Right after connecting only new mail is fetched, and how far back is asked. Whoever wants no more is not asked again here.
  const settled = `only-new-${id}`
  const undecided = () => !now || (now.range === 'nothing' && !sessionStorage.getItem(settled))

  const change = async (action, range) => {
    now = await post(`/accounts/${id}/backfill`, { action, range })
    if (range === 'nothing') sessionStorage.setItem(settled, 'yes')
    asks = false
    draw()
    await refresh()
  }

  /** Ranges to choose from, with what each would bring. */
  function choice() {
    const label = freshId()
    let range = 'ninety_days'
    const estimate = h('p.quiet', { role: 'status' }, 'Counting…')
    let latest = 0
    const count = async () => {
      const mine = ++latest
      estimate.textContent = 'Counting…'
      try {
        const { messages, folders } = await get(`/accounts/${id}/estimate?range=${range}`)
        if (mine === latest) estimate.textContent = range === 'nothing' ? 'No earlier mail is fetched.' : `About ${plural(messages, 'message')} in ${plural(folders, 'folder')}.`
      } catch (error) {
        if (mine === latest) estimate.textContent = error.message
      }
    }
    const options = Object.entries(RANGES).map(([name, text]) => h('label.choice', {},
      h('input', { type: 'radio', name: label, value: name, checked: name === range, onchange: () => {
        range = name
        count()
      } }), h('span', {}, text)))
    count()
    return h('div.stack', {}, h('fieldset', {}, h('legend', {}, 'How far back should mail be fetched?'), h('div.grid', {}, options)), estimate,
      h('div.row.buttons', {}, button('Start', () => change('start', range), '.primary'), !undecided() && button('Not now', () => {
        asks = false
        draw()
      }, '.plain')))
  }

  const title = () => `${RANGES[now.range]}`

  /** Drawn once for each state; the numbers are changed in place, so that the buttons keep the focus. */
  function atWork() {
    const bar = h('progress', { 'aria-label': 'Mail fetched', max: 1, value: 0 })
    const paused = now.state === 'paused'
    const cancel = async () => {
      const yes = await ask('Stop fetching older mail?', h('p', {}, 'What is here stays. New mail still arrives. You can start again later.'), 'Stop fetching')
      if (yes) await change('cancel')
    }
    return h('div.stack', {},
      h('div.row.spread', {}, h('h3', {}, paused ? 'Fetching is paused' : 'Fetching earlier mail'), h('span.quiet.small', {}, title())),
      bar, h('p', { className: 'quiet numbers' }),
      h('div.row.buttons', {}, paused ? button('Resume', () => change('resume'), '.primary') : button('Pause', () => change('pause')), button('Cancel', cancel)))
  }

  function numbers() {
    const bar = element.querySelector('progress')
    if (!bar) return
    bar.max = Math.max(now.total, 1)
    bar.value = now.done
    const parts = [`${number(now.done)} of ${plural(now.total, 'message')}`]
    if (now.state === 'seeding') parts.push('checking that nothing was missed')
    if (now.state === 'listing' && now.rate) parts.push(`${number(now.rate)} a minute`)
    if (now.state === 'listing' && now.remaining_ms !== null) parts.push(`${duration(now.remaining_ms)} left`)
    if (now.problem) parts.push(now.problem)
    element.querySelector('.numbers').textContent = parts.join(' · ')
  }

  function ended() {
    const text = now.state === 'cancelled' ? `Stopped: ${number(now.done)} of ${plural(now.total, 'message')} are here.` : now.range === 'nothing' ? 'Only new mail is fetched.' : `${title()}: all here, ${plural(now.done, 'message')}.`
    return h('div.row.spread', {}, h('div', {}, h('h3', {}, 'Earlier mail'), h('p.quiet', {}, text)), button('Change', () => {
      asks = true
      draw()
    }))
  }

  function draw() {
    const on = account.state === 'connected' && account.features.includes('mail_sync')
    const open = on && (asks || undecided())
    // What is being chosen stays chosen, whatever goes on behind it.
    fill(element, [on, open, open || now?.state, open || now?.range], () => {
      if (!on) return null
      if (open) return h('section.inside', { 'aria-label': 'Earlier mail' }, choice())
      const works = ['listing', 'seeding', 'paused'].includes(now.state)
      return h('section.inside', { 'aria-label': 'Earlier mail' }, works ? atWork() : ended())
    })
    if (on && !open) numbers()
    // `ended` counts, too.
    const count = !open && now && ['done', 'cancelled'].includes(now.state) && element.querySelector('p')
    if (count && now.state === 'done' && now.range !== 'nothing') count.textContent = `${title()}: all here, ${plural(now.done, 'message')}.`
  }

  return {
    element,
    show(latest) {
      account = latest
      now = latest.backfill
      draw()
    },
    progress(backfill) {
      if (!account) return
      if (now?.state !== 'done' && backfill.state === 'done' && backfill.range !== 'nothing') toast(`All mail of ${account.address} is here: ${plural(backfill.done, 'message')}.`)
      now = backfill
      draw()
    },
  }
}
