/** `tsrun stats` and `tsrun top`: what containers use, and their processes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'

describe.skipIf(missing('root', 'cgroup2'))('a running container', () => {
  const engine = new TestEngine()
  beforeAll(async () => {
    await engine.loadBusybox()
    engine.succeed([
      'run',
      '-d',
      '--name',
      'used',
      'busybox',
      'sh',
      '-c',
      'sleep 1001 & while :; do :; done',
    ])
    engine.succeed(['run', '--name', 'ended', 'busybox', 'true'])
  })
  afterAll(() => engine[Symbol.dispose]())

  it('has its usage in stats, once, as JSON', () => {
    const row = JSON.parse(engine.succeed(['stats', '--no-stream', '--format', 'json', 'used']))
    expect(row).toMatchObject({ Name: 'used', PIDs: 2 })
    expect(Number.parseFloat(row.CPUPerc)).toBeGreaterThan(0)
    expect(row.MemUsage).toMatch(/^\S+i?B \/ \S+iB$/)
  })

  it('is the only one in the table, where -a shows the ended one too', () => {
    const table = engine.succeed(['stats', '--no-stream'])
    expect(table.split('\n')[0]).toMatch(/^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT/)
    expect(table.split('\n')).toHaveLength(2)
    const all = engine.succeed(['stats', '--no-stream', '-a', '--format', '{{.Name}} {{.PIDs}}'])
    expect(all.split('\n').sort()).toEqual(['ended --', 'used 2'])
  })

  it('shows its processes in top, with the options of ps', () => {
    const table = engine.succeed(['top', 'used'])
    expect(table).toMatch(/^UID +PID +PPID/)
    expect(table.split('\n').slice(1)).toHaveLength(2)
    expect(table).toContain('sleep 1001')
    expect(engine.succeed(['top', 'used', '-o', 'pid,args'])).toMatch(/^ *PID COMMAND\n/)
  })

  it('is what top needs', () => {
    expect(engine.run(['top', 'ended']).stderr).toBe(
      'tsrun: cannot show the processes of container "ended": it is not running; hint: tsrun start ended starts it\n',
    )
    expect(engine.run(['top', 'used', '-o', 'args']).stderr).toContain('cannot find a PID column')
    expect(engine.run(['stats', 'nobody']).stderr).toBe(
      'tsrun: no such container: nobody; hint: tsrun ps -a lists all\n',
    )
  })
})
