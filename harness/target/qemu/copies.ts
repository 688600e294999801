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
import { knownTargetOver } from '../ssh/target.ts';
import { waitForSsh } from '../ssh/wait.ts';
import type { Target } from '../target.ts';
import { bootTarget } from './boot.ts';
import { abilitiesOf, detailsOf, entryTo } from './guest-target.ts';
import { Guest } from './guest.ts';
import { GUEST_DIRECTORY, guestOptions, recipeFor, type Recipe } from './recipe.ts';
import { RunFolder } from './run-folder.ts';
import { discard, savedGuest, type SavedGuest } from './saved-guest.ts';

/** Milliseconds on hardware from QEMU's start to a login; measured under emulation: 1 s. */
const RESTORE_LIMIT = 6000;
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
      await discard(this.#context.cache, saved.directory);
      this.#giveUpOn(error);
      return bootTarget(recipe, deadline);
    }
  }

  async #saved(recipe: Recipe, deadline: Deadline): Promise<SavedGuest | undefined> {
    const { cache, announce } = this.#context;
    try {
      return await savedGuest(recipe, cache, deadline, (saved) => examine(recipe, saved, deadline), announce);
    } catch (error) {
      // What keeps a guest from booting is not about saving it.
      if (!(error instanceof LabError) || error.code !== 'SAVED_STATE') throw error;
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

/** @throws LabError `SAVED_STATE`; those of SSH */
export async function restoreTarget(recipe: Recipe, saved: SavedGuest, within: Deadline): Promise<Target> {
  const undo = new Undo();
  return undo.onFailure(async () => {
    const deadline = within.atMost(RESTORE_LIMIT * recipe.patience);
    const { guest, connection } = await restoreGuest(recipe, saved, undo, deadline);
    undo.add('close the connection', () => connection.close());
    const bootId = await renew(connection, recipe, deadline);
    return knownTargetOver(connection, { ...saved.machine, bootId }, GUEST_DIRECTORY, {
      ...abilitiesOf(guest, recipe, () => undo.run()),
      origin: 'restored',
      kernelTree: recipe.kernel.tree,
      accelerator: recipe.accelerator.name,
      programs: recipe.spec.programs,
      details: detailsOf(recipe, saved.files),
    });
  });
}

async function restoreGuest(
  recipe: Recipe,
  saved: Pick<SavedGuest, 'files' | 'ram' | 'state'>,
  undo: Undo,
  deadline: Deadline,
): Promise<{ guest: Guest; connection: Connection }> {
  const folder = await RunFolder.create(0);
  undo.add("remove the guest's folder", () => folder.dispose());
  const options = guestOptions(recipe, saved.files.initramfs, { file: saved.ram, as: 'copy' });
  const guest = await Guest.start(folder, options, deadline);
  undo.add('stop QEMU', () => guest.kill());
  await guest.restore(saved.state, deadline);
  const entry = { ...(await entryTo(guest, recipe, saved.files, deadline)), knownShell: true };
  return { guest, connection: await waitForSsh(entry, deadline, () => guest.whyDead()) };
}

/** Asks a copy what the guest is; that it can be asked shows that the state restores. */
async function examine(
  recipe: Recipe,
  saved: Pick<SavedGuest, 'files' | 'ram' | 'state'>,
  within: Deadline,
): Promise<MachineFacts> {
  const undo = new Undo();
  try {
    const deadline = within.atMost(RESTORE_LIMIT * recipe.patience);
    const { connection } = await restoreGuest(recipe, saved, undo, deadline);
    undo.add('close the connection', () => connection.close());
    return await gatherFacts(connection, undefined, deadline);
  } finally {
    await undo.run();
  }
}

/** Gives a copy the time of day, randomness of its own, and so a boot id of its own, which is returned. */
async function renew(connection: Connection, { agent }: Recipe, deadline: Deadline): Promise<string> {
  const now = (Date.now() / 1000).toFixed(3);
  const result = await connection.exec([agent.path, 'renew', now], { input: randomBytes(64), deadline });
  const bootId = readAnswers(result.stdout).get('boot');
  if (result.code === 0 && bootId !== undefined && bootId !== '') return bootId;
  throw new LabError('SAVED_STATE', `${connection.who}: cannot be renewed: ${result.stderr.trim()}`);
}
