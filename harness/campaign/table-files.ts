// SPDX-License-Identifier: MIT
/** The table of a campaign on disk: for people as Markdown, for programs as JSON. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Each file is whole at any time, so that what is known outlives a campaign that is killed, and a full disk. */
export class TableFiles {
  /** Absolute paths. */
  readonly text: string;
  readonly data: string;
  #written: Promise<void> = Promise.resolve();

  /** @param reports absolute path of the folder @param name of the files, without what they end in */
  constructor(reports: string, name: string) {
    this.text = join(reports, `${name}.md`);
    this.data = join(reports, `${name}.json`);
  }

  /** In the order of the calls, also when one begins before the last has ended. */
  write(data: object, text: string): Promise<void> {
    const writing = async (): Promise<void> => {
      await replace(this.data, `${JSON.stringify(data, null, 2)}\n`);
      await replace(this.text, text);
    };
    const written = this.#written.then(writing);
    // Whoever called hears of what went wrong; the next one starts afresh.
    this.#written = written.catch(() => {});
    return written;
  }
}

async function replace(file: string, content: string): Promise<void> {
  const draft = `${file}.new`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(draft, content);
  await rename(draft, file);
}
