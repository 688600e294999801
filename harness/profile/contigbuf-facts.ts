// SPDX-License-Identifier: MIT
/** What contigbuf tells, beside what is so; driver/uapi/contigbuf.h says what each field means. */
import type { Agent } from '../agent/client.ts';
import { attempt } from '../agent/errors.ts';
import { call, DEVICE } from './contigbuf-call.ts';
import * as abi from './contigbuf-abi.ts';
import type { Fact } from './ioctls.ts';
import type { Layout } from './layout.ts';

const { requests } = abi;
const {
  CONTIGBUF_NAMING_FD: FD,
  CONTIGBUF_NAMING_COOKIE: COOKIE,
  CONTIGBUF_NAMING_APERTURE: APERTURE,
} = abi.naming;
const { CONTIGBUF_BACKEND_DMA: DMA, CONTIGBUF_BACKEND_PAGES: PAGES } = abi.backend;
const { CONTIGBUF_CACHE_COHERENT: COHERENT, CONTIGBUF_CACHE_CACHED: CACHED } = abi.cache;
const VERSION = 1n;
const FEATURE_SYNC = 1n;
const FEATURE_DMABUF = 2n;
/** Depends on the kernel that the module was built for; no call tells whether it is so. */
const FEATURE_HUGE = 4n;
/** What every machine of a rig can give, once. */
const ORDINARY = 2n ** 24n;

/** What the file that is asked has of a buffer. */
type Having = Record<'attached' | 'offset' | 'naming', bigint>;
type Values = Readonly<Record<string, number | bigint>>;

/** What CONTIGBUF_IOC_CAPS tells, beside what comes of trying it. */
export async function factsOfDriver(agent: Agent): Promise<Fact[]> {
  const told = await onFreshFile(agent, (fd) => call(agent, fd, requests.CONTIGBUF_IOC_CAPS, abi.caps, {}));
  const alloc = (values: Values) =>
    errorOf(agent, requests.CONTIGBUF_IOC_ALLOC, abi.alloc, { bytes: 1, ...values });
  /** The values from `first` on that ALLOC takes in a field, as bits. */
  const taken = async (field: string, first: number, refused: readonly string[]) => {
    let bits = 0n;
    for (let value = first; value < 32; value++)
      bits |= await unless(1n << BigInt(value), refused, alloc({ [field]: value }));
    return bits;
  };
  const lacking = ['EINVAL', 'EOPNOTSUPP'];
  const [unknown, { size_max: sizeMax, align_max: alignMax }] = [['ENOTTY'], told];
  const sync = errorOf(agent, requests.CONTIGBUF_IOC_SYNC, abi.sync, {});
  const exported = errorOf(agent, requests.CONTIGBUF_IOC_EXPORT, abi.exportArgument, {});
  return [
    { says: 'version', told: told.version, found: VERSION },
    { says: 'namings', told: told.namings, found: await taken('naming', 0, ['EINVAL']) },
    { says: 'backends', told: told.backends, found: await taken('backend', 1, lacking) },
    { says: 'caches', told: told.caches, found: await taken('cache', 1, lacking) },
    {
      says: 'features',
      told: told.features & ~FEATURE_HUGE,
      found: (await unless(FEATURE_SYNC, unknown, sync)) | (await unless(FEATURE_DMABUF, unknown, exported)),
    },
    { says: 'cookie_stride', told: told.cookie_stride, found: await strideOf(agent) },
    { says: 'a buffer above size_max', told: 'ENOMEM', found: await alloc({ bytes: sizeMax + 1n }) },
    { says: 'an ordinary buffer is below size_max', told: sizeMax >= ORDINARY, found: true },
    { says: 'an alignment above align_max', told: 'EINVAL', found: await alloc({ align: 2n * alignMax }) },
    {
      says: 'align_max can be asked for',
      told: true,
      found: ['none', 'ENOMEM'].includes(await alloc({ align: alignMax })),
    },
  ];
}

