// SPDX-License-Identifier: MIT
/**
 * Finds the splats in a log and cuts each out whole: from the line that announces it to the end of its
 * trace. What the kernel says while it is still describing one thing belongs to that thing, so one
 * cause gives one report; lines of other tasks in between are kept apart where the kernel names them.
 */
import { frameName, frameOf } from './frames.ts';
import type { LogLine } from './lines.ts';
import { panicsByReport, splatRows, type Category, type Extent, type SplatRow } from './splats.ts';

/** One report of the kernel about something that is wrong. */
export interface Splat {
  category: Category;
  /** The announcing line without what changes from run to run: addresses, process ids, CPUs. */
  title: string;
  /** The first function of a module in the back trace, else the one that was running, as in `release [contigbuf]`. */
  place?: string;
  /** Index in the log of the report's first line. */
  firstLine: number;
  lines: string[];
  /** The panic that came after it, or in it. */
  panic?: string;
}

/** A report that is being read. */
interface Open {
  splat: Splat;
  /** Rank in the table of the row that named it. */
  rank: number;
  extent: Extent;
  inTrace: boolean;
  lastSeconds: number | undefined;
}

/** A report that goes on longer than this has no end that we know of. */
const longestReport = 250;
/** The kernel prints a report in one go; a pause of this many seconds ends it. */
const longestPause = 2;
/** A panic that much later, in seconds, has a cause of its own. */
const panicDelay = 30;

