// SPDX-License-Identifier: MIT
/** Forked children of an agent. A child is an agent of its own whose parent relays its requests. */
import type { Agent } from './client.ts';
import { ChildDied, ProtocolError } from './errors.ts';
import { decodeMessage, described, resultOf, type Hello } from './message.ts';
import type { Requests } from './wire.ts';

/** How a child ended; exactly one is not null. */
export interface ChildEnding {
  code: number | null;
  /** As in `SIGKILL`. */
  signal: string | null;
}

interface Relayed {
  answer?: object;
  died?: ChildEnding;
}

export interface Child {
  readonly agent: Agent;
  readonly pid: number;
  /** Lets it end as a program does, and waits for that. */
  exit(): Promise<ChildEnding>;
  /** Kills it and waits for its end. @param signal number, by default SIGKILL */
  kill(signal?: number): Promise<ChildEnding>;
  /** Waits until it has ended by itself. */
  wait(): Promise<ChildEnding>;
  /** Passes a descriptor of the parent to the child with SCM_RIGHTS. @returns its number there */
  give(fd: number): Promise<number>;
  /** Passes a descriptor of the child to the parent. @returns its number here */
  take(fd: number): Promise<number>;
  /** Starts a request and leaves the child at it; the parent can do something else meanwhile. */
  begin(line: string): Promise<void>;
  /** The result of the oldest request that was begun. */
  finish(): Promise<object>;
}

/** Makes an agent that speaks through `requests`. */
type AgentOver = (requests: Requests, hello: Hello, label: string, end: () => Promise<void>) => Agent;

/** @throws SyscallError when fork() failed */
export async function forkChild(parent: Agent, requests: Requests, agentOver: AgentOver): Promise<Child> {
  const forked = await parent.request<{ child: number; pid: number } & Relayed>('fork');
  const { child: number, pid } = forked;
  const label = `child ${number} of ${parent.label}`;
  const hello = described<Hello>(unwrap(forked, label, 'fork'));
  const relay: Requests = {
    send: async (line, allowance) =>
      unwrap(described<Relayed>(await requests.send(`child ${number} ${line}`, allowance)), label, line),
    history: () => requests.history(),
  };
  const end = (how: string, ...args: number[]): Promise<ChildEnding> =>
    parent.request<ChildEnding>(how, number, ...args);
  const agent = agentOver(relay, hello, label, async () => {
    await end('child-exit');
  });
  const linkOf = (side: Agent): string | number => (side === parent ? number : 'parent');
  const pass = async (from: Agent, to: Agent, fd: number): Promise<number> => {
    await from.request('send-fd', linkOf(from), fd);
    return (await to.request<{ fd: number }>('receive-fd', linkOf(to))).fd;
  };
  return {
    agent,
    pid,
    exit: () => end('child-exit'),
    kill: (signal = 9) => end('child-kill', signal),
    wait: () => end('child-wait'),
    give: (fd) => pass(parent, agent, fd),
    take: (fd) => pass(agent, parent, fd),
    begin: async (line) => {
      const room = parent.makeRoom();
      if (room !== undefined) await room;
      await requests.send(`child-start ${number} ${line}`);
    },
    finish: async () =>
      unwrap(await parent.request<Relayed>('child-answer', number), label, 'what was begun'),
  };
}

function unwrap(relayed: Relayed, label: string, request: string): object {
  if (relayed.answer !== undefined)
    return resultOf(decodeMessage(JSON.stringify(relayed.answer)), `${label}: ${request}`);
  const { died } = relayed;
  if (died === undefined) throw new ProtocolError(`neither an answer nor an end of ${label}: ${request}`);
  const how = died.signal ?? `exit code ${died.code}`;
  throw new ChildDied(`${label} ended (${how}), serving: ${request}`, died);
}
