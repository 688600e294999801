// SPDX-License-Identifier: MIT
/**
 * How a driver's ioctls are described, so that checks of an ABI are made from data: what the driver
 * reads, what it writes, what must be zero, which bits mean something. The rules behind the checks
 * are Documentation/process/botching-up-ioctls.rst and Documentation/driver-api/ioctl.rst.
 */
import type { Agent } from '../agent/client.ts';
import type { Step } from '../agent/repeat.ts';
import type { FieldType, Layout } from './layout.ts';

export interface IoctlAbi {
  calls: readonly IoctlCall[];
  /** As in `#include <...>`, in one of the profile's folders of headers or the system's. */
  header?: string;
  /** Makes a buffer that other users may use, as far as each call says. */
  forEverybody?(agent: Agent): Promise<Situation>;
  /** What {@link IoctlCall.privileged} asks for: a number of linux/capability.h. */
  capability?: number;
  /** Who has it may do to every buffer what its owner may: a number of linux/capability.h, and the only one. */
  ownsAll?: number;
  /** How a command is refused that the driver does not know. */
  unknown: readonly string[];
  /** How an argument is refused that has bits or values without a meaning. */
  malformed: readonly string[];
  /** How the command number tells the size of the argument; 'fixed' when it does not. */
  commandNumber: 'fixed' | 'size-in-number';
  /** Makes a buffer of so many bytes, asks about it and frees it, through a file that has none; over and over. */
  churn?(fd: number, bytes: number): Step[];
  /** Makes buffers of a page that all stay with the file; absent where a file holds none. */
  pile?(fd: number, pageBytes: number): Step;
  /** When structures may grow: the field with the caller's size, and how a size is refused. */
  growth?: { field: string; short: readonly string[]; unknownTail: readonly string[] };
  /** What the query of version and abilities tells, beside what comes of trying it. */
  factsOfDriver?(agent: Agent): Promise<readonly Fact[]>;
  /** What is told of buffers, beside what was asked for and done. */
  factsOfBuffers?(agent: Agent): Promise<readonly Fact[]>;
  /** Mistakes for which the documentation has an error of their own, beyond what the calls' fields tell. */
  mistakes?: readonly Mistake[];
}

export interface Fact {
  /** What it is about, for example a field of the answer. */
  says: string;
  told: unknown;
  /** Compared as a whole. */
  found: unknown;
}

/** A call that comes at the wrong time, or goes to the wrong file. */
export interface Mistake {
  /** What is wrong, for example `ATTACH of what is attached`. */
  says: string;
  errors: readonly string[];
  prepare(agent: Agent): Promise<MistakeReady>;
}

export interface MistakeReady {
  fd: number;
  request: number;
  argument: Buffer;
  /** What the driver says of all that is concerned; a call that is refused changes nothing of it. */
  state?(): Promise<unknown>;
  /** Closes and frees what was prepared. */
  end(): Promise<void>;
}

