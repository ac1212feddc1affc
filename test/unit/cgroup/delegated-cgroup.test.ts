import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { delegatedCgroup } from '../../../src/cgroup/delegated-cgroup.ts'
import { createTempDir, type TempDir } from '../../support/temp-dir.ts'

let mount: TempDir

beforeEach(() => {
  mount = createTempDir()
})

afterEach(() => mount[Symbol.dispose]())

function makeCgroup(path: string): void {
  mkdirSync(join(mount.path, path), { recursive: true })
  for (const file of ['cgroup.procs', 'cgroup.subtree_control'])
    writeFileSync(join(mount.path, path, file), '')
}

function find(text: string): string | undefined {
  return delegatedCgroup({ mountPoint: mount.path }, text)?.slice(mount.path.length)
}

describe('delegatedCgroup()', () => {
  it('is the one above ours, which has nobody in it', () => {
    makeCgroup('user/app.slice/run.scope')
    makeCgroup('user/app.slice')
    expect(find('1:name=systemd:/x\n0::/user/app.slice/run.scope\n')).toBe('/user/app.slice')
  })

  it('is our own where the one above has no files to write', () => {
    makeCgroup('user/app.slice/run.scope')
    expect(find('0::/user/app.slice/run.scope\n')).toBe('/user/app.slice/run.scope')
    rmSync(join(mount.path, 'user/app.slice/run.scope/cgroup.procs'))
    expect(find('0::/user/app.slice/run.scope\n')).toBeUndefined()
  })

  it.each(['', '0::/../other\n', '1:cpu:/\n'])('is nowhere for %j', (text) => {
    makeCgroup('other')
    expect(find(text)).toBeUndefined()
  })
})
