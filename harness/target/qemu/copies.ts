// SPDX-License-Identifier: MIT
/**
 * Pristine guests: copies of one that was booted once and saved. A copy shares the saved RAM and has
 * only the pages of its own that it wrote to. When there is no copy to be had a guest is booted, and
 * that is said aloud.
 */
import { randomBytes } from 'node:crypto';
import type { Deadline } from '../../deadline.ts';
import { LabError, messageOf } from '../../errors.ts';
import { Undo } from '../../undo.ts';
import type { SourceContext, TargetSource } from '../source.ts';
import type { QemuSpec } from '../spec.ts';
import type { Connection } from '../ssh/connection.ts';
import { gatherFacts, readAnswers, type MachineFacts } from '../ssh/facts.ts';
import { PendingConnection, type Link } from '../ssh/pending.ts';
import { knownTargetOver } from '../ssh/target.ts';
import { waitForSsh } from '../ssh/wait.ts';
import type { Target } from '../target.ts';
import { bootTarget } from './boot.ts';
import { abilitiesOf, detailsOf, entryTo } from './guest-target.ts';
import { Guest } from './guest.ts';
import { Lines } from './lines.ts';
import { GUEST_DIRECTORY, guestOptions, recipeFor, type Recipe } from './recipe.ts';
import { RunFolder } from './run-folder.ts';
import { discard, savedGuest, type SavedGuest } from './saved-guest.ts';

/** Milliseconds on hardware from QEMU's start to a login, as for booting; measured under emulation: 1 s. */
const RESTORE_LIMIT = 12_000;
/**
 * Milliseconds on hardware that a copy is left alone before it is logged in to, where nobody needs that:
 * under emulation it keeps a processor of the guest busy for 0.2 s, which comes first for whoever waits for
 * the copy. The login watches over the guest: it tells that a guest has fallen silent.
 */
const LOGIN_DELAY = 300;
/** Saved guests that may turn out to be of no use before the rig stops making them. */
const TRIES = 2;

export class GuestCopies implements TargetSource {
  readonly pristine = true;
  readonly #spec: QemuSpec;
  readonly #context: SourceContext;
  #recipe: Promise<Recipe> | undefined;
  #useless = 0;

  constructor(spec: QemuSpec, context: SourceContext) {
    this.#spec = spec;
    this.#context = context;
  }

  async take(deadline: Deadline): Promise<Target> {
    this.#recipe ??= recipeFor(this.#spec, this.#context, deadline);
    const recipe = await this.#recipe.catch((error: unknown) => {
      this.#recipe = undefined;
      throw error;
    });
    if (this.#useless >= TRIES) return bootTarget(recipe, deadline);
    const saved = await this.#saved(recipe, deadline);
    if (saved === undefined) return bootTarget(recipe, deadline);
    try {
      return await restoreTarget(recipe, saved, deadline);
    } catch (error) {
      if (deadline.cancelled) throw error;
      this.#giveUpOn(error);
      // Others use it, too: that this machine was slow once is no reason to take it from them.
      if (isAboutState(error) || this.#useless >= TRIES) await discard(this.#context.cache, saved.directory);
      return bootTarget(recipe, deadline);
    }
  }

  async #saved(recipe: Recipe, deadline: Deadline): Promise<SavedGuest | undefined> {
    const { cache, announce } = this.#context;
    try {
      return await savedGuest(recipe, cache, deadline, (saved) => examine(recipe, saved, deadline), announce);
    } catch (error) {
      // What keeps a guest from booting is not about saving it.
      if (deadline.cancelled || !isAboutState(error)) throw error;
      this.#giveUpOn(error);
      return undefined;
    }
  }

  #giveUpOn(error: unknown): void {
    this.#useless += 1;
    this.#context.announce(
      `${this.#spec.name}: cannot be restored, booting a guest instead: ${messageOf(error)}`,
    );
  }
}

function isAboutState(error: unknown): boolean {
  return error instanceof LabError && error.code === 'SAVED_STATE';
}

