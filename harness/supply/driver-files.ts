// SPDX-License-Identifier: MIT
/** The driver under test as files: built once, put on every target, and who it says it is. */
import { readFile } from 'node:fs/promises';
import type { Agent } from '../agent/client.ts';
import { architectureOfMachine } from '../build/architectures.ts';
import type { Cache } from '../build/cache.ts';
import { readCounts } from '../build/gcov.ts';
import { buildModule, buildModuleOnTarget } from '../build/module.ts';
import { Deadline } from '../deadline.ts';
import type { FileRun } from '../measure/lines-run.ts';
import { run } from '../process.ts';
import type { DriverModule, DriverProfile } from '../profile/profile.ts';
import type { DriverFacts } from '../report/contract.ts';
import type { Target } from '../target/target.ts';
import { decoded, decodedAfterwards, type DecodableModule } from './decoded.ts';
import { moduleFromFile, moduleFromKernel } from './module-files.ts';

export type { DriverFacts };

/** What a user may have said about the driver; see harness/settings.ts. */
export interface DriverSettings {
  driverDiff?: string | undefined;
  moduleFile?: string | undefined;
}

type SourceFolder = Extract<DriverModule['source'], object>;

interface Built {
  /** The module as targets get it. */
  image: Buffer;
  symbols: DecodableModule | undefined;
  /** See {@link BuiltModule.notes}. */
  notes: string | undefined;
}

export class DriverFiles {
  readonly #cache: Cache;
  readonly #profile: DriverProfile;
  readonly #settings: DriverSettings;
  /** What was built, by the tree it was built against. */
  readonly #built = new Map<string, Promise<Built>>();
  #facts: DriverFacts | undefined;

  constructor(cache: Cache, profile: DriverProfile, settings: DriverSettings) {
    this.#cache = cache;
    this.#profile = profile;
    this.#settings = settings;
  }

  /**
   * @returns the module's path on the target; empty for a driver that is part of the kernel
   * @throws DriverError `MODULE_BUILD`; LabError those of building and of Target.put
   */
  async deploy(target: Target): Promise<string> {
    const { module } = this.#profile;
    const { kernelTree } = target;
    if (module === undefined) return '';
    if (module.source === 'kernel') return moduleFromKernel(target, module.name);
    if (module.source === 'file') return moduleFromFile(target, module.name, this.#settings.moduleFile);
    const { source } = module;
    if (kernelTree.where === 'target') {
      const request = await this.#request(source);
      return (await buildModuleOnTarget(this.#cache, target, kernelTree, request)).file;
    }
    const { directory } = kernelTree;
    const build = this.#built.get(directory) ?? this.#build(target, source, directory);
    this.#built.set(directory, build);
    return target.put((await build).image, `${module.name}.ko`);
  }

  /** Puts lines of source beside places in the driver's code, where it was built on this machine. */
  async decode(target: Target, lines: readonly string[]): Promise<readonly string[]> {
    const symbols = await this.#symbolsFor(target);
    return symbols === undefined ? lines : decoded(lines, symbols);
  }

  /** The same when the driver is gone. @param code where its code began */
  async decodeAfterwards(target: Target, lines: readonly string[], code: bigint): Promise<readonly string[]> {
    const symbols = await this.#symbolsFor(target);
    return symbols === undefined ? lines : decodedAfterwards(lines, symbols, code);
  }

  /**
   * What the driver's lines were run on a target, where the driver counts that.
   * @param counted what its kernel has counted
   */
  async linesRun(target: Target, counted: () => Promise<ReadonlyMap<string, Buffer>>): Promise<FileRun[]> {
    const notes = (await this.#builtFor(target))?.notes;
    if (notes === undefined) return [];
    const architecture = architectureOfMachine(target.facts.machine);
    return readCounts(this.#cache, architecture, notes, await counted());
  }

  /** What the loaded driver says of itself; asked once, since it is the same driver everywhere. */
  async facts(startAgent: () => Promise<Agent>): Promise<DriverFacts> {
    if (this.#facts !== undefined) return this.#facts;
    const agent = await startAgent();
    const version = await this.#profile.version(agent);
    await agent.end();
    const source = this.#profile.module?.source;
    const commit = typeof source === 'object' ? await commitOf(source.folder) : '';
    this.#facts = { profile: this.#profile.name, version, commit };
    return this.#facts;
  }

  async #build(target: Target, source: SourceFolder, directory: string): Promise<Built> {
    const architecture = architectureOfMachine(target.facts.machine);
    const tree = { where: 'host' as const, directory };
    const built = await buildModule(this.#cache, { ...(await this.#request(source)), architecture, tree });
    const { unstripped: file } = built;
    const name = this.#profile.module?.name;
    return {
      image: await readFile(built.file),
      notes: built.notes,
      symbols:
        file === undefined || name === undefined
          ? undefined
          : { name, file, architecture, source: source.folder },
    };
  }

  async #symbolsFor(target: Target): Promise<DecodableModule | undefined> {
    return (await this.#builtFor(target))?.symbols;
  }

  async #builtFor({ kernelTree }: Target): Promise<Built | undefined> {
    if (kernelTree.where === 'target') return undefined;
    return this.#built.get(kernelTree.directory);
  }

  async #request({ folder, allowWarnings }: SourceFolder) {
    const { driverDiff } = this.#settings;
    const diff = driverDiff === undefined ? undefined : await readFile(driverDiff, 'utf8');
    const warnings = allowWarnings === undefined ? {} : { allowWarnings };
    return { source: folder, extraSources: this.#profile.headers, diff, ...warnings };
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
