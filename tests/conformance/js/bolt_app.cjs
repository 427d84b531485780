// A small app on Slack's own JavaScript SDK: answers a command with a card and edits the card on a click.
// Prints a JSON line when it is connected and one for everything that it got.

const { App } = require("@slack/bolt");

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: true,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});

app.command("/tb", async ({ command, ack, client }) => {
  await ack(`on it: ${command.text}`);
  const button = { type: "button", action_id: "approve", text: { type: "plain_text", text: "Approve" }, value: "v1" };
  const blocks = [
    { type: "section", text: { type: "mrkdwn", text: `*${command.text}* for <@${command.user_id}>` } },
    { type: "actions", elements: [button] },
  ];
  const posted = await client.chat.postMessage({ channel: command.channel_id, text: "card", blocks });
  say({ got: "command", ts: posted.ts });
});

app.action("approve", async ({ action, body, ack, client, respond }) => {
  await ack();
  await client.chat.update({ channel: body.channel.id, ts: body.message.ts, text: `${action.value} by ${body.user.id}` });
  await client.chat.postMessage({ channel: body.channel.id, thread_ts: body.message.ts, text: "starting" });
  await respond({ text: "thank you", response_type: "ephemeral", replace_original: false });
  const element = { type: "plain_text_input", action_id: "v" };
  const why = { type: "input", block_id: "why", label: { type: "plain_text", text: "Why" }, element };
  const words = (text) => ({ type: "plain_text", text });
  const view = { type: "modal", callback_id: "why", title: words("Why"), submit: words("Send"), blocks: [why] };
  await client.views.open({ trigger_id: body.trigger_id, view });
  say({ got: "click", user: body.user.id });
});

app.view("why", async ({ view, ack }) => {
  const given = view.state.values.why.v.value;
  if (given === "no") return ack({ response_action: "errors", errors: { why: "Say more." } });
  await ack();
  return say({ got: "submission", value: given });
});

app.event("app_mention", async ({ event, say: answer }) => {
  await answer({ text: "heard", thread_ts: event.thread_ts || event.ts });
  say({ got: "mention", text: event.text });
});

app.start().then(() => say({ ready: true }), (error) => {
  say({ failed: String(error) });
  process.exit(1);
});
