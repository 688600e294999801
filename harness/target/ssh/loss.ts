// SPDX-License-Identifier: MIT
/**
 * Adds to a lost link what the machine itself says about its death, or what can be seen of it from
 * outside while it lives: a dead machine, a machine that stands still, a kernel that hangs and a link
 * that is dead are four things, and only one of them is the driver's affair.
 */
import { LabError, TargetHang } from '../../errors.ts';

/** A machine's own account of how it died, or undefined while it lives. */
export type WhyDead = () => string | undefined;

/** What is seen of a machine from outside, without its link. */
export interface Examination {
  /** `target`: its kernel hangs. `lab`: it does not run, or it runs and is well. */
  blame: 'target' | 'lab';
  /** In words, one line for each thing. */
  found: string;
}

/** Looks at a machine that lives. */
export type Examine = () => Promise<Examination>;

/** Milliseconds the account may come later than the loss: a process's end is noticed after its sockets'. */
const GRACE = 500;

/**
 * @returns the error to throw: a `LINK_LOST` that carries the account when there is one, a TargetHang
 *   when the kernel was seen to hang, anything else as it is
 */
export async function explainLoss(
  error: unknown,
  whyDead: WhyDead | undefined,
  examine?: Examine,
): Promise<unknown> {
  if (whyDead === undefined || !(error instanceof LabError) || error.code !== 'LINK_LOST') return error;
  for (let waited = 0; whyDead() === undefined && waited < GRACE; waited += 20)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const why = whyDead();
  const message =
    error.hint === undefined ? error.message : error.message.replace(`\nTry: ${error.hint}`, '');
  if (why !== undefined) return new LabError('LINK_LOST', `${message}: ${why}`, { cause: error });
  const seen = await examine?.();
  if (seen === undefined) return error;
  const account = `${message}\nseen from outside: ${seen.found}`;
  if (seen.blame === 'target') return new TargetHang('TARGET_SILENT', account, { cause: error });
  return new LabError('LINK_LOST', account, { cause: error });
}
