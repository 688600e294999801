// SPDX-License-Identifier: MIT
/** What a target says about itself, asked in one go. */
import type { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import type { Connection } from './connection.ts';
import type { NativeBuild } from './kernel-tree.ts';
import { factsScript } from './scripts.ts';

export interface MachineFacts {
  uid: number;
  kernelRelease: string;
  machine: string;
  /** Bytes. */
  pageBytes: number;
  bootId: string;
  /** From the device tree or DMI, where there is one. */
  model: string | undefined;
  /** /proc/version */
  kernelVersion: string;
  /** PATH of the login shell. */
  path: string;
  native: NativeBuild;
}

/**
 * @param tree kernel build tree on the target to look for; undefined: the usual place
 * @throws LabError `TARGET_FACTS` when the target lacks what every Linux with /proc has
 */
export async function gatherFacts(
  connection: Connection,
  tree: string | undefined,
  deadline: Deadline,
): Promise<MachineFacts> {
  const result = await connection.exec(factsScript(tree ?? ''), { deadline });
  const said = readAnswers(result.stdout);
  const need = (key: string): string => {
    const value = said.get(key);
    if (value !== undefined && value !== '') return value;
    const more = result.stderr.trim() === '' ? '' : `; it said: ${result.stderr.trim().slice(-500)}`;
    throw new LabError('TARGET_FACTS', `${connection.who}: does not tell its ${key}${more}`, {
      hint: 'the target needs /proc mounted, and id, uname, cat and sed (busybox will do)',
    });
  };
  return {
    uid: Number(need('uid')),
    kernelRelease: need('release'),
    machine: need('machine'),
    pageBytes: readPageBytes(need('page'), connection.who),
    bootId: need('boot'),
    model: said.get('model'),
    kernelVersion: need('version'),
    path: said.get('path') ?? '',
    native: {
      tree: need('tree'),
      treeFound: said.has('treeFound'),
      make: said.has('make'),
      compiler: said.has('compiler'),
    },
  };
}

/** Reads lines of `key=value`; the first of a key counts. */
export function readAnswers(text: string): Map<string, string> {
  const answers = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    const key = line.slice(0, Math.max(at, 0));
    if (at > 0 && !answers.has(key)) answers.set(key, line.slice(at + 1).trim());
  }
  return answers;
}

function readPageBytes(text: string, who: string): number {
  const bytes = Number(text);
  // Linux has had pages of 4 KiB to 256 KiB (powerpc 44x), always a power of two.
  if (Number.isInteger(bytes) && bytes >= 4096 && bytes <= 262_144 && Number.isInteger(Math.log2(bytes)))
    return bytes;
  throw new LabError('TARGET_FACTS', `${who}: ${JSON.stringify(text)} is no page size`);
}
