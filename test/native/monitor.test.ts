import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeWaitStatus } from '../../src/linux/wait-status.ts'
import { attachToMonitor } from '../../src/monitor/attach-client.ts'
import { readExitRecord } from '../../src/monitor/exit-record.ts'
import { pidfdOpen, waitReadable } from '../../src/native/syscalls.ts'
import { type LaunchedMonitor, TestMonitors } from '../support/monitor.ts'
import { until } from '../support/until.ts'

let monitors: TestMonitors
let directory = ''

const launch = (...args: Parameters<TestMonitors['launch']>) => monitors.launch(...args)
const waitForEnd = (run: LaunchedMonitor) => monitors.waitForEnd(run)
const logText = () => monitors.logText()

describe('tsrun-monitor', () => {
  beforeEach(() => {
    monitors = new TestMonitors()
    directory = monitors.directory
  })
  afterEach(() => monitors.end())

  it('MonitorLaunch writes log, exit record and runs the clean-up command', () => {
    const run = launch('echo one; sleep 0.1; echo two >&2; sleep 0.1; printf part; exit 7')
    run.monitor.created(run.pid)
    run.monitor.started()
    waitForEnd(run)
    expect(logText()).toEqual(['stdout F one', 'stderr F two', 'stdout P part', ''])
    expect(readExitRecord(directory)).toMatchObject({ exitCode: 7, signal: 0, logLost: 0 })
    expect(readdirSync(directory).sort()).toEqual(['cleaned', 'exit', 'log'])
  })

  it('MonitorLaunch reports the signal that ended the container', () => {
    const run = launch('kill -9 $$')
    run.monitor.created(run.pid)
    run.monitor.started()
    waitForEnd(run)
    expect(readExitRecord(directory)).toMatchObject({ exitCode: 137, signal: 9 })
  })

  it('MonitorLaunch runs the clean-up when the caller goes before the start', () => {
    const run = launch('sleep 0.3')
    waitForEnd(run)
    expect(readdirSync(directory)).toContain('cleaned')
  })

  it('MonitorLaunch leaves the clean-up to a caller that abandons', () => {
    const run = launch('exit 0')
    run.monitor.created(run.pid)
    run.monitor.abandon()
    waitForEnd(run)
    expect(readdirSync(directory)).not.toContain('cleaned')
  })

  it('attachToMonitor() passes output, input and the exit to the owner', async () => {
    const run = launch('cat; echo done >&2; exit 3', { input: true, inputOnce: true })
    const seen: Buffer[] = []
    const client = await attachToMonitor(directory, {
      output: true,
      patient: true,
      owner: true,
      onOutput: (stream, bytes) => seen.push(Buffer.from(`${stream}:${bytes}`)),
    })
    if (client === undefined) throw new Error('no monitor')
    run.monitor.created(run.pid)
    run.monitor.started()
    client.sendInput(Buffer.from('hello'))
    client.endInput()
    const status = await client.exit
    expect(decodeWaitStatus(status ?? -1)).toEqual({ exitCode: 3, signal: 0 })
    await client.cleaned()
    waitForEnd(run)
    expect(Buffer.concat(seen).toString()).toBe('stdout:hellostderr:done\n')
    expect(readdirSync(directory)).not.toContain('cleaned')
  })

  it('MonitorLaunch holds the output back until the caller attaches or says started', async () => {
    const run = launch('echo early; exit 2')
    const pidfd = pidfdOpen(run.pid)
    if (pidfd !== undefined) waitReadable(pidfd.fd, 20_000)
    pidfd?.close()
    let seen = ''
    const client = await attachToMonitor(directory, {
      output: true,
      patient: true,
      owner: true,
      onOutput: (_stream, bytes) => {
        seen += bytes
      },
    })
    run.monitor.created(run.pid)
    run.monitor.started()
    expect(decodeWaitStatus((await client?.exit) ?? -1).exitCode).toBe(2)
    expect(seen).toBe('early\n')
    await client?.cleaned()
    waitForEnd(run)
  })

  it('attachToMonitor() carries megabytes both ways and a patient client loses nothing', async () => {
    const run = launch('cat', { input: true, inputOnce: true })
    let received = 0
    const client = await attachToMonitor(directory, {
      output: true,
      patient: true,
      owner: true,
      onOutput: (_stream, bytes) => {
        received += bytes.length
      },
    })
    if (client === undefined) throw new Error('no monitor')
    run.monitor.created(run.pid)
    run.monitor.started()
    const block = Buffer.alloc(100_000, 'x\n')
    for (let i = 0; i < 40; i++) {
      if (!client.sendInput(block)) await new Promise<void>((resolve) => client.drained(resolve))
    }
    client.pause()
    setTimeout(() => client.resume(), 100)
    client.endInput()
    await client.exit
    expect(received).toBe(4_000_000)
    await client.cleaned()
    waitForEnd(run)
  })

  it('attachToMonitor() tells a client that lagged what it has missed, and the container goes on', async () => {
    const run = launch('i=0; while [ $i -lt 20 ]; do head -c 100000 /dev/zero; i=$((i+1)); done')
    let received = 0
    let skipped = 0
    const client = await attachToMonitor(directory, {
      output: true,
      patient: false,
      owner: false,
      onOutput: (_stream, bytes) => {
        received += bytes.length
      },
      onSkipped: (bytes) => {
        skipped += bytes
      },
    })
    if (client === undefined) throw new Error('no monitor')
    client.pause()
    run.monitor.created(run.pid)
    run.monitor.started()
    const pidfd = pidfdOpen(run.pid)
    if (pidfd !== undefined) expect(waitReadable(pidfd.fd, 60_000)).toBe(true)
    pidfd?.close()
    client.resume()
    await client.exit
    expect(received).toBeGreaterThan(0)
    // What was pending when the container ended may be lost with the connection: it is in the log.
    expect(received + skipped).toBeLessThanOrEqual(2_000_000)
    waitForEnd(run)
    expect(readExitRecord(directory)).toMatchObject({ exitCode: 0 })
    const logged = logText().reduce((sum, line) => sum + line.replace(/^stdout P /, '').length, 0)
    expect(logged).toBe(2_000_000)
  })

  it('attachToMonitor() loses nothing for a client that reads, however many others do not', async () => {
    const run = launch('read go; head -c 3000000 /dev/zero; exit 3', { input: true })
    run.monitor.created(run.pid)
    run.monitor.started()
    const attach = (onOutput: (stream: string, bytes: Buffer) => void) =>
      attachToMonitor(directory, { output: true, patient: false, owner: false, onOutput })
    let received = 0
    const reader = await attach((_stream, bytes) => {
      received += bytes.length
    })
    const idle = await Promise.all(Array.from({ length: 10 }, () => attach(() => {})))
    for (const client of idle) client?.pause()
    reader?.sendInput(Buffer.from('\n'))
    expect(decodeWaitStatus((await reader?.exit) ?? -1).exitCode).toBe(3)
    expect(received).toBe(3_000_000)
    for (const client of idle) client?.[Symbol.dispose]()
    waitForEnd(run)
  })

  it('MonitorLaunch cleans up when the owner goes before the exit', async () => {
    const run = launch('sleep 0.3')
    const client = await attachToMonitor(directory, { output: true, patient: true, owner: true })
    run.monitor.created(run.pid)
    run.monitor.started()
    client?.[Symbol.dispose]()
    waitForEnd(run)
    expect(readdirSync(directory)).toContain('cleaned')
  })

  it('attachToMonitor() works in a folder with a long path', async () => {
    directory = join(directory, 'x'.repeat(120))
    mkdirSync(directory)
    monitors.directory = directory
    const run = launch('sleep 0.2; exit 4')
    const client = await attachToMonitor(directory, { output: false, patient: false, owner: false })
    run.monitor.created(run.pid)
    run.monitor.started()
    expect(decodeWaitStatus((await client?.exit) ?? -1).exitCode).toBe(4)
    waitForEnd(run)
  })

  it('the monitor survives clients that send nonsense, vanish or are too many', async () => {
    const run = launch('cat; exit 6', { input: true })
    run.monitor.created(run.pid)
    run.monitor.started()
    const connect = () =>
      createConnection({ path: join(directory, 'attach.sock') }).on('error', () => {})
    const frame = (type: number, length: number, payload = Buffer.alloc(0)) => {
      const header = Buffer.alloc(8)
      header.writeUInt32LE(type, 0)
      header.writeUInt32LE(length, 4)
      return Buffer.concat([header, payload])
    }
    const hostile = [
      frame(1, 0xffffffff),
      frame(99, 0),
      frame(1, 4, Buffer.alloc(2)),
      frame(4, 1, Buffer.alloc(1)),
      frame(5, 0),
      frame(1, 0),
      randomBytes(100_000),
      Buffer.from([1]),
    ]
    for (const bytes of hostile) {
      const socket = connect()
      await new Promise((resolve) => socket.write(bytes, resolve))
      socket.destroy()
    }
    const crowd = Array.from({ length: 60 }, connect)
    // Refused (EAGAIN) where the backlog is full: then it never connects.
    const settled = (socket: Socket) =>
      new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
    await Promise.all(crowd.map(settled))
    for (const socket of crowd) socket.destroy()
    // Its places are free again once it has seen that the crowd is gone.
    let client: Awaited<ReturnType<typeof attachToMonitor>>
    await until('the monitor takes a client', async () => {
      client = await attachToMonitor(directory, { output: true, patient: true, owner: true })
      return client !== undefined
    })
    if (client === undefined) throw new Error('no client')
    client.endInput()
    expect(decodeWaitStatus((await client.exit) ?? -1).exitCode).toBe(6)
    await client.cleaned()
    waitForEnd(run)
  })

  it('attachToMonitor() waits while the queue of a monitor that does not run yet is full', async () => {
    const run = launch('exit 5')
    run.monitor.created(run.pid)
    process.kill(run.monitor.pid, 'SIGSTOP')
    const crowd = Array.from({ length: 80 }, () =>
      createConnection({ path: join(directory, 'attach.sock') }).on('error', () => {}),
    )
    const refused = crowd.map((socket) => new Promise((resolve) => socket.once('error', resolve)))
    expect(await Promise.race(refused)).toMatchObject({ code: 'EAGAIN' })
    const attach = () => attachToMonitor(directory, { output: true, patient: true, owner: true })
    const attaching = attach()
    const first = await Promise.race([attaching, new Promise((resolve) => setImmediate(resolve))])
    expect(first).toBeUndefined()
    for (const socket of crowd) socket.destroy()
    process.kill(run.monitor.pid, 'SIGCONT')
    // Whom it takes on before it has seen that the crowd is gone, it sends away.
    let client = await attaching
    await until('the monitor takes a client', async () => {
      client ??= await attach()
      return client !== undefined
    })
    run.monitor.started()
    expect(decodeWaitStatus((await client?.exit) ?? -1).exitCode).toBe(5)
    await client?.cleaned()
    waitForEnd(run)
  })

  it('the monitor keeps below 1 MB resident and ignores SIGTERM and SIGHUP', () => {
    const run = launch('sleep 30')
    run.monitor.created(run.pid)
    run.monitor.started()
    process.kill(run.monitor.pid, 'SIGTERM')
    process.kill(run.monitor.pid, 'SIGHUP')
    const rollup = readFileSync(`/proc/${run.monitor.pid}/smaps_rollup`, 'latin1')
    expect(Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1])).toBeLessThan(1024)
    process.kill(run.pid, 'SIGKILL')
    waitForEnd(run)
    expect(readExitRecord(directory)?.signal).toBe(9)
  })
})
