// SPDX-License-Identifier: MIT
/** Reports that could not be written: the run that they are about goes on, and is not green. */
import { messageOf } from '../errors.ts';

/** Why reports could not be written, as far as that is this machine's fault: a full disk, no right to write. */
const unwritten: string[] = [];

/** Of the reporters so far; the last one takes it into its account. */
export function unwrittenReports(): readonly string[] {
  return unwritten;
}

/**
 * A reporter could not do its work. Playwright only prints what a reporter throws; a run whose report
 * is missing must not look green.
 */
export function reporterFailed(reporter: string, error: unknown): { status: 'failed' } {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`\nThe ${reporter} could not be written: ${reason}\n`);
  if (blamesMachine(error)) unwritten.push(`the ${reporter} could not be written: ${messageOf(error)}`);
  return { status: 'failed' };
}

/** Whether an error is about this machine's disk. */
export function blamesMachine(error: unknown): boolean {
  return /\b(ENOSPC|EDQUOT|EROFS|EACCES|EIO)\b|no space left on device/i.test(messageOf(error));
}

let outliving = false;

/**
 * A reporter that is not ours may write where nobody waits for it; that there is no room then is not to
 * end the run, whose other tests have nothing to do with it.
 */
export function outliveFullDisk(): void {
  if (outliving) return;
  outliving = true;
  process.on('unhandledRejection', (error) => {
    // Anything else ends the process, as it does without this.
    if (!blamesMachine(error)) throw error;
    const what = `a report could not be written: ${messageOf(error)}`;
    if (unwritten.includes(what)) return;
    unwritten.push(what);
    process.stderr.write(`\n${what}\n`);
  });
}
