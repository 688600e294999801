// SPDX-License-Identifier: MIT
/** A guest that does not answer, looked at from outside: does QEMU run, does it let the guest run, what is the guest at. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline } from '../../deadline.ts';
import { messageOf } from '../../errors.ts';
import type { Examination } from '../ssh/loss.ts';
import { judgeProcessors, type Look } from './processors.ts';
import type { Qmp } from './qmp.ts';

/** Milliseconds for QEMU to answer; it does so at once, unless it stands still itself. */
const ANSWER_LIMIT = 5000;
const LOOKS = 5;
const PAUSE = 200;

/** @param pid of QEMU */
export async function examineGuest(pid: number, qmp: Qmp): Promise<Examination> {
  const state = await stateOf(String(pid));
  if (state === 'T' || state === 't')
    return lab('the process of QEMU is stopped (SIGSTOP, or a debugger): the guest has not run meanwhile');
  try {
    const status = await statusOf(qmp);
    if (status !== 'running') return lab(`QEMU says that the guest is ${status}: it does not run`);
    const { hangs, found } = judgeProcessors(await lookAround(pid, qmp));
    if (hangs) return { blame: 'target', found: `QEMU runs, and the guest's kernel hangs\n${found}` };
    return lab(`QEMU and the guest run, so it is the link that is dead\n${found}`);
  } catch (error) {
    return lab(`QEMU lives (state ${state}), but does not say what the guest is at: ${messageOf(error)}`);
  }
}

function lab(found: string): Examination {
  return { blame: 'lab', found };
}

/** proc(5): one letter. @param task process id, or `PID/task/TID` */
async function stateOf(task: string): Promise<string> {
  const stat = await readFile(`/proc/${task}/stat`, 'utf8').catch(() => '');
  return /^\d+ \(.*\) (\w)/s.exec(stat)?.[1] ?? 'gone';
}

/** QEMU qapi/run-state.json, `query-status`. */
async function statusOf(qmp: Qmp): Promise<string> {
  const { status }: { status?: string } = Object(
    await qmp.execute('query-status', {}, Deadline.in(ANSWER_LIMIT)),
  );
  return status ?? 'in a state that it does not tell';
}

async function lookAround(pid: number, qmp: Qmp): Promise<Look[]> {
  const cpus = await qmp.execute('query-cpus-fast', {}, Deadline.in(ANSWER_LIMIT));
  const threads = (cpus as { 'thread-id': number }[]).map((cpu) => cpu['thread-id']);
  const looks: Look[] = [];
  for (let look = 0; look < LOOKS; look += 1) {
    if (look > 0) await sleep(PAUSE);
    // First: to be asked wakes them up.
    const states = await Promise.all(threads.map((thread) => stateOf(`${pid}/task/${thread}`)));
    const registers = await qmp.monitor('info registers -a', Deadline.in(ANSWER_LIMIT));
    looks.push({ registers, running: states.map((state) => state === 'R') });
  }
  return looks;
}
