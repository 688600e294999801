// SPDX-License-Identifier: MIT
/** One ioctl of contigbuf: every structure of its ABI begins with its own size. */
import type { Agent } from '../agent/client.ts';
import type { Fields, Layout } from './layout.ts';

export const DEVICE = '/dev/contigbuf';

/** @throws SyscallError as the driver answered */
export async function call<F extends Fields>(
  agent: Agent,
  fd: number,
  request: number,
  layout: Layout<F>,
  values: Partial<Record<F[number][0], number | bigint>>,
): Promise<Record<F[number][0], bigint>> {
  const argument = layout.encode({ size: layout.bytes, ...values });
  return layout.decode((await agent.ioctl(fd, request, argument)).data);
}
