// SPDX-License-Identifier: MIT
/** The lines of the agent's protocol: requests put together, answers taken apart. */
import { MemoryFault, ProtocolError, RequestRefused, SyscallError } from './errors.ts';

/** An argument of a request. A bigint may be any value of 64 bits, signed or unsigned. */
export type Argument = string | number | bigint;

/** What the agent says of itself in its first line. */
export interface Hello {
  name: string;
  protocol: number;
  pid: number;
  /** Bytes in one page of the target's kernel. */
  pageBytes: number;
  /** 4 or 8. */
  pointerBytes: number;
  /** `uname -m`. */
  machine: string;
  kernelRelease: string;
  verbs: string[];
}

interface Message {
  n: number;
  ok?: object;
  error?: { errno: string; number: number; call: string };
  fault?: { signal: string; code: string; address: string; offset?: string };
  usage?: string;
}

/**
 * Takes a result for what its verb answers. Unchecked: agent and client are of one checkout, the
 * agent is deployed under its content hash, and the greeting tells the protocol.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function described<T extends object>(result: object): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return result as T;
}

/** One line without its end. @throws RangeError for a number the agent could not read back */
export function encodeRequest(verb: string, args: readonly Argument[]): string {
  return [verb, ...args.map(encodeArgument)].join(' ');
}

function encodeArgument(arg: Argument): string {
  if (typeof arg === 'bigint') return arg < 0n ? String(arg) : `0x${arg.toString(16)}`;
  if (typeof arg === 'number') {
    if (!Number.isSafeInteger(arg)) throw new RangeError(`not a whole number: ${arg}; use a bigint`);
    // Addresses are read by people.
    return arg < 0x10000 ? String(arg) : `0x${arg.toString(16)}`;
  }
  if (arg === '') return '%';
  if (arg.includes('\0')) throw new RangeError('a zero byte cannot be part of an argument');
  // Everything printable but the space and the percent sign goes as it is.
  if (/^[!-$&-~]*$/.test(arg)) return arg;
  return [...Buffer.from(arg)]
    .map((byte) =>
      byte > 0x20 && byte < 0x7f && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).padStart(2, '0')}`,
    )
    .join('');
}

/** @throws ProtocolError when the line is none of the agent's */
export function decodeMessage(line: string): Message {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw new ProtocolError(`the agent sent a line that is not JSON: ${line.slice(0, 200)}`);
  }
  if (typeof message !== 'object' || message === null || !('n' in message) || typeof message.n !== 'number')
    throw new ProtocolError(`the agent sent a line that is no answer: ${line.slice(0, 200)}`);
  return described<Message>(message);
}

/**
 * The result an answer carries.
 * @throws SyscallError, MemoryFault, RequestRefused when that is the answer; ProtocolError when it is none
 */
export function resultOf(message: Message, request: string): object {
  const { ok, error, fault, usage } = message;
  if (ok !== undefined) return ok;
  if (error !== undefined) throw new SyscallError(error.errno, error.number, error.call, request);
  if (fault !== undefined) {
    const offset = fault.offset === undefined ? undefined : Number(fault.offset);
    throw new MemoryFault(fault.signal, fault.code, Number(fault.address), offset, request);
  }
  if (usage !== undefined) throw new RequestRefused(request, usage);
  throw new ProtocolError(`the agent answered ${request} with neither a result nor an error`);
}