/** What CONTIGBUF_IOC_INFO tells of two buffers, beside what was asked for and done. */
export async function factsOfBuffers(agent: Agent): Promise<Fact[]> {
  const [small, large] = [1, agent.pageBytes + 1];
  return [
    ...(await factsOf(agent, { bytes: small, align: 65_536, naming: COOKIE, backend: PAGES, cache: CACHED })),
    ...(await factsOf(agent, { bytes: large, align: 0, naming: FD, backend: DMA, cache: COHERENT })),
  ];
}

function factsOf(
  agent: Agent,
  asked: Record<'bytes' | 'align' | 'naming' | 'backend' | 'cache', number>,
): Promise<Fact[]> {
  return onFreshFile(agent, (own) =>
    onFreshFile(agent, async (other) => {
      const made = await call(agent, own, requests.CONTIGBUF_IOC_ALLOC, abi.alloc, asked);
      const always = {
        ...{ size: BigInt(abi.info.bytes), flags: 0n, reserved: 0n, id: made.id },
        ...{ bytes: BigInt(asked.bytes), allocated: made.allocated, align: BigInt(asked.align) },
        ...{ backend: BigInt(asked.backend), cache: BigInt(asked.cache) },
      };
      // Of an earlier answer, say.
      const stale = {
        naming: 3,
        bytes: 7,
        allocated: 7,
        align: 7,
        offset: 7,
        backend: 7,
        cache: 7,
        attached: 7,
      };
      const facts: Fact[] = [];
      const add = async (to: string, fd: number, id: bigint, found: Partial<typeof always> & Having) =>
        facts.push({
          says: `${asked.bytes} bytes, to ${to}`,
          told: await call(agent, fd, requests.CONTIGBUF_IOC_INFO, abi.info, { ...stale, id }),
          found: { ...always, ...found },
        });

      const has = { attached: 1n, offset: made.offset, naming: BigInt(asked.naming) };
      await add('its own file', own, made.id, has);
      await add('another file', other, made.id, { attached: 0n, offset: 0n, naming: 0n });
      const attach = { id: made.id, naming: APERTURE };
      const { offset } = await call(agent, other, requests.CONTIGBUF_IOC_ATTACH, abi.attach, attach);
      await add('one that it is attached to', other, made.id, { ...has, offset, naming: BigInt(APERTURE) });
      if (asked.naming === FD) {
        await add('its own file, asked without a name', own, 0n, has);
        await call(agent, other, requests.CONTIGBUF_IOC_FREE, abi.free, { id: made.id });
        await add('its own file, when it has lost its name', own, 0n, { ...has, id: 0n });
      }
      return facts;
    }),
  );
}

async function unless(bit: bigint, refused: readonly string[], error: Promise<string>): Promise<bigint> {
  return refused.includes(await error) ? 0n : bit;
}

async function onFreshFile<T>(agent: Agent, use: (fd: number) => Promise<T>): Promise<T> {
  const fd = await agent.open(DEVICE, 'rdwr');
  try {
    return await use(fd);
  } finally {
    await agent.close(fd);
  }
}

/** @returns the error of one call on a fresh file, or `none` */
async function errorOf(agent: Agent, request: number, layout: Layout, values: Values): Promise<string> {
  const argument = layout.encode({ size: layout.bytes, ...values });
  const { errno = 'none' } = await onFreshFile(agent, (fd) =>
    attempt(() => agent.ioctl(fd, request, argument)),
  );
  return errno;
}

/** Bytes between the offsets of one id and the next. */
function strideOf(agent: Agent): Promise<bigint> {
  return onFreshFile(agent, async (fd) => {
    const make = () =>
      call(agent, fd, requests.CONTIGBUF_IOC_ALLOC, abi.alloc, {
        bytes: 1,
        naming: COOKIE,
      });
    const [one, other] = [await make(), await make()];
    return (other.offset - one.offset) / (other.id - one.id);
  });
}
