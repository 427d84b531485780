// What the page knows: who one is, where one looks, and the names behind ids.

export const state = {
  user: "ana",
  people: [],
  groups: [],
  channels: [],
  channel: "migrations",
  tab: "home",
  thread: null,
  unread: new Set(),
  messages: [],
  views: [],
  home: null,
};

const named = (list, id, key) => list.find((one) => one.id === id)?.[key];

export const names = {
  person: (id) => named(state.people, id, "name"),
  channel: (id) => named(state.channels, id, "name"),
  group: (id) => named(state.groups, id, "handle"),
};

export const channel = () => state.channels.find((one) => one.name === state.channel) || state.channels[0];

export function remember() {
  const url = new URL(location.href);
  url.searchParams.set("user", state.user);
  url.hash = state.thread ? `${state.channel}/${state.thread}` : state.channel;
  history.replaceState(null, "", url);
}

export function recall() {
  const url = new URL(location.href);
  state.user = url.searchParams.get("user") || "ana";
  const [name, thread] = decodeURIComponent(url.hash.slice(1)).split("/");
  if (name) state.channel = name;
  state.thread = thread || null;
}