export interface IoctlCall {
  /** As in the header. */
  name: string;
  request: number;
  layout: Layout;
  /** Size of the first version of its structure. */
  firstBytes: number;
  /** Tells the driver's version and abilities. */
  query?: true;
  /** What each field of the layout is for. */
  roles: Readonly<Record<string, FieldRole>>;
  /**
   * The field that names a buffer; the errors when there is none, when it is another user's, and when it is
   * another user's that {@link IoctlAbi.forEverybody} made: none where such a call succeeds. Of a privileged call
   * `stranger` is for who lacks the capability, and `capable` for who has it.
   */
  byId?: {
    field: string;
    missing: readonly string[];
    stranger: readonly string[];
    capable?: readonly string[];
    everybody?: readonly string[];
  };
  /** Tells addresses, or gives rights over all memory: the errors for who lacks the capability. */
  privileged?: readonly string[];
  /** Returns a new descriptor, and not 0. */
  returnsDescriptor?: true;
  /** Makes a buffer. */
  makesBuffer?: true;
  /** Values with which the buffer that it makes or hands over belongs to somebody else, or is named in another way. */
  otherwise?: readonly Readonly<Record<string, number>>[];
  /** The field that says how many bytes the buffer is to have. */
  sizedBy?: string;
  /** Tells facts about a buffer, its name among them: the field with its size in bytes. */
  tellsAbout?: string;
  /** The field in which the call says how many bytes of the buffer can be mapped: whole pages. */
  tellsBytes?: string;
  /**
   * Tells where a byte of a buffer lies: the field that says which byte, those with its address for the CPU
   * and for the device, and the one with the bytes that are contiguous from there on; and how a byte beyond is refused.
   */
  tellsPlace?: { offset: string; physical: string; device: string; left: string; beyond: readonly string[] };
  /** Returns a dma-buf of the buffer: the field with the descriptor's flags, and the flags. */
  makesDmaBuf?: { flags: string; readOnly: number; readWrite: number; closeOnExec: number };
  /** Hands memory over between CPU and device: the flags that say how. */
  synchronises?: { read: number; write: number; end: number };
  /** Every error that the documentation names, besides those of every ioctl. */
  errors: readonly string[];
  /**
   * Makes everything ready for one call that succeeds. A call that is refused must leave the
   * situation as it is, so one situation serves any number of them.
   */
  prepare(agent: Agent): Promise<Situation>;
}

export type FieldRole =
  /** Size of the structure as the caller knows it. */
  | { kind: 'size' }
  /** Read by the driver and left alone; `refused` are values it must not take. */
  | { kind: 'in'; refused?: readonly (number | bigint)[] }
  /** Read, and then overwritten. */
  | { kind: 'in-out' }
  /** Ignored, and written on success. */
  | { kind: 'out' }
  /** A new descriptor is written here on success; `zeroBefore`: and the caller has to leave it at 0. */
  | { kind: 'out-descriptor'; zeroBefore?: true }
  /** Must be zero. */
  | { kind: 'reserved' }
  /** Only these bits have a meaning; `oneOf`: at least one of them is needed. */
  | { kind: 'flags'; defined: number; oneOf?: number }
  /** Values that are not listed have no meaning. */
  | { kind: 'choice'; values: readonly number[] }
  /** First byte of a range in the buffer that `length` names the length of; without: a byte in it. */
  | { kind: 'range'; length?: string };

export interface Situation {
  /** Descriptor to call on. */
  fd: number;
  /** Values of the fields that are read. */
  values: Readonly<Record<string, number | bigint>>;
  /** What names the buffer for others. */
  id?: number;
  /** Bytes of the buffer that ranges are about. */
  bufferBytes?: number;
  /** Closes and frees what was prepared, whatever the call did. */
  end(): Promise<void>;
}

/** The bytes of one call: the situation's values, some of them replaced. */
export function argumentOf(
  abi: IoctlAbi,
  { layout }: IoctlCall,
  { values }: Situation,
  replaced: Readonly<Record<string, number | bigint>> = {},
): Buffer {
  const size = abi.growth === undefined ? {} : { [abi.growth.field]: layout.bytes };
  return layout.encode({ ...size, ...values, ...replaced });
}

/** Fields of a call by what they are for. */
export function fieldsOf<K extends FieldRole['kind']>(
  { layout, roles }: IoctlCall,
  kind: K,
): { name: string; type: FieldType; role: Extract<FieldRole, { kind: K }> }[] {
  const found = [];
  for (const { name, type } of layout.offsets()) {
    const role = roles[name];
    if (role === undefined) throw new TypeError(`${layout.name}.${name} has no role`);
    if (isKind(role, kind)) found.push({ name, type, role });
  }
  return found;
}

function isKind<K extends FieldRole['kind']>(
  role: FieldRole,
  kind: K,
): role is Extract<FieldRole, { kind: K }> {
  return role.kind === kind;
}

