// Elements. Text from anywhere becomes a text node; nothing here or elsewhere takes HTML.

/** `h('button.primary', { onclick, disabled }, 'Send')`: properties by their names, attributes with a dash or of `role` and `for` as attributes. */
export function h(what, props = {}, ...children) {
  const [tag, ...classes] = what.split('.')
  const element = document.createElement(tag)
  if (classes.length) element.className = classes.join(' ')
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue
    if (name.includes('-') || name === 'role' || name === 'for' || name === 'sandbox') element.setAttribute(name, value)
    else element[name] = value
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false))
  return element
}

let count = 0
/** An id that no other element has. */
export const freshId = () => `e${++count}`

/** A labelled field; the second element is the control itself. */
export function field(label, control, hint) {
  control.id ||= freshId()
  const parts = [h('label', { for: control.id }, label), control]
  if (hint) {
    const id = freshId()
    control.setAttribute('aria-describedby', id)
    parts.push(h('p.quiet.small', { id }, hint))
  }
  return h('div.field', {}, parts)
}

/** Builds the content of `place` anew only when `key` has changed, so that a person who types there keeps what was typed. */
export function fill(place, key, build) {
  const text = JSON.stringify(key)
  if (place.dataset.key === text) return
  place.dataset.key = text
  place.replaceChildren(...[build()].flat().filter(Boolean))
}

/** Says in a corner what came of something. Errors stay until they are closed. */
export function toast(text, { bad = false } = {}) {
  const close = h('button', { type: 'button', 'aria-label': 'Close', onclick: () => box.remove() }, '×')
  const box = h(bad ? 'div.toast.bad' : 'div.toast', {}, h('span', {}, text), close)
  document.getElementById('toasts').append(box)
  if (!bad) setTimeout(() => box.remove(), 8000)
}

/** A button whose call is made once at a time, and whose failure is said. */
export function button(label, action, style = '') {
  const element = h(`button${style}`, { type: 'button' }, label)
  element.addEventListener('click', () => busy(element, action))
  return element
}

export async function busy(element, action) {
  element.disabled = true
  try {
    await action()
  } catch (error) {
    toast(error.message, { bad: true })
  } finally {
    element.disabled = false
  }
}

/** Asks before something is done; resolves to whether it was agreed to. */
export function ask(title, content, yes) {
  return new Promise((done) => {
    const id = freshId()
    const end = (answer) => {
      dialog.close()
      dialog.remove()
      done(answer)
    }
    const dialog = h('dialog', { 'aria-labelledby': id, oncancel: () => end(false) },
      h('h2', { id }, title), h('div.stack', {}, content),
      h('div.actions', {}, h('button', { type: 'button', onclick: () => end(false) }, 'Keep it'), h('button.danger', { type: 'button', onclick: () => end(true) }, yes)))
    document.body.append(dialog)
    dialog.showModal()
  })
}

/** Text that a person takes elsewhere, with a button that copies it. */
export function copyable(label, text, rows, style = '') {
  const area = h(`textarea${style}`, { readOnly: true, rows, value: text })
  const copy = button('Copy', async () => {
    await navigator.clipboard.writeText(text).catch(() => area.select())
    toast('Copied.')
  })
  copy.setAttribute('aria-label', `Copy: ${label}`)
  return h('div', {}, field(label, area), h('div.row', {}, copy))
}
