// SPDX-License-Identifier: MIT
/** Mistakes with the names of buffers for which driver/uapi/contigbuf.h has an error of their own. */
import type { Agent } from '../agent/client.ts';
import { attempt } from '../agent/errors.ts';
import { call, DEVICE } from './contigbuf-call.ts';
import * as abi from './contigbuf-abi.ts';
import type { Mistake, MistakeReady } from './ioctls.ts';
import type { Layout } from './layout.ts';

const { naming: names, requests } = abi;
const {
  CONTIGBUF_NAMING_FD: FD,
  CONTIGBUF_NAMING_COOKIE: COOKIE,
  CONTIGBUF_NAMING_APERTURE: APERTURE,
} = names;
const { CONTIGBUF_BACKEND_PAGES: PAGES } = abi.backend;
const { CONTIGBUF_CACHE_WC: WRITE_COMBINED } = abi.cache;
const O_RDONLY = 0;
const O_WRONLY = 1;
const O_RDWR = 2;

/** An ioctl on one of two open files, about the buffer of the first one. */
interface Act {
  on: 'first' | 'second';
  request: number;
  argument(id: bigint): Buffer;
}

interface Plan {
  says: string;
  error: string;
  /** How the first file names the buffer that it has. */
  first: number;
  /** How the second file names one of its own; it has none unless given. */
  second?: number;
  /** What the second file was opened for; for reading and writing unless given. */
  access?: 'rdonly' | 'wronly';
  /** What happens before, and succeeds. */
  before?: readonly Act[];
  wrong: Act;
}

function allocating(on: Act['on'], naming: number, values: Readonly<Record<string, number>> = {}): Act {
  const argument = abi.alloc.encode({ size: abi.alloc.bytes, bytes: 1, naming, ...values });
  return { on, request: requests.CONTIGBUF_IOC_ALLOC, argument: () => argument };
}

function attaching(on: Act['on'], naming: number, flags = 0): Act {
  return { on, request: requests.CONTIGBUF_IOC_ATTACH, argument: about(abi.attach, { naming, flags }) };
}

function detaching(on: Act['on']): Act {
  return { on, request: requests.CONTIGBUF_IOC_DETACH, argument: about(abi.detach) };
}

function freeing(on: Act['on']): Act {
  return { on, request: requests.CONTIGBUF_IOC_FREE, argument: about(abi.free) };
}

function exporting(on: Act['on'], access: number): Act {
  const argument = about(abi.exportArgument, { fd_flags: access });
  return { on, request: requests.CONTIGBUF_IOC_EXPORT, argument };
}

function synchronising(on: Act['on']): Act {
  return { on, request: requests.CONTIGBUF_IOC_SYNC, argument: about(abi.sync, { flags: 1, length: 1 }) };
}

function asking(on: Act['on']): Act {
  return { on, request: requests.CONTIGBUF_IOC_INFO, argument: about(abi.info) };
}

function resolving(on: Act['on']): Act {
  return { on, request: requests.CONTIGBUF_IOC_RESOLVE, argument: about(abi.resolve) };
}

/** The same, about the buffer that the file is. */
function nameless(act: Act): Act {
  return { ...act, argument: () => act.argument(0n) };
}

function about(layout: Layout, values: Readonly<Record<string, number>> = {}): Act['argument'] {
  return (id) => layout.encode({ size: layout.bytes, id, ...values });
}

/** Calls without a name are about the buffer that the file is. */
const onNoBuffer: readonly Plan[] = [
  { name: 'INFO', act: asking },
  { name: 'RESOLVE', act: resolving },
  { name: 'SYNC', act: synchronising },
  { name: 'EXPORT', act: (on: Act['on']) => exporting(on, O_RDWR) },
  { name: 'DETACH', act: detaching },
  { name: 'FREE', act: freeing },
].map(({ name, act }) => ({
  says: `${name} without a name on a file whose buffers have offsets`,
  ...{ error: 'ENOENT', first: COOKIE, wrong: nameless(act('first')) },
}));

