// SPDX-License-Identifier: MIT
/** Ends a connection of another process, as a broken link would: by shutdown(2) on the process's own socket. */
import { readdirSync, readFileSync } from 'node:fs';
import { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import { run } from '../process.ts';
import { socketAt } from './traces.ts';

/** pidfd_open(2) is 434 and pidfd_getfd(2) 438 on every architecture; perl-base is on every Debian. */
const SHUT_DOWN = `
my ($pid, @descriptors) = @ARGV;
my $process = syscall(434, $pid + 0, 0);
die "pidfd_open: $!\\n" if $process < 0;
for my $descriptor (@descriptors) {
  my $copy = syscall(438, $process, $descriptor + 0, 0);
  die "pidfd_getfd: $!\\n" if $copy < 0;
  open(my $socket, "+<&=", $copy) or die "open: $!\\n";
  shutdown($socket, 2) or die "shutdown: $!\\n";
}
`;

/** Why this machine's sockets cannot be shut down from outside; undefined when they can. */
export async function whyNoShutdown(): Promise<string | undefined> {
  // The process that asks has the right to its own descriptors: whether it has it to others' shows when it is used.
  const probe = await run(['perl', '-e', 'exit 0'], { deadline: Deadline.in(10_000) }).catch(() => undefined);
  return probe?.code === 0 ? undefined : 'there is no perl, which shuts sockets down';
}

/** Ends what comes in on this TCP port of a process. */
export async function cutPort(pid: number, port: number): Promise<void> {
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  // proc_net_tcp(5): state 01 is ESTABLISHED.
  await shutDown(
    pid,
    socketsIn('/proc/net/tcp', (c) => c[1]?.endsWith(`:${local}`) === true && c[3] === '01', 9),
  );
}

/** Ends what comes in on this unix socket of a process. */
export async function cutUnixSocket(pid: number, path: string): Promise<void> {
  // proc_net_unix(5): state 03 is CONNECTED, and an accepted connection has its listener's path.
  await shutDown(
    pid,
    socketsIn('/proc/net/unix', (c) => c[7] === path && c[5] === '03', 6),
  );
}

/** Inodes in a table of /proc/net. */
function socketsIn(table: string, wanted: (columns: string[]) => boolean, inode: number): Set<string> {
  const rows = readFileSync(table, 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return new Set(rows.filter(wanted).flatMap((columns) => columns[inode] ?? []));
}

async function shutDown(pid: number, sockets: ReadonlySet<string>): Promise<void> {
  const descriptors = readdirSync(`/proc/${pid}/fd`).filter((fd) =>
    sockets.has(socketAt(`/proc/${pid}/fd/${fd}`) ?? ''),
  );
  if (descriptors.length === 0) throw new LabError('FAULT', `process ${pid} has no such connection`);
  const result = await run(['perl', '-e', SHUT_DOWN, String(pid), ...descriptors], {
    deadline: Deadline.in(10_000),
  });
  if (result.code !== 0) throw new LabError('FAULT', `a socket cannot be shut down: ${result.stderr.trim()}`);
}
