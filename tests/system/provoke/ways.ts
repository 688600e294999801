// SPDX-License-Identifier: MIT
/** Ways to break a kernel, and as what each must be told; provoke.c and init do it. */
import type { Category } from '../../../harness/kernel-log/splats.ts';

export interface Way {
  /** As provoke.c calls it; `shell`: no module, but these words to a shell. */
  how: string;
  shell?: string;
  category: Category;
  /** Files that are written before, so that it does not take minutes. */
  settings?: Readonly<Record<string, string>>;
}

/** Guests on which it takes more than the usual one, by the beginning of the kind's name. */
const guests: Readonly<Record<string, string>> = {
  // A processor on which the kernel may not simply use what a program may.
  privileges: 'qemu-arm64-16k',
};

export function projectFor(kind: string): string {
  return Object.entries(guests).find(([begins]) => kind.startsWith(begins))?.[1] ?? 'qemu-arm64';
}

/** By what kind of trouble it is. */
export const ways: Readonly<Record<string, readonly Way[]>> = {
  privileges: [{ how: 'user-access', category: 'user-access' }],
  complaints: [
    { how: 'warn', category: 'warning' },
    { how: 'warn-on', category: 'warning' },
    { how: 'bug', category: 'bug' },
    { how: 'bug-other', category: 'bug-other' },
    { how: 'refcount', category: 'refcount' },
    { how: 'list', category: 'list-corruption' },
    { how: 'duplicate', category: 'kobject' },
    { how: 'atomic', category: 'atomic-sleep' },
  ],
};
