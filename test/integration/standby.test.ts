/** The launcher that a program which makes many containers keeps ready for the next: src/runtime/standby-launcher.ts. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ContainerOptions, run, start } from '../../src/index.ts'
import { dropStandby } from '../../src/runtime/standby-launcher.ts'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { TSRUN } from '../support/runtime.ts'
import { until } from '../support/until.ts'

describe.skipIf(missing('root', 'cgroup2'))(
  'the launcher that waits for the next container',
  () => {
    const engine = new TestEngine()
    const options = (args: string[]): ContainerOptions => ({
      image: 'busybox',
      pull: 'never',
      args,
      dataRoot: engine.dataRoot,
      stateRoot: engine.stateRoot,
    })
    const runTwice = async () => {
      await run(options(['true']))
      await run(options(['true']))
    }
    /** The one that waits now, as the last container has left it. */
    const waiting = async (): Promise<number> => {
      dropStandby()
      await until('no launcher is left', () => launchersOf(process.pid).length === 0)
      await runTwice()
      await until('the last launcher has ended', () => launchersOf(process.pid).length === 1)
      const [pid = -1] = launchersOf(process.pid)
      return pid
    }
    beforeAll(() => engine.loadBusybox())
    afterAll(() => {
      dropStandby()
      engine[Symbol.dispose]()
    })

    it('becomes the parent of the next one, whose namespaces and streams are its own', async () => {
      const before = await waiting()
      const own = readlinkSync('/proc/self/ns/net')
      await using container = await start(
        options(['sh', '-c', 'readlink /proc/self/ns/net; cat /proc/net/dev; ls /proc/self/fd']),
      )
      expect(parentOf(container.pid)).toBe(before)
      let text = ''
      for await (const chunk of container.stdout) text += String(chunk)
      expect(text).toMatch(/^net:\[\d+\]\n/)
      expect(text).not.toContain(own)
      expect(text.match(/^ *\w+:/gm)?.slice(1)).toEqual(['    lo:'])
      // 3 is ls's own, on the folder.
      expect(text.trimEnd().split('\n').slice(-4)).toEqual(['0', '1', '2', '3'])
    })

    it('has nothing open but its socket and the two files for its plan', async () => {
      const pid = await waiting()
      const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
      expect(open.map((target) => target.replace(/:\[\d+\]/, '')).sort()).toEqual([
        '/memfd:tsrun-launch (deleted)',
        '/memfd:tsrun-plan (deleted)',
        'socket',
      ])
    })

    it('is not needed: the next container has one of its own when it was killed', async () => {
      process.kill(await waiting(), 'SIGKILL')
      expect((await run(options(['echo', 'there']))).stdout).toBe('there\n')
    })

    it('is not for a container that shares the network of the host', async () => {
      const before = await waiting()
      const { stdout } = await run({
        ...options(['readlink', '/proc/self/ns/net']),
        network: 'host',
      })
      expect(stdout.trim()).toBe(readlinkSync('/proc/self/ns/net'))
      expect(launchersOf(process.pid)).toEqual([before])
    })

    it('is not for a program that has given up rights since', async () => {
      const before = await waiting()
      const groups = process.getgroups?.() ?? []
      process.setgroups?.([...groups, 12345])
      try {
        await using container = await start(options(['sleep', '60']))
        expect(parentOf(container.pid)).not.toBe(before)
      } finally {
        process.setgroups?.(groups)
      }
      expect(isLauncher(before)).toBe(false)
    })

    it('ends when nobody wants it, and leaves no descriptor', async () => {
      await waiting()
      const open = readdirSync('/proc/self/fd').length
      await until('it has ended', () => launchersOf(process.pid).length === 0)
      expect(readdirSync('/proc/self/fd').length).toBe(open - 4)
    })

    describe('of another program', () => {
      const program = (end: string) => `
      const { run } = await import(${JSON.stringify(join(dirname(TSRUN), 'index.js'))})
      const options = ${JSON.stringify(options(['true']))}
      for (let i = 0; i < 3; i++) await run(options)
      ${end}
    `
      const startProgram = (end: string) => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', program(end)], {
          stdio: ['pipe', 'pipe', 'inherit'],
        })
        return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() }
      }
      const REPORT = `
      const { readFileSync } = await import('node:fs')
      const children = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'latin1').trim()
    `

      it('does not keep it from ending, and ends with it', async () => {
        const { child, lines } = startProgram(`${REPORT}
        process.on('exit', () => console.log(children()))
      `)
        const pids = String((await lines.next()).value).split(' ')
        // It was still waiting when the program had nothing more to do.
        expect(pids).not.toEqual([''])
        if (child.exitCode === null) await once(child, 'exit')
        await until('it has ended', () => pids.every((pid) => !isLauncher(Number(pid))))
      })

      it('ends when the program is killed', async () => {
        const { child, lines } = startProgram(`${REPORT}
        console.log(children())
        for (;;) {}
      `)
        const pids = String((await lines.next()).value).split(' ')
        expect(pids).not.toEqual([''])
        child.kill('SIGKILL')
        await until('it has ended', () => pids.every((pid) => !isLauncher(Number(pid))))
      })
    })
  },
)

/** The launchers among the children of `pid`, zombies left out. */
function launchersOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' '))
    .filter((child) => child !== '')
    .map(Number)
    .filter(isLauncher)
}

function isLauncher(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`).startsWith('/memfd:tsrun-init')
  } catch {
    return false // Ended.
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1])
}
