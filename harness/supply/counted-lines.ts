// SPDX-License-Identifier: MIT
/** What a kernel has counted of the lines of a module; it keeps the counts when the module is gone. */
import type { Agent } from '../agent/client.ts';
import { Deadline } from '../deadline.ts';
import type { Target } from '../target/target.ts';

const COUNTS = '/sys/kernel/debug/gcov';
/** Milliseconds on hardware for looking through the folder. */
const LIMIT = 10_000;
const PIECE = 32_768;

/**
 * @param agent reads the files: they have no size that a copying program could go by
 * @returns the files' contents by their paths
 */
export async function countedLines(target: Target, agent: Agent): Promise<Map<string, Buffer>> {
  const find = ['find', COUNTS, '-name', '*.gcda'];
  const { stdout } = await target.execOk(find, { deadline: Deadline.in(LIMIT * target.patience) });
  const counted = new Map<string, Buffer>();
  for (const path of stdout.split('\n').filter(Boolean)) counted.set(path, await wholeFile(agent, path));
  return counted;
}

async function wholeFile(agent: Agent, path: string): Promise<Buffer> {
  const fd = await agent.open(path, 'rdonly');
  const pieces: Buffer[] = [];
  let piece: Buffer;
  do {
    piece = await agent.read(fd, PIECE);
    pieces.push(piece);
  } while (piece.length > 0);
  await agent.close(fd);
  return Buffer.concat(pieces);
}
