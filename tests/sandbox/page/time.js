// Times in the reader's own zone. Date tokens: https://docs.slack.dev/messaging/formatting-message-text#date-formatting

let zone;

/** Everything is shown in this IANA zone from now on; an unknown one means the browser's. */
export function setZone(name) {
  try {
    zone = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    zone = undefined;
  }
}

function part(at, options, locale = "en-US") {
  return new Intl.DateTimeFormat(locale, { timeZone: zone, ...options }).format(at);
}

const dayOf = (at) => part(at, { year: "numeric", month: "2-digit", day: "2-digit" }, "en-CA");

/** today, yesterday, tomorrow, or nothing. */
function near(at) {
  const now = Date.now();
  const days = [["today", 0], ["yesterday", -1], ["tomorrow", 1]];
  return days.find(([, n]) => dayOf(at) === dayOf(new Date(now + n * 86_400_000)))?.[0];
}

function ordinal(day) {
  const tens = day % 100;
  if (tens >= 11 && tens <= 13) return `${day}th`;
  return `${day}${["th", "st", "nd", "rd"][day % 10] || "th"}`;
}

function ago(at) {
  const seconds = (at.getTime() - Date.now()) / 1000;
  const steps = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, size] = steps.find(([, n]) => Math.abs(seconds) >= n) || steps[3];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(Math.round(seconds / size), unit);
}

const clock = (at, more = {}) => part(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...more });
const short = (at) => part(at, { year: "numeric", month: "short", day: "numeric" });
const long = (at) => `${part(at, { month: "long" })} ${ordinal(Number(part(at, { day: "numeric" })))}, ${part(at, { year: "numeric" })}`;

const TOKENS = {
  date_num: dayOf,
  date: long,
  date_pretty: (at) => near(at) || long(at),
  date_short: short,
  date_short_pretty: (at) => near(at) || short(at),
  date_long: (at) => `${part(at, { weekday: "long" })}, ${long(at)}`,
  date_long_pretty: (at) => near(at) || `${part(at, { weekday: "long" })}, ${long(at)}`,
  day_divider_pretty: (at) => near(at) || `${part(at, { weekday: "long" })}, ${long(at)}`,
  date_long_full: (at) => `${part(at, { weekday: "long" })}, ${long(at)}`,
  time: clock,
  time_secs: (at) => clock(at, { second: "2-digit" }),
  ago,
};

/** A format of Slack's with its tokens replaced; the fallback where the time or a token is unknown. */
export function when(epoch, format, fallback) {
  const at = new Date(Number(epoch) * 1000);
  if (Number.isNaN(at.getTime())) return fallback;
  let known = true;
  const shown = format.replace(/\{([a-z_]+)\}/g, (_, token) => {
    known = known && token in TOKENS;
    return known ? TOKENS[token](at) : "";
  });
  return known ? shown : fallback;
}

export const timeOf = (ts) => clock(new Date(Number(ts) * 1000));
export const exactly = (ts) => { const at = new Date(Number(ts) * 1000); return `${TOKENS.date_long(at)} at ${TOKENS.time_secs(at)}`; };
export const dayName = (ts) => { const said = TOKENS.day_divider_pretty(new Date(Number(ts) * 1000)); return said[0].toUpperCase() + said.slice(1); };
