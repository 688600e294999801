// SPDX-License-Identifier: MIT
/**
 * Debian packages of any architecture, by name, in the cache. Which version and hash a name stands
 * for is remembered: the second time nothing is downloaded and no network is needed, until the
 * answer is asked anew.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LabError } from '../errors.ts';
import { runOk } from '../process.ts';
import { Apt, arePackageFacts, hostRepositories, type PackageFacts } from './apt.ts';
import type { Architecture } from './architectures.ts';
import type { Cache } from './cache.ts';
import { contentKey } from './content-hash.ts';
import { sourcesFile, withSuite } from './debian-sources.ts';

export interface DebianRequest {
  architecture: Architecture;
  /** For example `bookworm-backports`; by default the release of this machine, with its updates. */
  suite?: string | undefined;
  /** `name` for the newest, or `name=version`. */
  packages: readonly string[];
  /** Also everything the packages depend on, down to the C library. */
  withDependencies?: boolean;
  /** Also the dependencies whose names match, and theirs. For packages whose other dependencies are of no use here. */
  follow?: RegExp;
  /** Ask the archive anew instead of using the remembered answer. */
  refresh?: boolean | undefined;
}

export interface DebianPackage extends PackageFacts {
  /** Path of the .deb in the cache. */
  file: string;
}

/** Indexes younger than this are not fetched again, in ms: one run asks for several packages. */
const FRESH = 10 * 60 * 1000;

/**
 * The packages, downloaded. Dependencies come after what was asked for.
 * @throws LabError `DEBIAN_PACKAGE_MISSING`, `DEBIAN_NO_NETWORK`, `DEBIAN_HASH_MISMATCH`,
 *   `DEBIAN_ARCHIVE_MOVED`, `DEBIAN_UNTRUSTED`, `DEBIAN_SOURCES`, `DEBIAN_DISK`
 */
export async function fetchDebian(cache: Cache, request: DebianRequest): Promise<DebianPackage[]> {
  try {
    return await fetchOnce(cache, request, request.refresh ?? false);
  } catch (error) {
    // The remembered version left the archive, or the index did between two updates: once more, with a new index.
    const stale = error instanceof LabError && error.code === 'DEBIAN_ARCHIVE_MOVED';
    if (!stale && !(error instanceof LabError && error.code === 'DEBIAN_PACKAGE_MISSING')) throw error;
    return await fetchOnce(cache, request, true, 0);
  }
}

/** Unpacks a package below `directory`, next to what is already there. */
export async function unpackDebian(file: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await runOk(['dpkg-deb', '-x', file, directory]);
}

async function fetchOnce(
  cache: Cache,
  request: DebianRequest,
  refresh: boolean,
  fresh = FRESH,
): Promise<DebianPackage[]> {
  const { codename, repositories } = await hostRepositories();
  const sources = withSuite(repositories, codename, request.suite ?? codename);
  const state = `${request.architecture}-${contentKey(sourcesFile(sources)).slice(0, 8)}`;

  /** Runs `work` with this state's apt; nobody else uses the state meanwhile. */
  const withApt = <T>(maximumAge: number, work: (apt: Apt) => Promise<T>): Promise<T> =>
    cache.lock(`apt/${state}`, async () => {
      const apt = await Apt.in(join(cache.root, 'apt', state), request.architecture, sources);
      if ((await apt.age()) > maximumAge) {
        cache.progress(`reading Debian's index of ${request.suite ?? codename} for ${request.architecture}`);
        const complaint = await apt.update();
        if (complaint !== undefined) cache.progress(`going on without an index: ${complaint}`);
      }
      return work(apt);
    });

  const question = contentKey(
    state,
    request.packages.join(' '),
    request.withDependencies === true ? 'closure' : '',
    request.follow?.source ?? '',
  );
  const facts = await cache.record(
    'resolved',
    `${request.packages[0]?.replace(/=.*/, '')}-${request.architecture}-${question.slice(0, 12)}`,
    {
      compute: () => withApt(refresh ? fresh : FRESH, (apt) => resolve(apt, request)),
      isValid: arePackageFacts,
      refresh,
    },
  );

  const absent: PackageFacts[] = [];
  for (const one of facts) if (!(await isFile(debPath(cache, one)))) absent.push(one);
  if (absent.length > 0) {
    const megabytes = absent.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
    cache.progress(`downloading ${absent.map(({ name }) => name).join(' ')} (${megabytes.toFixed(0)} MB)`);
    await cache.scratch(async (directory) => {
      const files = await withApt(Infinity, (apt) => apt.download(absent, directory));
      for (const one of absent) await keep(cache, one, files.get(one.name));
    });
  }
  return facts.map((one) => ({ ...one, file: debPath(cache, one) }));
}

async function resolve(apt: Apt, request: DebianRequest): Promise<PackageFacts[]> {
  if (request.withDependencies === true) return apt.show(await apt.closure(request.packages));
  const found = await apt.show(request.packages);
  for (const one of found) {
    const known = new Set(found.map(({ name }) => name));
    const next = one.depends.filter((name) => request.follow?.test(name) === true && !known.has(name));
    if (next.length > 0) found.push(...(await apt.show(next)));
  }
  return found;
}

function debPath(cache: Cache, { name, sha256 }: PackageFacts): string {
  return join(cache.root, 'deb', sha256, `${name}.deb`);
}

/** Moves a downloaded file into the cache if it is what the index says. */
async function keep(cache: Cache, facts: PackageFacts, file: string | undefined): Promise<void> {
  if (file === undefined) {
    throw new LabError('DEBIAN_APT', `apt downloaded no file for ${facts.name} ${facts.version}`);
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  if (hash.digest('hex') !== facts.sha256) {
    throw new LabError(
      'DEBIAN_HASH_MISMATCH',
      `${facts.name} ${facts.version} is not what the index promised`,
    );
  }
  await cache.entry('deb', facts.sha256, (directory) => rename(file, join(directory, `${facts.name}.deb`)));
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
