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
  return { processes, ports: portsOf(sockets), folders: [...folders] };
}

/** Of these traces, what is still there. */
export function leftOf(
  before: Traces,
  setting: string,
): { processes: string[]; ports: number[]; folders: string[] } {
  return {
    processes: [...tracesOf(setting).processes.values()],
    ports: before.ports.filter((port) => listening().some((line) => line.port === port)),
    folders: before.folders.filter((folder) => existsSync(folder)),
  };
}

function socketsOf(pid: string): string[] {
  try {
    const folder = `/proc/${pid}/fd`;
    const links = readdirSync(folder).map((fd) => readlinkSync(join(folder, fd)));
    return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
  } catch {
    return [];
  }
}

function portsOf(sockets: ReadonlySet<string>): number[] {
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
