// SPDX-License-Identifier: MIT
/**
 * How long each of those waits who could notice a hang. One cause is to give one report: who knows most
 * speaks first. A processor that does not schedule is a soft lockup; one that takes no interrupts either
 * cannot tell, and is an RCU stall to the others, which begins to count only when somebody asks for a
 * grace period; those who wait for it hang after that; then the link counts as lost, and at last a request
 * or the test has taken too long. In seconds, for a guest under this accelerator.
 *
 * The shortest is longer than a machine may stand still for reasons that are the lab's: with the kernel's
 * own 20 s a guest that its host paused for 30 s takes itself for locked up.
 */

import { KEEPALIVES } from '../ssh/entry.ts';
import type { AcceleratorName } from './accelerator.ts';

export interface HangLimits {
  /** kernel/watchdog.c: it looks every 0.4 times as long, and speaks when there was no rest for twice as long; at most 60. */
  watchdogThreshold: number;
  /** kernel/rcu/tree_stall.h; at most 300. */
  rcuStall: number;
  /** kernel/hung_task.c, and kernel/workqueue.c where it has a watchdog. */
  hungTask: number;
  /** Silence on the link after which it counts as lost. */
  linkSilence: number;
}

/** kernel/hung_task.c looks this often, in seconds. */
const HUNG_TASK_INTERVAL = 5;

export const hangLimits: Record<AcceleratorName, HangLimits> = {
  kvm: { watchdogThreshold: 20, rcuStall: 50, hungTask: 60, linkSilence: 80 },
  tcg: { watchdogThreshold: 24, rcuStall: 65, hungTask: 75, linkSilence: 100 },
};

/** When a soft lockup is reported, at the earliest and at the latest. */
export function softLockup({ watchdogThreshold }: HangLimits): [earliest: number, latest: number] {
  return [watchdogThreshold * 1.6, watchdogThreshold * 2.4];
}

/** When a hung task is reported at the latest: it is looked at, and again when it has hung for so long. */
export function latestHungTask({ hungTask }: HangLimits): number {
  return hungTask + 2 * HUNG_TASK_INTERVAL;
}

/** After how long a silence the link may count as lost already: it began when a keepalive was just due. */
export function shortestLinkSilence({ linkSilence }: HangLimits): number {
  return (linkSilence * KEEPALIVES) / (KEEPALIVES + 1);
}

/** Arguments for a guest's kernel. One that lacks a detector ignores what is meant for it. */
export function hangArguments({ rcuStall, watchdogThreshold, hungTask }: HangLimits): string[] {
  return [
    `watchdog_thresh=${watchdogThreshold}`,
    `rcupdate.rcu_cpu_stall_timeout=${rcuStall}`,
    `workqueue.watchdog_thresh=${hungTask}`,
    `sysctl.kernel.hung_task_timeout_secs=${hungTask}`,
    `sysctl.kernel.hung_task_check_interval_secs=${HUNG_TASK_INTERVAL}`,
  ];
}
