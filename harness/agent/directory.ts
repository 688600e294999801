// SPDX-License-Identifier: MIT
/** What is in a folder of the target. */
import type { Agent } from './client.ts';

/** struct linux_dirent64 of linux/dirent.h: inode, offset, length of the entry, type, name. */
const LENGTH_AT = 16;
const NAME_AT = 19;

/**
 * Names of its entries, in no order, without `.` and `..`.
 * @throws SyscallError
 */
export async function entriesOf(agent: Agent, folder: string): Promise<string[]> {
  const fd = await agent.open(folder, 'rdonly');
  const memory = await agent.anonymous(agent.pageBytes);
  const names: string[] = [];
  try {
    for (;;) {
      const { returned } = await agent.request<{ returned: string }>(
        ...(['syscall', 'getdents64', fd, memory.address, agent.pageBytes] as const),
      );
      if (Number(returned) === 0) return names;
      const entries = await memory.peek(0, Number(returned));
      for (let at = 0; at < entries.length; at += entries.readUInt16LE(at + LENGTH_AT)) {
        const name = entries.toString('utf8', at + NAME_AT, entries.indexOf(0, at + NAME_AT));
        if (name !== '.' && name !== '..') names.push(name);
      }
    }
  } finally {
    await memory.unmap();
    await agent.close(fd);
  }
}
