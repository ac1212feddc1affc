import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mayCloneInto } from '../../../src/cgroup/may-clone-into.ts'
import { createTempDir } from '../../support/temp-dir.ts'

it('mayCloneInto() asks for the nearest cgroup above both places', () => {
  using mount = createTempDir()
  const path = (name: string): string => join(mount.path, name)
  const may = (to: string, from: string): boolean =>
    mayCloneInto(path(to), mount.path, `1:x:/y\n0::${from}\n`)
  for (const name of ['user/app/a', 'user/app/b', 'session/c', 'user/app/a/below'])
    mkdirSync(path(name), { recursive: true })
  for (const name of ['user', 'user/app', 'user/app/a', 'user/app/b', 'user/app/a/below'])
    writeFileSync(path(`${name}/cgroup.procs`), '')
  expect(may('user/app/a', '/user/app/b')).toBe(true)
  expect(may('user/app/a/below', '/user/app/a')).toBe(true)
  expect(may('user/app/a', '/user/app/a')).toBe(true)
  expect(may('user/app/a', '/user/app/ab')).toBe(true)
  // The root of the tree, which is the nearest above both, is nobody's but root's.
  expect(may('user/app/a', '/session/c')).toBe(false)
  expect(may('user/app/none', '/user/app/b')).toBe(false)
})
