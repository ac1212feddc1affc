import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { decodeMessage, messageLength } from '../../../../src/cgroup/systemd/dbus-message.ts'
import { decodeValues, encodeValues } from '../../../../src/cgroup/systemd/dbus-values.ts'
import { SystemdClient } from '../../../../src/cgroup/systemd/systemd-client.ts'
import { createTempDir } from '../../../support/temp-dir.ts'

interface Reply {
  readonly type: 2 | 3 | 4
  readonly serial?: number
  readonly errorName?: string
  readonly member?: string
  readonly sender?: string
  readonly signature?: string
  readonly body?: Parameters<typeof encodeValues>[1]
}

function message(reply: Reply): Buffer {
  const body = encodeValues(reply.signature ?? '', reply.body ?? [])
  const fields = [
    [1, 'o', reply.type === 4 ? '/org/freedesktop/systemd1' : undefined],
    [3, 's', reply.member],
    [4, 's', reply.errorName],
    [5, 'u', reply.serial],
    [7, 's', reply.sender ?? ':1.0'],
    [8, 'g', reply.signature],
  ].flatMap(([code, signature, value]) =>
    value === undefined ? [] : [[Number(code), { signature: String(signature), value }] as const],
  )
  const header = encodeValues('yyyyuua(yv)', [
    'l'.charCodeAt(0),
    reply.type,
    0,
    1,
    body.length,
    1,
    fields,
  ])
  return Buffer.concat([header, Buffer.alloc(-header.length & 7), body])
}

/** A bus that answers each call by `answer`, after it has greeted. */
async function bus(
  answer: (member: string, serial: number, args: string) => readonly Buffer[] | 'close',
) {
  const directory = createTempDir()
  const socket = join(directory.path, 'bus')
  const seen: string[] = []
  const sockets: Socket[] = []
  const server: Server = createServer((connection) => {
    sockets.push(connection)
    let bytes = Buffer.alloc(0)
    let isAuthenticated = false
    connection.on('error', () => undefined)
    connection.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      const begin = bytes.indexOf('BEGIN\r\n')
      if (!isAuthenticated && begin < 0) return
      if (!isAuthenticated) {
        isAuthenticated = true
        bytes = bytes.subarray(begin + 7)
        connection.write('OK 0123456789abcdef\r\n')
      }
      for (;;) {
        const length = messageLength(bytes)
        if (length === undefined || bytes.length < length) return
        const call = decodeMessage(bytes.subarray(0, length))
        const serial = bytes.readUInt32LE(8)
        bytes = bytes.subarray(length)
        const member = call.member ?? ''
        seen.push(member)
        if (member === 'Hello' || member === 'AddMatch') {
          connection.write(message({ type: 2, serial }))
          continue
        }
        const text = call.signature.startsWith('s') ? String(decodeValues('s', call.body)[0]) : ''
        const replies = answer(member, serial, text)
        if (replies === 'close') connection.destroy()
        else for (const reply of replies) connection.write(reply)
      }
    })
  })
  server.listen(socket)
  await once(server, 'listening')
  cleanups.push(() => {
    for (const open of sockets) open.destroy()
    server.close()
    directory[Symbol.dispose]()
  })
  return {
    seen,
    client: new SystemdClient({ socket, name: 'the test bus', match: "type='signal'" }),
  }
}

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

function jobRemoved(job: string, result: string, sender = ':1.0'): Buffer {
  const body = [1, job, 'a.scope', result]
  return message({ type: 4, member: 'JobRemoved', sender, signature: 'uoss', body })
}

function started(serial: number, job = '/job/1'): Buffer {
  return message({ type: 2, serial, signature: 'o', body: [job] })
}

