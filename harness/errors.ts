// SPDX-License-Identifier: MIT
/**
 * The two roots of every error the rig raises: the lab failed, or the driver under test failed.
 * A verdict is read off the root, so raising the right one is what keeps lab trouble from being
 * reported as the driver's fault, and the other way round.
 */

/** What an error says beside its message. */
export interface ErrorDetails {
  /** The error that led to this one; its message is kept. */
  cause?: unknown;
  /** One line: what the reader should try next. */
  hint?: string | undefined;
}

/** The names of the roots; an error's `name` is its root and its code, as in `LabError [SSH_REFUSED]`. */
export type RootName = 'LabError' | 'DriverError' | 'KernelCrash' | 'TargetHang';

/** Base of every error of the rig. The message says what happened, on which target, doing what. */
export abstract class RigError extends Error {
  /** Stable, greppable name of the kind of error, for example `AGENT_DIED`. */
  readonly code: string;
  readonly hint: string | undefined;

  constructor(root: RootName, code: string, message: string, details: ErrorDetails = {}) {
    const hint = details.hint === undefined ? '' : `\nTry: ${details.hint}`;
    super(`${message}${hint}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    // Playwright keeps of an error its name, message and stack: the verdict must be legible in them.
    this.name = `${root} [${code}]`;
  }
}

/** The lab, the rig or the target failed: nothing is known about the driver. Verdict `infra`. */
export class LabError extends RigError {
  constructor(code: string, message: string, details?: ErrorDetails) {
    super('LabError', code, message, details);
  }
}

/** The driver under test did something it must not do. Verdict `fail`. */
export class DriverError extends RigError {
  constructor(code: string, message: string, details?: ErrorDetails) {
    super('DriverError', code, message, details);
  }
}

/** The target's kernel said it is broken (oops, BUG, panic) while the driver was in use. Verdict `crash`. */
export class KernelCrash extends RigError {
  constructor(code: string, message: string, details?: ErrorDetails) {
    super('KernelCrash', code, message, details);
  }
}

/** The target stopped answering while the driver was in use, and its kernel gave no reason. Verdict `hang`. */
export class TargetHang extends RigError {
  constructor(code: string, message: string, details?: ErrorDetails) {
    super('TargetHang', code, message, details);
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
