import { describe, expect, it } from 'vitest'
import { subCgroupPath } from '../../../../src/cli/oci/sub-cgroup.ts'

describe('subCgroupPath()', () => {
  it.each([
    [[], undefined],
    [['a/b'], 'a/b'],
    [['cpu:a'], 'a'],
    [['cpu,memory:a', 'pids:a'], 'a'],
    [['cpu:a:b'], 'a:b'],
  ])('%j is %j', (values, expected) => {
    expect(subCgroupPath(values)).toBe(expected)
  })

  it.each([
    [['a', 'b'], 'a (missing <controller>: prefix)'],
    [['cpu:a', 'a'], 'a (missing <controller>: prefix)'],
    [[':a'], ':a (empty <controller> prefix)'],
    [['cpu,:a'], 'cpu,:a (empty <controller> prefix)'],
    [['cpu:a', 'cpu:a'], 'controller cpu specified twice'],
    [['cpu:a', 'pids:b'], 'pids:b (cgroup v2 has one path'],
  ])('refuses %j', (values, text) => {
    expect(() => subCgroupPath(values)).toThrow(text)
  })
})
