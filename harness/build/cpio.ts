// SPDX-License-Identifier: MIT
/**
 * Writes the archives the kernel unpacks into its first root file system: cpio in the "newc" format
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Everything belongs to root unless it
 * says otherwise, and all times are zero, so the same contents give the same bytes.
 */

export interface ArchiveMember {
  /** Path without a leading slash. Directories above it must come before it. */
  path: string;
  kind: 'file' | 'directory' | 'link' | 'character-device';
  /** Permission bits. */
  mode: number;
  /** A file's bytes, a link's target. */
  data?: Buffer | string;
  owner?: number;
  /** Major and minor number of a device. */
  device?: readonly [number, number];
}

const TYPE_BITS = {
  file: 0o100000,
  directory: 0o040000,
  link: 0o120000,
  'character-device': 0o020000,
} as const;

/** One whole archive, padded so that another can follow it. */
export function cpioArchive(members: readonly ArchiveMember[]): Buffer {
  const pieces = members.flatMap((member, index) => memberBytes(member, index + 1));
  pieces.push(...memberBytes({ path: 'TRAILER!!!', kind: 'file', mode: 0 }, 0));
  return padded(Buffer.concat(pieces), 512);
}

/** The directories above each path, each once, in an order that fits {@link cpioArchive}. */
export function directoriesFor(paths: readonly string[], mode = 0o755): ArchiveMember[] {
  const found = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth += 1) found.add(parts.slice(0, depth).join('/'));
  }
  return [...found].toSorted().map((path) => ({ path, kind: 'directory', mode }));
}

function memberBytes(member: ArchiveMember, inode: number): Buffer[] {
  const data = Buffer.from(member.data ?? '');
  const name = Buffer.from(`${member.path}\0`);
  const owner = member.owner ?? 0;
  const [major, minor] = member.device ?? [0, 0];
  const isTrailer = inode === 0;
  const fields = [
    inode,
    isTrailer ? 0 : TYPE_BITS[member.kind] | member.mode,
    owner,
    owner,
    member.kind === 'directory' ? 2 : 1,
    0, // mtime
    data.length,
    0, // device it lies on, major and minor
    0,
    major,
    minor,
    name.length,
    0, // no checksum in this format
  ];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  // Header and name together are padded to four bytes, and so is the data.
  return [padded(Buffer.concat([Buffer.from(header), name]), 4), padded(data, 4)];
}

function padded(bytes: Buffer, unit: number): Buffer {
  const missing = (unit - (bytes.length % unit)) % unit;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
