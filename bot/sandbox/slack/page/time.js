/**
 * Moments as Slack words them, in the reader's time zone.
 */

const LOCALE = "en-US";
const DAY_MS = 86_400_000;

/**
 * @param {Date} date
 * @param {string} tz
 * @param {Intl.DateTimeFormatOptions} options
 */
function part(date, tz, options) {
  return new Intl.DateTimeFormat(LOCALE, { timeZone: tz, ...options }).format(date);
}

/**
 * @param {Date} date
 * @param {string} tz
 */
function calendarDay(date, tz) {
  const [year, month, day] = ["year", "month", "day"].map(
    (unit) => Number(part(date, tz, { [unit]: "numeric" })),
  );
  return { year, month, day, number: Math.round(Date.UTC(year, month - 1, day) / DAY_MS) };
}

/** @param {number} day */
function ordinal(day) {
  const teen = day % 100 >= 11 && day % 100 <= 13;
  return `${day}${teen ? "th" : (["th", "st", "nd", "rd"][day % 10] ?? "th")}`;
}

/**
 * @param {Date} date
 * @param {string} tz
 */
function weekdayAndDay(date, tz) {
  const [weekday, month] = [part(date, tz, { weekday: "long" }), part(date, tz, { month: "long" })];
  return `${weekday}, ${month} ${ordinal(calendarDay(date, tz).day)}`;
}

/**
 * @param {Date} date
 * @param {Date} now
 * @param {string} tz
 */
function relativeDay(date, now, tz) {
  const distance = calendarDay(date, tz).number - calendarDay(now, tz).number;
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[String(distance)] ?? null;
}

/**
 * @param {Date} date
 * @param {Date} now
 */
function ago(date, now) {
  const seconds = Math.round((date.getTime() - now.getTime()) / 1000);
  /** @type {[Intl.RelativeTimeFormatUnit, number][]} */
  const units = [["day", 86_400], ["hour", 3600], ["minute", 60]];
  const format = new Intl.RelativeTimeFormat(LOCALE, { numeric: "always" });
  for (const [unit, size] of units) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return format.format(seconds, "second");
}

/** @typedef {(date: Date, tz: string, now: Date) => string} Token */

/** @type {Record<string, Token>} */
const TOKENS = {
  date_num: (date, tz) => {
    const { year, month, day } = calendarDay(date, tz);
    return [year, String(month).padStart(2, "0"), String(day).padStart(2, "0")].join("-");
  },
  date_slash: (date, tz) => part(date, tz, { day: "2-digit", month: "2-digit", year: "numeric" }),
  date: (date, tz, now) => {
    const { year, day } = calendarDay(date, tz);
    const monthAndDay = `${part(date, tz, { month: "long" })} ${ordinal(day)}`;
    const near = Math.abs(date.getTime() - now.getTime()) < 182 * DAY_MS;
    return near ? monthAndDay : `${monthAndDay}, ${year}`;
  },
  date_short: (date, tz) => part(date, tz, { month: "short", day: "numeric", year: "numeric" }),
  date_long: (date, tz) => `${weekdayAndDay(date, tz)}, ${calendarDay(date, tz).year}`,
  date_long_full: (date, tz) => part(date, tz, { month: "long", day: "numeric", year: "numeric" }),
  date_pretty: (date, tz, now) => relativeDay(date, now, tz) ?? TOKENS.date(date, tz, now),
  date_short_pretty: (date, tz, now) => relativeDay(date, now, tz) ?? TOKENS.date_short(date, tz, now),
  date_long_pretty: (date, tz, now) => relativeDay(date, now, tz) ?? TOKENS.date_long(date, tz, now),
  day_divider_pretty: (date, tz, now) => {
    if (calendarDay(date, tz).year !== calendarDay(now, tz).year) return TOKENS.date_long_pretty(date, tz, now);
    return relativeDay(date, now, tz) ?? weekdayAndDay(date, tz);
  },
  time: (date, tz) => part(date, tz, { hour: "numeric", minute: "2-digit" }),
  time_secs: (date, tz) => part(date, tz, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago: (date, _tz, now) => ago(date, now),
};

/**
 * Slack's date template. A relative day that opens the template is capitalized, as Slack does it.
 *
 * @param {number} unix seconds
 * @param {string} template e.g. `{date_short_pretty} at {time}`
 * @param {string} tz
 * @param {Date} [now]
 * @returns {string | null} null when the template or the moment cannot be read: the caller shows the fallback
 */
export function formatDate(unix, template, tz, now = new Date()) {
  const date = new Date(unix * 1000);
  if (Number.isNaN(date.getTime())) return null;
  let known = true;
  /** @type {(all: string, name: string, offset: number) => string} */
  const fill = (_all, name, offset) => {
    const token = TOKENS[name];
    if (!token) {
      known = false;
      return "";
    }
    const value = token(date, tz, now);
    return offset === 0 ? value.charAt(0).toUpperCase() + value.slice(1) : value;
  };
  const text = template.replace(/\{(\w+)\}/g, fill);
  return known ? text : null;
}

/**
 * @param {string} ts a message's `ts`
 * @param {string} tz
 */
export function clockTime(ts, tz) {
  return formatDate(Number(ts), "{time}", tz) ?? "";
}

/**
 * @param {string} ts
 * @param {string} tz
 */
export function dayName(ts, tz) {
  return formatDate(Number(ts), "{day_divider_pretty}", tz) ?? "";
}

/**
 * The moment of an entry of the traffic list, to the second.
 *
 * @param {number} unix seconds
 * @param {string} tz
 */
export function entryTime(unix, tz) {
  return part(
    new Date(unix * 1000),
    tz,
    { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  );
}
