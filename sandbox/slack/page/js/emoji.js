// The shortcodes that messages here use. Others are shown as they were written.

const KNOWN = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", no_entry: "⛔", no_entry_sign: "🚫",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", clock1: "🕐", alarm_clock: "⏰", stopwatch: "⏱️",
  arrow_right: "➡️", arrow_forward: "▶️", arrow_down: "⬇️", arrow_up: "⬆️", leftwards_arrow_with_hook: "↩️",
  rewind: "⏪", fast_forward: "⏩", double_vertical_bar: "⏸️", pause_button: "⏸️", black_square_for_stop: "⏹️",
  octagonal_sign: "🛑", stop_sign: "🛑", rotating_light: "🚨", fire: "🔥", boom: "💥", bug: "🐛", ghost: "👻",
  eyes: "👀", wave: "👋", "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", raised_hand: "✋",
  rocket: "🚀", tada: "🎉", sparkles: "✨", bulb: "💡", memo: "📝", clipboard: "📋", bar_chart: "📊",
  package: "📦", floppy_disk: "💾", file_folder: "📁", page_facing_up: "📄", link: "🔗", mag: "🔍",
  lock: "🔒", unlock: "🔓", key: "🔑", shield: "🛡️", snowflake: "❄️", zzz: "💤", bell: "🔔", no_bell: "🔕",
  wrench: "🔧", hammer: "🔨", gear: "⚙️", broom: "🧹", recycle: "♻️", repeat: "🔁", twisted_rightwards_arrows: "🔀",
  question: "❓", grey_question: "❔", exclamation: "❗", information_source: "ℹ️", bust_in_silhouette: "👤",
  red_circle: "🔴", large_orange_circle: "🟠", large_yellow_circle: "🟡", large_green_circle: "🟢",
  large_blue_circle: "🔵", white_circle: "⚪", black_circle: "⚫", small_blue_diamond: "🔹",
  white_large_square: "⬜", black_large_square: "⬛", large_green_square: "🟩", ballot_box_with_check: "☑️",
  speech_balloon: "💬", robot_face: "🤖", elephant: "🐘", bird: "🐦", skull: "💀", test_tube: "🧪", calendar: "📅",
};

// Where no emoji font is installed (a bare server's browser), plain signs that every text font has.
const PLAIN = {
  "✅": "✔", "✔️": "✔", "☑️": "✔", "❌": "✘", "⛔": "✘", "🚫": "✘", "⚠️": "⚠", "🚨": "⚠", "❗": "!", "❓": "?", "❔": "?",
  "⌛": "◔", "⏳": "◔", "🕐": "◔", "⏰": "◔", "⏱️": "◔", "➡️": "→", "▶️": "▶", "⬇️": "↓", "⬆️": "↑", "↩️": "↩",
  "⏪": "«", "⏩": "»", "⏸️": "‖", "⏹️": "■", "🛑": "■", "🔁": "↻", "♻️": "↻", "🔀": "↔", "ℹ️": "ℹ", "🎉": "★", "✨": "★",
  "🔴": "●", "🟠": "●", "🟡": "●", "🟢": "●", "🔵": "●", "⚪": "○", "⚫": "●", "⬜": "□", "⬛": "■", "🟩": "■",
  "👍": "+1", "👎": "-1", "👀": "◉", "📄": "▤", "📝": "✎", "🔧": "⚒", "🔨": "⚒", "⚙️": "⚙", "❄️": "❄", "🔗": "∞", "🔒": "▪", "🔓": "▫", "🔑": "▪",
  "🔔": "♪", "🔕": "∅", "💤": "◔", "🧭": "◇", "➖": "–",
};

function hasEmojiFont() {
  const drawn = (text) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 24, height: 24 });
    const pen = canvas.getContext("2d");
    pen.font = "18px sans-serif";
    pen.fillText(text, 0, 20);
    return canvas.toDataURL();
  };
  return drawn("✅") !== drawn("\u{10FFFE}");
}

const colourful = hasEmojiFont();

export const drawable = (text) => (colourful ? text
  : text.replace(/\p{Extended_Pictographic}\uFE0F?/gu, (sign) => PLAIN[sign] || PLAIN[`${sign}\uFE0F`] || (sign.codePointAt(0) < 0x1f000 ? sign : "•")));

export const emoji = (name) => drawable(KNOWN[name] || `:${name}:`);
