// SPDX-License-Identifier: MIT
/** Where the machines for a run of tests come from: one after the other, or always the same. */
import type { Deadline } from '../deadline.ts';
import { openTarget, type OpenContext } from './open.ts';
import { GuestCopies } from './qemu/copies.ts';
import type { TargetSpec } from './spec.ts';
import type { Target } from './target.ts';

export type SourceContext = Omit<OpenContext, 'deadline'>;

export interface TargetSource {
  /** Ability: every target it gives is a machine of its own, in the state in which all begin; several may be open at once. */
  readonly pristine: boolean;
  /** One more target; the caller closes it. @throws LabError as {@link openTarget} does */
  take(deadline: Deadline): Promise<Target>;
}

type Maker<Kind extends TargetSpec['kind']> = (
  spec: Extract<TargetSpec, { kind: Kind }>,
  context: SourceContext,
) => TargetSource;

const makers: { [Kind in TargetSpec['kind']]: Maker<Kind> } = {
  qemu: (spec, context) => new GuestCopies(spec, context),
  ssh: oneMachine,
};

/** Nothing is opened before it is asked for. */
export function sourceOf(spec: TargetSpec, context: SourceContext): TargetSource {
  // The table's type says that each maker gets a spec of its own kind.
  const make: (spec: never, context: SourceContext) => TargetSource = makers[spec.kind];
  return make(spec as never, context);
}

function oneMachine(spec: TargetSpec, context: SourceContext): TargetSource {
  return { pristine: false, take: (deadline) => openTarget(spec, { ...context, deadline }) };
}
