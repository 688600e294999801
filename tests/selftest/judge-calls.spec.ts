// SPDX-License-Identifier: MIT
/** The judges of calls, one or many, and of courses, on saved observations, good and bad. */
import { expect, test } from '@playwright/test';
import {
  judgeCourse,
  judgeErrno,
  judgeExpectations,
  judgeSuccess,
  slopeOf,
} from '../../harness/judge/judges.ts';
import type { Course, Expectation, Finding } from '../../harness/judge/observation.ts';

const blamed = (findings: readonly Finding[]) => findings.map(({ blame, rule }) => `${blame}: ${rule}`);

const course = (value: (rounds: number) => number, count = 12): Course => ({
  label: 'free memory',
  unit: 'bytes',
  samples: Array.from({ length: count }, (_, i) => ({ rounds: i * 100, value: value(i * 100) })),
});
const noise = (rounds: number) => 500_000_000 + ((rounds * 7919) % 130) * 1000;
const leak = (rounds: number) => 500_000_000 - rounds * 4096 + ((rounds * 7919) % 13) * 1000;

const good: Expectation[] = [
  { call: 'mremap, one page more', outcome: { kind: 'error', errno: 'EFAULT' }, accepted: ['EFAULT'] },
  { call: 'mlock', outcome: { kind: 'success', value: 0 }, accepted: ['success'] },
  { call: 'store', outcome: { kind: 'signal', signal: 'SIGSEGV' }, accepted: ['SIGBUS', 'SIGSEGV'] },
];

test.describe('how calls end', () => {
  const call = 'mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0x4000)';

  test('the named error, and no other', () => {
    expect(judgeErrno({ call, outcome: { kind: 'error', errno: 'EINVAL' } }, ['EINVAL', 'ENXIO'])).toEqual(
      [],
    );
    const [wrong] = judgeErrno({ call, outcome: { kind: 'error', errno: 'ENOMEM' } }, ['EINVAL', 'ENXIO']);
    expect(wrong).toEqual({
      rule: 'errno',
      blame: 'driver',
      message: `${call} failed with ENOMEM, expected EINVAL or ENXIO`,
    });
  });

  test('success and signals are not errors', () => {
    const [success] = judgeErrno({ call, outcome: { kind: 'success', value: 0x7f00_0000 } }, ['EINVAL']);
    expect(success).toMatchObject({ rule: 'must-fail', blame: 'driver' });
    const [signal] = judgeErrno({ call, outcome: { kind: 'signal', signal: 'SIGBUS' } }, ['EINVAL']);
    expect(signal?.message).toContain('raised SIGBUS, expected EINVAL');
  });

  test('success where it is due', () => {
    expect(judgeSuccess({ call, outcome: { kind: 'success', value: 0 } })).toEqual([]);
    expect(blamed(judgeSuccess({ call, outcome: { kind: 'error', errno: 'ENODEV' } }))).toEqual([
      'driver: must-succeed',
    ]);
  });

  test('an answer that never came, or an expectation that was never stated', () => {
    expect(blamed(judgeErrno({ call }, ['EINVAL']))).toEqual(['lab: evidence']);
    expect(blamed(judgeSuccess({ call }))).toEqual(['lab: evidence']);
    expect(blamed(judgeErrno({ call, outcome: { kind: 'error', errno: 'EINVAL' } }, []))).toEqual([
      'lab: evidence',
    ]);
  });
});

test.describe('many calls', () => {
  test('calls that end as accepted are no finding', () => {
    expect(judgeExpectations(good)).toEqual([]);
  });

  test('success where an error is due, an error where success is due, and the wrong error', () => {
    const bad: Expectation[] = [
      { call: 'a', outcome: { kind: 'success', value: 0 }, accepted: ['EINVAL'] },
      { call: 'b', outcome: { kind: 'error', errno: 'ENOMEM' }, accepted: ['success'] },
      { call: 'c', outcome: { kind: 'signal', signal: 'SIGBUS' }, accepted: ['SIGSEGV'] },
      { call: 'd', outcome: { kind: 'error', errno: 'EIO' }, accepted: ['EINVAL', 'ENXIO'] },
    ];
    const findings = judgeExpectations([...good, ...bad]);
    expect(blamed(findings)).toEqual([
      'driver: must-fail',
      'driver: must-succeed',
      'driver: ending',
      'driver: ending',
    ]);
    expect(findings[3]?.message).toBe('d failed with EIO, expected EINVAL or ENXIO');
  });

  test('what was not seen is no fault of the driver, and no pass', () => {
    expect(blamed(judgeExpectations([]))).toEqual(['lab: evidence']);
    expect(blamed(judgeExpectations([{ call: 'a', accepted: ['EINVAL'] }]))).toEqual(['lab: evidence']);
    const nothing: Expectation = { call: 'a', outcome: { kind: 'success', value: 0 }, accepted: [] };
    expect(blamed(judgeExpectations([nothing]))).toEqual(['lab: evidence']);
  });

  test('a flood of deviations is counted, and stays the fault of whose it is', () => {
    const unseen: Expectation = { call: 'unseen', accepted: ['EINVAL'] };
    const wrong: Expectation = {
      call: 'wrong',
      outcome: { kind: 'success', value: 0 },
      accepted: ['EINVAL'],
    };
    const findings = judgeExpectations([...Array.from({ length: 20 }, () => unseen), wrong]);
    expect(findings).toHaveLength(13);
    expect(findings.at(-1)).toMatchObject({ blame: 'driver', rule: 'must-fail' });
    expect(findings.at(-1)?.message).toContain('9 more of 21 calls');
  });
});

test.describe('courses', () => {
  test('noise around a constant is no slope, nor is one step while caches fill', () => {
    expect(judgeCourse(course(noise), 600)).toEqual([]);
    expect(
      judgeCourse(
        course((rounds) => (rounds < 200 ? 900_000 : 500_000)),
        100,
      ),
    ).toEqual([]);
  });

  test('a page lost in every round is a leak, whatever the noise', () => {
    const findings = judgeCourse(course(leak), 600);
    expect(blamed(findings)).toEqual(['driver: slope']);
    expect(findings[0]?.message).toContain('each round changes it by -409');
  });

  test('more given back than taken is as wrong', () => {
    expect(
      blamed(
        judgeCourse(
          course((rounds) => rounds * 4096),
          600,
        ),
      ),
    ).toEqual(['driver: slope']);
  });

  test('an expected slope is held in both directions', () => {
    const cost = course((rounds) => -8192 * rounds);
    expect(slopeOf(cost)).toBe(-8192);
    expect(judgeCourse(cost, 100, -8192)).toEqual([]);
    expect(blamed(judgeCourse(cost, 100, -4096))).toEqual(['driver: slope']);
  });

  test('few, missing or shuffled samples decide nothing', () => {
    for (const bad of [
      course(() => 1, 7),
      course(() => Number.NaN),
      { ...course(() => 1), samples: course(() => 1).samples.toReversed() },
    ]) {
      expect(blamed(judgeCourse(bad, 1e9))).toEqual(['lab: evidence']);
    }
  });
});
