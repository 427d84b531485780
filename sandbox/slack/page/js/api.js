// Speaking to the sandbox's control routes, and hearing from it what has changed.

async function answered(response) {
  const body = await response.json();
  if (!response.ok) throw new Error(body.error || `HTTP ${response.status}`);
  return body;
}

export async function get(path, query = {}) {
  return answered(await fetch(`${path}?${new URLSearchParams(query)}`));
}

export async function post(path, body = {}) {
  const headers = { "content-type": "application/json" };
  return answered(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

// Calls back with {type: "channel" | "directory" | "views" | "clock" | "reset" | "open"}; after a broken stream, "open" comes again.
export function listen(callback) {
  const source = new EventSource("/sandbox/slack/feed");
  source.onopen = () => callback({ type: "open" });
  source.onmessage = (event) => callback(JSON.parse(event.data));
}