describe('SystemdClient', () => {
  it('waits for the end of the job, whether it comes behind the answer or before it', async () => {
    for (const order of ['behind', 'before']) {
      const { client, seen } = await bus((_member, serial) => {
        const replies = [started(serial), jobRemoved('/job/1', 'done')]
        return order === 'behind' ? replies : replies.reverse()
      })
      using systemd = client
      await systemd.startTransientUnit('a.scope', [])
      expect(seen).toEqual(['Hello', 'AddMatch', 'StartTransientUnit'])
    }
  })

  it('does not believe a signal of somebody else', async () => {
    const { client } = await bus((member, serial) =>
      member === 'ResetFailedUnit'
        ? [message({ type: 2, serial })]
        : [
            started(serial),
            jobRemoved('/job/1', 'done', ':1.66'),
            jobRemoved('/job/2', 'done'),
            jobRemoved('/job/1', 'failed'),
          ],
    )
    using systemd = client
    await expect(systemd.startTransientUnit('a.scope', [])).rejects.toThrow(
      'systemd could not start a.scope: failed',
    )
  })

  it('forgets a failed unit of the same name and tries again, once', async () => {
    const { client, seen } = await bus((member, serial) =>
      member === 'ResetFailedUnit'
        ? [message({ type: 2, serial })]
        : [
            message({
              type: 3,
              serial,
              errorName: 'org.freedesktop.systemd1.UnitExists',
              signature: 's',
              body: ['Unit a.scope already exists.'],
            }),
          ],
    )
    using systemd = client
    await expect(systemd.startTransientUnit('a.scope', [])).rejects.toThrow(
      'Unit a.scope already exists.',
    )
    expect(seen.slice(2)).toEqual(['StartTransientUnit', 'ResetFailedUnit', 'StartTransientUnit'])
  })

  it('takes a unit that is not there for stopped', async () => {
    const { client } = await bus((_member, serial) => [
      message({
        type: 3,
        serial,
        errorName: 'org.freedesktop.systemd1.NoSuchUnit',
        signature: 's',
        body: ['no'],
      }),
    ])
    using systemd = client
    await systemd.stopUnit('a.scope')
    await systemd.resetFailedUnit('a.scope')
  })

  it('reads a property, and refuses one that is no text', async () => {
    const { client } = await bus((_member, serial, _text) => [
      message({
        type: 2,
        serial,
        signature: 'v',
        body: [{ signature: serial === 3 ? 's' : 'u', value: serial === 3 ? '257' : 1 }],
      }),
    ])
    using systemd = client
    expect(await systemd.managerProperty('Version')).toBe('257')
    await expect(systemd.managerProperty('Version')).rejects.toThrow('has no text')
  })

  it.each<[string, (serial: number) => readonly Buffer[] | 'close', string]>([
    ['that closes', () => 'close', 'closed the connection'],
    [
      'that answers with other types',
      (serial) => [message({ type: 2, serial, signature: 's', body: ['x'] })],
      'answered with "s"',
    ],
    [
      'that sends no D-Bus',
      () => [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
      'cannot talk to the test bus',
    ],
    [
      'that sends a message without measure',
      () => [Buffer.from([0x6c, 2, 0, 1, 255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0])],
      'it is too long',
    ],
  ])('says what is wrong with a bus %s', async (_what, answer, text) => {
    const { client } = await bus((_member, serial) => answer(serial))
    using systemd = client
    await expect(systemd.startTransientUnit('a.scope', [])).rejects.toThrow(text)
  })

  it('says so when there is no bus', async () => {
    using systemd = new SystemdClient({ socket: '/nonexistent/bus', name: 'the test bus' })
    await expect(systemd.resetFailedUnit('a.scope')).rejects.toThrow(
      'cannot talk to the test bus: ENOENT',
    )
  })

  it('says so when the bus refuses our user', async () => {
    const directory = createTempDir()
    const socket = join(directory.path, 'bus')
    const server = createServer((connection) => connection.end('REJECTED EXTERNAL\r\n'))
    server.listen(socket)
    await once(server, 'listening')
    cleanups.push(() => {
      server.close()
      directory[Symbol.dispose]()
    })
    using systemd = new SystemdClient({ socket, name: 'the test bus' })
    await expect(systemd.resetFailedUnit('a.scope')).rejects.toThrow('it refused our user')
  })
})
