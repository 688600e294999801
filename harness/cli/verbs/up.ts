// SPDX-License-Identifier: MIT
/** `npx bufrig up`: boots a guest that stays, for runs without a boot and for a look around by hand. */
import { LabError } from '../../errors.ts';
import { guests } from '../../target/guests.ts';
import { keptGuest, type KeptGuest } from '../../target/kept.ts';
import type { QemuSpec } from '../../target/spec.ts';
import { guarded } from '../arguments.ts';
import { keep, startKeeper } from '../keeping.ts';
import { setUp } from '../set-up.ts';
import { exit, type Verb } from '../verb.ts';

export const up: Verb = {
  summary: 'boot a guest (the default one) that stays up for --project=board until npx bufrig down',
  usage: '[GUEST] [--stay in the foreground, until Ctrl-C]',
  run: guarded(async (context, args) => {
    const { settings, terminal } = context;
    const stay = args.includes('--stay');
    const guest = guestNamed(args.find((arg) => arg !== '--stay'));
    const already = await keptGuest(settings.cacheRoot);
    if (already !== undefined) {
      for (const line of waysIn(already)) terminal.line(line);
      return exit.ok;
    }
    if (guest === guests[0]) await setUp(context);
    if (stay) await keep(context, guest);
    else for (const line of waysIn(await startKeeper(context, guest))) terminal.line(line);
    return exit.ok;
  }),
};

function guestNamed(name = guests[0].name): QemuSpec {
  const guest = guests.find((each) => each.name === name);
  if (guest !== undefined) return guest;
  throw new LabError('BAD_ARGUMENT', `there is no guest ${name}`, {
    hint: `one of ${guests.map((each) => each.name).join(', ')}`,
  });
}

function waysIn({ spec, release, console }: KeptGuest): string[] {
  const { hostname, port } = new URL(spec.address);
  const trusting = '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null';
  return [
    `\n${spec.name} is up, with Linux ${release}.`,
    'The suite on it:  npx playwright test --project=board',
    `A shell:          ssh -i ${spec.identities?.[0] ?? ''} -p ${port} ${trusting} root@${hostname}`,
    `The console:      tail -f ${console}`,
    'The end of it:    npx bufrig down',
  ];
}