/** The bits of a field that have no meaning, each alone. */
export function undefinedBits(type: FieldType, defined: number): bigint[] {
  const width = type === 'u64' ? 64n : 32n;
  const bits = Array.from({ length: Number(width) }, (_, bit) => 1n << BigInt(bit));
  return bits.filter((bit) => (bit & BigInt(defined)) === 0n);
}

/** Commands that the kernel answers for every file before the driver is asked: fs/ioctl.c:do_vfs_ioctl. */
const generic = new Set([
  0x5450, 0x5451, 0x5421, 0x5452, 0x541b, 0x5460, 0x2, 0xc0045877, 0xc0045878, 0xc020660b, 0x40049409,
  0x4020940d, 0xc0189436, 0x80086601, 0x40086602, 0x801c581f, 0x401c5820,
]);

export function isGenericCommand(request: number): boolean {
  return generic.has(request);
}

/**
 * A C program that prints what the driver's header says about its structures and commands, and the
 * lines it has to print.
 */
export function layoutProgram({ calls }: IoctlAbi, header: string): { program: string; expected: string[] } {
  const lines: { printed: string; format: string; value: string }[] = [];
  for (const { name, request, layout } of calls) {
    const structure = `struct ${layout.name}`;
    lines.push({ printed: `${name} ${request}`, format: `${name} %llu`, value: name });
    lines.push({
      printed: `${structure} ${layout.bytes}`,
      format: `${structure} %llu`,
      value: `sizeof(${structure})`,
    });
    for (const { name: field, bytes, offset } of layout.places()) {
      const member = `((${structure} *)0)->${field}`;
      lines.push({
        printed: `${structure} ${field} ${offset} ${bytes}`,
        format: `${structure} ${field} %llu ${bytes}`,
        value: `offsetof(${structure}, ${field}) + (sizeof(${member}) == ${bytes} ? 0 : 1000000)`,
      });
    }
  }
  const prints = lines.map(
    ({ format, value }) => `\tprintf("${format}\\n", (unsigned long long)(${value}));`,
  );
  const program = [
    '#include <stddef.h>',
    '#include <stdio.h>',
    `#include <${header}>`,
    '',
    'int main(void)',
    '{',
    ...prints,
    '\treturn 0;',
    '}',
    '',
  ];
  return { program: program.join('\n'), expected: lines.map(({ printed }) => printed) };
}

/** Where kernels and buffers have their borders. */
const interesting = [
  0n,
  1n,
  2n,
  7n,
  63n,
  64n,
  4095n,
  4096n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 32n,
  1n << 63n,
  (1n << 64n) - 4096n,
  (1n << 64n) - 1n,
];

/** Arguments near a good one: single fields replaced, bits flipped, all bytes at random. The same for one seed. */
export function mutatedArguments({ layout }: IoctlCall, good: Buffer, seed: number, count: number): Buffer[] {
  let state = BigInt(seed) || 1n;
  const random = (below: number): number => {
    // xorshift64
    state ^= BigInt.asUintN(64, state << 13n);
    state ^= state >> 7n;
    state ^= BigInt.asUintN(64, state << 17n);
    return Number(BigInt.asUintN(32, state)) % below;
  };
  const places = layout.places();
  return Array.from({ length: count }, () => {
    const bytes = Buffer.from(good);
    for (let change = 0; change <= random(3); change++) {
      const { offset, bytes: width } = places[random(places.length)] ?? { offset: 0, bytes: 4 };
      const kind = random(3);
      if (kind === 0) bytes[offset + random(width)]! ^= 1 << random(8);
      else if (kind === 1) for (let at = 0; at < width; at++) bytes[offset + at] = random(256);
      else {
        const value = BigInt.asUintN(width * 8, interesting[random(interesting.length)] ?? 0n);
        if (width === 8) bytes.writeBigUInt64LE(value, offset);
        else bytes.writeUInt32LE(Number(value), offset);
      }
    }
    return bytes;
  });
}
