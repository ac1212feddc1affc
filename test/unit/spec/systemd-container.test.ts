import { describe, expect, it } from 'vitest'
import { buildSpec } from '../../../src/spec/build-spec.ts'
import { stopSignal } from '../../../src/spec/command.ts'
import { isForSystemd } from '../../../src/spec/systemd-container.ts'
import { specInput } from './input.ts'

describe('isForSystemd()', () => {
  it.each([
    [undefined, ['/sbin/init'], false],
    ['false', ['/sbin/init'], false],
    ['true', ['/sbin/init'], true],
    ['true', ['/usr/lib/systemd/systemd', '--x'], true],
    ['true', ['sh'], false],
    ['always', ['sh'], true],
  ])('--systemd %s with %j: %s', (systemd, args, expected) => {
    expect(isForSystemd({ systemd }, args)).toBe(expected)
  })

  it('refuses another word', () => {
    expect(() => isForSystemd({ systemd: 'sometimes' }, [])).toThrow(/systemd "sometimes"/)
  })
})

describe('buildSpec() for systemd', () => {
  it('gives what it needs, and stops it by its own signal', () => {
    const options = { systemd: 'true', command: ['/sbin/init'] }
    const { mounts = [], process } = buildSpec(specInput(options))
    expect(process?.env).toContain('container=tsrun')
    const at = (path: string) => mounts.find(({ destination }) => destination === path)
    for (const path of ['/run', '/run/lock', '/tmp', '/var/log/journal'])
      expect(at(path)?.type).toBe('tmpfs')
    expect(at('/sys/fs/cgroup')?.options).toContain('rw')
    expect(stopSignal(undefined, options)).toBe('SIGRTMIN+3')
  })
})
