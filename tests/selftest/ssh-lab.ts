// SPDX-License-Identifier: MIT
/** A lab for tests of SSH: servers that misbehave on request and connections to them, both gone with the test. */
import { test as base } from '@playwright/test';
import { newHostKey } from '../../harness/build/per-run.ts';
import { Deadline } from '../../harness/deadline.ts';
import { LabError } from '../../harness/errors.ts';
import { Connection, type ConnectionOptions } from '../../harness/target/ssh/connection.ts';
import { FaultyServer, type Behaviour } from './ssh-server.ts';

/** Starts servers and opens connections that end with the test. */
interface Lab {
  serve: (behaviour?: Behaviour) => Promise<FaultyServer>;
  open: (options: ConnectionOptions) => Promise<Connection>;
}

export const test = base.extend<{ lab: Lab }>({
  lab: async ({}, use) => {
    const ends: Array<() => Promise<void>> = [];
    await use({
      serve: async (behaviour) => {
        const server = await FaultyServer.start(behaviour);
        ends.push(() => server.close());
        return server;
      },
      open: async (options) => {
        const connection = await Connection.open(options, Deadline.in(20_000));
        ends.push(() => connection.close());
        return connection;
      },
    });
    for (const end of ends) await end();
  },
});

/** Opens and gives the error, which there must be. */
export async function refusal(options: ConnectionOptions, milliseconds = 20_000): Promise<LabError> {
  const result = await Connection.open(options, Deadline.in(milliseconds)).catch((error: unknown) => error);
  if (result instanceof LabError) return result;
  throw new Error(`a LabError was expected, not ${String(result)}`);
}

export function optionsFor(port: number, more: Partial<ConnectionOptions> = {}): ConnectionOptions {
  const address = { user: 'root', host: '127.0.0.1', port };
  return { name: 'lab', address, identities: [], hostKey: newHostKey().fingerprint, knownHosts: [], ...more };
}
