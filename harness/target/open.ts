// SPDX-License-Identifier: MIT
/** The table of kinds of target: a further kind is one more row. */
import type { Cache } from '../build/cache.ts';
import type { Deadline } from '../deadline.ts';
import type { Settings } from '../settings.ts';
import { openQemuTarget } from './qemu/boot.ts';
import type { TargetSpec } from './spec.ts';
import { openBoard } from './ssh/board.ts';
import type { Target } from './target.ts';

/** What opening a target may need beside its own description. */
export interface OpenContext {
  settings: Settings;
  cache: Cache;
  deadline: Deadline;
  /** Called with one line for each thing worth saying aloud, such as a fallback to emulation. */
  announce(line: string): void;
}

type Opener<Kind extends TargetSpec['kind']> = (
  spec: Extract<TargetSpec, { kind: Kind }>,
  context: OpenContext,
) => Promise<Target>;

const openers: { [Kind in TargetSpec['kind']]: Opener<Kind> } = {
  qemu: openQemuTarget,
  ssh: openBoard,
};

/** @throws LabError when the machine cannot be had; what was begun is undone */
export function openTarget(spec: TargetSpec, context: OpenContext): Promise<Target> {
  // The table's type says that each opener gets a spec of its own kind.
  const open: (spec: never, context: OpenContext) => Promise<Target> = openers[spec.kind];
  return open(spec as never, context);
}
