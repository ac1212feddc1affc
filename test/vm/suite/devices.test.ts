/** Device rules hold where no older hierarchy has a say; runc and crun are the oracles. */
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DeviceRule } from '../../../src/oci/runtime-config.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../../support/runtime.ts'
import { startLimited } from './limited-container.ts'

// The numbers of no driver: what open(2) says then tells whether the rules refused it.
const NODE = { path: '/dev/unclaimed', type: 'c', major: 240, minor: 250 }
const DENIED: DeviceRule = { allow: false, access: 'rwm' }
const allowed = (access: string): DeviceRule => ({ allow: true, type: 'c', major: 240, access })

const REFUSED = 'Operation not permitted'
const LET_THROUGH = 'No such device or address'

describe.each(installedRuntimes())('%s', (name) => {
  let runtime: Runtime
  beforeEach(() => {
    runtime = makeRuntime(name)
  })
  afterEach(() => runtime[Symbol.dispose]())

  const start = (...devices: readonly DeviceRule[]) =>
    startLimited(runtime, 'exec sleep 1000', { devices }, (config) => ({
      ...config,
      linux: { ...config.linux, devices: [NODE] },
    }))
  const open = (id: string, mode: '<' | '>'): string =>
    runtime.run(['exec', id, 'sh', '-c', `: ${mode} /dev/unclaimed`]).stderr

  it('refuses a device that no rule allows, with EPERM', () => {
    using container = start(DENIED)
    expect(open(container.id, '<')).toContain(REFUSED)
    expect(open(container.id, '>')).toContain(REFUSED)
  })

  it('lets through what a rule allows, and only the access that it names', () => {
    using container = start(DENIED, allowed('r'))
    expect(open(container.id, '<')).toContain(LET_THROUGH)
    expect(open(container.id, '>')).toContain(REFUSED)
  })

  // runc and crun take no device rules in an update.
  it.runIf(name === 'tsrun')(
    'changes the rules of a running container, with one program at all times',
    () => {
      using container = start(DENIED)
      const update = (...devices: readonly DeviceRule[]): void => {
        const input = JSON.stringify({ devices })
        runtime.succeed(['update', '--resources=-', container.id], { input })
        expect(programsOf(container.cgroup)).toHaveLength(1)
      }
      update(DENIED, allowed('rw'))
      expect(open(container.id, '>')).toContain(LET_THROUGH)
      update(DENIED)
      expect(open(container.id, '>')).toContain(REFUSED)
    },
  )
})

function programsOf(cgroup: string): readonly unknown[] {
  const { stdout } = spawnSync('bpftool', ['--json', 'cgroup', 'show', cgroup], {
    encoding: 'utf8',
  })
  return JSON.parse(stdout)
}
