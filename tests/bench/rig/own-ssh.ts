// SPDX-License-Identifier: MIT
/** The rig's own SSH client, logged in to a guest that was booted, beside all that the target has. */
import { Deadline } from '../../../harness/deadline.ts';
import { parseAddress } from '../../../harness/target/ssh/address.ts';
import { Connection } from '../../../harness/target/ssh/connection.ts';
import type { Target } from '../../../harness/target/target.ts';

/** Milliseconds for a login, on a busy machine. */
const LOGIN_LIMIT = 60_000;

/** Whoever gets it closes it. */
export function ownSsh({ facts, patience }: Target): Promise<Connection> {
  const { address = '', 'login key': key = '', fingerprint = '' } = facts.details;
  return Connection.open(
    {
      name: facts.name,
      address: parseAddress(address),
      identities: [key],
      hostKey: fingerprint,
      knownHosts: [],
      patience,
    },
    Deadline.in(LOGIN_LIMIT),
  );
}
