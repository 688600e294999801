// SPDX-License-Identifier: MIT
/**
 * apt with a state of its own: indexes, caches and an empty dpkg database in one directory, for one
 * architecture and one set of repositories. The machine's own lists, architectures and packages are
 * neither read nor changed, and no rights are needed; proxies, mirrors' logins and keys are the machine's.
 */
import { mkdir, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../errors.ts';
import { run } from '../process.ts';
import { aptError } from './apt-errors.ts';
import type { Architecture } from './architectures.ts';
import { debianRepositories, parseStanza, sourcesFile, type Repository } from './debian-sources.ts';

/** A package as the index describes it. */
export interface PackageFacts {
  name: string;
  version: string;
  architecture: string;
  /** SHA-256 of the .deb, in hex. */
  sha256: string;
  /** Size of the .deb in bytes. */
  bytes: number;
  /** Names this package depends on; of alternatives the first. */
  depends: string[];
}

/** Whether something read back from disk is a list of {@link PackageFacts}. */
export function arePackageFacts(value: unknown): value is PackageFacts[] {
  return (
    Array.isArray(value) &&
    value.every(
      (one: Partial<PackageFacts> | null) =>
        typeof one?.name === 'string' &&
        typeof one.version === 'string' &&
        /^[0-9a-f]{64}$/.test(one.sha256 ?? '') &&
        Array.isArray(one.depends),
    )
  );
}

export class Apt {
  readonly #directory: string;
  readonly #configuration: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#configuration = join(directory, 'apt.conf');
  }

  /** Writes the configuration; indexes that are already in `directory` are kept. */
  static async in(
    directory: string,
    architecture: Architecture,
    repositories: readonly Repository[],
  ): Promise<Apt> {
    const apt = new Apt(directory);
    await mkdir(join(directory, 'lists', 'partial'), { recursive: true });
    await mkdir(join(directory, 'cache', 'archives', 'partial'), { recursive: true });
    await writeFile(join(directory, 'status'), '');
    await writeFile(join(directory, 'debian.sources'), sourcesFile(repositories));
    await writeFile(apt.#configuration, configuration(directory, architecture));
    return apt;
  }

  /** Milliseconds since the indexes were fetched; infinite when they never were. */
  async age(): Promise<number> {
    const done = await stat(join(this.#directory, 'updated')).catch(() => undefined);
    return done === undefined ? Infinity : Date.now() - done.mtimeMs;
  }

  /**
   * Fetches the indexes. One that a mirror serves damaged is done without, if there are others.
   * @returns apt's complaint about the damaged ones
   * @throws LabError, see {@link aptError}
   */
  async update(): Promise<string | undefined> {
    let complaint: string | undefined;
    try {
      await this.#apt(['apt-get', 'update', '-q'], 'reading the package index');
    } catch (error) {
      const damaged = error instanceof LabError && error.code === 'DEBIAN_HASH_MISMATCH';
      const indexes = await readdir(join(this.#directory, 'lists'));
      if (!damaged || !indexes.some((name) => /_Packages(\.\w+)?$/.test(name))) throw error;
      complaint = error.message;
    }
    const stamp = join(this.#directory, 'updated');
    await writeFile(stamp, '');
    await utimes(stamp, new Date(), new Date());
    return complaint;
  }

  /**
   * What the index says of these packages, each `name` or `name=version`; the newest if no version is given.
   * @throws LabError `DEBIAN_PACKAGE_MISSING`
   */
  async show(packages: readonly string[]): Promise<PackageFacts[]> {
    const text = await this.#apt(
      ['apt-cache', 'show', '--no-all-versions', ...packages],
      `looking up ${packages.join(' ')}`,
    );
    const known = new Map(
      text
        .split(/\n\s*\n/)
        .filter((stanza) => stanza.trim() !== '')
        .map((stanza) => factsOf(parseStanza(stanza)))
        .map((facts) => [facts.name, facts]),
    );
    return packages.map((wanted) => {
      const facts = known.get(wanted.replace(/=.*/, ''));
      if (facts === undefined) throw missing(wanted);
      return facts;
    });
  }

  /** The packages and everything they depend on, as `name=version`, for a machine that has nothing yet. */
  async closure(packages: readonly string[]): Promise<string[]> {
    const argv = ['apt-get', 'install', '--simulate', '--yes', '--no-install-recommends', ...packages];
    const text = await this.#apt(argv, 'resolving dependencies');
    return [...text.matchAll(/^Inst (\S+) \((\S+)/gm)].map(([, name, version]) => `${name}=${version}`);
  }

  /** Downloads into `into`; apt checks sizes and hashes. @throws LabError, see {@link aptError} */
  async download(packages: readonly PackageFacts[], into: string): Promise<Map<string, string>> {
    const wanted = packages.map(({ name, version }) => `${name}=${version}`);
    await this.#apt(['apt-get', 'download', '-q', ...wanted], `downloading ${wanted.join(' ')}`, into);
    const files = new Map<string, string>();
    for (const file of await readdir(into)) files.set(file.replace(/_.*/, ''), join(into, file));
    return files;
  }

  async #apt(argv: [string, ...string[]] | string[], doing: string, cwd = this.#directory): Promise<string> {
    const [program = 'apt-get', ...rest] = argv;
    const result = await run([program, '-c', this.#configuration, ...rest], {
      cwd,
      env: { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (result.code === 0) return result.stdout;
    throw aptError(doing, `${result.stderr}\n${result.stdout}`);
  }
}

/** This machine's repositories of its own Debian release, and that release's name. @throws LabError `DEBIAN_SOURCES` */
export async function hostRepositories(): Promise<{ codename: string; repositories: Repository[] }> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const codename = /^VERSION_CODENAME="?([^"\n]+)/m.exec(release)?.[1];
  if (!/^ID="?debian"?$/m.test(release) || codename === undefined) {
    throw new LabError(
      'DEBIAN_SOURCES',
      'this machine does not run a release of Debian (see /etc/os-release)',
      {
        hint: 'run the rig on Debian 12, or in a container of it',
      },
    );
  }
  const directory = '/etc/apt/sources.list.d';
  const names = (await readdir(directory).catch(() => [])).map((name) => join(directory, name));
  const files = [];
  for (const name of ['/etc/apt/sources.list', ...names.toSorted()]) {
    if (/\.(list|sources)$/.test(name))
      files.push({ name, text: await readFile(name, 'utf8').catch(() => '') });
  }
  return { codename, repositories: debianRepositories(files, codename) };
}

function missing(name: string): LabError {
  return aptError(`looking up ${name}`, `E: Unable to locate package ${name}`);
}

function factsOf(fields: Map<string, string>): PackageFacts {
  const dependencies = [fields.get('pre-depends'), fields.get('depends')].filter(
    (field) => field !== undefined,
  );
  return {
    name: fields.get('package') ?? '',
    version: fields.get('version') ?? '',
    architecture: fields.get('architecture') ?? '',
    sha256: fields.get('sha256') ?? '',
    bytes: Number(fields.get('size')),
    depends: dependencies
      .join(',')
      .split(',')
      .map((alternatives) => /^\s*([^\s(|:]+)/.exec(alternatives)?.[1] ?? '')
      .filter((name) => name !== ''),
  };
}

function configuration(directory: string, architecture: Architecture): string {
  return `// apt.conf(5), read after the machine's own.
Dir::State "${directory}";
Dir::State::Lists "${directory}/lists";
Dir::State::status "${directory}/status";
Dir::Cache "${directory}/cache";
Dir::Etc::SourceList "${directory}/debian.sources";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Architecture "${architecture}";
#clear APT::Architectures;
APT::Architectures { "${architecture}"; };
#clear APT::NeverAutoRemove;
#clear APT::Default-Release;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
// A failed fetch is an error, not a warning about old indexes being used.
APT::Update::Error-Mode "any";
// The cache may be in a home that the _apt user cannot enter.
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
`;
}
