/** slirp4netns's API socket: one request in JSON a connection, and its answer. */
import { constants, openSync } from 'node:fs'
import { createConnection } from 'node:net'
import { TsrunError } from '../../errors.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import type { PortMapping } from '../network-record.ts'

const MAX_ANSWER = 4096

/** Publishes a port. Throws `failed-precondition` with what slirp4netns says. */
export async function addHostForward(
  directory: string,
  socket: string,
  port: PortMapping & { readonly address: string },
): Promise<void> {
  const request = {
    execute: 'add_hostfwd',
    arguments: {
      proto: port.protocol,
      host_addr: port.hostIp === '' ? '0.0.0.0' : port.hostIp,
      host_port: port.hostPort,
      guest_addr: port.address,
      guest_port: port.containerPort,
    },
  }
  // A path of sockets has 107 bytes (unix(7)); that of a container may be longer.
  using folder = new OwnedFd(openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY))
  const answer = await ask(`/proc/self/fd/${folder.fd}/${socket}`, JSON.stringify(request))
  const problem = problemIn(answer)
  if (problem === undefined) return
  throw new TsrunError(
    'failed-precondition',
    `cannot publish port ${port.hostPort}/${port.protocol}: slirp4netns says: ${problem}`,
    { hint: 'another process may have taken the port just now' },
  )
}

/** What is wrong, by the answer; undefined for success. */
export function problemIn(answer: string): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(answer)
  } catch {
    // Cut off, or nothing: it has ended.
    return 'it gave no answer'
  }
  if (typeof value !== 'object' || value === null) return 'it gave no answer'
  const error: unknown = Reflect.get(value, 'error')
  if (error === undefined) return undefined
  return typeof error === 'object' && error !== null
    ? String(Reflect.get(error, 'desc'))
    : String(error)
}

function ask(path: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.end(request))
    socket.on('data', (text) => {
      answer += text
      if (answer.length > MAX_ANSWER) socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}
