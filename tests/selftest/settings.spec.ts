// SPDX-License-Identifier: MIT
/** The environment is read as its user means it, and refused at once where it makes no sense. */
import { expect, test } from '@playwright/test';
import { absolutePaths, settingsFrom, settingsOfRuns } from '../../harness/settings.ts';

const HOME = '/home/someone';

test('paths are relative to where the user is, wherever they are used', () => {
  const env = {
    BUFRIG_DRIVER_DIFF: '../a.diff',
    BUFRIG_PROFILE: 'own.mts',
    BUFRIG_CACHE: '/c',
    BUFRIG_MODULE: '',
  };
  const absolute = absolutePaths(env, '/src/driver');
  expect(absolute).toEqual({
    BUFRIG_DRIVER_DIFF: '/src/a.diff',
    BUFRIG_PROFILE: '/src/driver/own.mts',
    BUFRIG_CACHE: '/c',
  });
  expect(settingsFrom({ HOME, ...env, ...absolute }, '/checkout')).toMatchObject({
    ...{ driverDiff: '/src/a.diff', profile: '/src/driver/own.mts', moduleFile: undefined },
    ...{ cacheRoot: '/c', reports: '/checkout/reports' },
  });
  expect(absolutePaths({ BUFRIG_PROFILE: 'vgem' }, '/src')).toEqual({});
});

test('what is set but empty is not set', () => {
  const { cacheRoot, ssh } = settingsFrom({ HOME, XDG_CACHE_HOME: '', XDG_CONFIG_HOME: '' }, '/checkout');
  expect(cacheRoot).toBe('/home/someone/.cache/bufrig');
  expect(ssh.knownHosts[0]).toBe('/home/someone/.config/bufrig/known_hosts');
  expect(settingsFrom({ HOME: '' }, '/checkout').cacheRoot).toMatch(/^\/.*\/\.cache\/bufrig$/);
});

test('a folder in which nothing can be built is refused', () => {
  for (const cache of ['/home/some one/cache', '/a:b', '/a,b', '/a#b'])
    expect(() => settingsFrom({ HOME, BUFRIG_CACHE: cache }, '/checkout')).toThrow(/cannot be built/);
  expect(() => settingsFrom({ HOME: '/home/some one' }, '/checkout')).toThrow(/BUFRIG_CACHE=FOLDER/);
});

test('what runs test is told to those that are started, and where they leave things is not', () => {
  const env = {
    BUFRIG_SLOW: '1',
    BUFRIG_REPORTS: '/r',
    BUFRIG_CACHE: '/c',
    BUFRIG_REPORTS_HELD: '/r',
    PATH: '/',
  };
  expect(settingsOfRuns(env)).toEqual({ BUFRIG_SLOW: '1' });
});
