// SPDX-License-Identifier: MIT
/** The table of verbs. Loaded when used: most runs need one. */
import type { Verb } from './verb.ts';

export const verbs: Record<string, () => Promise<Verb>> = {
  run: async () => (await import('./verbs/run.ts')).run,
  test: async () => (await import('./verbs/test.ts')).test,
  mutation: async () => (await import('./verbs/mutation.ts')).mutation,
  faults: async () => (await import('./verbs/faults.ts')).faults,
  soak: async () => (await import('./verbs/soak.ts')).soak,
  setup: async () => (await import('./verbs/setup.ts')).setup,
  update: async () => (await import('./verbs/update.ts')).update,
  kernel: async () => (await import('./verbs/kernel.ts')).kernel,
  trust: async () => (await import('./verbs/trust.ts')).trust,
  bench: async () => (await import('./verbs/bench.ts')).bench,
  up: async () => (await import('./verbs/up.ts')).up,
  down: async () => (await import('./verbs/down.ts')).down,
  coverage: async () => (await import('./verbs/coverage.ts')).coverage,
  compare: async () => (await import('./verbs/compare.ts')).compare,
  doctor: async () => (await import('./verbs/doctor.ts')).doctor,
  help: async () => (await import('./verbs/help.ts')).help,
};
