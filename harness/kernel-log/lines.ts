// SPDX-License-Identifier: MIT
/**
 * The kernel's log, line by line, from either of its two shapes: records of /dev/kmsg
 * (Documentation/ABI/testing/dev-kmsg) and what a serial console shows.
 */

/** One line of the kernel log, without what is printed around it. */
export interface LogLine {
  text: string;
  /** Seconds since boot; undefined when the line carries no stamp. */
  seconds?: number;
  /** Who printed it, `T123` (task) or `C1` (interrupt on CPU 1), on kernels with PRINTK_CALLER. */
  caller?: string;
  /** Severity, 0 (emergency) to 7 (debug); /dev/kmsg only. */
  level?: number;
  /** Number of the record; /dev/kmsg only. A gap means that records were overwritten unread. */
  sequence?: number;
  /** `KEY=value` lines that came with the record; /dev/kmsg only. */
  dictionary?: Record<string, string>;
}

const record = /^(\d+),(\d+),(\d+),([^;]*);(.*)$/;

/** One record of /dev/kmsg without its continuation lines; undefined when it is none. */
export function parseRecord(line: string): LogLine | undefined {
  const match = record.exec(line);
  if (match === null) return undefined;
  const [, prefix, sequence, microseconds, flags = '', text = ''] = match;
  const caller = /(?:^|,)caller=([^,]+)/.exec(flags)?.[1];
  return {
    text: unescape(text),
    seconds: Number(microseconds) / 1e6,
    // The upper bits are the facility, 1 for what user space wrote there.
    level: Number(prefix) & 7,
    sequence: Number(sequence),
    ...(caller === undefined ? {} : { caller }),
  };
}

/** The text of /dev/kmsg as `cat` gives it: records, each followed by its ` KEY=value` lines. */
export function parseKmsg(text: string): LogLine[] {
  const lines: LogLine[] = [];
  for (const raw of text.split('\n')) {
    const last = lines.at(-1);
    const parsed = parseRecord(raw);
    if (parsed !== undefined) lines.push(parsed);
    else if (raw.startsWith(' ') && last !== undefined) addToDictionary(last, raw);
  }
  return lines;
}

/** Adds a continuation line of /dev/kmsg to the record it follows. */
export function addToDictionary(line: LogLine, continuation: string): void {
  const match = /^ ([^=]+)=(.*)$/.exec(continuation);
  const [, key, value] = match ?? [];
  if (key === undefined || value === undefined) return;
  line.dictionary = { ...line.dictionary, [key]: unescape(value) };
}

/** `\x09` stands for a byte that cannot be printed; bytes of one UTF-8 character stand in a row. */
function unescape(text: string): string {
  return text.replaceAll(/(?:\\x[0-9a-f]{2})+/g, (run) =>
    Buffer.from(run.replaceAll('\\x', ''), 'hex').toString('utf8'),
  );
}

const stamp = /(?:<\d+>)?\[\s*(\d+\.\d{6})\](?:\[\s*([TC]\d+)\])? ?/;

/**
 * What a serial console collected. Where the kernel stamps its lines, lines without a stamp are
 * somebody else's output on the same wire, and are left out; a stamp in the middle of a line is where
 * the kernel cut in.
 */
export function parseConsole(text: string): LogLine[] {
  const lines = text.split(/\r*\n/);
  const stamped = lines.some((line) => stamp.test(line));
  if (!stamped) return lines.filter((line) => line !== '').map((line) => ({ text: line }));
  return lines.flatMap((line) => {
    const match = stamp.exec(line);
    if (match === null) return [];
    const [all, seconds, caller] = match;
    const rest = line.slice(match.index + all.length);
    return [{ text: rest, seconds: Number(seconds), ...(caller === undefined ? {} : { caller }) }];
  });
}
