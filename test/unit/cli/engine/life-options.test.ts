import { describe, expect, it } from 'vitest'
import { CommandOptions } from '../../../../src/cli/engine/command.ts'
import { LIFE_OPTIONS, lifeRequest } from '../../../../src/cli/engine/run-options/life-options.ts'

const SPECS = { ...LIFE_OPTIONS, rm: { type: 'flag', describe: '' } } as const
const request = (given: Record<string, boolean | string | readonly string[]>) =>
  lifeRequest(new CommandOptions(SPECS, new Map(Object.entries(given))))

describe('lifeRequest()', () => {
  it('asks for nothing without options', () => {
    expect(request({})).toEqual({})
  })

  it('reads the options of docker and podman', () => {
    expect(
      request({
        restart: 'on-failure:3',
        timeout: '5',
        'die-with-parent': false,
        'log-opt': ['max-size=1m'],
        'health-cmd': 'curl -f localhost',
        'health-interval': '1m30s',
        'health-start-period': '0s',
        'health-retries': '2',
        'health-on-failure': 'kill',
      }),
    ).toEqual({
      restart: { name: 'on-failure', maximumRetryCount: 3 },
      timeout: 5,
      log: { driver: 'k8s-file', maxSize: 1024 * 1024, maxFiles: 1 },
      health: {
        test: ['CMD-SHELL', 'curl -f localhost'],
        intervalMs: 90_000,
        startPeriodMs: 0,
        retries: 2,
        onFailure: 'kill',
      },
    })
  })

  it.each([
    ['none', ['NONE']],
    ['["ls", "/a b"]', ['CMD', 'ls', '/a b']],
    ['["CMD-SHELL", "a | b"]', ['CMD-SHELL', 'a | b']],
    ['[ -f /ready ]', ['CMD-SHELL', '[ -f /ready ]']],
    ['[1]', ['CMD-SHELL', '[1]']],
  ])('reads the command %s as podman does', (command, test) => {
    expect(request({ 'health-cmd': command }).health).toEqual({ test })
  })

  it('knows an interval that never comes', () => {
    expect(request({ 'health-interval': 'disable' }).health).toEqual({ intervalMs: 0 })
    expect(request({ 'no-healthcheck': true }).health).toEqual({ test: ['NONE'] })
  })

  it.each([
    [{ restart: 'always', rm: true }, /--rm together with --restart/],
    [{ restart: 'always', 'die-with-parent': true }, /--die-with-parent together with --restart/],
    [{ restart: 'always', 'health-on-failure': 'restart' }, /--health-on-failure restart together/],
    [{ 'no-healthcheck': true, 'health-cmd': 'x' }, /--no-healthcheck together with --health-cmd/],
    [{ 'health-interval': '0' }, /--health-interval "0".*at least 1ms/],
    [{ 'health-timeout': '5 minutes' }, /--health-timeout "5 minutes"/],
    [{ 'health-start-period': '9999h' }, /--health-start-period "9999h"/],
    [{ 'health-retries': '0' }, /--health-retries "0".*at least 1/],
    [{ 'health-on-failure': 'panic' }, /"panic": it is one of none, kill, restart, stop/],
    [{ timeout: '99999999' }, /--timeout "99999999": the longest is 4294967 seconds/],
    [{ 'log-driver': 'syslog' }, /the log driver "syslog"/],
  ])('refuses %j', (given, message) => {
    expect(() => request(given as never)).toThrow(message)
  })
})