/** @throws LabError `SAVED_STATE`; those of SSH */
export async function restoreTarget(recipe: Recipe, saved: SavedGuest, within: Deadline): Promise<Target> {
  const undo = new Undo();
  return undo.onFailure(async () => {
    const deadline = within.atMost(RESTORE_LIMIT * recipe.patience);
    const { guest, lines } = await restoreGuest(recipe, saved, undo, deadline);
    const { patience } = recipe;
    const { name } = recipe.spec;
    const delay = lines === undefined ? 0 : LOGIN_DELAY * patience;
    const connection = new PendingConnection({ name, patience, delay }, (signal) =>
      login(guest, recipe, saved, within.atMost(RESTORE_LIMIT * patience), signal),
    );
    undo.add('drop the connection', () => connection.drop());
    const bootId = await renew(lines ?? connection, recipe, deadline);
    return knownTargetOver(connection, name, { ...saved.machine, bootId }, GUEST_DIRECTORY, {
      ...abilitiesOf(guest, recipe, lines, () => undo.run()),
      origin: 'restored',
      settled: () => connection.open(),
      kernelTree: recipe.kernel.tree,
      kernelModules: recipe.kernel.modules,
      accelerator: recipe.accelerator.name,
      programs: recipe.spec.programs,
      details: detailsOf(recipe, saved.files),
    });
  });
}

type Restorable = Pick<SavedGuest, 'files' | 'ram' | 'state'>;

async function restoreGuest(
  recipe: Recipe,
  saved: Restorable,
  undo: Undo,
  deadline: Deadline,
): Promise<{ guest: Guest; lines: Lines | undefined }> {
  const folder = await RunFolder.create(0);
  undo.add("remove the guest's folder", () => folder.dispose());
  const options = guestOptions(recipe, saved.files.initramfs, { file: saved.ram, as: 'copy' });
  const guest = await Guest.start(folder, options, deadline);
  undo.add('stop QEMU', () => guest.kill());
  const lines = await guest.lines(recipe);
  undo.add('close the lines', () => lines?.close());
  await guest.restore(saved.state, deadline);
  return { guest, lines };
}

async function login(
  guest: Guest,
  recipe: Recipe,
  { files }: Restorable,
  deadline: Deadline,
  signal?: AbortSignal,
): Promise<Connection> {
  const entry = { ...(await entryTo(guest, recipe, files, deadline)), knownShell: true, signal };
  return waitForSsh(entry, deadline, () => guest.whyDead());
}

/** Asks a copy what the guest is; that it can be asked shows that the state restores. */
async function examine(recipe: Recipe, saved: Restorable, within: Deadline): Promise<MachineFacts> {
  const undo = new Undo();
  try {
    const deadline = within.atMost(RESTORE_LIMIT * recipe.patience);
    const { guest, lines } = await restoreGuest(recipe, saved, undo, deadline);
    await lines?.answer(deadline);
    const connection = await login(guest, recipe, saved, deadline);
    undo.add('close the connection', () => connection.close());
    return await gatherFacts(connection, undefined, deadline);
  } finally {
    await undo.run();
  }
}

/** Gives a copy the time of day, randomness of its own, and so a boot id of its own, which is returned. */
async function renew(way: Link | Lines, recipe: Recipe, deadline: Deadline): Promise<string> {
  const { agent, spec } = recipe;
  const argv = [agent.path, 'renew', (Date.now() / 1000).toFixed(3)];
  const options = { input: randomBytes(64), deadline };
  if (way instanceof Lines) await way.answer(deadline);
  const result = await (way instanceof Lines ? way.exec(argv, {}, options) : way.exec(argv, options));
  const bootId = readAnswers(result?.stdout ?? '').get('boot');
  if (result?.code === 0 && bootId !== undefined && bootId !== '') return bootId;
  throw new LabError('SAVED_STATE', `${spec.name}: cannot be renewed: ${result?.stderr.trim()}`);
}
