// SPDX-License-Identifier: MIT
/**
 * How long each of those waits who could notice a hang. One cause is to give one report: who knows most
 * speaks first. A processor that does not come to rest is an RCU stall before it is a soft lockup, before
 * the tasks that wait for it hang, before the link counts as lost, before a request or the test has taken
 * too long. Seconds from the moment of the hang, for a guest under this accelerator.
 *
 * The shortest is longer than a machine may stand still for reasons that are the lab's: with the kernel's
 * own 20 s a guest that its host paused for 30 s takes itself for locked up.
 */

import { KEEPALIVES } from '../ssh/entry.ts';
import type { AcceleratorName } from './accelerator.ts';

export interface HangLimits {
  /** kernel/rcu/tree_stall.h; at most 300. */
  rcuStall: number;
  /** kernel/watchdog.c: speaks after twice as long, at the latest 2.4 times; at most 60. */
  watchdogThreshold: number;
  /** kernel/hung_task.c, and kernel/workqueue.c where it has a watchdog. */
  hungTask: number;
  /** Silence on the link after which it counts as lost. */
  linkSilence: number;
}

/** kernel/hung_task.c looks this often, in seconds. */
const HUNG_TASK_INTERVAL = 5;

export const hangLimits: Record<AcceleratorName, HangLimits> = {
  kvm: { rcuStall: 35, watchdogThreshold: 22, hungTask: 60, linkSilence: 75 },
  tcg: { rcuStall: 45, watchdogThreshold: 30, hungTask: 80, linkSilence: 95 },
};

/** When a soft lockup is reported at the latest. */
export function latestSoftLockup({ watchdogThreshold }: HangLimits): number {
  return watchdogThreshold * 2.4;
}

/** When a hung task is reported at the latest. */
export function latestHungTask({ hungTask }: HangLimits): number {
  return hungTask + HUNG_TASK_INTERVAL;
}

/** After how long a silence the link may count as lost already: it began when a keepalive was just due. */
export function shortestLinkSilence({ linkSilence }: HangLimits): number {
  return (linkSilence * KEEPALIVES) / (KEEPALIVES + 1);
}

/** Arguments for a guest's kernel. One that lacks a detector ignores what is meant for it. */
export function hangArguments({ rcuStall, watchdogThreshold, hungTask }: HangLimits): string[] {
  return [
    `rcupdate.rcu_cpu_stall_timeout=${rcuStall}`,
    `watchdog_thresh=${watchdogThreshold}`,
    `workqueue.watchdog_thresh=${hungTask}`,
    `sysctl.kernel.hung_task_timeout_secs=${hungTask}`,
    `sysctl.kernel.hung_task_check_interval_secs=${HUNG_TASK_INTERVAL}`,
  ];
}
