// SPDX-License-Identifier: MIT
/** The driver under test as files: built once, put on every target, and who it says it is. */
import { readFile } from 'node:fs/promises';
import type { Agent } from '../agent/client.ts';
import { architectureOfMachine } from '../build/architectures.ts';
import type { Cache } from '../build/cache.ts';
import { buildModule, buildModuleOnTarget } from '../build/module.ts';
import { Deadline } from '../deadline.ts';
import { run } from '../process.ts';
import type { DriverProfile } from '../profile/profile.ts';
import type { DriverFacts } from '../report/contract.ts';
import type { Target } from '../target/target.ts';

export type { DriverFacts };

export class DriverFiles {
  readonly #cache: Cache;
  readonly #profile: DriverProfile;
  readonly #diffFile: string | undefined;
  /** The module as targets get it, by the tree it was built against. */
  readonly #built = new Map<string, Promise<Buffer>>();
  #facts: DriverFacts | undefined;

  constructor(cache: Cache, profile: DriverProfile, diffFile: string | undefined) {
    this.#cache = cache;
    this.#profile = profile;
    this.#diffFile = diffFile;
  }

  /**
   * @returns the module's path on the target
   * @throws DriverError `MODULE_BUILD`; LabError those of building and of Target.put
   */
  async deploy(target: Target): Promise<string> {
    const { module } = this.#profile;
    const { kernelTree } = target;
    if (kernelTree.where === 'target') {
      return (await buildModuleOnTarget(this.#cache, target, kernelTree, await this.#request())).file;
    }
    const { directory } = kernelTree;
    const build = this.#built.get(directory) ?? this.#build(target, directory);
    this.#built.set(directory, build);
    return target.put(await build, `${module.name}.ko`);
  }

  /** What the loaded driver says of itself; asked once, since it is the same driver everywhere. */
  async facts(startAgent: () => Promise<Agent>): Promise<DriverFacts> {
    if (this.#facts !== undefined) return this.#facts;
    const agent = await startAgent();
    const version = await this.#profile.version(agent);
    await agent.end();
    const commit = await commitOf(this.#profile.module.source);
    this.#facts = { profile: this.#profile.name, version, commit };
    return this.#facts;
  }

  async #build(target: Target, directory: string): Promise<Buffer> {
    const architecture = architectureOfMachine(target.facts.machine);
    const tree = { where: 'host' as const, directory };
    const built = await buildModule(this.#cache, { ...(await this.#request()), architecture, tree });
    return readFile(built.file);
  }

  async #request() {
    const { source, headers } = this.#profile.module;
    const diff = this.#diffFile === undefined ? undefined : await readFile(this.#diffFile, 'utf8');
    return { source, extraSources: headers, diff };
  }
}

/** The commit that the source is at, with `+` when it was changed since; empty outside of git. */
async function commitOf(folder: string): Promise<string> {
  const deadline = Deadline.in(10_000);
  const commit = await run(['git', '-C', folder, 'rev-parse', '--short=12', 'HEAD'], { deadline });
  if (commit.code !== 0) return '';
  const changes = await run(['git', '-C', folder, 'status', '--porcelain', '--', '.'], { deadline });
  return `${commit.stdout.trim()}${changes.stdout === '' ? '' : '+'}`;
}
