// The JSON API. Whatever changes something carries the token that only a page of ours can know.

let csrf = ''

export class ApiError extends Error {
  constructor(status, { kind = 'unknown', reason, remedy = 'nobody' }) {
    super(reason)
    Object.assign(this, { status, kind, remedy })
  }
}

async function call(method, path, body, type = 'application/json') {
  const headers = { accept: 'application/json' }
  if (method !== 'GET') headers['x-csrf-token'] = csrf
  if (body !== undefined) headers['content-type'] = type
  const options = { method, headers, body: type === 'application/json' && body !== undefined ? JSON.stringify(body) : body }
  let answer
  try {
    answer = await fetch(`/api${path}`, options)
  } catch {
    throw new ApiError(0, { kind: 'offline', reason: 'The server cannot be reached. Look at your connection and try again.', remedy: 'wait' })
  }
  const said = await answer.json().catch(() => null)
  if (answer.ok) return said
  throw new ApiError(answer.status, said?.error ?? { reason: 'This could not be done. Load the page again.' })
}

export const get = (path) => call('GET', path)
export const post = (path, body = {}) => call('POST', path, body)
export const put = (path, body) => call('PUT', path, body)
/** Hands over a file as it is. */
export const upload = (path, file) => call('POST', path, file, 'application/octet-stream')

/** Who we are to the server. */
export async function session() {
  const about = await get('/session')
  csrf = about.csrf
  return about
}

/** Calls `heard` with what just happened. The browser connects again by itself. */
export function listen(heard) {
  const source = new EventSource('/api/events')
  source.addEventListener('message', ({ data }) => heard(JSON.parse(data)))
  // What happened while there was no connection was not told.
  source.addEventListener('open', () => heard({ type: 'other' }))
}
