/** Networks of users: a program on the host's side carries what the container sends, and ends with it. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { decodeAddress, dumpAddresses, isLasting } from '../../linux/rtnetlink.ts'
import { askKernel } from '../../native/netlink-socket.ts'
import { startTethered } from '../../native/tethered-program.ts'
import { addressFromBytes, formatAddress } from '../../network/ip-address.ts'
import { routesOf } from '../../network/links.ts'
import type { PortMapping } from '../../network/network-record.ts'
import { addHostForward } from '../../network/user-mode/slirp-socket.ts'
import {
  parseUserMode,
  USER_MODE_PROGRAMS,
  type UserModeProgram,
} from '../../network/user-mode/user-mode-program.ts'
import type { NewNetwork } from '../../runtime/create.ts'
import { searchPath } from '../../runtime/find-program.ts'
import { existsAt } from '../../util/if-there.ts'
import type { ContainerRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { findUserMode } from './find-user-mode.ts'
import { networksOf } from './network-engine.ts'
import { writeUserModeFiles } from './network-files.ts'
import { publishUserPorts, writeUserLease } from './user-ports.ts'

const TUN = '/dev/net/tun'

/** Looks whether the network can be; the result sets it up. */
export async function enterUserMode(
  engine: Engine,
  record: ContainerRecord,
): Promise<(inside: NewNetwork) => Promise<void>> {
  const mode = parseUserMode(record.networkMode)
  if (mode === undefined) throw new RangeError('the caller has looked')
  const program = USER_MODE_PROGRAMS[mode.program]
  const path = findUserMode(program.name)
  if (path === undefined) throw notInstalled(program)
  if (!existsAt(TUN))
    throw new TsrunError('failed-precondition', `cannot use ${program.name}: there is no ${TUN}`, {
      hint: 'as root: modprobe tun',
    })
  // What is wrong with the options is said before anything is made.
  program.command(mode.options, [])
  return async (inside) => {
    // Nobody else chooses a port before the program has it.
    using _lock = await networksOf(engine).store.lock()
    const ports = publishUserPorts(engine, record, program)
    await startProgram(engine, record, { program, path, options: mode.options, ports, inside })
  }
}

interface Start {
  readonly program: UserModeProgram
  readonly path: string
  readonly options: readonly string[]
  readonly ports: readonly PortMapping[]
  readonly inside: NewNetwork
}

async function startProgram(engine: Engine, record: ContainerRecord, start: Start): Promise<void> {
  const { program, path, options, ports, inside } = start
  const directory = engine.containers.directory(record.id)
  const command = program.command(options, ports)
  if (command.socket !== undefined) rmSync(join(directory, command.socket), { force: true })
  const said = await startTethered({
    path,
    args: [program.name, ...command.args],
    env: [`PATH=${searchPath(process.env)}`],
    directory,
    stdin: inside.namespace,
    tether: inside.process,
    readyOn: command.readyOn,
  })
  if (said !== undefined) throw explain(program, said)
  const { socket } = command
  const address = command.address ?? ownAddress(inside.socket, 4) ?? ownAddress(inside.socket, 6)
  for (const port of socket === undefined ? [] : ports)
    await addHostForward(directory, socket ?? '', { ...port, address: address ?? '' })
  writeUserLease(directory, record, { ports, address })
  writeUserModeFiles(directory, record, {
    nameServer: command.nameServer,
    address,
    host: command.reachesHost ? gatewayIn(inside.socket) : undefined,
  })
}

function ownAddress(socket: number, family: 4 | 6): string | undefined {
  const addresses = askKernel(socket, dumpAddresses(), 'listing addresses')
    .flatMap((message) => decodeAddress(message) ?? [])
    .filter(isLasting)
    .flatMap(({ attributes }) => {
      const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)
      return bytes === undefined ? [] : (addressFromBytes(bytes) ?? [])
    })
  const own = addresses.find((address) => address.family === family)
  return own === undefined ? undefined : formatAddress(own)
}

const IFA_ADDRESS = 1
const IFA_LOCAL = 2

function gatewayIn(socket: number): string | undefined {
  const leading = routesOf(socket, 4).find(({ destination }) => destination === undefined)
  return leading?.gateway === undefined ? undefined : formatAddress(leading.gateway)
}

function notInstalled({ name, package: wanted }: UserModeProgram): TsrunError {
  const other = name === 'pasta' ? ', or slirp4netns' : ''
  return new TsrunError(
    'failed-precondition',
    `cannot use the network "${name}": it is not installed`,
    {
      hint: `install the package ${wanted}${other}; --network none and host need no program`,
    },
  )
}

/** The last line before a usage is about the end; older versions of pasta complain about the system log between all. */
function explain({ name }: UserModeProgram, said: string): TsrunError {
  const lines = said
    .replace(/^usage:.*/ims, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.includes('to syslog'))
  const reason = lines.at(-1) ?? 'it ended without a word'
  return new TsrunError('failed-precondition', `cannot start ${name}: ${reason}`, {
    hint: hintFor(name, reason),
  })
}

function hintFor(name: string, said: string): string {
  if (/external|routable|template interface/i.test(said))
    return 'the host has no default route to take addresses from: use --network slirp4netns, host or none'
  if (/tun/i.test(said)) return `users need ${TUN} with mode 0666 (chmod 666 ${TUN})`
  if (/bind/i.test(said)) return 'another process may have taken a port just now'
  return `its options are those of ${name}(1)`
}
