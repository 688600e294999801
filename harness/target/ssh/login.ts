// SPDX-License-Identifier: MIT
/** Offers the keys one after the other, and tells afterwards which were tried when none was taken. */
import type { AuthHandlerMiddleware, BaseAgent, ParsedKey } from 'ssh2';
import { LabError } from '../../errors.ts';
import type { Identities } from './identities.ts';

export class LoginAttempt {
  readonly #user: string;
  readonly #identities: Identities;
  readonly #agentFor: (key: ParsedKey) => BaseAgent;
  #tried = 0;
  #methods: readonly string[] = [];

  /** @param agentFor an agent that offers this one key only */
  constructor(user: string, identities: Identities, agentFor: (key: ParsedKey) => BaseAgent) {
    this.#user = user;
    this.#identities = identities;
    this.#agentFor = agentFor;
  }

  /**
   * For ssh2's authHandler. The first question is `none`, as RFC 4252 suggests: it lets accounts
   * without a password in, costs no try, and its refusal names what the server does accept.
   */
  readonly next: AuthHandlerMiddleware = (methodsLeft) => {
    const username = this.#user;
    if (methodsLeft === null) return { type: 'none', username };
    this.#methods = methodsLeft;
    const offer = methodsLeft.includes('publickey') ? this.#identities.offers[this.#tried] : undefined;
    if (offer === undefined) return false;
    this.#tried += 1;
    return offer.key.from === 'file'
      ? { type: 'publickey', username, key: offer.key.content }
      : { type: 'agent', username, agent: this.#agentFor(offer.key.key) };
  };

  /**
   * The error for a login that was not granted.
   * @param cut the connection just ended; with no key tried yet, that says nothing about keys
   */
  refused(who: string, why: string, cut: boolean): LabError {
    if (cut && this.#tried === 0)
      return new LabError('LINK_LOST', `${who}: the connection broke during the login: ${why}`);
    const user = this.#user;
    const tried = this.#identities.offers.slice(0, this.#tried).map((offer) => offer.label);
    const untried = this.#identities.offers
      .slice(this.#tried)
      .map((offer) => `${offer.label}: the server ended the login before it`);
    const lines = [
      `${who}: the server did not let ${user} in: ${why}`,
      `  tried    ${tried.length === 0 ? 'no key: none was found' : tried.join('\n           ')}`,
      ...[...this.#identities.leftOut, ...untried].map((text) => `  left out ${text}`),
      ...(this.#methods.length === 0 ? [] : [`  accepted ${this.#methods.join(', ')}`]),
    ];
    return new LabError('SSH_AUTH', lines.join('\n'), {
      hint: `check the user name; add the public half of a key to authorized_keys of ${user} on the target, or name the right key file`,
    });
  }
}