const cutHere = /^(-+\[ cut here \]-+|8<--- cut here ---)$/;
const endTrace = /^---\[ end (trace|Kernel panic)/;
const traceStart = /^Call [Tt]race:|^Backtrace:/;
const rule = /^={29,}$/;
const panicLine = /^Kernel panic - not syncing: /;
/** Lines that follow a trace and still belong to it. */
const afterTrace =
  /^(\s|Code: |[Rr]\w{1,2} ?: |x\d+ ?: |RIP: |RSP: |CR2: |FS: |Modules linked in|<\/?(TASK|IRQ|NMI)>|---\[|FIX |hardirqs|softirqs|irq event|SMP: |Kernel Offset|PHYS_OFFSET|CPU features|Memory Limit|Disabling lock debugging|note: |(kobject: )?kobject_add_internal failed )/;
/** The rig's own lines; one may come in the middle of a report from another CPU. */
const bookmark = /^bufrig: mark /;

/** @param lines a log from its first line on: whether a boot message is the first decides what it means */
export function findSplats(lines: readonly LogLine[]): Splat[] {
  const found: Splat[] = [];
  const open = new Map<string, Open>();
  const preludes = new Map<string, number>();

  for (const [index, line] of lines.entries()) {
    if (bookmark.test(line.text)) continue;
    const who = line.caller ?? '';
    let current = open.get(who);
    if (current !== undefined && ends(current, line)) {
      open.delete(who);
      current = undefined;
    }
    const rank = rankOf(line);
    const row = rank === undefined ? undefined : splatRows[rank];
    const last = found.at(-1);
    if (current !== undefined) {
      extend(current, line, rank);
    } else if (row?.secondary === true && last !== undefined && follows(last, lines, line)) {
      add(last, line);
    } else if (row !== undefined && rank !== undefined && !isFirstBoot(row, index, last)) {
      current = opened(lines, preludes.get(who) ?? index, index, rank);
      open.set(who, current);
      found.push(current.splat);
    }
    if (current === undefined) notePrelude(preludes, who, line, index);
    else preludes.delete(who);
    if (current !== undefined && isLast(current, line)) open.delete(who);
  }
  for (const splat of found) addPlace(splat);
  return found;
}

/** Whether the kernel gave up with this report. */
export function isDeath({ lines }: Splat): boolean {
  return lines.some((line) => panicLine.test(line));
}

/** Whether the panic that came with a report has a reason of its own. */
export function hidesAnother({ panic }: Splat): boolean {
  return panic !== undefined && !panicsByReport.some((words) => words.test(panic));
}

/** The panic that came with a report, to be told behind what is told of the report; empty when there was none. */
export function panicOf({ panic }: Splat): string {
  return panic === undefined ? '' : `, then a panic: ${panic}`;
}

/** Rank in the table of the row this line announces; undefined for all other lines. */
function rankOf({ text }: LogLine): number | undefined {
  const rank = splatRows.findIndex(
    ({ pattern, except }) => pattern.test(text) && except?.test(text) !== true,
  );
  return rank === -1 ? undefined : rank;
}

/** Every log begins with a boot, in one or two lines, and so does what follows an unexpected one. */
function isFirstBoot({ category }: SplatRow, index: number, last: Splat | undefined): boolean {
  if (category !== 'unexpected-reboot') return false;
  return index < 2 || (last?.category === category && index - last.firstLine < 3);
}

/** Whether a panic comes so soon after a report that the report is its cause. */
function follows(last: Splat, lines: readonly LogLine[], panic: LogLine): boolean {
  const reported = lines[last.firstLine]?.seconds;
  return reported === undefined || panic.seconds === undefined || panic.seconds - reported < panicDelay;
}

function opened(lines: readonly LogLine[], firstLine: number, index: number, rank: number): Open {
  const row = splatRows[rank] ?? fail(rank);
  const line = lines[index] ?? fail(index);
  const who = line.caller ?? '';
  const splat: Splat = {
    category: row.category,
    title: titleOf(line.text),
    firstLine,
    lines: lines
      .slice(firstLine, index + 1)
      .filter((one) => (one.caller ?? '') === who)
      .map(({ text }) => text),
  };
  return { splat, rank, extent: row.extent ?? 'trace', inTrace: false, lastSeconds: line.seconds };
}

/** Whether `line` is the first that does not belong to the report. */
function ends({ splat, extent, inTrace, lastSeconds }: Open, { text, seconds }: LogLine): boolean {
  if (splat.lines.length >= longestReport) return true;
  if (seconds !== undefined && lastSeconds !== undefined && Math.abs(seconds - lastSeconds) > longestPause) {
    return true;
  }
  if (extent === 'ruled') return false;
  if (inTrace && cutHere.test(text)) return true;
  return inTrace && !afterTrace.test(text) && !traceStart.test(text) && !endTrace.test(text);
}

/** Adds a line, and lets a more specific announcement name the report as long as it has no trace yet. */
function extend(current: Open, line: LogLine, rank: number | undefined): void {
  add(current.splat, line);
  current.lastSeconds = line.seconds ?? current.lastSeconds;
  if (rank !== undefined && rank < current.rank && !current.inTrace) {
    const row: SplatRow = splatRows[rank] ?? fail(rank);
    current.splat.category = row.category;
    current.splat.title = titleOf(line.text);
    current.rank = rank;
  }
  if (traceStart.test(line.text)) current.inTrace = true;
}

/** Whether the report is complete with this line. */
function isLast({ splat, extent }: Open, { text }: LogLine): boolean {
  if (extent === 'line') return true;
  if (extent === 'ruled' && splat.lines.length > 2 && rule.test(text)) return true;
  return endTrace.test(text);
}

/**
 * Remembers where a report may have begun before its announcement: at the line "cut here", whose next
 * lines are what WARN() was told to say, or at a rule of equals signs.
 */
function notePrelude(preludes: Map<string, number>, who: string, { text }: LogLine, index: number): void {
  if (cutHere.test(text) || rule.test(text)) preludes.set(who, index);
  else if (index - (preludes.get(who) ?? -10) > 3) preludes.delete(who);
}

function add(splat: Splat, { text }: LogLine): void {
  splat.lines.push(text);
  if (panicLine.test(text)) splat.panic ??= text.replace(panicLine, '');
}

function addPlace(splat: Splat): void {
  const frames = splat.lines.flatMap((line) => frameOf(line) ?? []);
  const at = frames.find(({ returns }) => !returns);
  // An offset of 0 is the return address of a call that never returns: it names the function behind it.
  const caller = frames.find(({ returns, offset, module }) => returns && offset > 0 && module !== undefined);
  // Where it happened, if that is in a module; else who in a module led there.
  const place = at?.module === undefined ? (caller ?? at) : at;
  if (place !== undefined) splat.place = frameName(place);
}

const variable: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\bCPU: \d+ PID: \d+ /g, ''],
  [/\+0x[0-9a-f]+\/0x[0-9a-f]+/g, ''],
  [/CPU#\d+/g, 'CPU'],
  [/\bCPU\d+: /g, ''],
  [/ on cpu \d+$/g, ''],
  [/ for \d+s!/g, ''],
  [/ for more than \d+ seconds/g, ''],
  [/(\[|task |process )([\w/.-]+):\d+/g, '$1$2'],
  [/: (\S+)\/\d+\/0x[0-9a-f]+$/g, ': $1'],
  [/\/\d+( still has locks held!)/g, '$1'],
  [/pfn:[0-9a-f]+/g, 'pfn:ADDR'],
  [/^(x86\/PAT: \S+):\d+/g, '$1'],
  [/(?<!exitcode=)\b(0x)?[0-9a-f]{8,16}\b/g, 'ADDR'],
  [/ \[#\d+\]( \w+)*$/g, ''],
  [/ \((Tainted|Not tainted)[^)]*\)/g, ''],
];

/** A line without what changes from one run to the next, so that two reports of one cause look alike. */
export function titleOf(text: string): string {
  return variable.reduce((title, [pattern, instead]) => title.replaceAll(pattern, instead), text).trim();
}

function fail(index: number): never {
  throw new RangeError(`there is no row or line ${index}`);
}
