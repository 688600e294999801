// SPDX-License-Identifier: MIT
/**
 * What can come of a request beside its result. A failed system call and a memory fault are facts
 * about the target that a check judges; they say nothing about whose fault they are, so they are no
 * RigErrors. The others are: without an answer there is no fact.
 */
import { LabError, TargetHang } from '../errors.ts';
import type { ChildEnding } from './child.ts';

/** A system call failed on the target. */
export class SyscallError extends Error {
  /** As in `EINVAL`. */
  readonly errno: string;
  readonly number: number;
  /** The system call, as in `mmap`. */
  readonly call: string;

  constructor(errno: string, number: number, call: string, request: string) {
    super(`${call}: ${errno} (request: ${request})`);
    this.name = 'SyscallError';
    this.errno = errno;
    this.number = number;
    this.call = call;
  }
}

/** Memory could not be accessed: the signal the access raised. */
export class MemoryFault extends Error {
  readonly signal: string;
  /** As in `SEGV_ACCERR` or `BUS_ADRERR`. */
  readonly code: string;
  readonly address: number;
  /** How far behind the start of the memory the request was about, in bytes; none for SIGILL. */
  readonly offset: number | undefined;

  constructor(signal: string, code: string, address: number, offset: number | undefined, request: string) {
    super(`${signal} (${code}) at 0x${address.toString(16)} (request: ${request})`);
    this.name = 'MemoryFault';
    this.signal = signal;
    this.code = code;
    this.address = address;
    this.offset = offset;
  }
}

/** The agent's process ended while it was needed. Its last words are in the message. */
export class AgentDied extends LabError {
  constructor(message: string) {
    super('AGENT_DIED', message, { hint: 'look at the kernel log around this time; it outranks this error' });
  }
}

/** Of a child: its parent lives, and saw how it ended. */
export class ChildDied extends AgentDied {
  readonly ending: ChildEnding;

  constructor(message: string, ending: ChildEnding) {
    super(message);
    this.ending = ending;
  }
}

/** The channel to the agent broke. */
export class LinkLost extends LabError {
  constructor(message: string, cause: unknown) {
    super('LINK_LOST', message, { cause });
  }
}

/** The channel to the agent broke because the target's kernel hangs, as was seen from outside. */
export class TargetSilent extends TargetHang {
  constructor(message: string, cause: unknown) {
    super('TARGET_SILENT', message, { cause });
  }
}

/** The agent and the client do not understand each other. */
export class ProtocolError extends LabError {
  constructor(message: string) {
    super('AGENT_PROTOCOL', message, { hint: 'agent and client must come from the same checkout' });
  }
}

/** The agent refused a request: its arguments mean nothing, or nothing on this machine. Nothing was done. */
export class RequestRefused extends LabError {
  constructor(request: string, reason: string) {
    super('AGENT_REFUSED', `the agent refused ${request}: ${reason}`, {
      hint: 'the verb `help` tells what the agent takes; a 32-bit machine cannot be asked everything',
    });
  }
}

/** The agent was started and did not greet in time: nothing was asked of it yet, so nothing is known. */
export class AgentMute extends LabError {
  constructor(message: string) {
    super('AGENT_MUTE', message, {
      hint: 'look what else runs on the target; a kernel that hangs is told by its log, or by the link, before this',
    });
  }
}

/** A request was not answered in time: the agent hangs in it. */
export class AgentSilent extends TargetHang {
  constructor(message: string) {
    super('AGENT_SILENT', message, { hint: 'the last request listed is the one that hangs' });
  }
}

/** What came of an attempt whose failure is as interesting as its success. */
export type Outcome<T> =
  | { ok: T; errno?: never; fault?: never }
  | { errno: string; ok?: never; fault?: never }
  | { fault: { signal: string; code: string; offset?: number | undefined }; ok?: never; errno?: never };

/**
 * Runs something on the target and gives a failed system call or a memory fault back as data:
 * `expect(await attempt(() => agent.mmap(...))).toEqual({ errno: 'EINVAL' })`.
 * @throws everything that is no fact about the target, a dead agent for example
 */
export async function attempt<T>(action: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: await action() };
  } catch (error) {
    if (error instanceof SyscallError) return { errno: error.errno };
    if (error instanceof MemoryFault) {
      const { signal, code, offset } = error;
      return { fault: { signal, code, offset } };
    }
    throw error;
  }
}
