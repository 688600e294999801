// SPDX-License-Identifier: MIT
/**
 * How the Allure report looks. Folders are given on the command line by allure.ts; the labels are the
 * ones it writes: `verdict`, `epic` (what is judged), `story` (the property).
 */

/** @param {string} verdict */
const withVerdict = (verdict) => ({ labels: { verdict } });

export default {
  name: 'bufrig',
  categories: [
    { name: 'Kernel crash', matchers: withVerdict('crash'), groupByMessage: true, expand: true },
    { name: 'Driver fails its claim', matchers: withVerdict('fail'), groupByMessage: true, expand: true },
    { name: 'Target hangs', matchers: withVerdict('hang'), groupByMessage: true },
    {
      name: 'Lab failure: says nothing about the driver',
      matchers: withVerdict('infra'),
      groupByMessage: true,
    },
    { name: 'Not run', matchers: withVerdict('not-run'), groupByMessage: true },
  ],
  plugins: {
    awesome: { options: { singleFile: true, groupBy: ['epic', 'story'], reportLanguage: 'en' } },
  },
};
