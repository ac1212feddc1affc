/** Finds containers for `ps`: those that exist, what is true of them, and docker's filters. */
import { TsrunError } from '../errors.ts'
import { parseExpose } from '../network/port-publish.ts'
import { portKey, type ShownPort } from '../network/shown-ports.ts'
import type { ContainerRecord } from './container-record.ts'
import { type ContainerStatus, isLive, statusOf } from './container-status.ts'
import type { Engine } from './engine.ts'
import { type Endpoint, EndpointReader, shownPorts } from './networks/endpoints.ts'
import { wasStopped } from './next-restart.ts'

export interface ListedContainer {
  readonly record: ContainerRecord
  readonly status: ContainerStatus
  /** Whether the user has ended it, and not started it since. */
  readonly stopped: boolean
  /** Its networks. */
  readonly endpoints: readonly Endpoint[]
}

export interface ListOptions {
  /** Also those that do not run. */
  readonly all: boolean
  /** `key=value` as docker's --filter takes them: one key's values are alternatives, keys must all hold. */
  readonly filters: readonly string[]
  /** Only the newest. */
  readonly last?: number | undefined
}

type Filter = (container: ListedContainer, value: string) => boolean

const FILTERS: Readonly<Record<string, Filter>> = {
  id: ({ record }, value) => record.id.startsWith(value),
  name: ({ record }, value) => nameMatches(record.name, value),
  label: ({ record }, value) => hasLabel(record.labels, value),
  status: ({ status }, value) => status.status === value,
  exited: ({ status }, value) => status.status === 'exited' && String(status.exitCode) === value,
  ancestor: ({ record }, value) => isImage(record.image, value),
  volume: ({ record }, value) =>
    record.volumes.some(({ name, source, destination }) =>
      [name, source, destination].includes(value),
    ),
  health: ({ status }, value) => status.health === value,
  'restart-policy': ({ record }, value) => (record.request.restart?.name ?? 'no') === value,
  'should-start-on-boot': (container, value) => String(startsOnBoot(container)) === value,
  network: isInNetwork,
  publish: (container, value) =>
    hasPort(container, value, ({ hostPort, protocol }) => [hostPort, protocol]),
  expose: (container, value) =>
    hasPort(container, value, ({ containerPort, protocol }) => [containerPort, protocol]),
  'is-task': (_, value) => ['false', '0'].includes(value),
}

const STATUSES = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead']

/** Those of `all` that the options ask for, in the same order. */
export function chooseContainers(
  all: readonly ListedContainer[],
  options: ListOptions,
): ListedContainer[] {
  const filters = groupFilters(options.filters)
  const wantsStatus = filters.has('status') || filters.has('exited')
  const listed = withinTime(all, filters).filter(
    ({ status }) => options.all || options.last !== undefined || wantsStatus || isLive(status),
  )
  const matching = listed.filter((container) =>
    [...filters].every(([key, values]) =>
      values.some((value) => FILTERS[key]?.(container, value) ?? true),
    ),
  )
  return options.last === undefined ? matching : matching.slice(0, options.last)
}

// What docker's daemon starts when it starts; podman's filter of this name.
function startsOnBoot({ record, stopped }: ListedContainer): boolean {
  const policy = record.request.restart?.name ?? 'no'
  return policy === 'always' || (policy === 'unless-stopped' && !stopped)
}

/** All containers, newest first. */
export function everyContainer({
  containers: store,
  dataRoot,
}: Pick<Engine, 'containers' | 'dataRoot'>): ListedContainer[] {
  const reader = new EndpointReader(dataRoot)
  const containers: ListedContainer[] = []
  for (const id of store.ids()) {
    const record = store.read(id)
    if (record === undefined) continue
    const directory = store.directory(id)
    const status = statusOf(record, directory)
    const endpoints = reader.of(record, isLive(status))
    containers.push({ record, status, stopped: wasStopped(directory), endpoints })
  }
  return containers.sort((a, b) => (a.record.createdAt < b.record.createdAt ? 1 : -1))
}

function groupFilters(texts: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const text of texts) {
    const [key = '', ...rest] = text.split('=')
    const value = rest.join('=')
    if (rest.length === 0)
      throw new TsrunError(
        'invalid-argument',
        `cannot use the filter "${text}": it has the form key=value`,
      )
    if (!Object.hasOwn(FILTERS, key) && key !== 'before' && key !== 'since') {
      throw new TsrunError(
        'invalid-argument',
        `cannot filter by "${key}": the keys are ${[...Object.keys(FILTERS), 'before', 'since'].join(', ')}`,
      )
    }
    if (key === 'status' && !STATUSES.some((status) => status === value)) {
      throw new TsrunError(
        'invalid-argument',
        `cannot filter by the status "${value}": it is one of ${STATUSES.join(', ')}`,
      )
    }
    groups.set(key, [...(groups.get(key) ?? []), value])
  }
  return groups
}

// `before` and `since` compare with another container, not with a time.
function withinTime(
  all: readonly ListedContainer[],
  filters: ReadonlyMap<string, readonly string[]>,
): ListedContainer[] {
  const before = createdAtOf(all, filters.get('before')?.at(-1))
  const since = createdAtOf(all, filters.get('since')?.at(-1))
  return all.filter(
    ({ record }) =>
      (before === undefined || record.createdAt < before) &&
      (since === undefined || record.createdAt > since),
  )
}

function createdAtOf(
  all: readonly ListedContainer[],
  text: string | undefined,
): string | undefined {
  if (text === undefined) return undefined
  const found = all.find(({ record }) => record.name === text || record.id.startsWith(text))
  if (found === undefined) throw new TsrunError('not-found', `no such container: ${text}`)
  return found.record.createdAt
}

// docker matches a name as a regular expression, anywhere in the name.
function nameMatches(name: string, pattern: string): boolean {
  try {
    return new RegExp(pattern).test(name) || new RegExp(pattern).test(`/${name}`)
  } catch (error) {
    throw new TsrunError('invalid-argument', `cannot filter by the name "${pattern}"`, {
      cause: error,
    })
  }
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', ...rest] = wanted.split('=')
  if (!Object.hasOwn(labels, key)) return false
  return rest.length === 0 || labels[key] === rest.join('=')
}

function isImage(image: ContainerRecord['image'], wanted: string): boolean {
  if (image === undefined) return false
  const { reference, id } = image
  if (reference === wanted || reference === `${wanted}:latest` || reference.endsWith(`/${wanted}`))
    return true
  const digest = id.replace(/^sha256:/, '')
  return id === wanted || (wanted.length >= 4 && digest.startsWith(wanted.replace(/^sha256:/, '')))
}

function isInNetwork({ record, endpoints }: ListedContainer, value: string): boolean {
  if (record.networks === undefined) return record.networkMode === value
  return endpoints.some(({ name, network }) => name === value || network?.id === value)
}

// `80`, `80/udp`, `8000-8080/tcp`, as docker takes them.
function hasPort(
  { record, endpoints }: ListedContainer,
  value: string,
  sideOf: (port: ShownPort) => readonly [number | undefined, string],
): boolean {
  const wanted = portsWanted(value)
  return shownPorts(record, endpoints).some((port) => {
    const [number, protocol] = sideOf(port)
    return number !== undefined && wanted.has(`${number}/${protocol}`)
  })
}

function portsWanted(value: string): ReadonlySet<string> {
  try {
    return new Set(parseExpose(value).map(portKey))
  } catch {
    throw new TsrunError(
      'invalid-argument',
      `cannot filter by the port "${value}": it has the form port[-port][/protocol]`,
    )
  }
}
