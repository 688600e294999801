// SPDX-License-Identifier: MIT
/** What a run of the rig has on this machine while it runs, and what is left of it afterwards. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface Traces {
  /** Processes by id, each with its command line. */
  processes: Map<number, string>;
  /** TCP ports that they listen on. */
  ports: number[];
  /** Folders of guests. */
  folders: string[];
  /** Machines and things in the cache that it holds a lock on, see lease.ts and harness/lock.ts. */
  locks: Lock[];
}

/** A socket in the abstract namespace. */
interface Lock {
  name: string;
  socket: string;
}

/** What is still there of a run that has ended. */
export interface Left {
  processes: string[];
  ports: number[];
  folders: string[];
  locks: string[];
}

/**
 * Everything that belongs to the run whose environment has this setting: whatever it started has
 * inherited that, also when its parents are gone.
 */
export function tracesOf(setting: string): Traces {
  const processes = new Map<number, string>();
  const sockets = new Set<string>();
  const folders = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const environment = read(`/proc/${pid}/environ`).split('\0');
    if (!environment.includes(setting)) continue;
    const command = read(`/proc/${pid}/cmdline`).split('\0').join(' ');
    // A process that has ended and waits to be reaped has neither memory nor files.
    if (command === '') continue;
    processes.set(Number(pid), command);
    for (const socket of socketsOf(pid)) sockets.add(socket);
    for (const [folder] of command.matchAll(/\/[\w/.-]*bufrig-vm-\w+/g)) folders.add(folder);
  }
  const locks = allLocks().filter(({ socket }) => sockets.has(socket));
  return { processes, ports: portsOf(sockets), folders: [...folders], locks };
}

export const noTraces: Traces = { processes: new Map(), ports: [], folders: [], locks: [] };

/** What was seen at several times. */
export function together(one: Traces, other: Traces): Traces {
  return {
    processes: new Map([...one.processes, ...other.processes]),
    ports: [...new Set([...one.ports, ...other.ports])],
    folders: [...new Set([...one.folders, ...other.folders])],
    locks: [...one.locks, ...other.locks.filter((lock) => !one.locks.some((known) => same(known, lock)))],
  };
}

/** Of these traces, what is still there. */
export function leftOf(before: Traces, setting: string): Left {
  const locks = allLocks();
  return {
    processes: [...tracesOf(setting).processes.values()],
    ports: before.ports.filter((port) => listening().some((line) => line.port === port)),
    folders: before.folders.filter((folder) => existsSync(folder)),
    locks: before.locks.filter((lock) => locks.some((held) => same(lock, held))).map(({ name }) => name),
  };
}

function same(one: Lock, other: Lock): boolean {
  return one.socket === other.socket && one.name === other.name;
}

/** proc_net_unix(5): the inode in the seventh column, the name in the eighth; an abstract one begins with @. */
function allLocks(): Lock[] {
  return read('/proc/net/unix')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , , , , , name = '']) => name.startsWith('@bufrig'))
    .map(([, , , , , , socket = '', name = '']) => ({ socket, name }));
}

/** Inodes of the sockets that a process has open. */
export function socketsOf(pid: string): string[] {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).flatMap((fd) => socketAt(join(folder, fd)) ?? []);
  } catch {
    return [];
  }
}

/** The inode of the socket that a link in /proc/PID/fd leads to; undefined when it leads elsewhere. */
export function socketAt(link: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1];
  } catch {
    return undefined;
  }
}

/** TCP ports that these sockets listen on. */
export function portsOf(sockets: ReadonlySet<string>): number[] {
  return listening()
    .filter(({ socket }) => sockets.has(socket))
    .map(({ port }) => port);
}

/** proc_net_tcp(5): local address, state 0A is LISTEN, and the socket's inode in the tenth column. */
function listening(): { port: number; socket: string }[] {
  return read('/proc/net/tcp')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] === '0A')
    .map((columns) => ({
      port: Number.parseInt(columns[1]?.split(':')[1] ?? '', 16),
      socket: columns[9] ?? '',
    }));
}

/** Empty when the process has gone meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
