/** Where systemd listens: the system bus for root, the user's bus for others (D-Bus specification, "Server Addresses"). */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { hostUid } from '../../util/host-user.ts'
import type { BusOptions } from './bus-connection.ts'

/** Whose systemd: the host's, or that of one user. */
export type Manager = 'system' | 'user'

const SYSTEM_BUS = '/run/dbus/system_bus_socket'
/** Where systemd listens itself, to root alone: what systemctl takes where there is no bus. */
const SYSTEM_PRIVATE = '/run/systemd/private'
const JOB_REMOVED =
  "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'"

/** Whether systemd is the manager of this host (sd_booted(3)). */
export function isSystemdBooted(): boolean {
  return existsSync('/run/systemd/system')
}

/** How to reach `manager`. Throws `failed-precondition` when it is not there. */
export function busOptions(manager: Manager, environment: NodeJS.ProcessEnv): BusOptions {
  if (!isSystemdBooted()) {
    throw new TsrunError(
      'failed-precondition',
      'cannot make a systemd scope: systemd is not the manager of this host',
      { hint: 'leave --systemd-cgroup out: tsrun writes the cgroup files itself then' },
    )
  }
  return manager === 'system' ? systemBus(environment) : userBus(environment)
}

function systemBus(environment: NodeJS.ProcessEnv): BusOptions {
  const given = socketOf(environment.DBUS_SYSTEM_BUS_ADDRESS)
  const socket = given ?? SYSTEM_BUS
  if (given === undefined && !existsSync(SYSTEM_BUS))
    return { socket: SYSTEM_PRIVATE, name: 'systemd' }
  return { socket, name: 'systemd over the system bus', match: JOB_REMOVED }
}

function userBus(environment: NodeJS.ProcessEnv): BusOptions {
  const name = 'systemd over the user bus'
  const given = socketOf(environment.DBUS_SESSION_BUS_ADDRESS)
  if (given !== undefined) return { socket: given, name, match: JOB_REMOVED }
  const directory = environment.XDG_RUNTIME_DIR ?? `/run/user/${hostUid()}`
  const bus = join(directory, 'bus')
  if (existsSync(bus)) return { socket: bus, name, match: JOB_REMOVED }
  const socket = join(directory, 'systemd/private')
  if (existsSync(socket)) return { socket, name: 'systemd of this user' }
  throw new TsrunError(
    'failed-precondition',
    `cannot find systemd of this user: there is no ${bus}`,
    {
      hint: 'log in with a session of your own (loginctl enable-linger keeps one; su and sudo make none), with dbus-user-session installed',
    },
  )
}

/** The socket of the first address that is a Unix socket; undefined for an empty list. */
export function socketOf(addresses: string | undefined): string | undefined {
  if (addresses === undefined || addresses === '') return undefined
  for (const address of addresses.split(';')) {
    const [transport = '', parameters = ''] = splitOnce(address, ':')
    if (transport !== 'unix') continue
    const values = new Map(parameters.split(',').map((pair) => splitOnce(pair, '=')))
    const path = values.get('path')
    if (path !== undefined) return unescaped(path, addresses)
    const abstract = values.get('abstract')
    if (abstract !== undefined) return `\0${unescaped(abstract, addresses)}`
  }
  throw unknownAddress(addresses)
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function unescaped(value: string, addresses: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    throw unknownAddress(addresses)
  }
}

function unknownAddress(addresses: string): TsrunError {
  return new TsrunError(
    'invalid-argument',
    `cannot use the D-Bus address ${JSON.stringify(addresses)}: it names no Unix socket`,
    { hint: 'an address looks like unix:path=/run/dbus/system_bus_socket' },
  )
}
