/**
 * The cgroup driver that asks systemd for a scope (systemd.scope(5), systemd's CGROUP_DELEGATION.md): on a host
 * that systemd manages, cgroups outside what it has delegated are its own.
 *
 * A scope cannot be made without a process, and is gone with its last one. So that init can be made inside it,
 * as with the other driver, a process that does nothing holds it until then.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { type HeldProcess, holdProcess } from '../native/hold-process.ts'
import type { Resources } from '../oci/runtime-config.ts'
import { isHostRoot } from '../util/host-user.ts'
import type { CgroupManager } from './cgroup-manager.ts'
import type { CgroupPlace, ScopePlace } from './cgroup-place.ts'
import type { CgroupHierarchy } from './detect.ts'
import { enterCgroup } from './enter-cgroup.ts'
import { LiveCgroup } from './live-cgroup.ts'
import { refuseTakenCgroup } from './refuse-taken-cgroup.ts'
import type { CgroupWrite } from './resources-to-files.ts'
import { annotationProperties } from './systemd/annotation-properties.ts'
import { busOptions } from './systemd/bus-address.ts'
import { deviceProperties } from './systemd/device-properties.ts'
import { SystemdClient } from './systemd/systemd-client.ts'
import { scopeName, slicePath } from './systemd/unit-name.ts'
import { roundedCpuMax, type UnitProperty, unitProperties } from './systemd/unit-properties.ts'
import { plannedWrites, writeLimits } from './write-limits.ts'

/** The first systemd whose scopes have OOMPolicy=. */
const OOM_POLICY_VERSION = 253
/** As many processes as init and the one that holds its scope. */
const TASKS_IN_THE_MAKING = 2n

interface ScopeOptions {
  readonly hierarchy: CgroupHierarchy
  readonly place: CgroupPlace & { readonly scope: ScopePlace }
  /** Only for one that is to be made. */
  readonly slice?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** The scope for a new container. Nothing is made yet. Throws `invalid-argument` for a bad path. */
export async function planScope(
  hierarchy: CgroupHierarchy,
  container: {
    readonly id: string
    readonly cgroupsPath: string | undefined
    readonly annotations: Readonly<Record<string, string>>
  },
): Promise<SystemdManager> {
  const manager = isHostRoot() ? 'system' : 'user'
  const defaultSlice = manager === 'system' ? 'system.slice' : 'user.slice'
  const { slice, unit } = scopeName(container.cgroupsPath, container.id, defaultSlice)
  const { annotations } = container
  // What is wrong with these is said before anything is made.
  annotationProperties(annotations)
  busOptions(manager, process.env)
  const root = manager === 'system' ? '/' : await ownRoot()
  const path = join(hierarchy.mountPoint, root, slicePath(slice), unit)
  const place = { path, scope: { unit, manager } } as const
  return new SystemdManager({ hierarchy, place, slice, annotations })
}

/** Where the user's own systemd has its units. */
async function ownRoot(): Promise<string> {
  using systemd = new SystemdClient(busOptions('user', process.env))
  return await systemd.managerProperty('ControlGroup')
}

export class SystemdManager implements CgroupManager {
  readonly place: CgroupPlace & { readonly scope: ScopePlace }
  readonly #options: ScopeOptions
  #holder: HeldProcess | undefined
  /** What systemd and the kernel are to be told once the holder is gone. */
  #late: readonly CgroupWrite[] = []

  constructor(options: ScopeOptions) {
    this.#options = options
    this.place = options.place
  }

  get mountPoint(): string {
    return this.#options.hierarchy.mountPoint
  }

  async create(resources: Resources): Promise<void> {
    const { hierarchy, slice = '', annotations = {} } = this.#options
    const { path, scope } = this.place
    refuseTakenCgroup(hierarchy, path)
    const holder = holdProcess()
    this.#holder = holder
    using systemd = this.#connect()
    const properties: readonly UnitProperty[] = [
      ...baseProperties(slice, scope.unit, holder.pid),
      ...unitProperties(plannedWrites(resources).map(inTheMaking)),
      ...deviceProperties(resources.devices ?? []),
      ...(await oomPolicy(systemd, resources)),
      ...annotationProperties(annotations),
    ]
    try {
      await systemd.startTransientUnit(scope.unit, properties)
    } catch (cause) {
      throw this.#failed('start', cause)
    }
    this.#checkPlace(holder.pid)
  }

  limit(resources: Resources): void {
    const writes = plannedWrites(resources).map(roundedCpuMax)
    this.#late = writes.filter(({ file, value }) => file === 'pids.max' && value === '1')
    this.#write(writes.map(inTheMaking))
  }

