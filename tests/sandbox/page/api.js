// What the page asks of the workspace; the other side is tests/sandbox/slack/page_api.py.

let person = "";

/** Everything is asked as this person from now on. */
export const become = (id) => { person = id; };

async function answered(request) {
  const answer = await request;
  const told = await answer.json();
  return answer.ok || (told && "ok" in told) ? told : Promise.reject(new Error(told?.error || `HTTP ${answer.status}`));
}

export const get = (path, query = {}) => answered(fetch(`/sandbox/${path}?${new URLSearchParams({ user: person, ...query })}`));

export const post = (path, told = {}) => answered(fetch(`/sandbox/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ user: person, ...told }) }))
  .catch((error) => ({ ok: false, error: error.message }));

/** Calls `hear` after each change that this person can see; answers how to stop. */
export function listen(hear, lost) {
  const source = new EventSource(`/sandbox/events?${new URLSearchParams({ user: person })}`);
  source.onmessage = (event) => hear(JSON.parse(event.data));
  source.onopen = () => hear({ kind: "open" });
  source.onerror = lost;
  return () => source.close();
}

export const fileUrl = (file) => `/sandbox/file/${encodeURIComponent(file.id)}?${new URLSearchParams({ user: person })}`;
export async function fileText(file) {
  const answer = await fetch(fileUrl(file));
  return answer.ok ? answer.text() : `This file could not be read (HTTP ${answer.status}).`;
}