const plans: readonly Plan[] = [
  ...onNoBuffer,
  { says: 'ALLOC for a file that is a buffer', error: 'EBUSY', first: FD, wrong: allocating('first', FD) },
  {
    says: 'ALLOC by offset for a file that is a buffer',
    error: 'EBUSY',
    first: FD,
    wrong: allocating('first', COOKIE),
  },
  {
    says: 'ALLOC of a file’s own buffer where buffers have offsets',
    error: 'EBUSY',
    first: COOKIE,
    wrong: allocating('first', FD),
  },
  {
    says: 'ALLOC with another kind of offset than the file has',
    error: 'EBUSY',
    first: COOKIE,
    wrong: allocating('first', APERTURE),
  },
  {
    says: 'ALLOC of memory in a cache mode that its source never has',
    error: 'EOPNOTSUPP',
    first: COOKIE,
    wrong: allocating('first', COOKIE, { backend: PAGES, cache: WRITE_COMBINED }),
  },
  { says: 'ATTACH of what is attached', error: 'EEXIST', first: COOKIE, wrong: attaching('first', COOKIE) },
  {
    says: 'a second ATTACH of another file’s buffer',
    error: 'EEXIST',
    first: COOKIE,
    before: [attaching('second', APERTURE)],
    wrong: attaching('second', APERTURE),
  },
  {
    says: 'ATTACH of the buffer that the file is',
    error: 'EBUSY',
    first: FD,
    wrong: attaching('first', FD),
  },
  {
    says: 'ATTACH to a file that is another buffer',
    error: 'EBUSY',
    first: COOKIE,
    second: FD,
    wrong: attaching('second', FD),
  },
  {
    says: 'ATTACH as a file’s own buffer where buffers have offsets',
    error: 'EBUSY',
    first: FD,
    second: COOKIE,
    wrong: attaching('second', FD),
  },
  {
    says: 'ATTACH with another kind of offset than the file has',
    error: 'EBUSY',
    first: COOKIE,
    second: COOKIE,
    wrong: attaching('second', APERTURE),
  },
  {
    says: 'ATTACH of a freed buffer',
    error: 'ENOENT',
    first: FD,
    before: [freeing('second')],
    wrong: attaching('second', FD),
  },
  {
    says: 'DETACH of what was never attached',
    error: 'ENOENT',
    first: COOKIE,
    second: COOKIE,
    wrong: detaching('second'),
  },
  {
    says: 'a second DETACH',
    error: 'ENOENT',
    first: COOKIE,
    before: [attaching('second', COOKIE), detaching('second')],
    wrong: detaching('second'),
  },
  {
    says: 'FREE of what lost its name with its last DETACH',
    error: 'ENOENT',
    first: COOKIE,
    before: [detaching('first')],
    wrong: freeing('first'),
  },
  {
    says: 'a second FREE',
    error: 'ENOENT',
    first: FD,
    before: [freeing('second')],
    wrong: freeing('second'),
  },
  {
    says: 'SYNC of what a file was, and was freed of by its name',
    error: 'ENOENT',
    first: FD,
    before: [freeing('first')],
    wrong: nameless(synchronising('first')),
  },
  {
    says: 'SYNC of what is not attached',
    error: 'ENOENT',
    first: COOKIE,
    second: COOKIE,
    wrong: synchronising('second'),
  },
  {
    says: 'EXPORT of what is not attached',
    error: 'ENOENT',
    first: COOKIE,
    second: COOKIE,
    wrong: exporting('second', O_RDWR),
  },
  {
    says: 'EXPORT for reading and writing of what is attached for reading',
    error: 'EACCES',
    first: COOKIE,
    before: [attaching('second', COOKIE, abi.ATTACH_RDONLY)],
    wrong: exporting('second', O_RDWR),
  },
  {
    says: 'EXPORT for writing of what is attached for reading',
    error: 'EACCES',
    first: FD,
    before: [attaching('second', FD, abi.ATTACH_RDONLY)],
    wrong: exporting('second', O_WRONLY),
  },
  {
    says: 'EXPORT for reading and writing on a file that was opened for reading',
    ...{ error: 'EACCES', first: COOKIE, access: 'rdonly' },
    before: [attaching('second', COOKIE)],
    wrong: exporting('second', O_RDWR),
  },
  {
    says: 'EXPORT for reading on a file that was opened for writing',
    ...{ error: 'EACCES', first: FD, access: 'wronly' },
    before: [attaching('second', FD)],
    wrong: exporting('second', O_RDONLY),
  },
];

async function ready(agent: Agent, plan: Plan): Promise<MistakeReady> {
  const { first, second, access = 'rdwr', before = [], wrong } = plan;
  const files = { first: await agent.open(DEVICE, 'rdwr'), second: await agent.open(DEVICE, access) };
  const done = ({ on, request, argument }: Act, id: bigint) => agent.ioctl(files[on], request, argument(id));
  const { id } = abi.alloc.decode((await done(allocating('first', first), 0n)).data);
  if (second !== undefined) await done(allocating('second', second), 0n);
  for (const act of before) await done(act, id);
  return {
    fd: files[wrong.on],
    request: wrong.request,
    argument: wrong.argument(id),
    state: async () => ({ first: await infoOn(files.first, id), second: await infoOn(files.second, id) }),
    async end() {
      await agent.close(files.second);
      await agent.close(files.first);
    },
  };

  async function infoOn(fd: number, named: bigint): Promise<Record<string, bigint | string>> {
    const { CONTIGBUF_IOC_INFO: INFO } = requests;
    const { ok, errno } = await attempt(() => call(agent, fd, INFO, abi.info, { id: named }));
    return ok ?? { error: errno ?? 'none' };
  }
}

export const contigbufMistakes: readonly Mistake[] = plans.map((plan) => ({
  says: plan.says,
  errors: [plan.error],
  prepare: (agent) => ready(agent, plan),
}));
