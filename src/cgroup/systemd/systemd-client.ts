/** What is asked of systemd about units (org.freedesktop.systemd1(5)). */
import { TsrunError } from '../../errors.ts'
import { BusConnection, BusError, type BusOptions } from './bus-connection.ts'
import type { Message } from './dbus-message.ts'
import { type DbusValue, decodeValues, isVariant } from './dbus-values.ts'
import type { UnitProperty } from './unit-properties.ts'

const MANAGER = {
  destination: 'org.freedesktop.systemd1',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
}

/** Answers that say that what was asked for is so already. */
const NO_SUCH_UNIT = 'org.freedesktop.systemd1.NoSuchUnit'
const UNIT_EXISTS = 'org.freedesktop.systemd1.UnitExists'

/** A connection to systemd. Dispose it, or the process does not end. */
export class SystemdClient implements Disposable {
  readonly #bus: BusConnection

  constructor(options: BusOptions) {
    this.#bus = new BusConnection(options)
  }

  [Symbol.dispose](): void {
    this.#bus[Symbol.dispose]()
  }

  /** A property of the manager, such as `ControlGroup` or `Version`. */
  async managerProperty(name: string): Promise<string> {
    const reply = await this.#bus.call({
      ...MANAGER,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: [MANAGER.interface, name],
    })
    const [variant] = decode(reply, 'v')
    if (isVariant(variant) && typeof variant.value === 'string') return variant.value
    throw new TsrunError('internal', `systemd has no text for its property ${name}`)
  }

  /**
   * Starts a transient unit and waits until it is there. A failed unit that has the name is forgotten first.
   * Throws `already-exists` for one that is there, `failed-precondition` with systemd's words.
   */
  async startTransientUnit(unit: string, properties: readonly UnitProperty[]): Promise<void> {
    const start = (): Promise<string> =>
      this.#job('StartTransientUnit', 'ssa(sv)a(sa(sv))', [unit, 'fail', variants(properties), []])
    let result: string
    try {
      result = await start()
    } catch (error) {
      if (!isBusError(error, UNIT_EXISTS)) throw error
      await this.resetFailedUnit(unit)
      result = await start()
    }
    if (result === 'done') return
    await this.resetFailedUnit(unit)
    throw new TsrunError('failed-precondition', `systemd could not start ${unit}: ${result}`, {
      hint: `see what it says: journalctl -u ${unit}`,
    })
  }

  /** Stops the unit, and with it every process in it. It is no error when there is no such unit. */
  async stopUnit(unit: string): Promise<void> {
    try {
      await this.#job('StopUnit', 'ss', [unit, 'replace'])
    } catch (error) {
      if (!isBusError(error, NO_SUCH_UNIT)) throw error
    }
  }

  /** Lets systemd forget a unit that has failed. It is no error when there is none. */
  async resetFailedUnit(unit: string): Promise<void> {
    try {
      await this.#call('ResetFailedUnit', 's', [unit])
    } catch (error) {
      if (!isBusError(error, NO_SUCH_UNIT)) throw error
    }
  }

  /** Changes properties of a unit for as long as it lives. */
  async setUnitProperties(unit: string, properties: readonly UnitProperty[]): Promise<void> {
    await this.#call('SetUnitProperties', 'sba(sv)', [unit, true, variants(properties)])
  }

  /** Moves processes into the unit's cgroup, or the one at `subgroup` (absolute) below it. */
  async attachProcesses(unit: string, subgroup: string, pids: readonly number[]): Promise<void> {
    await this.#call('AttachProcessesToUnit', 'ssau', [unit, subgroup, pids])
  }

  /** Calls a method that makes a job, and waits for its end: `done`, `failed`, `canceled`, `timeout`, … */
  async #job(member: string, signature: string, body: readonly DbusValue[]): Promise<string> {
    // The job may have ended before we know its name.
    const ended = new Map<string, string>()
    let wanted: { readonly job: string; readonly sender: string | undefined } | undefined
    using end = this.#bus.listen((message) => {
      // Anybody may send a signal to anybody on the system bus: only systemd's own word counts.
      if (message.member !== 'JobRemoved' || message.path !== MANAGER.path) return undefined
      const [, job, , outcome] = decode(message, 'uoss')
      ended.set(`${message.sender} ${job}`, String(outcome))
      return wanted === undefined ? undefined : ended.get(`${wanted.sender} ${wanted.job}`)
    })
    const reply = await this.#call(member, signature, body)
    const [job] = decode(reply, 'o')
    wanted = { job: String(job), sender: reply.sender }
    return (
      ended.get(`${reply.sender} ${job}`) ?? (await end.within(`the end of the job of ${member}`))
    )
  }

  async #call(member: string, signature: string, body: readonly DbusValue[]): Promise<Message> {
    return await this.#bus.call({ ...MANAGER, member, signature, body })
  }
}

function variants(properties: readonly UnitProperty[]): DbusValue {
  return properties.map(({ name, signature, value }) => [name, { signature, value }])
}

function decode(message: Message, signature: string): readonly DbusValue[] {
  if (message.signature === signature) return decodeValues(signature, message.body)
  throw new TsrunError(
    'internal',
    `systemd answered with ${JSON.stringify(message.signature)} instead of ${JSON.stringify(signature)}`,
  )
}

export function isBusError(error: unknown, name: string): boolean {
  return error instanceof BusError && error.errorName === name
}
