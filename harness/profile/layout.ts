// SPDX-License-Identifier: MIT
/**
 * Layouts of C structures, to write ioctl arguments and read the answers. Fields are little-endian
 * and laid out one after the other, since uapi structures have their padding spelled out.
 */

/** `u32`, `u64` and `s32` as in linux/types.h. */
export type FieldType = 'u32' | 's32' | 'u64';
export type Fields = readonly (readonly [name: string, type: FieldType])[];

const bytesOf: Record<FieldType, number> = { u32: 4, s32: 4, u64: 8 };

export class Layout<const F extends Fields = Fields> {
  /** Name of the structure in the header, for messages and the test that compares both. */
  readonly name: string;
  readonly fields: F;
  /** Size of the structure. */
  readonly bytes: number;

  constructor(name: string, fields: F) {
    this.name = name;
    this.fields = fields;
    this.bytes = fields.reduce((sum, [, type]) => sum + bytesOf[type], 0);
  }

  /** The structure with these values; what is not given is 0. */
  encode(values: Partial<Record<F[number][0], number | bigint>>): Buffer {
    const buffer = Buffer.alloc(this.bytes);
    for (const { name, type, offset } of this.offsets()) {
      const value = values[name] ?? 0;
      if (type === 'u64') buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), offset);
      else if (type === 's32') buffer.writeInt32LE(Number(value), offset);
      else buffer.writeUInt32LE(Number(value), offset);
    }
    return buffer;
  }

  /** All fields; 64-bit values as bigint, because they need not fit a number. */
  decode(buffer: Buffer): Record<F[number][0], bigint> {
    const values: Partial<Record<F[number][0], bigint>> = {};
    for (const { name, type, offset } of this.offsets()) {
      if (type === 'u64') values[name] = buffer.readBigUInt64LE(offset);
      else values[name] = BigInt(type === 's32' ? buffer.readInt32LE(offset) : buffer.readUInt32LE(offset));
    }
    return values as Record<F[number][0], bigint>;
  }

  /** Where each field lies, in bytes. */
  *offsets(): Generator<{ name: F[number][0]; type: FieldType; offset: number }> {
    let offset = 0;
    for (const [name, type] of this.fields) {
      yield { name, type, offset };
      offset += bytesOf[type];
    }
  }

  /** The same without the names' types, for who goes through the fields of any structure. */
  places(): { name: string; bytes: number; offset: number }[] {
    return [...this.offsets()].map(({ name, type, offset }) => ({ name, bytes: bytesOf[type], offset }));
  }
}
