// The simulator that run.sh started, and what its tests do behind Microsoft's back.

export const place = JSON.parse(process.env.CLIENTS_SIM)
export const { login, graph } = place.tls
export const host = new URL(login).host
export const publicApp = place.client_id
export const secretApp = '4f2b6f0a-0000-4000-8000-000000000002'
export const password = 'simulator-secret'
export const redirectUri = 'http://localhost:4711/back'
export const authority = `${login}/contoso.com`
export const defaults = ['https://graph.microsoft.com/.default']

export async function control(path, ask = {}) {
  const answer = await fetch(place.control + path, { method: 'POST', body: JSON.stringify(ask) })
  const told = await answer.json()
  if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(told)}`)
  return told
}

// What the app is sent back with, after this person signed in and agreed.
export async function visit(url, who = 'adele@contoso.com') {
  const back = await control('/signin', { url, as: who })
  return Object.fromEntries(new URL(back.location).searchParams)
}

export const agree = () => control('/approve', { domain: 'contoso.com', client_id: secretApp })
export const listed = async (mailbox, folder = 'inbox') => (await control('/mail/list', { mailbox, folder })).items.map((m) => m.subject)

export async function me(token) {
  const answer = await fetch(`${graph}/me`, { headers: { Authorization: `Bearer ${token}` } })
  return answer.ok ? (await answer.json()).userPrincipalName : answer.status
}
