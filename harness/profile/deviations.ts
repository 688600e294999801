// SPDX-License-Identifier: MIT
/**
 * What is known to be wrong with a driver. A recorded deviation keeps a run green only while the driver
 * fails just that check, in just those words, on just those kernels; one that got better, or that
 * fails in other words, is red like anything new.
 */
import type { StrategyName } from './profile.ts';

/** Major and minor number of a kernel. */
export type Release = readonly [major: number, minor: number];

export interface Deviation {
  /** Id in the catalogue, for example `MAP-09`. */
  claim: string;
  /** Part of the titles of the tests it is about; all tests of the claim unless given. */
  title?: string;
  /** The ways to get at buffers that it is about; all unless given. */
  strategies?: readonly StrategyName[];
  /** The kernels it is about: from one on, before another one; all unless given. */
  kernels?: { from?: Release; before?: Release };
  /** Found in every error of the test, whose colours are dropped first. */
  says: RegExp;
  /** The kernel complains, too: among the errors is the rig's account of its splat. */
  crash?: true;
  /** A race, which is not lost in every run: a test that passes is no news. */
  chance?: true;
  /** What is wrong, in one sentence. */
  reason: string;
  /** Who says so: `file:function` of the kernel, a report, or the kernels it was measured on. */
  source: string;
}

/** What BND-10 says of a mapping that begins inside the buffer and shows it from its first page on. */
export const SHOWN_FROM_PAGE_0 =
  /pages seen after mmap of \d+ pages from page [1-9]\d* of [^]*\nReceived: "0(,\d+)*"/;

/** Nothing is known about the driver then. */
const UNKNOWABLE = /^(LabError|TargetHang)/;
/** The target no longer answers, or has more than it ought to. */
const AFTER_A_CRASH =
  /^(LabError \[(AGENT_DIED|AGENT_MUTE|LINK_LOST|KERNEL_LOG)\]|DriverError \[(LEAK|DRIVER_UNLOAD)\])/;

/** What a test is, as far as a record may be about it. */
export interface Checked {
  title: string;
  strategy: StrategyName;
  /** `uname -r`. */
  kernelRelease: string;
}

/** The first record about a test. */
export function recordFor(
  deviations: readonly Deviation[],
  { title, strategy, kernelRelease }: Checked,
): Deviation | undefined {
  return deviations.find(
    (one) =>
      idsIn(title).includes(one.claim) &&
      title.includes(one.title ?? '') &&
      (one.strategies?.includes(strategy) ?? true) &&
      covers(one.kernels ?? {}, kernelRelease),
  );
}

/**
 * Whether a test that ended with these errors failed as recorded. Trouble of the lab and a target that
 * hangs never are, and a crash only is when the record says that there is one. What such a kernel then
 * no longer does for the rig follows from that.
 */
export function failedAsRecorded(
  { says, crash }: Pick<Deviation, 'says' | 'crash'>,
  errors: readonly string[],
): boolean {
  const crashed = errors.some((error) => error.startsWith('KernelCrash'));
  if (errors.length === 0 || crashed !== (crash === true)) return false;
  if (!crashed)
    return !errors.some((error) => UNKNOWABLE.test(error)) && errors.every((error) => says.test(error));
  return errors.every((error) => says.test(error) || AFTER_A_CRASH.test(error));
}

/** Ids that a title begins with: `GUP-06 DBG-02 …` has two. */
function idsIn(title: string): string[] {
  const [claimed = ''] = /^(?:[A-Z]{3}-\d{2}[ ,]+(?:and )?)+/.exec(title) ?? [];
  return claimed.match(/[A-Z]{3}-\d{2}/g) ?? [];
}

function covers({ from, before }: NonNullable<Deviation['kernels']>, kernelRelease: string): boolean {
  const [, major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(kernelRelease) ?? []).map(Number);
  const isBefore = ([a, b]: Release) => major < a || (major === a && minor < b);
  return (from === undefined || !isBefore(from)) && (before === undefined || isBefore(before));
}