  async enter(pid: number): Promise<void> {
    if (this.place.scope.manager === 'system') {
      enterCgroup(this.place.path, pid)
      return
    }
    // A user's systemd asks that of the host, which may move what the user may not.
    using systemd = this.#connect()
    try {
      await systemd.attachProcesses(this.place.scope.unit, '', [pid])
    } catch (cause) {
      throw this.#failed('move a process into', cause)
    }
  }

  async settle(): Promise<void> {
    this.#release()
    const late = this.#late
    if (late.length === 0) return
    this.#late = []
    this.#write(late)
    await this.#tell(unitProperties(late))
  }

  async update(resources: Resources): Promise<void> {
    const writes = plannedWrites(resources).map(roundedCpuMax)
    const { devices = [] } = resources
    await this.#tell([
      ...unitProperties(writes),
      ...(devices.length === 0 ? [] : deviceProperties(devices)),
    ])
    this.#write(writes)
  }

  async remove(): Promise<void> {
    const { scope, path } = this.place
    // Without waiting for systemd's ninety seconds for those who do not hear SIGTERM.
    new LiveCgroup(path).kill()
    this.#release()
    using systemd = this.#connect()
    await systemd.stopUnit(scope.unit)
    await systemd.resetFailedUnit(scope.unit)
    await new LiveCgroup(path).remove()
  }

  #write(writes: readonly CgroupWrite[]): void {
    writeLimits(this.#options.hierarchy, this.place.path, writes)
  }

  async #tell(properties: readonly UnitProperty[]): Promise<void> {
    if (properties.length === 0) return
    using systemd = this.#connect()
    try {
      await systemd.setUnitProperties(this.place.scope.unit, properties)
    } catch (cause) {
      throw this.#failed('change', cause)
    }
  }

  #release(): void {
    this.#holder?.[Symbol.dispose]()
    this.#holder = undefined
  }

  #connect(): SystemdClient {
    return new SystemdClient(busOptions(this.place.scope.manager, process.env))
  }

  #failed(action: string, cause: unknown): TsrunError {
    const kind = cause instanceof TsrunError ? cause.kind : 'failed-precondition'
    return new TsrunError(kind, `cannot ${action} the systemd unit ${this.place.scope.unit}`, {
      cause,
    })
  }

  // An alias of a slice, or a systemd of another cgroup namespace than ours, would lead us elsewhere.
  #checkPlace(pid: number): void {
    const line = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith('0::'))
    const path = join(this.mountPoint, line?.slice('0::'.length) ?? '')
    if (path === this.place.path) return
    throw new TsrunError(
      'failed-precondition',
      `cannot use the systemd unit ${this.place.scope.unit}: systemd put it at ${path}, not at ${this.place.path}`,
      { hint: 'run tsrun in the cgroup namespace of systemd, with /sys/fs/cgroup as it made it' },
    )
  }
}

function baseProperties(slice: string, unit: string, pid: number): readonly UnitProperty[] {
  const yes = (name: string): UnitProperty => ({ name, signature: 'b', value: true })
  const text = (name: string, value: string): UnitProperty => ({ name, signature: 's', value })
  return [
    text('Description', `container ${unit}`),
    text('Slice', slice),
    yes('Delegate'),
    { name: 'PIDs', signature: 'au', value: [pid] },
    yes('MemoryAccounting'),
    yes('CPUAccounting'),
    yes('IOAccounting'),
    yes('TasksAccounting'),
    { name: 'DefaultDependencies', signature: 'b', value: false },
    // A scope that failed, such as by an OOM kill, is forgotten like one that ended.
    text('CollectMode', 'inactive-or-failed'),
  ]
}

/** With a limit of one process there would be no room for init beside the one that holds the scope. */
function inTheMaking(write: CgroupWrite): CgroupWrite {
  if (write.file !== 'pids.max' || write.value !== '1') return write
  return { ...write, value: String(TASKS_IN_THE_MAKING) }
}

// systemd takes it for a new unit alone, and would write memory.oom.group by its own default else.
async function oomPolicy(
  systemd: SystemdClient,
  resources: Resources,
): Promise<readonly UnitProperty[]> {
  const group = resources.unified?.['memory.oom.group']?.trim()
  if (group !== '0' && group !== '1') return []
  const version = Number(/\d+/.exec(await systemd.managerProperty('Version'))?.[0] ?? 0)
  if (version < OOM_POLICY_VERSION) return []
  return [{ name: 'OOMPolicy', signature: 's', value: group === '1' ? 'kill' : 'continue' }]
}
